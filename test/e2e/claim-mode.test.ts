/** Whose a checkpoint is that a run starts from: with NO_CLAIM its owner's, with CLAIM the run's, which removes it. */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { JobRun, RunOutcome } from 'millstream/cluster';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KeyedSum } from '../jobs/keyed-sums.js';
import { readLines, runJob } from './run-job.js';

const RECORDS = 10_000;

let directory: string;
let home: string;
let cases = 0;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-claim-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(() => {
  home = join(directory, `${++cases}`);
});

interface Start {
  readonly from?: string;
  readonly options?: Readonly<Record<string, unknown>>;
  /** What happens when as many checkpoints of this run are complete; the job goes on until it is told to end. */
  readonly at?: readonly [number, (run: JobRun) => void];
}

/** Its last half waits for a file; every record is a line that says how often its key was seen. */
async function run({ from, options = {}, at }: Start): Promise<RunOutcome> {
  let started: JobRun | undefined;
  let completed = 0;
  return await runJob('keyed-sums', {
    parameters: { records: `${RECORDS}`, results: join(home, 'results'), until: join(home, 'until') },
    options: {
      'parallelism.default': 2,
      'execution.checkpointing.interval': '20 ms',
      'execution.checkpointing.dir': join(home, 'checkpoints'),
      ...options,
    },
    run: { ...(from !== undefined && { from }) },
    onRun: (given) => {
      started = given;
    },
    observer: {
      checkpointCompleted: () => {
        completed++;
        if (completed === at?.[0]) at[1](started as JobRun);
      },
    },
  });
}

async function stopped(start: Omit<Start, 'at'>, count: number, before: () => void = () => undefined): Promise<string> {
  const outcome = await run({
    ...start,
    at: [
      count,
      (started) => {
        before();
        started.stop();
      },
    ],
  });
  if (outcome.type !== 'stopped') throw new Error(`the job ended as ${outcome.type}`);
  return outcome.checkpoint;
}

/** Goes on from a checkpoint to the end: every record counts once. */
async function expectRestorable(from: string): Promise<void> {
  writeFileSync(join(home, 'until'), '');
  expect(await run({ from })).toEqual({ type: 'finished' });
  const counts = readLines<KeyedSum>(join(home, 'results')).map(({ key, count }) => `${key} ${count}`);
  expect(counts).toHaveLength(RECORDS);
  expect(new Set(counts).size).toBe(RECORDS);
}

function stateFiles(checkpoint: string): string[] {
  return readdirSync(join(dirname(checkpoint), 'shared'));
}

describe('NO_CLAIM', () => {
  it('leaves the checkpoint as it was, and needs it no longer after the first of its own', async () => {
    const origin = await stopped({}, 3);
    const copy = join(home, 'copy');
    cpSync(dirname(origin), copy, { recursive: true });
    // It is there until the second run has a checkpoint; then all of the first run goes.
    let untouched = false;
    const second = await stopped({ from: origin }, 1, () => {
      untouched = existsSync(join(origin, '_metadata')) && stateFiles(origin).length === readdirSync(join(copy, 'shared')).length;
      rmSync(dirname(origin), { recursive: true });
    });
    expect(untouched).toBe(true);
    await expectRestorable(second);
  });
});

describe('CLAIM', () => {
  const options = { 'execution.state-recovery.claim-mode': 'CLAIM' };

  it('removes the checkpoint with its files when there are enough of its own', async () => {
    const origin = await stopped({}, 3);
    expect(stateFiles(origin).length).toBeGreaterThan(0);
    let afterFirst = false;
    const second = await stopped({ from: origin, options: { ...options, 'execution.checkpointing.num-retained': 2 } }, 1, () => {
      afterFirst = existsSync(join(origin, '_metadata'));
    });
    // The stop has taken its second one.
    expect(afterFirst).toBe(true);
    expect(existsSync(origin)).toBe(false);
    expect(stateFiles(origin)).toEqual([]);
    await expectRestorable(second);
  });

  it('keeps the checkpoint while it needs it, and removes it when it has finished', async () => {
    const origin = await stopped({}, 1);
    const few = { ...options, 'execution.checkpointing.interval': '1 h', 'execution.checkpointing.num-retained': 5 };
    let cancel: (() => void) | undefined;
    const cancelled = runJob('keyed-sums', {
      parameters: { records: `${RECORDS}`, results: join(home, 'results'), until: join(home, 'until') },
      options: { 'parallelism.default': 2, 'execution.checkpointing.dir': join(home, 'checkpoints'), ...few },
      run: { from: origin },
      onRun: (started) => {
        cancel = () => started.cancel();
      },
      observer: { running: () => cancel?.() },
    });
    expect(await cancelled).toEqual({ type: 'cancelled', checkpoint: origin });
    expect(existsSync(join(origin, '_metadata'))).toBe(true);
    writeFileSync(join(home, 'until'), '');
    expect(await run({ from: origin, options: few })).toEqual({ type: 'finished' });
    expect(existsSync(origin)).toBe(false);
    expect(stateFiles(origin)).toEqual([]);
  });
});
