/**
 * The machine's disk through node:fs.
 * Invariants: 1. a writer's chunks reach the file in the order of the calls, gathered into few system calls; 2. after a failed write
 * every later call of that writer fails with the same error, so that nobody takes a file with a hole for a whole one.
 */
import { type FileHandle, link, mkdir, open, readdir, rmdir, stat, truncate, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Disk, DiskReader, DiskWriter } from './disk.js';
import { createDiskError, diskErrorCode } from './disk-error.js';

class NodeDiskWriter implements DiskWriter {
  private readonly handle: FileHandle;
  private readonly path: string;
  private queue: Uint8Array[] = [];
  /** Ends when everything that was queued before it was made is written. */
  private last: Promise<void> = Promise.resolve();
  /** `last`, as long as its chunks have not been taken from the queue: more can join. */
  private open: Promise<void> | undefined;

  constructor(handle: FileHandle, path: string) {
    this.handle = handle;
    this.path = path;
  }

  write(chunk: Uint8Array): Promise<void> {
    this.queue.push(chunk);
    if (this.open === undefined) {
      this.open = this.last.then(() => this.drain());
      this.last = this.open;
    }
    return this.open;
  }

  private async drain(): Promise<void> {
    let chunks = this.queue;
    this.queue = [];
    this.open = undefined;
    while (chunks.length > 0) {
      const { bytesWritten } = await this.handle.writev(chunks);
      const rest = withoutFirstBytes(chunks, bytesWritten);
      if (bytesWritten === 0 && rest.length > 0) throw createDiskError('EIO', 'write', this.path);
      chunks = rest;
    }
  }

  async sync(): Promise<void> {
    await this.last;
    await this.handle.datasync();
  }

  async close(): Promise<void> {
    try {
      await this.last;
    } finally {
      await this.handle.close();
    }
  }
}

function withoutFirstBytes(chunks: readonly Uint8Array[], count: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let skip = count;
  for (const chunk of chunks) {
    if (skip >= chunk.length) {
      skip -= chunk.length;
    } else {
      rest.push(skip === 0 ? chunk : chunk.subarray(skip));
      skip = 0;
    }
  }
  return rest;
}

/** Of one system call, which takes less than 2 GiB. */
const READ_BYTES_MAX = 256 * 1024 * 1024;

class NodeDiskReader implements DiskReader {
  private readonly handle: FileHandle;

  constructor(handle: FileHandle) {
    this.handle = handle;
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafeSlow(length);
    let at = 0;
    while (at < length) {
      const { bytesRead } = await this.handle.read(buffer, at, Math.min(length - at, READ_BYTES_MAX), position + at);
      if (bytesRead === 0) break;
      at += bytesRead;
    }
    return at === length ? buffer : buffer.subarray(0, at);
  }

  async size(): Promise<number> {
    return (await this.handle.stat()).size;
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

/** Node's own readFile refuses files of 2 GiB, and state files may be larger. */
async function readWhole(path: string): Promise<Uint8Array> {
  const reader = new NodeDiskReader(await open(path, 'r'));
  try {
    return await reader.read(0, await reader.size());
  } finally {
    await reader.close();
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    const code = diskErrorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw error;
  }
}

/**
 * Makes a directory with its parents. Not by Node's `recursive`: where a parent is there that cannot have children (/proc on Linux) it asks for
 * parent and child in turns for ever, and so keeps one of the few threads that do all file I/O of the process.
 */
async function makeDirectory(directory: string): Promise<void> {
  if ((await makeOne(directory)) === 'made') return;
  await makeDirectory(dirname(directory));
  if ((await makeOne(directory)) === 'no parent') throw createDiskError('ENOENT', 'makeDirectory', directory);
}

async function makeOne(directory: string): Promise<'made' | 'no parent'> {
  try {
    await mkdir(directory);
  } catch (error) {
    const isThere = await stat(directory).then(
      (found) => found.isDirectory(),
      () => false,
    );
    if (isThere) return 'made';
    if (diskErrorCode(error) === 'ENOENT' && dirname(directory) !== directory) return 'no parent';
    throw error;
  }
  return 'made';
}

async function syncDirectory(directory: string): Promise<void> {
  // Windows can't open directories; NTFS journals names by itself.
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The machine's disk. */
export const nodeDisk: Disk = {
  create: async (path, options) => new NodeDiskWriter(await open(path, options?.overwrite === true ? 'w' : 'wx'), path),
  open: async (path) => new NodeDiskReader(await open(path, 'r')),
  readFile: readWhole,
  link: (from, to) => link(from, to),
  unlink: (path) => unlink(path),
  truncate: (path, length) => truncate(path, length),
  exists,
  list: async (directory) => (await readdir(directory)).sort(),
  makeDirectory,
  removeDirectory: (directory) => rmdir(directory),
  syncDirectory,
};
