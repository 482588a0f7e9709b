import { beforeEach, describe, expect, it } from 'vitest';
import { createDiskError } from '../common/disk-error.js';
import { MemoryDisk } from '../common/memory-disk.js';
import { disposeSavepoint, removeClaimed } from './checkpoint-removal.js';
import { DiskCheckpointFiles } from './disk-checkpoint-files.js';
import { addCheckpoint, type CompletedCheckpoint, createJobRecord, type JobRecord } from './job-record.js';
import { JobRecordStore } from './job-record-store.js';
import type { CheckpointKind, CheckpointMetadata } from './metadata.js';
import { EMPTY_OPERATOR_SNAPSHOT, type KeyedStateFile } from './snapshot.js';
import { CheckpointStorage } from './storage.js';

const nobody = (): undefined => undefined;
const INFO = { kind: 'base', rows: 1 } as KeyedStateFile['info'];

let disk: MemoryDisk;
let files: DiskCheckpointFiles;
let storage: CheckpointStorage;

async function names(): Promise<string[]> {
  return [...disk.files('/').keys()].map((name) => `/${name}`).sort();
}

async function stateFile(epoch: number, savepoint?: string): Promise<KeyedStateFile> {
  const file = storage.createStateFile({ run: 'r1', attempt: 1, operatorId: 'o', subtaskIndex: 0, epoch, savepoint });
  file.write(new Uint8Array(10));
  return { ...(await file.finish()), info: INFO };
}

async function write(kind: CheckpointKind, epoch: number, keyedChain: readonly KeyedStateFile[], savepoint?: string): Promise<string> {
  const operator = { operatorId: 'o', uid: undefined, name: 'o', parallelism: 1, maxParallelism: 128, enumeratorState: undefined };
  const metadata: CheckpointMetadata = {
    kind,
    jobName: 'j',
    run: 'r1',
    attempt: 1,
    epoch,
    timestamp: 1,
    structuralHash: 'h',
    jobDirectory: '/job',
    defaultParallelism: 1,
    operators: [{ ...operator, subtasks: [{ ...EMPTY_OPERATOR_SNAPSHOT, keyedChain }] }],
  };
  return await storage.writeMetadata(metadata, savepoint);
}

async function savepointOf(epoch: number): Promise<string> {
  const directory = await storage.prepareSavepoint('/savepoints', 'r1', String(epoch));
  return await write('savepoint', epoch, [await stateFile(epoch, directory)], directory);
}

async function list(checkpoint: Pick<CompletedCheckpoint, 'epoch' | 'path' | 'kind' | 'committed'>): Promise<void> {
  const records = JobRecordStore.open(files, '/job', 'w');
  const known = await records.load();
  const identity = { job: 'j', run: 'r1', term: 1, structuralHash: 'h', restoredFrom: undefined };
  const record: JobRecord = known?.record ?? { ...createJobRecord(identity), nextEpoch: 100 };
  await records.compareAndSet(known?.version ?? 0, { ...record, checkpoints: [...record.checkpoints, { ...checkpoint, timestamp: 1 }] });
}

beforeEach(async () => {
  disk = new MemoryDisk();
  files = new DiskCheckpointFiles(disk);
  storage = new CheckpointStorage(files, '/job');
  await storage.prepare();
});

describe('disposeSavepoint', () => {
  it('removes its directory, named by itself or by its metadata', async () => {
    const kept = await savepointOf(1);
    for (const ending of ['', '/_metadata', '/']) {
      await disposeSavepoint(files, `${await savepointOf(2)}${ending}`, nobody);
      expect(await disk.list('/savepoints')).toEqual([kept.slice('/savepoints/'.length)]);
    }
  });

  it('leaves what it does not name, in its directory and outside', async () => {
    const directory = await storage.prepareSavepoint('/savepoints', 'r1', '3');
    const foreign = await stateFile(3);
    await write(
      'savepoint',
      3,
      [await stateFile(3, directory), { ...foreign, path: `/job/shared/${foreign.path.split('/').at(-1)}` }],
      directory,
    );
    const note = await disk.create(`${directory}/note`);
    await note.close();
    await disposeSavepoint(files, directory, nobody);
    expect(await disk.list(directory)).toEqual(['note']);
    expect(await disk.list('/job/shared')).toHaveLength(1);
  });

  it('refuses what is none', async () => {
    const before = await names();
    await expect(disposeSavepoint(files, '/nothing', nobody)).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' });
    await expect(disposeSavepoint(files, '/job', nobody)).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' });
    expect(await names()).toEqual(before);
    const checkpoint = await write('checkpoint', 4, [await stateFile(4)]);
    await expect(disposeSavepoint(files, checkpoint, nobody)).rejects.toMatchObject({
      code: 'REQUEST_CONFLICT',
      message: expect.stringContaining('it is checkpoint 4 of job "j"'),
    });
    expect(await disk.exists(`${checkpoint}/_metadata`)).toBe(true);
    await disk.makeDirectory('/damaged');
    const damaged = await disk.create('/damaged/_metadata');
    await damaged.write(new Uint8Array(100));
    await damaged.close();
    await expect(disposeSavepoint(files, '/damaged', nobody)).rejects.toMatchObject({ code: 'CHECKPOINT_CORRUPT' });
  });

  it('refuses one that somebody would begin with', async () => {
    const directory = await savepointOf(5);
    const user = (asked: string): string | undefined => (asked === directory ? 'job "x" (1)' : undefined);
    await expect(disposeSavepoint(files, `${directory}/../${directory.split('/').at(-1)}`, user)).rejects.toThrow(
      /job "x" \(1\) would begin/,
    );
    await list({ epoch: 5, path: directory, kind: 'savepoint', committed: false });
    await expect(disposeSavepoint(files, directory, nobody)).rejects.toThrow(/the run whose job record is in '\/job' would begin/);
    await list({ epoch: 6, path: 'chk-6', kind: 'checkpoint', committed: false });
    await disposeSavepoint(files, directory, nobody);
    expect(await disk.exists(directory)).toBe(false);
  });

  it('takes one whose job record is damaged, which nothing can begin with, but none whose record cannot be read now', async () => {
    const directory = await savepointOf(5);
    await list({ epoch: 5, path: directory, kind: 'savepoint', committed: false });
    disk.fault = (operation, path) =>
      operation === 'read' && path.startsWith('/job/job.') ? createDiskError('EIO', operation, path) : undefined;
    await expect(disposeSavepoint(files, directory, nobody)).rejects.toMatchObject({ code: 'EIO' });
    disk.fault = undefined;
    expect(await disk.exists(directory)).toBe(true);
    disk.corrupt('/job/job.1', 5);
    await disposeSavepoint(files, directory, nobody);
    expect(await disk.exists(directory)).toBe(false);
  });

  it('takes the one that a run was stopped with', async () => {
    const directory = await savepointOf(7);
    await list({ epoch: 7, path: directory, kind: 'savepoint', committed: true });
    await disposeSavepoint(files, directory, nobody);
    expect(await disk.exists(directory)).toBe(false);
  });
});

describe('removeClaimed', () => {
  it('removes a checkpoint, and its files that no other one beside it names', async () => {
    const [base, first, second] = [await stateFile(1), await stateFile(2), await stateFile(3)];
    const claimed = await write('checkpoint', 2, [base, first]);
    const sibling = await write('checkpoint', 3, [base, second]);
    await removeClaimed(files, { path: claimed, kind: 'checkpoint' });
    expect(await names()).toEqual(
      [`${sibling}/_metadata`, ...[base, second].map(({ path }) => `/job/shared/${path.split('/').at(-1)}`)].sort(),
    );
    await removeClaimed(files, { path: claimed, kind: 'checkpoint' });
    await removeClaimed(files, { path: sibling, kind: 'checkpoint' });
    expect(await names()).toEqual([]);
  });

  it('removes nothing where it cannot be known what others need', async () => {
    const claimed = await write('checkpoint', 2, [await stateFile(1)]);
    await disk.makeDirectory('/job/chk-9');
    const damaged = await disk.create('/job/chk-9/_metadata');
    await damaged.write(new Uint8Array(100));
    await damaged.close();
    const before = await names();
    await expect(removeClaimed(files, { path: claimed, kind: 'checkpoint' })).rejects.toMatchObject({ code: 'CHECKPOINT_CORRUPT' });
    expect(await names()).toEqual(before);
  });

  it('removes a savepoint', async () => {
    await removeClaimed(files, { path: await savepointOf(1), kind: 'savepoint' });
    expect(await disk.list('/savepoints')).toEqual([]);
  });
});

describe('a claimed checkpoint', () => {
  const CLAIMED = { epoch: 9, path: '/other/chk-9', kind: 'checkpoint', timestamp: 1, committed: false, isClaimed: true } as const;

  function start(): JobRecord {
    const identity = { job: 'j', run: 'r2', term: 1, structuralHash: 'h', restoredFrom: '/other/chk-9' };
    return { ...createJobRecord(identity), nextEpoch: 100, claimed: CLAIMED };
  }

  it.each([
    [1, ['9']],
    [2, ['', '9']],
    [3, ['', '', '9', '1']],
  ])('counts as the oldest of %i retained ones', (retained, expected) => {
    let record = start();
    const gone: string[] = [];
    for (const epoch of expected.keys()) {
      const added = addCheckpoint(
        record,
        { epoch: epoch + 1, path: `chk-${epoch + 1}`, kind: 'checkpoint', timestamp: 1, committed: false },
        retained,
      );
      ({ record } = added);
      gone.push(added.dropped.map((each) => each.epoch).join());
      expect(record.claimed === undefined).toBe(epoch + 1 >= retained);
    }
    expect(gone).toEqual(expected);
  });

  it('stays when only savepoints follow', () => {
    const { record, dropped } = addCheckpoint(start(), { epoch: 1, path: '/s', kind: 'savepoint', timestamp: 1, committed: false }, 1);
    expect([record.claimed, dropped]).toEqual([CLAIMED, []]);
  });
});
