/**
 * A file that is written once, from synchronous code: chunks arrive while I/O runs behind, `finish` makes it durable with its checksum.
 *
 *     write, write, … ──▶ finish ──▶ { length, crc32 }   (content durable; the caller syncs the directory for the name)
 *                    └──▶ abort                          (the file is removed)
 *
 * Invariants: 1. the checksum is over the chunks as they were handed over, so that a disk that changed them is found; 2. after a failure
 * `failure` is set, later chunks are dropped and `finish` rejects; 3. memory is the caller's concern: `pendingBytes` says how much waits.
 */
import { Crc32 } from './checksum.js';
import type { Disk, DiskWriter } from './disk.js';
import { diskErrorCode, typedDiskError } from './disk-error.js';

/** What a finished file holds. */
export interface DurableFileInfo {
  readonly length: number;
  readonly crc32: number;
}

export class DurableFile {
  readonly path: string;
  /** Bytes handed over and not yet written. */
  pendingBytes = 0;
  /** Why the file cannot be finished; typed if the disk is full. */
  failure: unknown;
  private readonly disk: Disk;
  private readonly what: string;
  private readonly checksum = new Crc32();
  private readonly writer: Promise<DiskWriter | undefined>;
  /** Ends with the last chunk handed over; never rejects. */
  private tail: Promise<void>;

  /** Creates the file; it must not exist. `what` completes "Cannot …" in errors: "write the part file". */
  constructor(disk: Disk, path: string, what: string) {
    this.disk = disk;
    this.path = path;
    this.what = what;
    this.writer = disk.create(path).catch((error: unknown) => {
      this.fail(error);
      return undefined;
    });
    this.tail = this.writer.then(() => {});
  }

  /** Bytes handed over. */
  get length(): number {
    return this.checksum.length;
  }

  /** Takes ownership of the chunk. */
  write(chunk: Uint8Array): void {
    this.checksum.update(chunk);
    this.pendingBytes += chunk.length;
    const written = this.append(chunk);
    const before = this.tail;
    this.tail = written.then(() => before);
  }

  private async append(chunk: Uint8Array): Promise<void> {
    try {
      const writer = await this.writer;
      if (this.failure === undefined) await writer?.write(chunk);
    } catch (error) {
      this.fail(error);
    }
    this.pendingBytes -= chunk.length;
  }

  private fail(error: unknown): void {
    this.failure ??= typedDiskError(this.what, this.path, error) ?? new Error(`Cannot ${this.what} '${this.path}'.`);
  }

  /** Resolves, in any case, when everything handed over so far is written or has failed. */
  drained(): Promise<void> {
    return this.tail;
  }

  /** Makes the content durable. Rejects with `failure`; the file is then removed. */
  async finish(): Promise<DurableFileInfo> {
    await this.tail;
    const writer = await this.writer;
    if (this.failure === undefined && writer !== undefined) {
      try {
        await writer.sync();
        await writer.close();
        return { length: this.checksum.length, crc32: this.checksum.value };
      } catch (error) {
        this.fail(error);
      }
    }
    await this.abort();
    throw this.failure;
  }

  /** Gives the file up and removes it. Never rejects: what cannot be removed is left to the owner's clean-up. */
  async abort(): Promise<void> {
    this.failure ??= new Error(`'${this.path}' was given up.`);
    await this.tail;
    const writer = await this.writer;
    if (writer === undefined) return;
    await writer.close().catch(() => {});
    await this.disk.unlink(this.path).catch(() => {});
  }
}

/** Makes a directory with its parents, all durable. */
export async function makeDurableDirectory(disk: Disk, directory: string): Promise<void> {
  await disk.makeDirectory(directory);
  let path = directory;
  for (;;) {
    const parent = parentOf(path);
    if (parent === path) return;
    try {
      await disk.syncDirectory(parent);
    } catch (error) {
      // A parent that others own: its names have been durable for long.
      if (['EACCES', 'EPERM', 'EINVAL'].includes(diskErrorCode(error) ?? '')) return;
      throw error;
    }
    path = parent;
  }
}

function parentOf(path: string): string {
  const end = path.replace(/\/+$/, '').lastIndexOf('/');
  if (end < 0) return '.' === path ? path : '.';
  return end === 0 ? '/' : path.slice(0, end);
}

/** Reads a whole file and its checksum. */
export async function checksumOfFile(disk: Disk, path: string, chunkBytes: number = 1 << 20): Promise<DurableFileInfo> {
  const reader = await disk.open(path);
  try {
    const checksum = new Crc32();
    for (;;) {
      const chunk = await reader.read(checksum.length, chunkBytes);
      if (chunk.length === 0) return { length: checksum.length, crc32: checksum.value };
      checksum.update(chunk);
    }
  } finally {
    await reader.close();
  }
}
