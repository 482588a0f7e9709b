/**
 * Unaligned checkpoints under back pressure: they hold what their barriers overtook, and that is restored exactly. That they complete while
 * nothing at all is processed: engine/core/src/cluster/unaligned.property.test.ts.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobRun } from 'millstream/cluster';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SlowCount } from '../jobs/slow-counts.js';
import { ClusterHarness, pause } from './cluster-harness.js';
import { expectCountsOnce } from './expect-counts.js';
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

function expectExactlyOnce(): void {
  expectCountsOnce(readLines<SlowCount>(join(directory, 'results')), { records: RECORDS, keys: KEYS });
}

/** Whether a barrier has overtaken something, by what the checkpoint in this directory says of itself. */
function hasOvertaken(checkpoint: string): boolean {
  return readFileSync(join(checkpoint, '_metadata'), 'utf8').includes('"channelState"');
}

/** Runs the job until much is queued, then does something with it, once. Resolves with how the job ended. */
async function whenFull(parallelism: number, act: (run: JobRun) => Promise<void>): Promise<string> {
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
        if (read - processed() > QUEUED) acting ??= act(run as JobRun);
      },
    },
  });
  await acting;
  return outcome.type;
}

describe.each([1, 2])('in this process at parallelism %i', (parallelism) => {
  it('holds what was queued, and is restored exactly', async () => {
    let isUnaligned = false;
    const outcome = await whenFull(parallelism, async (run) => {
      await run.checkpoint();
      isUnaligned = hasOvertaken(run.lastCheckpoint as string);
      run.killSlot(parallelism - 1);
      release();
    });
    expect(outcome).toBe('finished');
    expect(isUnaligned).toBe(true);
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
  it('holds what was queued, and a job goes on from it when a TaskManager was killed', async () => {
    const cluster = new ClusterHarness();
    try {
      await cluster.start(3);
      const words = Object.entries(parameters()).flatMap(([name, value]) => [`--${name}`, value]);
      const settings = { ...options(2), 'execution.checkpointing.interval': '200 ms', 'execution.checkpointing.num-retained': 2 };
      const id = await cluster.run('slow-counts', settings as Record<string, string | number>, '--', ...words);
      // Full: the first one may have come before that.
      while (processed() < 500) await pause();
      await cluster.completedCheckpoints(id, (await cluster.client.checkpoints(id)).counts.completed + 3);
      // One that newer ones have taken the place of is gone meanwhile.
      const newest = async (): Promise<string> => (await cluster.client.checkpoints(id)).latest.completed?.external_path as string;
      await expect.poll(async () => hasOvertaken(await newest())).toBe(true);
      await (await cluster.workingTaskManager(id)).kill();
      release();
      expect(await cluster.ended(id)).toBe('FINISHED');
      expectExactlyOnce();
    } finally {
      await cluster.stop();
    }
  });
});
