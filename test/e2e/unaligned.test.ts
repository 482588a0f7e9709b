/** Unaligned checkpoints under back pressure: they complete while almost nothing is processed, and what they hold is restored exactly. */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobRun } from 'millstream/cluster';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SlowCount } from '../jobs/slow-counts.js';
import { ClusterHarness, pause } from './cluster-harness.js';
import { readLines, runJob } from './run-job.js';

const RECORDS = 100_000;
const KEYS = 50;
/** Records that wait between source and sink when a checkpoint is asked for, at the least. */
const QUEUED = 2_000;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-unaligned-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function parameters(): Record<string, string> {
  const results = join(directory, 'results');
  return { records: `${RECORDS}`, keys: `${KEYS}`, results, log: join(directory, 'log'), until: join(directory, 'until') };
}

function options(parallelism: number): Record<string, string | number | boolean> {
  return {
    'parallelism.default': parallelism,
    'execution.checkpointing.dir': join(directory, 'checkpoints'),
    'execution.checkpointing.unaligned.enabled': true,
    'restart-strategy.type': 'fixed-delay',
    'restart-strategy.fixed-delay.attempts': 3,
    'restart-strategy.fixed-delay.delay': '10 ms',
  };
}

/** Slow records so far. */
function processed(): number {
  const { log = '' } = parameters();
  return existsSync(log) ? statSync(log).size : 0;
}

function release(): void {
  writeFileSync(parameters().until as string, '');
}

/** Every key has each count from 1 to its number of records exactly once. */
function expectExactlyOnce(): void {
  const byKey = new Map<number, number[]>();
  for (const { key, count } of readLines<SlowCount>(join(directory, 'results'))) {
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [count]);
    else known.push(count);
  }
  expect(byKey.size).toBe(KEYS);
  for (const counts of byKey.values()) {
    expect(counts.sort((a, b) => a - b)).toEqual(Array.from({ length: RECORDS / KEYS }, (_, at) => at + 1));
  }
}

/** Runs the job until much is queued, then does something with it, once. Resolves with how the job ended. */
async function whenFull(parallelism: number, act: (run: JobRun, queued: number) => Promise<void>): Promise<string> {
  let run: JobRun | undefined;
  let acting: Promise<void> | undefined;
  const outcome = await runJob('slow-counts', {
    parameters: parameters(),
    options: options(parallelism),
    onRun: (started) => {
      run = started;
    },
    observer: {
      metrics: (_slot, tasks) => {
        const read = tasks[0]?.recordsIn[0] ?? 0;
        const queued = read - processed();
        if (queued > QUEUED) acting ??= act(run as JobRun, queued);
      },
    },
  });
  await acting;
  return outcome.type;
}

describe.each([1, 2])('in this process at parallelism %i', (parallelism) => {
  it('completes long before what is queued has been processed, and is restored exactly', async () => {
    let between = Number.POSITIVE_INFINITY;
    let waiting = 0;
    const outcome = await whenFull(parallelism, async (run, queued) => {
      waiting = queued;
      const before = processed();
      await run.checkpoint();
      between = processed() - before;
      run.killSlot(parallelism - 1);
      release();
    });
    expect(outcome).toBe('finished');
    // An aligned one would have waited for all of it.
    expect(between).toBeLessThan(waiting);
    expectExactlyOnce();
  });

  it('is refused at another parallelism, with what to do', async () => {
    let checkpoint: string | undefined;
    const outcome = await whenFull(parallelism, async (run) => {
      await run.checkpoint();
      checkpoint = run.lastCheckpoint;
      run.cancel();
    });
    expect(outcome).toBe('cancelled');
    const again = runJob('slow-counts', { parameters: parameters(), options: options(3), run: { from: checkpoint as string } });
    await expect(again).rejects.toMatchObject({ code: 'CHECKPOINT_UNALIGNED', message: expect.stringContaining('is to run at 3') });
  });
});

describe('between TaskManagers', () => {
  it('completes under back pressure, and a job goes on from it when a TaskManager was killed', async () => {
    const cluster = new ClusterHarness();
    try {
      await cluster.start(3);
      const words = Object.entries(parameters()).flatMap(([name, value]) => [`--${name}`, value]);
      const settings = { ...options(2), 'execution.checkpointing.interval': '200 ms', 'execution.checkpointing.num-retained': 2 };
      const id = await cluster.run('slow-counts', settings as Record<string, string | number>, '--', ...words);
      const completed = async (): Promise<number> => (await cluster.client.checkpoints(id)).counts.completed;
      // Full: the first one may have come before that.
      while (processed() < 500) await pause();
      const before = { processed: processed(), completed: await completed() };
      while ((await completed()) < before.completed + 3) await pause();
      expect(processed() - before.processed).toBeLessThan(3 * QUEUED);
      const { vertices } = await cluster.client.job(id);
      const places = await cluster.client.vertexTaskManagers({ jobId: id, vertexId: vertices[0]?.id as string });
      const victim = places.taskmanagers[0]?.['taskmanager-id'];
      await cluster.taskManagers.find(({ log }) => log.some((line) => line.id === victim))?.kill();
      release();
      for (;;) {
        const state = await cluster.client.jobStatus(id);
        if (state === 'FINISHED') break;
        expect(state).not.toBe('FAILED');
        await pause();
      }
      expectExactlyOnce();
    } finally {
      await cluster.stop();
    }
  });
});
