import { describe, expect, it } from 'vitest';
import type { CheckpointFiles } from '../checkpoint/checkpoint-files.js';
import { createJobRecord } from '../checkpoint/job-record.js';
import { JobRecordStore } from '../checkpoint/job-record-store.js';
import type { CheckpointMetadata } from '../checkpoint/metadata.js';
import { ObjectCheckpointFiles } from '../checkpoint/object-checkpoint-files.js';
import { CheckpointStorage } from '../checkpoint/storage.js';
import { MemoryObjectStore } from '../common/memory-object-store.js';
import { InjectedFault, type StepFault, withFaults } from '../testing/faults.js';
import { JobDirectoryStore } from './job-directory-store.js';

const DIRECTORY = 's3://memory/job';
const RECORD = createJobRecord({ job: 'j', run: 'r1', term: 1, structuralHash: 'h', restoredFrom: undefined });

function metadata(epoch: number): CheckpointMetadata {
  const identity = { kind: 'checkpoint', jobName: 'j', run: 'r1', attempt: 1, epoch, timestamp: epoch } as const;
  return { ...identity, structuralHash: 'h', jobDirectory: DIRECTORY, defaultParallelism: 1, operators: [] };
}

async function openStore(files: CheckpointFiles, term = 1): Promise<JobDirectoryStore> {
  const storage = new CheckpointStorage(files, DIRECTORY);
  const records = JobRecordStore.open(files, DIRECTORY, `w${term}`);
  const loaded = await records.load();
  const version = loaded?.version ?? (await records.compareAndSet(0, RECORD));
  return new JobDirectoryStore({ files, storage, records, version, record: loaded?.record ?? RECORD, retained: 1, term });
}

/** A store with one checkpoint, of which the second one's commit has a fault. */
async function withFaultyCommit(fault: StepFault): Promise<{ store: JobDirectoryStore; memory: MemoryObjectStore }> {
  const memory = new MemoryObjectStore();
  let next: StepFault | undefined;
  const faulty = withFaults(memory, (_, operation) => {
    if (operation !== 'put') return undefined;
    const now = next;
    next = undefined;
    return now;
  });
  const store = await openStore(new ObjectCheckpointFiles(faulty));
  await store.startAttempt();
  for (const epoch of [1, 2]) {
    await store.writeMetadata(metadata(epoch), undefined);
    if (epoch === 2) next = fault;
    if (epoch === 1) await store.commit(metadata(1), undefined);
    else await expect(store.commit(metadata(2), undefined)).rejects.toThrow();
  }
  return { store, memory };
}

/** A store whose run has one checkpoint. */
async function withOneCheckpoint(): Promise<{ store: JobDirectoryStore; memory: MemoryObjectStore; files: CheckpointFiles }> {
  const memory = new MemoryObjectStore();
  const files = new ObjectCheckpointFiles(memory);
  const store = await openStore(files);
  await store.startAttempt();
  await store.writeMetadata(metadata(1), undefined);
  await store.commit(metadata(1), undefined);
  return { store, memory, files };
}

const epochsOf = (store: JobDirectoryStore): number[] => store.record.checkpoints.map(({ epoch }) => epoch);

describe('JobDirectoryStore', () => {
  it.each(['fail', 'loseAnswer'] as const)(
    'settles a commit whose outcome is unknown before the record is relied on (%s)',
    async (fault) => {
      const { store, memory } = await withFaultyCommit(fault);
      expect(epochsOf(store)).toEqual([1]);
      await store.settle();
      expect(epochsOf(store)).toEqual([2]);
      const next = await store.startAttempt();
      expect([next?.attempt, next?.epochs.first]).toEqual([2, 1001]);
      const loaded = await openStore(new ObjectCheckpointFiles(memory));
      expect(loaded.record).toEqual(store.record);
      await store.settle();
      expect(loaded.record).toEqual(store.record);
    },
  );

  it.each(['fail', 'loseAnswer'] as const)('changes nothing else before that (%s)', async (fault) => {
    const { store, memory } = await withFaultyCommit(fault);
    const before = memory.contents();
    await expect(store.reserveEpochs()).rejects.toThrow(InjectedFault);
    await expect(store.commit(metadata(3), undefined)).rejects.toThrow(InjectedFault);
    expect(memory.contents()).toEqual(before);
    expect(epochsOf(store)).toEqual([1]);
    await store.settle();
    await store.commit(metadata(3), undefined);
    expect(epochsOf(store)).toEqual([3]);
  });

  it.each<[string, (store: JobDirectoryStore) => Promise<unknown>]>([
    ['what the next attempt restores is asked for', async (store) => await store.latest()],
    ['the run ends', async (store) => await store.end('finished')],
    ['an attempt starts', async (store) => await store.startAttempt()],
  ])('settles it where %s', async (_when, act) => {
    const { store, memory } = await withFaultyCommit('fail');
    await act(store);
    const { record } = await openStore(new ObjectCheckpointFiles(memory));
    expect(record.checkpoints.map(({ epoch }) => epoch)).toEqual([2]);
    expect(record).toEqual(store.record);
  });

  it('says so when another process has gone on meanwhile', async () => {
    const { store, memory } = await withFaultyCommit('fail');
    await (await openStore(new ObjectCheckpointFiles(memory))).startAttempt();
    await expect(store.settle()).rejects.toMatchObject({ code: 'JOB_RECORD_CONFLICT' });
  });

  it('removes everything of a finished run', async () => {
    const { store, memory } = await withOneCheckpoint();
    expect([...memory.contents().keys()]).toEqual(['job/chk-1/_metadata', 'job/job']);
    await store.remove(false);
    expect(memory.contents().size).toBe(0);
  });

  it('keeps the record where another leader may have read it', async () => {
    const { store, memory, files } = await withOneCheckpoint();
    const next = await openStore(files);
    await store.remove(true);
    expect([...memory.contents().keys()]).toEqual(['job/job']);
    await expect(next.startAttempt()).rejects.toMatchObject({ code: 'JOB_RECORD_CONFLICT' });
    expect((await openStore(files)).record.checkpoints).toEqual([]);
  });

  it('removes nothing of a run that another leader has', async () => {
    const { store, memory, files } = await withOneCheckpoint();
    const next = await openStore(files);
    await next.startAttempt();
    const before = [...memory.contents().keys()];
    await expect(store.remove(false)).rejects.toMatchObject({ code: 'JOB_RECORD_CONFLICT' });
    expect([...memory.contents().keys()]).toEqual(before);
    expect(epochsOf(await openStore(files))).toEqual([1]);
  });

  it('goes on from the checkpoint by which a former leader was faster, and is not crossed any more', async () => {
    const files = new ObjectCheckpointFiles(new MemoryObjectStore());
    const former = await openStore(files, 1);
    await former.startAttempt();
    const next = await openStore(files, 2);
    await former.writeMetadata(metadata(1), undefined);
    await former.commit(metadata(1), undefined);
    expect(epochsOf(next)).toEqual([]);
    expect((await next.startAttempt())?.attempt).toBe(2);
    expect(epochsOf(next)).toEqual([1]);
    await former.writeMetadata(metadata(2), undefined);
    await expect(former.commit(metadata(2), undefined)).rejects.toMatchObject({ code: 'JOB_RECORD_CONFLICT' });
    await expect(former.end('finished')).rejects.toMatchObject({ code: 'JOB_RECORD_CONFLICT' });
  });

  it.each(['finished', 'stopped'] as const)(
    'starts no attempt of a run that a former leader has %s, however late it hears of it',
    async (ended) => {
      const files = new ObjectCheckpointFiles(new MemoryObjectStore());
      const former = await openStore(files, 1);
      await former.startAttempt();
      const early = await openStore(files, 2);
      await former.end(ended);
      expect(await early.startAttempt()).toBeUndefined();
      expect(early.record.ended).toBe(ended);
      if (ended === 'finished') await former.remove(true);
      expect(await (await openStore(files, 3)).startAttempt()).toBeUndefined();
    },
  );
});
