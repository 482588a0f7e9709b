import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Disk } from '../common/disk.js';
import { createDiskError } from '../common/disk-error.js';
import { MemoryDisk } from '../common/memory-disk.js';
import { nodeDisk } from '../common/node-disk.js';
import type { CheckpointFiles } from './checkpoint-files.js';
import { DiskCheckpointFiles } from './disk-checkpoint-files.js';
import { addCheckpoint, createJobRecord, type JobRecord, latestCheckpoint, noteCommitted, startAttempt } from './job-record.js';
import { JobRecordStore } from './job-record-store.js';
import type { CheckpointMetadata } from './metadata.js';
import { encodeOperatorState, type NamedOperatorState } from './operator-state.js';
import { openListed, openRestorePoint } from './restore-point.js';
import { CheckpointRetention } from './retention.js';
import { EMPTY_OPERATOR_SNAPSHOT, INLINE_STATE_BYTES_MAX, type KeyedStateFile, type StateBytes, type SubtaskSnapshot } from './snapshot.js';
import { attemptOfStateFile, type StateFileId, stateFileName } from './state-path.js';
import { CheckpointStorage } from './storage.js';

const OPERATOR = 'uid:count / origins';

/** A job of one operator with one subtask, as a coordinator would run it. */
class TestJob {
  readonly disk: Disk;
  readonly files: CheckpointFiles;
  readonly directory: string;
  readonly storage: CheckpointStorage;
  readonly retention: CheckpointRetention;
  readonly records: JobRecordStore;
  record: JobRecord = createJobRecord({ job: 'flights', run: 'r1', term: 1, structuralHash: 'h', restoredFrom: undefined });
  version = 0;
  chain: KeyedStateFile[] = [];

  constructor(disk: Disk, directory: string) {
    this.disk = disk;
    this.files = new DiskCheckpointFiles(disk);
    this.directory = directory;
    this.storage = new CheckpointStorage(this.files, directory);
    this.retention = new CheckpointRetention(this.files, directory);
    this.records = JobRecordStore.open(this.files, directory, 'w');
  }

  async start(): Promise<void> {
    await this.storage.prepare();
    await this.save(startAttempt(this.record, 1).record);
    await this.retention.collectGarbage(this.record);
    this.chain = [];
  }

  private async save(record: JobRecord): Promise<void> {
    this.version = await this.records.compareAndSet(this.version, record);
    this.record = record;
  }

  /** Writes a base (or a delta on the chain) and acknowledges it. */
  async snapshot(
    epoch: number,
    kind: 'base' | 'delta',
    savepoint?: string,
    states: readonly NamedOperatorState[] = [],
  ): Promise<SubtaskSnapshot> {
    const id = { run: 'r1', attempt: this.record.attempt, operatorId: OPERATOR, subtaskIndex: 0, epoch, savepoint };
    const writer = this.storage.createStateFile(id);
    writer.write(Buffer.from(`${kind} `));
    writer.write(Buffer.from(`of ${epoch}`));
    const file = await writer.finish();
    const info = { kind, epoch, keyGroups: { start: 0, end: 127 }, length: file.length, rows: 1 };
    const chain = kind === 'base' ? [{ ...file, info }] : [...this.chain, { ...file, info }];
    const operatorState = states.length === 0 ? undefined : await this.stored({ ...id, part: 'state' }, encodeOperatorState(states));
    return this.acknowledged(epoch, chain, operatorState);
  }

  /** As a slot does it. */
  private async stored(id: StateFileId, bytes: Uint8Array): Promise<StateBytes> {
    if (bytes.length <= INLINE_STATE_BYTES_MAX) return { inline: bytes };
    const writer = this.storage.createStateFile(id);
    writer.write(bytes);
    return { file: await writer.finish() };
  }

  private acknowledged(epoch: number, keyedChain: KeyedStateFile[], operatorState: StateBytes | undefined): SubtaskSnapshot {
    const operators = { [OPERATOR]: { ...EMPTY_OPERATOR_SNAPSHOT, keyedChain, operatorState } };
    return { epoch, vertexId: 'v', subtaskIndex: 0, operators, writtenBytes: 0 };
  }

  metadata(snapshot: SubtaskSnapshot, kind: CheckpointMetadata['kind'] = 'checkpoint'): CheckpointMetadata {
    const subtasks = [snapshot.operators[OPERATOR] ?? EMPTY_OPERATOR_SNAPSHOT];
    const operator = {
      operatorId: OPERATOR,
      uid: 'count',
      name: 'count',
      parallelism: 1,
      maxParallelism: 128,
      enumeratorState: undefined,
      subtasks,
    };
    const { epoch } = snapshot;
    const identity = { kind, jobName: 'flights', run: 'r1', attempt: this.record.attempt, epoch, timestamp: epoch };
    return { ...identity, structuralHash: 'h', jobDirectory: this.storage.directory, defaultParallelism: 1, operators: [operator] };
  }

  async checkpoint(epoch: number, kind: 'base' | 'delta', retained = 1, states: readonly NamedOperatorState[] = []): Promise<void> {
    const snapshot = await this.snapshot(epoch, kind, undefined, states);
    await this.storage.writeMetadata(this.metadata(snapshot));
    const entry = { epoch, path: `chk-${epoch}`, kind: 'checkpoint' as const, timestamp: epoch, committed: false };
    const { record, dropped } = addCheckpoint(this.record, entry, retained);
    await this.save(record);
    this.chain = [...(snapshot.operators[OPERATOR]?.keyedChain ?? [])];
    await this.retention.discardCheckpoints(dropped, record);
  }

  async savepoint(epoch: number, target: string): Promise<string> {
    const directory = await this.storage.prepareSavepoint(target, 'r1', `${epoch}`);
    await this.storage.writeMetadata(this.metadata(await this.snapshot(epoch, 'base', directory), 'savepoint'), directory);
    const entry = { epoch, path: directory, kind: 'savepoint' as const, timestamp: epoch, committed: false };
    await this.save(addCheckpoint(this.record, entry, 1).record);
    return directory;
  }

  async noteCommitted(epoch: number): Promise<void> {
    await this.save(noteCommitted(this.record, epoch));
  }

  /** What a restore of `from` reads of the keyed state. */
  async restored(from: string): Promise<string[]> {
    const point = await openRestorePoint(this.files, from);
    const chain = point.metadata.operators[0]?.subtasks[0]?.keyedChain ?? [];
    const files = await new CheckpointStorage(this.files, '/elsewhere').readChain(chain, point.previous);
    return files.map((file) => Buffer.from(file.bytes).toString());
  }
}

async function memoryJob(): Promise<{ disk: MemoryDisk; job: TestJob }> {
  const disk = new MemoryDisk();
  const job = new TestJob(disk, '/job');
  await job.start();
  return { disk, job };
}

describe('checkpoint storage', () => {
  it('restores what was checkpointed, on the real disk, after the whole directory moved', async () => {
    const base = await mkdtemp(join(tmpdir(), 'millstream-storage-'));
    try {
      const job = new TestJob(nodeDisk, join(base, 'jobs', 'flights'));
      await job.start();
      await job.checkpoint(1, 'base');
      await job.checkpoint(2, 'delta');
      const savepoint = await job.savepoint(3, join(base, 'savepoints'));
      expect(await job.restored(join(job.directory, 'chk-2'))).toEqual(['base of 1', 'delta of 2']);
      expect(await job.restored(join(job.directory, 'chk-2', '_metadata'))).toEqual(['base of 1', 'delta of 2']);
      expect(await job.restored(relative(process.cwd(), join(job.directory, 'chk-2')))).toEqual(['base of 1', 'delta of 2']);
      expect(await job.restored(job.directory)).toEqual(['base of 3']);
      expect(await job.restored(savepoint)).toEqual(['base of 3']);
      const { rename } = await import('node:fs/promises');
      await rename(join(base, 'jobs'), join(base, 'moved'));
      expect(await job.restored(join(base, 'moved/flights/chk-2'))).toEqual(['base of 1', 'delta of 2']);
    } finally {
      await rm(base, { recursive: true });
    }
  });

  it('acknowledges only what survives a power loss', async () => {
    const { disk, job } = await memoryJob();
    await job.checkpoint(1, 'base');
    await job.checkpoint(2, 'delta');
    disk.crash();
    expect(await job.restored('/job')).toEqual(['base of 1', 'delta of 2']);
    const savepoint = await job.savepoint(3, '/savepoints');
    disk.crash();
    expect(await job.restored(savepoint)).toEqual(['base of 3']);
    expect(await job.restored('/job')).toEqual(['base of 3']);
  });

  it('has durable metadata before the record can name it', async () => {
    const { disk, job } = await memoryJob();
    await job.storage.writeMetadata(job.metadata(await job.snapshot(1, 'base')));
    disk.crash();
    expect([...disk.files('/job').keys()].map((name) => name.replace(/r1-.*\./, ''))).toEqual([
      'chk-1/_metadata',
      'job.1',
      'job.hint',
      'shared/keyed',
    ]);
  });

  it('reads operator state from the metadata, and from files', async () => {
    const { disk, job } = await memoryJob();
    const stateOf = (size: number): NamedOperatorState[] => [{ name: 's', kind: 'list', elements: [new Uint8Array(size).fill(7)] }];
    for (const [epoch, size, files] of [
      [1, 100, 1],
      [2, 30_000, 2],
    ] as const) {
      await job.checkpoint(epoch, 'base', 1, stateOf(size));
      expect(await disk.list('/job/shared')).toHaveLength(files);
      const { metadata } = await openRestorePoint(new DiskCheckpointFiles(disk), '/job');
      const operator = metadata.operators[0] as CheckpointMetadata['operators'][number];
      const [states] = await job.storage.loadOperatorStates(operator);
      expect(states?.map((state) => state.elements.map((element) => element.length))).toEqual([[size]]);
    }
  });

  it('names a damaged or missing state file and the checkpoint before it', async () => {
    const { disk, job } = await memoryJob();
    await job.checkpoint(1, 'base', 2);
    await job.checkpoint(2, 'base', 2);
    const [file] = (await disk.list('/job/shared')).filter((name) => name.includes('-2.'));
    disk.corrupt(`/job/shared/${file}`, 3);
    const damaged = job.restored('/job');
    await expect(damaged).rejects.toMatchObject({
      code: 'CHECKPOINT_CORRUPT',
      details: { path: `/job/shared/${file}`, previous: '/job/chk-1' },
    });
    await disk.unlink(`/job/shared/${file}`);
    await expect(job.restored('/job')).rejects.toThrow(
      /no such file\. The checkpoint before it is '\/job\/chk-1': start the job with --from/,
    );
    disk.corrupt('/job/chk-2/_metadata', 3);
    await expect(job.restored('/job/chk-2')).rejects.toMatchObject({ code: 'CHECKPOINT_CORRUPT', details: { previous: '/job/chk-1' } });
    expect(await job.restored('/job/chk-1')).toEqual(['base of 1']);
  });

  it('turns a full disk into DISK_FULL and leaves no rest of the file', async () => {
    const { disk, job } = await memoryJob();
    disk.fault = (operation, path) => (operation === 'write' ? createDiskError('ENOSPC', operation, path) : undefined);
    await expect(job.snapshot(1, 'base')).rejects.toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining('Free space') });
    expect(await disk.list('/job/shared')).toEqual([]);
  });
});

describe('openRestorePoint', () => {
  it('says what a path lacks, and offers the latest checkpoint', async () => {
    const { disk, job } = await memoryJob();
    const failing = (path: string): Promise<unknown> => openRestorePoint(new DiskCheckpointFiles(disk), path);
    await expect(failing('/job')).rejects.toMatchObject({
      code: 'CHECKPOINT_NOT_FOUND',
      message: expect.stringContaining('no complete checkpoint'),
    });
    await job.checkpoint(1, 'base');
    await expect(failing('/nowhere')).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' });
    await expect(failing('/job/chk-9')).rejects.toThrow("the latest of this job is '/job/chk-1'");
    await expect(failing('/job/shared')).rejects.toThrow("neither '_metadata' nor a job record");
    await disk.unlink('/job/chk-1/_metadata');
    const gone = { code: 'CHECKPOINT_CORRUPT', message: expect.stringContaining("'/job/chk-1/_metadata': expected the metadata") };
    for (const path of ['/job', '/job/chk-1', '/job/chk-1/_metadata']) await expect(failing(path)).rejects.toMatchObject(gone);
  });

  it('refuses a checkpoint that its job record does not list', async () => {
    const { disk, job } = await memoryJob();
    await job.checkpoint(1, 'base');
    await job.storage.writeMetadata(job.metadata(await job.snapshot(2, 'delta')));
    await expect(openRestorePoint(new DiskCheckpointFiles(disk), '/job/chk-2')).rejects.toThrow(
      /does not list checkpoint 2: it never became complete/,
    );
    expect(await job.restored('/job')).toEqual(['base of 1']);
  });

  it('knows whether its committables are committed, of savepoints too', async () => {
    const { disk, job } = await memoryJob();
    await job.checkpoint(1, 'base');
    const savepoint = await job.savepoint(2, '/savepoints');
    for (const path of ['/job/chk-1', savepoint])
      expect((await openRestorePoint(new DiskCheckpointFiles(disk), path)).committed).toBe(false);
    await job.noteCommitted(1);
    await job.noteCommitted(2);
    for (const path of ['/job/chk-1', savepoint, '/job'])
      expect((await openRestorePoint(new DiskCheckpointFiles(disk), path)).committed).toBe(true);
  });

  it('of a job without a checkpoint of its own leads to where the job came from', async () => {
    const { disk, job } = await memoryJob();
    await job.checkpoint(1, 'base');
    const next = new TestJob(disk, '/next');
    next.record = { ...next.record, run: 'r2', restoredFrom: '/job/chk-1' };
    await next.start();
    expect(await next.restored('/next')).toEqual(['base of 1']);
  });
});

describe('CheckpointRetention', () => {
  it('removes exactly what no retained checkpoint names', async () => {
    const { disk, job } = await memoryJob();
    await job.checkpoint(1, 'base', 2);
    await job.checkpoint(2, 'delta', 2);
    await job.checkpoint(3, 'delta', 2);
    expect((await disk.list('/job')).filter((name) => name.startsWith('chk'))).toEqual(['chk-2', 'chk-3']);
    expect(await disk.list('/job/shared')).toHaveLength(3);
    expect(await job.restored('/job/chk-2')).toEqual(['base of 1', 'delta of 2']);
    await job.checkpoint(4, 'base', 2);
    await job.checkpoint(5, 'delta', 2);
    expect((await disk.list('/job/shared')).map((name) => name.replace(/.*-(\d+)\.keyed/, '$1'))).toEqual(['4', '5']);
    expect(await job.restored('/job')).toEqual(['base of 4', 'delta of 5']);
  });

  it.each(['/savepoints', '/job'])('leaves savepoints to their user, also one that is gone (in %s)', async (target) => {
    const { disk, job } = await memoryJob();
    const [kept, gone] = [await job.savepoint(1, target), await job.savepoint(2, target)];
    for (const file of disk.files(gone).keys()) await disk.unlink(`${gone}/${file}`);
    await job.checkpoint(3, 'base');
    const { checkpoints } = job.record;
    expect(checkpoints.map(({ kind }) => kind)).toEqual(['savepoint', 'savepoint', 'checkpoint']);
    await job.retention.discardCheckpoints(checkpoints, { ...job.record, checkpoints: [] });
    expect((await disk.list('/job')).filter((name) => name.startsWith('chk'))).toEqual([]);
    expect(await disk.list('/job/shared')).toEqual([]);
    expect([...disk.files(kept).keys()]).toHaveLength(2);
  });

  it('removes what was written for an epoch that was given up, and nothing that is in use', async () => {
    const { disk, job } = await memoryJob();
    await job.checkpoint(1, 'base');
    const before = [...disk.files('/job').keys()];
    const snapshot = await job.snapshot(2, 'delta');
    await job.storage.writeMetadata(job.metadata(snapshot));
    await job.retention.discardEpoch(2, [snapshot], job.record);
    await job.retention.discardEpoch(2, [snapshot], job.record);
    expect([...disk.files('/job').keys()]).toEqual(before);
    const directory = await job.storage.prepareSavepoint('/savepoints', 'r1', '3');
    await job.retention.discardEpoch(3, [await job.snapshot(3, 'base', directory)], job.record, directory);
    expect([...disk.files('/savepoints')]).toEqual([]);
    expect(await job.restored('/job')).toEqual(['base of 1']);
  });

  it('removes a savepoint with all that was written to it, unless it has metadata', async () => {
    const { disk, job } = await memoryJob();
    const given = await job.storage.prepareSavepoint('/savepoints', 'r1', '1');
    await job.snapshot(1, 'base', given);
    await job.storage.abandonSavepoint(given);
    expect([...disk.files('/savepoints').keys()]).toEqual([]);
    expect(await disk.list('/savepoints')).toEqual([]);
    const kept = await job.storage.prepareSavepoint('/savepoints', 'r1', '2');
    const snapshot = await job.snapshot(2, 'base', kept);
    await job.storage.writeMetadata(job.metadata(snapshot), kept);
    const before = [...disk.files('/savepoints').keys()];
    await job.storage.abandonSavepoint(kept);
    expect([...disk.files('/savepoints').keys()]).toEqual(before);
  });

  it('finds what earlier attempts left, cut off anywhere', async () => {
    let steps = 0;
    for (let kill = 0; ; kill++) {
      const { disk, job } = await memoryJob();
      await job.checkpoint(1, 'base');
      steps = 0;
      disk.fault = (operation, path) => (steps++ >= kill ? createDiskError('EIO', operation, path) : undefined);
      for (const epoch of [2, 3]) await job.checkpoint(epoch, epoch === 2 ? 'delta' : 'base').catch(() => {});
      disk.fault = undefined;
      const later = new TestJob(disk, '/job');
      const loaded = await later.records.load();
      later.record = loaded?.record as JobRecord;
      later.version = loaded?.version as number;
      await later.start();
      const latest = latestCheckpoint(later.record);
      expect(latest?.epoch).toBe(Number((await disk.list('/job')).find((name) => name.startsWith('chk'))?.slice(4)));
      const expected = { 1: ['base of 1'], 2: ['base of 1', 'delta of 2'], 3: ['base of 3'] }[latest?.epoch ?? 0];
      expect(await later.restored('/job')).toEqual(expected);
      expect(await disk.list('/job/shared')).toHaveLength(expected?.length ?? 0);
      if (steps < kill) break;
    }
    expect(steps).toBeGreaterThan(40);
  });

  it('leaves files of a running attempt and of other runs alone', async () => {
    const { disk, job } = await memoryJob();
    await job.snapshot(1, 'base');
    const other = { run: 'r2', attempt: 0, operatorId: 'o', subtaskIndex: 0, epoch: 1 };
    await job.storage.createStateFile(other).finish();
    await job.retention.collectGarbage(job.record);
    expect(await disk.list('/job/shared')).toHaveLength(2);
  });
});

describe('state file names', () => {
  it('differ for different ids and tell their attempt', () => {
    const id = { run: 'a-1', attempt: 12, operatorId: 'uid:x', subtaskIndex: 3, epoch: 4 };
    const others = [
      { ...id, operatorId: 'uid:x/' },
      { ...id, operatorId: 'uid.x' },
      { ...id, part: 'state' },
      { ...id, subtaskIndex: 34 },
    ];
    expect(new Set([id, ...others].map(stateFileName)).size).toBe(5);
    expect(stateFileName({ ...id, operatorId: '../../ü\0'.repeat(100) })).toMatch(/^[A-Za-z0-9_.-]{1,120}$/);
    expect(attemptOfStateFile(stateFileName(id), 'a-1')).toBe(12);
    expect(attemptOfStateFile(stateFileName(id), 'a')).toBeUndefined();
    expect(attemptOfStateFile('readme.txt', 'a-1')).toBeUndefined();
  });
});

describe('openListed', () => {
  it('opens the latest checkpoint of a record', async () => {
    const { disk, job } = await memoryJob();
    await job.checkpoint(1, 'base', 2);
    await job.checkpoint(2, 'delta', 2);
    const latest = latestCheckpoint(job.record);
    if (latest === undefined) throw new Error('no checkpoint');
    const point = await openListed(new DiskCheckpointFiles(disk), '/job', job.record, latest);
    expect(point).toMatchObject({ path: '/job/chk-2', previous: '/job/chk-1', committed: false });
    expect(point.metadata.operators[0]?.subtasks[0]?.keyedChain.map((file) => file.info.kind)).toEqual(['base', 'delta']);
  });
});
