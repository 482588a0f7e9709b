/**
 * The disk as a simulated process sees it: the shared one, with time, faults, and the process's death in between.
 *
 *     call ──time──▶ fault? ──▶ it happens ──time──▶ answer lost? ──▶ answer
 *       a process that dies on the way has done it, or not, and never hears of it
 *
 * Invariant: operations on one open file happen in the order of their calls.
 */
import type { Disk, DiskReader, DiskWriter } from '../../common/disk.js';
import { createDiskError } from '../../common/disk-error.js';
import type { DiskOperation } from '../../common/memory-disk.js';
import type { Random } from '../../common/random.js';
import type { ProcessClock } from './process-clock.js';

/** What befalls one operation. */
export type DiskMishap =
  /** It does not happen, and fails. */
  | { readonly type: 'fail'; readonly code: 'EIO' | 'ENOSPC' }
  /** It happens, and seems to fail. */
  | { readonly type: 'loseAnswer' }
  /** It happens late. */
  | { readonly type: 'delay'; readonly delayMs: number };

/** What a {@link simulatedDisk} is made of. */
export interface SimulatedDiskOptions {
  readonly disk: Disk;
  readonly clock: ProcessClock;
  readonly random: Random;
  /** Asked once per operation. */
  readonly mishap: (operation: DiskOperation, path: string) => DiskMishap | undefined;
  /** An operation has happened. */
  readonly done: (operation: DiskOperation, path: string) => void;
}

/** Of an operation, each way. */
const LATENCY_MS = { least: 0.02, most: 0.6 };

/** See the head of this file. */
export function simulatedDisk(options: SimulatedDiskOptions): Disk {
  const { disk, clock, random, mishap, done } = options;
  const latency = (): number => LATENCY_MS.least + random.unit() * (LATENCY_MS.most - LATENCY_MS.least);
  const perform = async <T>(operation: DiskOperation, path: string, action: () => Promise<T>): Promise<T> => {
    await clock.sleep(latency());
    const found = mishap(operation, path);
    if (found?.type === 'delay') await clock.sleep(found.delayMs);
    if (found?.type === 'fail') throw createDiskError(found.code, operation, path);
    const result = await action();
    done(operation, path);
    await clock.sleep(latency());
    if (found?.type === 'loseAnswer') throw createDiskError('EIO', operation, path);
    return result;
  };
  const inOrder = (): ((work: () => Promise<void>) => Promise<void>) => {
    let last: Promise<unknown> = Promise.resolve();
    return (work) => {
      const next = last.then(work);
      last = next.catch(() => undefined);
      return next;
    };
  };
  const writerOf = (writer: DiskWriter, path: string): DiskWriter => {
    const next = inOrder();
    return {
      write: (chunk) => {
        // The caller may use its bytes again once the call has returned to it.
        const copy = new Uint8Array(chunk);
        return next(async () => await perform('write', path, async () => await writer.write(copy)));
      },
      sync: () => next(async () => await perform('sync', path, async () => await writer.sync())),
      close: () => next(async () => await writer.close()),
    };
  };
  const readerOf = (reader: DiskReader, path: string): DiskReader => ({
    read: (position, length) => perform('read', path, async () => await reader.read(position, length)),
    size: async () => await reader.size(),
    close: async () => await reader.close(),
  });
  return {
    create: async (path, how) => writerOf(await perform('create', path, async () => await disk.create(path, how)), path),
    open: async (path) => readerOf(await perform('open', path, async () => await disk.open(path)), path),
    readFile: (path) => perform('read', path, async () => await disk.readFile(path)),
    link: (from, to) => perform('link', to, async () => await disk.link(from, to)),
    unlink: (path) => perform('unlink', path, async () => await disk.unlink(path)),
    truncate: (path, length) => perform('truncate', path, async () => await disk.truncate(path, length)),
    exists: (path) => perform('exists', path, async () => await disk.exists(path)),
    list: (directory) => perform('list', directory, async () => await disk.list(directory)),
    makeDirectory: (directory) => perform('makeDirectory', directory, async () => await disk.makeDirectory(directory)),
    removeDirectory: (directory) => perform('removeDirectory', directory, async () => await disk.removeDirectory(directory)),
    syncDirectory: (directory) => perform('syncDirectory', directory, async () => await disk.syncDirectory(directory)),
  };
}
