/** Stop with a savepoint: drained, open windows fire; suspended, they go on after a resume. In this process and on a cluster. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobRun, RunOutcome } from 'millstream/cluster';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningCount } from '../jobs/running-counts.js';
import { ClusterHarness } from './cluster-harness.js';
import { readLines, runJob } from './run-job.js';

const RECORDS = 60_000;
const KEYS = 50;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-stop-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** The last half of the records waits for a file. */
function parameters(): Record<string, string> {
  return { records: `${RECORDS}`, keys: `${KEYS}`, results: join(directory, 'results'), until: join(directory, 'go on') };
}

function options(parallelism: number): Record<string, string | number> {
  return { 'parallelism.default': parallelism, 'execution.checkpointing.dir': join(directory, 'checkpoints') };
}

/** How many records are in the results, and how many of them in windows. */
function counted(): { readonly running: number; readonly windows: number } {
  const windows = readLines<{ count: number }>(join(directory, 'results', 'windows'));
  return {
    running: readLines<RunningCount>(join(directory, 'results', 'running')).length,
    windows: windows.reduce((sum, { count }) => sum + count, 0),
  };
}

describe.each([1, 2])('a job in this process at parallelism %i', (parallelism) => {
  /** Stops as soon as records are known to have arrived. Resolves with how the job ended, and the savepoint. */
  async function stopped(stop: 'drain' | 'suspend'): Promise<{ readonly outcome: RunOutcome; readonly savepoint: string }> {
    let run: JobRun | undefined;
    let savepoint: Promise<string> | undefined;
    const outcome = await runJob('running-counts', {
      parameters: parameters(),
      options: options(parallelism),
      onRun: (started) => {
        run = started;
      },
      observer: {
        metrics: (_slot, tasks) => {
          if (tasks.some(({ recordsIn }) => (recordsIn[0] ?? 0) > 0)) savepoint ??= run?.savepoint(join(directory, 'savepoints'), stop);
        },
      },
    });
    return { outcome, savepoint: (await savepoint) as string };
  }

  it('fires open windows if it is drained, and has nothing left to do after that', async () => {
    const { outcome, savepoint } = await stopped('drain');
    expect(outcome).toMatchObject({ type: 'stopped', checkpoint: savepoint });
    const { running, windows } = counted();
    expect(running).toBeGreaterThan(0);
    expect(windows).toBe(running);
    writeFileSync(parameters().until as string, '');
    const again = await runJob('running-counts', { parameters: parameters(), options: options(parallelism), run: { from: savepoint } });
    expect(again.type).toBe('finished');
    expect(counted()).toEqual({ running, windows });
  });

  it('keeps them if it is suspended, and a resume is exact', async () => {
    const { outcome, savepoint } = await stopped('suspend');
    expect(outcome).toMatchObject({ type: 'stopped', checkpoint: savepoint });
    const { running, windows } = counted();
    expect(running).toBeGreaterThan(0);
    expect(windows).toBeLessThan(running);
    writeFileSync(parameters().until as string, '');
    await runJob('running-counts', { parameters: parameters(), options: options(parallelism), run: { from: savepoint } });
    expect(counted()).toEqual({ running: RECORDS, windows: RECORDS });
    expect(readLines(join(directory, 'results', 'windows'))).toHaveLength((RECORDS / 10_000) * 10);
  });
});

describe('a job on a cluster', () => {
  it('fires open windows if it is stopped with --drain', async () => {
    const cluster = new ClusterHarness();
    try {
      await cluster.start(2);
      const words = Object.entries(parameters()).flatMap(([name, value]) => [`--${name}`, value]);
      const id = await cluster.run('running-counts', { ...options(2), 'execution.checkpointing.interval': '50 ms' }, '--', ...words);
      await cluster.completedCheckpoints(id, 2);
      await cluster.millstream('stop', '--drain', '-p', join(directory, 'savepoints'), id);
      expect(await cluster.ended(id)).toBe('FINISHED');
      const { running, windows } = counted();
      expect(running).toBeGreaterThan(0);
      expect(windows).toBe(running);
    } finally {
      await cluster.stop();
    }
  });
});
