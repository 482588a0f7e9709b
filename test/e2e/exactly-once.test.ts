/** Exactly-once from generator to files: with killed slots, and after a stop and a resume at another parallelism. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobRun } from 'millstream/cluster';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningCount } from '../jobs/running-counts.js';
import { readLines, runJob } from './run-job.js';

const RECORDS = 120_000;
const KEYS = 500;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-e2e-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function parameters(rate: number): Record<string, string> {
  return { records: `${RECORDS}`, keys: `${KEYS}`, rate: `${rate}`, results: join(directory, 'results') };
}

/** The last half of the records waits for this file. */
function held(): { readonly until: string } {
  return { until: join(directory, 'go on') };
}

function options(parallelism: number): Record<string, unknown> {
  return {
    'parallelism.default': parallelism,
    'execution.checkpointing.interval': '100 ms',
    'execution.checkpointing.dir': join(directory, 'checkpoints'),
    'restart-strategy.type': 'fixed-delay',
    'restart-strategy.fixed-delay.attempts': 5,
    'restart-strategy.fixed-delay.delay': '10 ms',
  };
}

/** Every key has each count from 1 to its number of records exactly once, and the last sum is that of its records. */
function expectExact(): void {
  const counts = readLines<RunningCount>(join(directory, 'results', 'running'));
  expect(counts.length).toBe(RECORDS);
  const byKey = new Map<number, Set<number>>();
  const sums = new Map<number, number>();
  for (const { key, count, sum } of counts) {
    const seen = byKey.get(key) ?? new Set();
    seen.add(count);
    byKey.set(key, seen);
    sums.set(key, Math.max(sums.get(key) ?? 0, sum));
  }
  expect(byKey.size).toBe(KEYS);
  for (const seen of byKey.values()) expect(seen.size).toBe(Math.max(...seen));
  let expected = 0;
  for (let index = 0; index < RECORDS; index++) expected += index;
  expect([...sums.values()].reduce((a, b) => a + b, 0)).toBe(expected);
  const windows = readLines<{ count: number }>(join(directory, 'results', 'windows'));
  expect(windows.reduce((sum, window) => sum + window.count, 0)).toBe(RECORDS);
  expect(windows.length).toBe((RECORDS / 10_000) * 10);
  const pending = readdirSync(join(directory, 'results', 'running')).filter((name) => !name.endsWith('.jsonl'));
  expect(pending).toEqual([]);
}

describe('exactly-once', () => {
  it.each([1, 2, 3])('without failure at parallelism %i', async (parallelism) => {
    const outcome = await runJob('running-counts', { parameters: parameters(0), options: options(parallelism) });
    expect(outcome.type).toBe('finished');
    expectExact();
  });

  it.each([1, 2])('with slots killed up to three times in mid-run at parallelism %i', async (parallelism) => {
    let run: JobRun | undefined;
    let completed = 0;
    let attempts = 0;
    const outcome = await runJob('running-counts', {
      parameters: { ...parameters(40_000), ...held() },
      options: options(parallelism),
      onRun: (started) => {
        run = started;
      },
      observer: {
        attemptStarted: () => {
          attempts++;
          completed = 0;
        },
        checkpointCompleted: () => {
          completed++;
          if (completed !== 2 || attempts > 3) return;
          run?.killSlot(attempts % parallelism);
          writeFileSync(held().until, '');
        },
      },
    });
    expect(outcome.type).toBe('finished');
    expect(attempts).toBeGreaterThan(1);
    expectExact();
  });

  it.each([
    [1, 3],
    [3, 2],
  ])('stopped at parallelism %i and resumed at %i', async (before, after) => {
    let run: JobRun | undefined;
    let completed = 0;
    const stopped = await runJob('running-counts', {
      // Nobody writes the file: however slow the checkpoints are, the input has not ended when the job is stopped.
      parameters: { ...parameters(30_000), ...held() },
      options: options(before),
      onRun: (started) => {
        run = started;
      },
      observer: {
        checkpointCompleted: () => {
          completed++;
          if (completed === 3) run?.stop();
        },
      },
    });
    if (stopped.type !== 'stopped') throw new Error(`the job ended as ${stopped.type}`);
    const partial = readLines<RunningCount>(join(directory, 'results', 'running')).length;
    expect(partial).toBeGreaterThan(0);
    expect(partial).toBeLessThan(RECORDS);
    const outcome = await runJob('running-counts', {
      parameters: parameters(0),
      options: options(after),
      run: { from: stopped.checkpoint },
    });
    expect(outcome.type).toBe('finished');
    expectExact();
  });

  it('goes on when a stop with a savepoint and a rescaling fail with their attempts', async () => {
    let run: JobRun | undefined;
    let attempt = 0;
    let parallelism: number | undefined;
    const failures: unknown[] = [];
    const requests: (() => Promise<unknown>)[] = [
      async () => await run?.savepoint(join(directory, 'savepoints'), 'suspend'),
      async () => await run?.rescale(rescaled()),
      async () => await run?.rescale(rescaled()),
    ];
    let vertices: readonly string[] = [];
    const rescaled = (): ReadonlyMap<string, number> => new Map(vertices.map((id) => [id, 3]));
    let requested = false;
    const outcome = await runJob('running-counts', {
      parameters: { ...parameters(40_000), ...held() },
      options: { ...options(2), 'execution.checkpointing.interval': '1 h' },
      onRun: (started) => {
        run = started;
      },
      observer: {
        attemptStarted: (_attempt, graph) => {
          attempt++;
          vertices = graph.vertices.map(({ id }) => id);
          parallelism = graph.vertices[0]?.parallelism;
          requested = false;
        },
        metrics: () => {
          if (requested) return;
          requested = true;
          const request = requests[attempt - 1];
          if (request === undefined) writeFileSync(held().until, '');
          else request().catch((error: unknown) => failures.push(error));
        },
        checkpointTriggered: () => {
          if (attempt < 3) run?.killSlot(1);
        },
      },
    });
    expect(outcome.type).toBe('finished');
    expect(failures).toMatchObject([{ code: 'CHECKPOINT_FAILED' }, { code: 'CHECKPOINT_FAILED' }]);
    expect(attempt).toBe(4);
    expect(parallelism).toBe(3);
    expectExact();
  });
});
