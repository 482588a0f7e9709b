/** Checkpoints that cannot be restored, or not by this program; and disks that are full. What a checkpoint covered is never lost. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobRun } from 'millstream/cluster';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KeyedSum } from '../jobs/keyed-sums.js';
import { type RunJobOptions, readLines, runJob } from './run-job.js';
import { mountTinyDisk, type TinyDisk } from './tiny-disk.js';

const RECORDS = 12_000;
const KEYS = 100;

let directory: string;
/** The directory of a job that was stopped, and its last checkpoint. Never changed: tests damage a copy. */
let kept: string;
let checkpoint: string;
let job: string;

function options(checkpoints: string): Record<string, unknown> {
  return {
    'parallelism.default': 2,
    'execution.checkpointing.interval': '50 ms',
    'execution.checkpointing.dir': checkpoints,
    'execution.checkpointing.num-retained': 2,
  };
}

async function stoppedJob(results: string, checkpoints: string): Promise<string> {
  let run: JobRun | undefined;
  let completed = 0;
  const outcome = await runJob('keyed-sums', {
    // Nobody writes the file that the last half of the records waits for: the job has not ended when it is stopped.
    parameters: { records: `${RECORDS}`, rate: '15000', results, until: `${results}.go-on` },
    options: options(checkpoints),
    onRun: (started) => {
      run = started;
    },
    observer: {
      checkpointCompleted: () => {
        completed++;
        if (completed === 4) run?.stop();
      },
    },
  });
  if (outcome.type !== 'stopped') throw new Error(`the job ended as ${outcome.type}`);
  return outcome.checkpoint;
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-checkpoints-'));
  kept = join(directory, 'kept');
  mkdirSync(kept);
  const stopped = await stoppedJob(join(kept, 'results'), join(kept, 'checkpoints'));
  job = join(directory, 'job');
  checkpoint = join(job, stopped.slice(stopped.lastIndexOf('/') + 1));
  cpSync(stopped.slice(0, stopped.lastIndexOf('/')), join(kept, 'job'), { recursive: true });
});
beforeEach(() => {
  for (const name of ['job', 'results']) {
    rmSync(join(directory, name), { recursive: true, force: true });
    cpSync(join(kept, name), join(directory, name), { recursive: true });
  }
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function resume(from: string, settings: Partial<RunJobOptions> = {}): Promise<unknown> {
  return await runJob(settings.parameters?.fault === undefined ? 'keyed-sums' : 'faults', {
    options: { ...options(join(directory, 'more checkpoints')), ...settings.options },
    parameters: { records: `${RECORDS}`, results: join(directory, 'results'), ...settings.parameters },
    run: { from, ...settings.run },
  });
}

/** The last sum of each key is that of all its records: no state was lost, none was counted twice. */
function expectSums(results = join(directory, 'results')): void {
  const last = new Map<number, KeyedSum>();
  for (const sum of readLines<KeyedSum>(results)) if (sum.count > (last.get(sum.key)?.count ?? 0)) last.set(sum.key, sum);
  expect(last.size).toBe(KEYS);
  for (const { key, count, sum } of last.values()) {
    expect(count).toBe(RECORDS / KEYS);
    // key, key + 100, key + 200 …
    expect(sum).toBe(count * key + (KEYS * count * (count - 1)) / 2);
  }
}

function flip(file: string): void {
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
  writeFileSync(file, bytes);
}

/** State files that the last checkpoint needs and the one before does not. */
function newestStateFile(): string {
  const epoch = Number(checkpoint.slice(checkpoint.lastIndexOf('-') + 1));
  const name = readdirSync(join(job, 'shared')).find((candidate) => candidate.endsWith(`-${epoch}.keyed`));
  if (name === undefined) throw new Error(`no state file of checkpoint ${epoch}`);
  return join(job, 'shared', name);
}

describe('a checkpoint', () => {
  it('that is as it was written is restored', async () => {
    await expect(resume(checkpoint)).resolves.toEqual({ type: 'finished' });
    expectSums();
    expect(readLines<KeyedSum>(join(directory, 'results')).length).toBe(RECORDS);
  });

  it.each([
    ['a state file with one bit changed', () => newestStateFile(), flip],
    ['a state file that was cut', () => newestStateFile(), (file: string) => truncateSync(file, 30)],
    ['a state file that is gone', () => newestStateFile(), (file: string) => rmSync(file)],
    ['metadata that are gone', () => join(checkpoint, '_metadata'), (file: string) => rmSync(file)],
    ['metadata with one bit changed', () => join(checkpoint, '_metadata'), flip],
    ['metadata that were cut', () => join(checkpoint, '_metadata'), (file: string) => truncateSync(file, 100)],
  ])('with %s is refused; the message names the file, and the checkpoint before it, which restores', async (_, choose, damage) => {
    const file = choose();
    damage(file);
    const restarting = { 'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.delay': '1 h' };
    const failure = (await resume(checkpoint, { options: restarting }).catch((error: unknown) => error)) as Error;
    expect(failure).toMatchObject({ code: 'CHECKPOINT_CORRUPT', message: expect.stringContaining(`'${file}'`) });
    const before = /start the job with --from (\S+chk-\d+)/.exec(failure.message)?.[1] ?? '';
    expect(before).not.toBe(checkpoint);
    await expect(resume(before)).resolves.toEqual({ type: 'finished' });
    expectSums();
  });

  it.each([
    ['whose metadata are gone', () => join(checkpoint, '_metadata')],
    ['whose directory is gone', () => checkpoint],
  ])('%s is refused also through its job, and the one before is offered', async (_, gone) => {
    rmSync(gone(), { recursive: true });
    const refused = { code: 'CHECKPOINT_CORRUPT', message: expect.stringMatching(/no such file.*start the job with --from .*chk-\d+/) };
    await expect(resume(checkpoint)).rejects.toMatchObject(refused);
    await expect(resume(job)).rejects.toMatchObject(refused);
  });

  it('beside a damaged job record is restored where it is named', async () => {
    const versions = readdirSync(job).filter((name) => /^job\.\d+$/.test(name));
    const newest = Math.max(...versions.map((name) => Number(name.slice(4))));
    flip(join(job, `job.${newest}`));
    await expect(resume(job)).rejects.toMatchObject({
      code: 'CHECKPOINT_CORRUPT',
      message: expect.stringMatching(/the job record '.*'.*Start the job from one of the checkpoints in/),
    });
    await expect(resume(checkpoint)).resolves.toEqual({ type: 'finished' });
    expectSums();
  });

  it('that its job never completed is refused, and the latest one is offered', async () => {
    cpSync(checkpoint, join(job, 'chk-99'), { recursive: true });
    await expect(resume(join(job, 'chk-99'))).rejects.toMatchObject({
      code: 'CHECKPOINT_NOT_FOUND',
      message: expect.stringContaining(
        `does not list checkpoint 99: it never became complete, or was dropped since; the latest of this job is '${checkpoint}'`,
      ),
    });
  });

  it('of another job is refused', async () => {
    await expect(resume(checkpoint, { parameters: { fault: 'throws' } })).rejects.toMatchObject({
      code: 'CHECKPOINT_OF_ANOTHER_JOB',
      message: expect.stringMatching(/of the job 'keyed-sums' into 'faults'.*'sums'.*\.uid\(\).*--allow-non-restored-state/),
    });
  });

  it.each([
    ['list', 'list', 'value'],
    ['schema', '{ sum: float64, count: float64 }', 'value without a schema'],
    ['schema with text', '{ sum: string, count: float64 }', 'value without a schema'],
  ])('whose state is declared as %s now is refused', async (state, declared, stored) => {
    const restarting = { 'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.delay': '1 h' };
    const failure = (await resume(checkpoint, { parameters: { state }, options: restarting }).catch((error: unknown) => error)) as Error;
    expect(failure).toMatchObject({ code: 'STATE_INCOMPATIBLE' });
    for (const text of ['"sum"', declared, stored, "uid 'sums'", 'Declare it as before, or give the new state another name'])
      expect(failure.message).toContain(text);
    await expect(resume(checkpoint)).resolves.toEqual({ type: 'finished' });
    expectSums();
  });

  it('that is divided into other key groups than the operator says is refused', async () => {
    await expect(resume(checkpoint, { parameters: { 'max-parallelism': '64' } })).rejects.toMatchObject({
      code: 'MAX_PARALLELISM_MISMATCH',
      message: expect.stringMatching(/sums.*128/),
    });
  });

  it('that is divided into other key groups than the option for the whole job says is refused', async () => {
    const failure = await resume(checkpoint, { options: { 'pipeline.max-parallelism': 64 } }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'MAX_PARALLELISM_MISMATCH', details: { stored: 128, maxParallelism: 64 } });
    expect((failure as Error).message).toMatch(
      /uid:sums.* with pipeline\.max-parallelism 64: its state in '.*chk-\d+' is divided into 128 key groups.*Set pipeline\.max-parallelism to 128, or leave it out\./,
    );
    await expect(resume(checkpoint, { options: { 'pipeline.max-parallelism': 128 } })).resolves.toEqual({ type: 'finished' });
    expectSums();
  });

  it.each([
    ['nowhere', 'there is nothing'],
    ['results', "the directory has neither '_metadata' nor a job record"],
    ['job/chk-99', 'there is no such checkpoint; the latest of this job is '],
  ])('that is not there, %s, is not found', async (path, found) => {
    await expect(resume(join(directory, path))).rejects.toMatchObject({
      code: 'CHECKPOINT_NOT_FOUND',
      message: expect.stringContaining(found),
    });
  });
});

describe('a directory for checkpoints', () => {
  it('that cannot be made is named', async () => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    await expect(resume(checkpoint, { options: { 'execution.checkpointing.dir': join(file, 'checkpoints') } })).rejects.toMatchObject({
      code: 'CHECKPOINT_DIRECTORY_UNWRITABLE',
      message: expect.stringMatching(/file\/checkpoints.*--checkpoint-dir/),
    });
  });
});

describe('a full disk', () => {
  let disk: TinyDisk | undefined;
  beforeAll(() => {
    disk = mountTinyDisk(join(directory, 'tiny'));
  });
  afterAll(() => {
    disk?.unmount();
  });

  it('of checkpoints fails the job with what to do; it goes on from the last complete one', async ({ skip }) => {
    // Mounting takes the rights of an administrator.
    if (disk === undefined) return skip();
    let run: JobRun | undefined;
    const results = join(directory, 'results of the full disk');
    const failure = await runJob('keyed-sums', {
      // Slow enough for many checkpoints, however slow they are.
      parameters: { records: `${RECORDS}`, rate: '500', results },
      options: { ...options(disk.path), 'restart-strategy.type': 'none' },
      onRun: (started) => {
        run = started;
      },
    }).catch((error: unknown) => error as Error);
    expect(failure).toMatchObject({
      code: 'CHECKPOINT_FAILED',
      message: expect.stringMatching(/the disk is full\. Free space there or choose another directory/),
    });
    const last = run?.lastCheckpoint ?? '';
    expect(last).toContain(disk.path);
    await expect(resume(last, { parameters: { results } })).resolves.toEqual({ type: 'finished' });
    expectSums(results);
    expect(readLines<KeyedSum>(results).length).toBe(RECORDS);
  });

  it('of results fails the job with what to do; it goes on from the last complete checkpoint', async ({ skip }) => {
    // Mounting takes the rights of an administrator.
    if (disk === undefined) return skip();
    for (const name of readdirSync(disk.path)) rmSync(join(disk.path, name), { recursive: true });
    let run: JobRun | undefined;
    const results = join(disk.path, 'results');
    const until = join(directory, 'after the first checkpoint');
    const failure = await runJob('keyed-sums', {
      parameters: { records: `${RECORDS}`, results, until, free: '200' },
      options: { ...options(join(directory, 'checkpoints of full results')), 'restart-strategy.type': 'none' },
      onRun: (started) => {
        run = started;
      },
      observer: { checkpointCompleted: () => writeFileSync(until, '') },
    }).catch((error: unknown) => error as Error);
    expect(failure).toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringMatching(/tiny\/results.*Free space there or choose another directory/),
    });
    const last = run?.lastCheckpoint ?? '';
    // More space at the same place.
    disk.grow();
    await expect(resume(last, { parameters: { results } })).resolves.toEqual({ type: 'finished' });
    expectSums(results);
    expect(readLines<KeyedSum>(results).length).toBe(RECORDS);
  });
});
