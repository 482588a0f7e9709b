import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Disk } from '../common/disk.js';
import { createDiskError } from '../common/disk-error.js';
import { MillstreamError } from '../common/errors.js';
import { MemoryDisk } from '../common/memory-disk.js';
import { nodeDisk } from '../common/node-disk.js';
import { seededRandom } from '../common/random.js';
import { DiskCheckpointFiles } from './disk-checkpoint-files.js';
import { createJobRecord, type JobRecord } from './job-record.js';
import { JobRecordStore } from './job-record-store.js';
import { sealJson, unsealJson } from './sealed-json.js';

const recordOfTerm = (term: number): JobRecord =>
  createJobRecord({ job: 'flights', run: 'r1', term, structuralHash: 'abc', restoredFrom: undefined });

async function memoryDisk(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  await disk.makeDirectory('/job');
  await disk.syncDirectory('/');
  return disk;
}

async function write(store: JobRecordStore, count: number): Promise<void> {
  let version = (await store.load())?.version ?? 0;
  for (let i = 0; i < count; i++) version = await store.compareAndSet(version, recordOfTerm(version + 1));
}

const openStore = (disk: Disk, directory: string, writer: string): JobRecordStore =>
  JobRecordStore.open(new DiskCheckpointFiles(disk), directory, writer);

/** As where the process ends. */
const neverReturns = (): Promise<never> => new Promise(() => {});

async function withNodeDirectory(run: (disk: Disk, directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'millstream-job-'));
  try {
    await run(nodeDisk, directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

describe('sealed JSON', () => {
  it('comes back equal, and no changed byte or cut goes unnoticed', () => {
    const bytes = sealJson({ a: [1, 'ü', null] });
    expect(unsealJson(bytes)).toEqual({ whole: true, value: { a: [1, 'ü', null] } });
    for (let at = 0; at < bytes.length; at++) {
      const rotten = bytes.slice();
      rotten[at] = (rotten[at] as number) ^ 1;
      expect(unsealJson(rotten).whole).toBe(false);
      expect(unsealJson(bytes.slice(0, at)).whole).toBe(false);
    }
  });
});

describe('JobRecordStore', () => {
  it.each(['memory', 'node'])('loads what was set last, and truncates what it supersedes (%s disk)', async (kind) => {
    const check = async (disk: Disk, directory: string): Promise<void> => {
      const store = openStore(disk, directory, 'a');
      expect(await store.load()).toBeUndefined();
      await write(store, 5);
      expect(await openStore(disk, directory, 'b').load()).toEqual({ version: 5, record: recordOfTerm(5) });
      expect(await disk.list(directory)).toEqual(['job.1', 'job.2', 'job.3', 'job.4', 'job.5', 'job.hint']);
      for (let version = 1; version < 5; version++) expect((await disk.readFile(`${directory}/job.${version}`)).length).toBe(0);
    };
    if (kind === 'node') await withNodeDirectory(check);
    else await check(await memoryDisk(), '/job');
  });

  it.each(['', 'x', '0\n', '3\n', '7', '7\n', '8\n', '999999\n', '-1\n'])('finds the newest version with the hint %j', async (hint) => {
    const disk = await memoryDisk();
    await write(openStore(disk, '/job', 'a'), 7);
    await disk.unlink('/job/job.hint');
    if (hint !== '') {
      const writer = await disk.create('/job/job.hint');
      await writer.write(Buffer.from(hint));
    }
    expect((await openStore(disk, '/job', 'b').load())?.version).toBe(7);
  });

  it('removes what crashes left, and nothing else', async () => {
    const disk = await memoryDisk();
    const crashed = openStore(disk, '/job', 'crashed');
    await write(crashed, 2);
    const broken: Disk = Object.assign(Object.create(disk) as Disk, { link: neverReturns, unlink: neverReturns });
    void openStore(broken, '/job', 'crashed').compareAndSet(2, recordOfTerm(3));
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    const left = await disk.list('/job');
    expect(left).toContain('job.tmp.crashed.0');
    const next = openStore(disk, '/job', 'next');
    await write(next, 1);
    await next.removeLeftovers();
    expect(await disk.list('/job')).toEqual(['job.1', 'job.2', 'job.3', 'job.hint']);
    expect((await next.load())?.record).toEqual(recordOfTerm(3));
  });

  it.each([1, 3])('is not hindered by somebody who removes temporary files %i times while it writes', async (times) => {
    const disk = await memoryDisk();
    const other = openStore(disk, '/job', 'other');
    await write(other, 1);
    let sweeps = 0;
    const swept: Disk = Object.assign(Object.create(disk) as Disk, {
      link: async (from: string, to: string) => {
        if (sweeps++ < times) await other.removeLeftovers();
        await disk.link(from, to);
      },
    });
    expect(await openStore(swept, '/job', 'writer').compareAndSet(1, recordOfTerm(2))).toBe(2);
    expect(await other.load()).toEqual({ version: 2, record: recordOfTerm(2) });
    expect(await disk.list('/job')).toEqual(['job.1', 'job.2', 'job.hint']);
  });

  it('says so where its directory is gone', async () => {
    const disk = await memoryDisk();
    const store = openStore(disk, '/job', 'a');
    const gone: Disk = Object.assign(Object.create(disk) as Disk, {
      link: () => Promise.reject(createDiskError('ENOENT', 'link', '/job/job.1')),
    });
    await expect(openStore(gone, '/job', 'a').compareAndSet(0, recordOfTerm(1))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await store.load()).toBeUndefined();
  });

  it('lets one of many racing writers win', async () => {
    await withNodeDirectory(async (disk, directory) => {
      await write(openStore(disk, directory, 'first'), 3);
      const attempts = Array.from({ length: 8 }, async (_, i) => {
        const store = openStore(disk, directory, `w${i}`);
        const loaded = await store.load();
        return store.compareAndSet(loaded?.version ?? 0, recordOfTerm(100 + i));
      });
      const results = await Promise.allSettled(attempts);
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'JOB_RECORD_CONFLICT' });
      }
      const winner = results.findIndex((result) => result.status === 'fulfilled');
      expect(await openStore(disk, directory, 'r').load()).toEqual({ version: 4, record: recordOfTerm(100 + winner) });
      expect((await disk.list(directory)).filter((name) => name.includes('tmp'))).toEqual([]);
    });
  });

  it('refuses a version that was superseded, and one that never was', async () => {
    const disk = await memoryDisk();
    const store = openStore(disk, '/job', 'a');
    await write(store, 3);
    await expect(store.compareAndSet(1, recordOfTerm(9))).rejects.toMatchObject({ code: 'JOB_RECORD_CONFLICT' });
    await expect(store.compareAndSet(8, recordOfTerm(9))).rejects.toMatchObject({ code: 'JOB_RECORD_CONFLICT' });
    expect((await store.load())?.version).toBe(3);
  });

  it('refuses an earlier term than that of the record, also from one who has just read it', async () => {
    const disk = await memoryDisk();
    await openStore(disk, '/job', 'a').compareAndSet(0, recordOfTerm(1));
    const deposed = openStore(disk, '/job', 'a');
    await deposed.load();
    await openStore(disk, '/job', 'b').compareAndSet(1, recordOfTerm(2));
    const refused = { code: 'JOB_RECORD_CONFLICT', message: expect.stringContaining('term 2') };
    await expect(deposed.compareAndSet(1, recordOfTerm(1))).rejects.toMatchObject({ code: 'JOB_RECORD_CONFLICT' });
    await expect(deposed.compareAndSet(2, recordOfTerm(1))).rejects.toMatchObject(refused);
    expect((await deposed.load())?.version).toBe(2);
    await expect(deposed.compareAndSet(2, recordOfTerm(1))).rejects.toMatchObject(refused);
    expect(await openStore(disk, '/job', 'b').compareAndSet(2, recordOfTerm(2))).toBe(3);
  });

  it('says that the newest version is damaged', async () => {
    const disk = await memoryDisk();
    await write(openStore(disk, '/job', 'a'), 2);
    disk.corrupt('/job/job.2', 5);
    const error = await openStore(disk, '/job', 'b')
      .load()
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(MillstreamError);
    expect(error).toMatchObject({ code: 'CHECKPOINT_CORRUPT', message: expect.stringContaining("'/job/job.2'") });
  });

  it.each(['write', 'link'])('is not committed on a disk that is full at %s, and free of its rests', async (step) => {
    const disk = await memoryDisk();
    const store = openStore(disk, '/job', 'a');
    await write(store, 1);
    disk.fault = (operation, path) => (operation === step ? createDiskError('ENOSPC', operation, path) : undefined);
    await expect(store.compareAndSet(1, recordOfTerm(2))).rejects.toMatchObject({ code: 'DISK_FULL' });
    disk.fault = undefined;
    expect((await store.load())?.version).toBe(1);
    expect(await disk.list('/job')).toEqual(['job.1', 'job.hint']);
    expect(await store.compareAndSet(1, recordOfTerm(2))).toBe(2);
  });

  it('may be repeated when its outcome is unknown', async () => {
    const disk = await memoryDisk();
    const store = openStore(disk, '/job', 'a');
    await write(store, 1);
    disk.fault = (operation, path) => (operation === 'syncDirectory' ? createDiskError('EIO', operation, path) : undefined);
    await expect(store.compareAndSet(1, recordOfTerm(2))).rejects.toMatchObject({ code: 'EIO' });
    disk.fault = undefined;
    expect(await store.compareAndSet(1, recordOfTerm(2))).toBe(2);
    disk.crash();
    expect((await openStore(disk, '/job', 'b').load())?.version).toBe(2);
  });

  it('has loaded only what no power loss takes back', async () => {
    const disk = await memoryDisk();
    const store = openStore(disk, '/job', 'a');
    await write(store, 1);
    // The writer is killed between its link and its sync: the version can be seen, but is not durable.
    disk.fault = (operation, path) => (operation === 'syncDirectory' ? createDiskError('EIO', operation, path) : undefined);
    await expect(store.compareAndSet(1, recordOfTerm(2))).rejects.toMatchObject({ code: 'EIO' });
    disk.fault = undefined;
    expect((await openStore(disk, '/job', 'b').load())?.version).toBe(2);
    disk.crash();
    expect((await openStore(disk, '/job', 'c').load())?.version).toBe(2);
  });

  it('survives a power loss at every step: what was acknowledged stays, and what was loaded stays', async () => {
    let steps = 0;
    for (let kill = 0; ; kill++) {
      for (let seed = 0; seed < 8; seed++) {
        const disk = await memoryDisk();
        const store = openStore(disk, '/job', 'a');
        await write(store, 2);
        steps = 0;
        disk.fault = (operation, path) => (steps++ >= kill ? createDiskError('EIO', operation, path) : undefined);
        const acknowledged = await store.compareAndSet(2, recordOfTerm(3)).catch(() => 2);
        disk.fault = undefined;
        disk.crash(seed === 0 ? undefined : seededRandom(seed));
        const loaded = await openStore(disk, '/job', 'b').load();
        expect(loaded?.version).toBeGreaterThanOrEqual(acknowledged);
        expect(loaded?.record).toEqual(recordOfTerm(loaded?.version ?? 0));
        disk.crash();
        expect(await openStore(disk, '/job', 'c').load()).toEqual(loaded);
      }
      if (steps < kill) break;
    }
    expect(steps).toBeGreaterThan(8);
  });
});
