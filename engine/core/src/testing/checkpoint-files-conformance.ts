/** What every place for checkpoints must hold (checkpoint/checkpoint-files.ts), up to a checkpoint that is written, committed and restored. */
import assert from 'node:assert/strict';
import type { CheckpointFiles } from '../checkpoint/checkpoint-files.js';
import { addCheckpoint, createJobRecord, type JobRecord, startAttempt } from '../checkpoint/job-record.js';
import { JobRecordStore } from '../checkpoint/job-record-store.js';
import type { CheckpointMetadata } from '../checkpoint/metadata.js';
import { openRestorePoint } from '../checkpoint/restore-point.js';
import { CheckpointRetention } from '../checkpoint/retention.js';
import { EMPTY_OPERATOR_SNAPSHOT, type KeyedStateFile } from '../checkpoint/snapshot.js';
import { CheckpointStorage } from '../checkpoint/storage.js';
import { crc32 } from '../common/checksum.js';
import { atEachStep, type ConformanceCase, outcomeOf } from './conformance.js';
import type { FaultPlan } from './faults.js';

/** A fresh directory, and processes that open it. */
export interface CheckpointFilesRig {
  /** Prepared and empty, without a '/' at its end. */
  readonly directory: string;
  /** Files of more bytes than this are written in another way than smaller ones, if there is such a size. */
  readonly partBytes: number;
  /** As a new process would. `faults` fall on the steps of its store. */
  open(faults?: FaultPlan): CheckpointFiles;
}

function content(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at ^ (at >> 8)) & 0xff);
}

async function write(files: CheckpointFiles, path: string, length: number, chunkBytes = 100_000): Promise<void> {
  const all = content(length);
  const file = files.create(path, 'write the test file');
  for (let at = 0; at < length; at += chunkBytes) file.write(all.slice(at, at + chunkBytes));
  assert.deepEqual(await file.finish(), { length, crc32: crc32(all) });
  assert.equal(file.pendingBytes, 0);
}

async function assertHolds(files: CheckpointFiles, path: string, length: number): Promise<void> {
  const found = await files.read(path);
  assert.ok(found !== undefined, `'${path}' is there`);
  assert.equal(Buffer.compare(found, content(length)), 0, `'${path}' holds what was written`);
}

/** A job of one operator with one subtask and one file of state per checkpoint. */
class ConformanceJob {
  readonly storage: CheckpointStorage;
  readonly retention: CheckpointRetention;
  private readonly records: JobRecordStore;
  private version = 0;
  private record: JobRecord = createJobRecord({ job: 'j', run: 'r1', term: 1, structuralHash: 'h', restoredFrom: undefined });

  constructor(files: CheckpointFiles, directory: string) {
    this.storage = new CheckpointStorage(files, directory);
    this.retention = new CheckpointRetention(files, directory);
    this.records = JobRecordStore.open(files, directory, 'conformance');
  }

  async start(): Promise<void> {
    await this.storage.prepare();
    await this.save(startAttempt(this.record, 1).record);
    await this.retention.collectGarbage(this.record);
  }

  async writeState(epoch: number, length: number): Promise<KeyedStateFile> {
    const { attempt } = this.record;
    const file = this.storage.createStateFile({ run: 'r1', attempt, operatorId: 'o', subtaskIndex: 0, epoch });
    file.write(content(length));
    return { ...(await file.finish()), info: { kind: 'base', epoch, keyGroups: { start: 0, end: 127 }, length, rows: 1 } };
  }

  async checkpoint(epoch: number, length: number): Promise<void> {
    const keyedChain = [await this.writeState(epoch, length)];
    const operator = { operatorId: 'o', uid: 'o', name: 'o', parallelism: 1, maxParallelism: 128, enumeratorState: undefined };
    const metadata: CheckpointMetadata = {
      kind: 'checkpoint',
      jobName: 'j',
      run: 'r1',
      attempt: this.record.attempt,
      epoch,
      timestamp: epoch,
      structuralHash: 'h',
      jobDirectory: this.storage.directory,
      defaultParallelism: 1,
      operators: [{ ...operator, subtasks: [{ ...EMPTY_OPERATOR_SNAPSHOT, keyedChain }] }],
    };
    await this.storage.writeMetadata(metadata);
    const completed = { epoch, path: `chk-${epoch}`, kind: 'checkpoint', timestamp: epoch, committed: false } as const;
    const { record, dropped } = addCheckpoint(this.record, completed, 1);
    await this.save(record);
    await this.retention.discardCheckpoints(dropped, record);
  }

  private async save(record: JobRecord): Promise<void> {
    this.version = await this.records.compareAndSet(this.version, record);
    this.record = record;
  }
}

/** Opens what a path means and reads its state: the length of each file. */
async function restore(files: CheckpointFiles, from: string): Promise<{ epoch: number; lengths: number[] }> {
  const { metadata } = await openRestorePoint(files, from);
  const chain = metadata.operators[0]?.subtasks[0]?.keyedChain ?? [];
  const state = await new CheckpointStorage(files, from).readChain(chain);
  for (const { bytes } of state) assert.equal(Buffer.compare(bytes, content(bytes.length)), 0);
  return { epoch: metadata.epoch, lengths: state.map(({ bytes }) => bytes.length) };
}

/** The cases. */
export const CHECKPOINT_FILES_CASES: readonly ConformanceCase<CheckpointFilesRig>[] = [
  {
    name: 'reads what was written, of any size',
    async run({ directory, partBytes, open }) {
      const files = open();
      for (const length of [0, 1, partBytes, partBytes + 1, Math.floor(partBytes * 2.5)]) {
        const path = `${directory}/file-${length}`;
        await write(files, path, length);
        await assertHolds(open(), path, length);
        assert.equal(await files.exists(path), true);
        await files.remove(path);
        assert.equal(await files.read(path), undefined);
        assert.equal(await files.exists(path), false);
      }
    },
  },
  {
    name: 'knows what is not there, and removes it without complaint',
    async run({ directory, open }) {
      const files = open();
      assert.equal(await files.read(`${directory}/none`), undefined);
      assert.equal(await files.exists(`${directory}/none`), false);
      await files.remove(`${directory}/none`);
      await files.removeDirectory(`${directory}/none`);
      assert.deepEqual(await files.list(`${directory}/none`), []);
    },
  },
  {
    name: 'leaves nothing of a file that was given up',
    async run({ directory, partBytes, open }) {
      for (const length of [10, Math.floor(partBytes * 1.5)]) {
        const file = open().create(`${directory}/given-up`, 'write the test file');
        file.write(content(length));
        await file.abort();
        assert.equal(await open().read(`${directory}/given-up`), undefined);
      }
      assert.deepEqual(await open().list(directory), []);
    },
  },
  {
    name: 'lists names, each once',
    async run({ directory, open }) {
      const files = open();
      await files.makeDirectory(`${directory}/below`);
      for (const name of ['b', 'a', 'below/c', 'below/d']) await write(files, `${directory}/${name}`, 3);
      assert.deepEqual(await files.list(directory), ['a', 'b', 'below']);
      assert.deepEqual(await files.list(`${directory}/below`), ['c', 'd']);
      assert.equal(await files.exists(`${directory}/below`), true);
      await files.removeDirectory(`${directory}/below`);
      assert.deepEqual(await files.list(`${directory}/below`), ['c', 'd'], 'a directory with something in it stays');
    },
  },
  {
    name: 'replaces small files',
    async run({ directory, open }) {
      for (const text of ['first', 'second, longer', 'x']) {
        await open().replace(`${directory}/note`, Buffer.from(text));
        assert.equal(Buffer.from((await open().read(`${directory}/note`)) ?? []).toString(), text);
      }
    },
  },
  {
    name: 'has a file whole or fails, when any step fails or loses its answer',
    async run({ directory, partBytes, open }) {
      for (const length of [5, Math.floor(partBytes * 2.5)]) {
        for (const fault of ['fail', 'loseAnswer'] as const) {
          const steps = await atEachStep(async (step) => {
            let isHit = false;
            const files = open((at) => {
              if (isHit || at !== step) return undefined;
              isHit = true;
              return fault;
            });
            const path = `${directory}/${fault}-${length}-${step}`;
            if ((await outcomeOf(write(files, path, length))) !== undefined) await assertHolds(open(), path, length);
            // Of a file whose making seemed to fail there may be the name.
            else assert.equal((await open().read(path))?.length ?? 0, 0);
            return isHit ? 'faulted' : 'no such step';
          });
          assert.ok(steps > 0, 'no step had a fault');
        }
      }
    },
  },
  {
    name: 'restores the latest checkpoint of a job, and removes those that are dropped',
    async run({ directory, partBytes, open }) {
      const job = new ConformanceJob(open(), directory);
      await job.start();
      await assert.rejects(restore(open(), directory), { code: 'CHECKPOINT_NOT_FOUND' });
      await job.checkpoint(1, 1000);
      assert.deepEqual(await restore(open(), directory), { epoch: 1, lengths: [1000] });
      const large = partBytes + 1000;
      await job.checkpoint(2, large);
      for (const from of [directory, `${directory}/chk-2`, `${directory}/chk-2/_metadata`]) {
        assert.deepEqual(await restore(open(), from), { epoch: 2, lengths: [large] });
      }
      assert.equal((await open().list(`${directory}/shared`)).length, 1);
      await assert.rejects(restore(open(), `${directory}/chk-1`), { code: 'CHECKPOINT_NOT_FOUND' });
    },
  },
  {
    name: 'says which file of a checkpoint is damaged or missing',
    async run({ directory, open }) {
      const job = new ConformanceJob(open(), directory);
      await job.start();
      await job.checkpoint(1, 1000);
      const files = open();
      const [name = ''] = await files.list(`${directory}/shared`);
      const path = `${directory}/shared/${name}`;
      const damaged = content(1000);
      damaged[500] = (damaged[500] as number) ^ 1;
      await files.replace(path, damaged);
      const isNamed = (error: { code?: string; message: string }): boolean =>
        error.code === 'CHECKPOINT_CORRUPT' && error.message.includes(path);
      await assert.rejects(restore(open(), directory), isNamed);
      await files.remove(path);
      await assert.rejects(restore(open(), directory), isNamed);
    },
  },
  {
    name: 'is cleaned of what a killed attempt left, finished or not',
    async run({ directory, partBytes, open }) {
      const job = new ConformanceJob(open(), directory);
      await job.start();
      await job.checkpoint(1, 1000);
      await job.writeState(2, 500);
      const unfinished = job.storage.createStateFile({ run: 'r1', attempt: 1, operatorId: 'o', subtaskIndex: 0, epoch: 3 });
      unfinished.write(content(Math.floor(partBytes * 1.5)));
      await job.start();
      assert.equal((await open().list(`${directory}/shared`)).length, 1);
      await outcomeOf(unfinished.finish());
      assert.deepEqual(await restore(open(), directory), { epoch: 1, lengths: [1000] });
    },
  },
];
