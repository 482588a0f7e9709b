import type { JobGraph, TaskMetrics } from 'millstream/cluster';
import { describe, expect, it } from 'vitest';
import { RunFigures } from './run-figures.js';

const GRAPH = {
  jobName: 'job',
  vertices: [
    { id: 'source', name: 'Source: events', inputs: [] },
    { id: 'sums', name: 'sums', inputs: [{}] },
  ],
} as unknown as JobGraph;

function metrics(vertexId: string, subtask: number, records: number, rest: Partial<TaskMetrics> = {}): TaskMetrics {
  return {
    vertexId,
    subtask,
    recordsIn: [records],
    watermark: 0,
    busyMs: 0,
    backPressuredMs: 0,
    lateRecordsDropped: 0,
    recordsInErrors: 0,
    stateEntries: 0,
    stateColumnBytes: 0,
    ...rest,
  } as TaskMetrics;
}

describe('RunFigures', () => {
  it('sums up subtasks: records and rates added, the lowest watermark, the busiest subtask', () => {
    const figures = new RunFigures(GRAPH, new Map());
    figures.add([metrics('source', 0, 0), metrics('source', 1, 0)], 0);
    figures.add(
      [
        metrics('source', 0, 100, { watermark: 5, busyMs: 250, backPressuredMs: 50 }),
        metrics('source', 1, 300, { watermark: 3, busyMs: 100, backPressuredMs: 400 }),
      ],
      500,
    );
    expect(figures.vertices()[0]).toEqual({
      name: 'Source: events',
      isSource: true,
      records: 400,
      recordsPerSecond: 800,
      watermark: 3,
      busy: 0.5,
      backPressured: 0.8,
    });
    expect(figures.recordsRead()).toBe(400);
  });

  it('has no watermark and no rate before the first report', () => {
    expect(new RunFigures(GRAPH, new Map()).vertices()[1]).toMatchObject({
      records: 0,
      recordsPerSecond: 0,
      watermark: Number.NEGATIVE_INFINITY,
    });
  });

  it('makes no rate of reports that come together', () => {
    const figures = new RunFigures(GRAPH, new Map());
    figures.add([metrics('source', 0, 0)], 0);
    figures.add([metrics('source', 0, 1000)], 1000);
    figures.add([metrics('source', 0, 1001)], 1001);
    expect(figures.vertices()[0]).toMatchObject({ records: 1001, recordsPerSecond: 1000 });
    figures.add([metrics('source', 0, 2000)], 2000);
    expect(figures.vertices()[0]?.recordsPerSecond).toBe(1000);
  });

  it('follows a rate that changes, smoothly', () => {
    const figures = new RunFigures(GRAPH, new Map());
    for (const [at, records] of [
      [0, 0],
      [1000, 1000],
      [2000, 1000],
    ] as const)
      figures.add([metrics('source', 0, records)], at);
    expect(figures.vertices()[0]?.recordsPerSecond).toBeCloseTo(700);
  });

  it('knows how much of a bounded input is left', () => {
    const figures = new RunFigures(GRAPH, new Map([['source', 4000]]));
    expect(figures.input()).toBeUndefined();
    figures.add([metrics('source', 0, 0)], 0);
    figures.add([metrics('source', 0, 1000)], 1000);
    expect(figures.input()).toEqual({ share: 0.25, secondsLeft: 3 });
    figures.add([metrics('source', 0, 4000)], 2000);
    expect(figures.input()).toEqual({ share: 1, secondsLeft: 0 });
  });

  it('does not where a source does not know, or never ends', () => {
    for (const expected of [new Map<string, number>(), new Map([['source', Number.POSITIVE_INFINITY]])]) {
      const figures = new RunFigures(GRAPH, expected);
      figures.add([metrics('source', 0, 1000)], 1000);
      expect(figures.input()).toBeUndefined();
    }
  });

  it('adds up what no result shows', () => {
    const figures = new RunFigures(GRAPH, new Map());
    figures.add(
      [
        metrics('source', 0, 9, { recordsInErrors: 2 }),
        metrics('sums', 0, 7, { lateRecordsDropped: 1 }),
        metrics('sums', 1, 7, { lateRecordsDropped: 3 }),
      ],
      0,
    );
    expect(figures.losses()).toEqual({ late: 4, skipped: 2 });
  });
});
