/** What is shown of a run where there is no terminal. */
import type { JobGraph, TaskMetrics } from 'millstream/cluster';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createProgress, type Progress } from './progress.js';

const GRAPH = { jobName: 'job', vertices: [{ id: 'source', name: 'Source: events', inputs: [] }] } as unknown as JobGraph;

let now: number;
let written: string[];
let progress: Progress;
beforeEach(() => {
  now = 0;
  written = [];
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const stream = { write: (text: string) => void written.push(text) } as unknown as NodeJS.WriteStream;
  progress = createProgress(stream, { level: 'all' });
  progress.began();
  progress.observer.attemptStarted(1, GRAPH, undefined, new Map());
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** What the source's only subtask tells at this time, ms from the start. */
function told(at: number, records: number): void {
  now = at;
  const metrics: TaskMetrics = {
    vertexId: 'source',
    subtask: 0,
    recordsIn: [records],
    watermark: Number.NEGATIVE_INFINITY,
    busyMs: 0,
    backPressuredMs: 0,
    idleMs: 0,
    lateRecordsDropped: 0,
    recordsInErrors: 0,
    stateEntries: 0,
    stateColumnBytes: 0,
  };
  progress.observer.metrics(0, [metrics], 0);
}

it('is nothing of a run that ends within a second', () => {
  told(500, 5);
  told(999, 10);
  progress.ended({ type: 'finished' });
  expect(written).toEqual([]);
});

it('is that it runs after a second, a line every five seconds, and how it has ended', () => {
  for (let at = 500; at <= 11_000; at += 500) told(at, at / 10);
  now = 12_000;
  progress.ended({ type: 'finished' });
  expect(written).toEqual([
    'Job "job" is running.\n',
    '6.0 s, 600 records read, 100/s, 0 checkpoints\n',
    '11 s, 1100 records read, 100/s, 0 checkpoints\n',
    'Finished after 12 s: 1100 records read, 0 checkpoints.\n',
  ]);
});
