/**
 * A disk in memory for tests and simulation: it forgets in a crash what was not synced, and fails where a hook says so.
 *
 * Like a POSIX file system at its worst: content is durable after `sync` of its writer, a name (new, linked, removed) after
 * `syncDirectory` of its directory; nothing else makes either durable.
 *
 * Invariants: 1. after `crash()` exactly what was synced is there; with a random source each unsynced name and content survives, is
 * lost or (content) is cut, independently; 2. handles opened before a crash fail with ESTALE; 3. an injected error changes nothing.
 */
import type { Disk, DiskReader, DiskWriter } from './disk.js';
import { createDiskError } from './disk-error.js';
import type { Random } from './random.js';

/** Operations a fault hook sees. `write`, `sync` and `read` carry the path the file was opened under. */
export type DiskOperation = Exclude<keyof Disk, 'readFile'> | 'read' | 'write' | 'sync';

/** Returns the error that an operation fails with, undefined to let it happen. May count and record operations. */
export type DiskFault = (operation: DiskOperation, path: string) => Error | undefined;

class FileNode {
  readonly kind = 'file';
  content: Uint8Array = new Uint8Array(0);
  durable: Uint8Array = new Uint8Array(0);

  append(chunk: Uint8Array): void {
    const start = this.content.length;
    let memory = this.content.buffer;
    // Bytes behind `content` belong to nobody: `durable` is `content` itself or a prefix of it.
    if (memory.byteLength < start + chunk.length) {
      memory = new ArrayBuffer(Math.max(64, (start + chunk.length) * 2));
      new Uint8Array(memory).set(this.content);
    }
    this.content = new Uint8Array(memory, 0, start + chunk.length);
    this.content.set(chunk, start);
  }

  crash(random: Random | undefined): void {
    if (random !== undefined && this.content.length > this.durable.length) {
      // Appended bytes may have reached the disk up to any point.
      const kept = this.durable.length + random.below(this.content.length - this.durable.length + 1);
      this.content = this.content.slice(0, kept);
    } else if (random === undefined || random.below(2) === 0) {
      this.content = this.durable;
    }
    this.durable = this.content;
  }
}

class DirectoryNode {
  readonly kind = 'directory';
  names: Map<string, FileNode | DirectoryNode> = new Map();
  durable: Map<string, FileNode | DirectoryNode> = new Map();

  crash(random: Random | undefined, seen: Set<FileNode>): void {
    const after = new Map(this.durable);
    if (random !== undefined) {
      for (const name of new Set([...this.names.keys(), ...this.durable.keys()])) {
        const now = this.names.get(name);
        if (now === this.durable.get(name) || random.below(2) === 0) continue;
        if (now === undefined) after.delete(name);
        else after.set(name, now);
      }
    }
    this.names = after;
    this.durable = new Map(after);
    for (const node of after.values()) {
      if (node.kind === 'directory') {
        node.crash(random, seen);
      } else if (!seen.has(node)) {
        seen.add(node);
        node.crash(random);
      }
    }
  }
}

function segmentsOf(path: string): string[] {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return segments;
}

/** See the head of this file. Paths have '/' between names; '..' and '.' are resolved. */
export class MemoryDisk implements Disk {
  /** Asked before each operation. */
  fault: DiskFault | undefined;
  private readonly root = new DirectoryNode();
  private crashes = 0;

  /** Power loss: what was not synced is gone; with `random` some of it is not, as on real disks. */
  crash(random?: Random): void {
    this.crashes++;
    this.root.crash(random, new Set());
  }

  /** All files under a directory with their content, by path relative to it; for assertions. */
  files(directory = '/'): Map<string, string> {
    const found = new Map<string, string>();
    const walk = (node: DirectoryNode, prefix: string): void => {
      for (const [name, child] of [...node.names].sort(([a], [b]) => (a < b ? -1 : 1))) {
        if (child.kind === 'directory') walk(child, `${prefix}${name}/`);
        else found.set(prefix + name, Buffer.from(child.content).toString());
      }
    };
    const start = this.find(directory);
    if (start?.kind === 'directory') walk(start, '');
    return found;
  }

  /** Overwrites the byte at `position` of a file, durably: bit rot. */
  corrupt(path: string, position: number): void {
    const node = this.file('corrupt', path);
    node.content = node.content.slice();
    node.content[position] = (node.content[position] as number) ^ 0xff;
    node.durable = node.content;
  }

  private check(operation: DiskOperation, path: string): void {
    const error = this.fault?.(operation, path);
    if (error !== undefined) throw error;
  }

  private find(path: string): FileNode | DirectoryNode | undefined {
    let node: FileNode | DirectoryNode = this.root;
    for (const segment of segmentsOf(path)) {
      if (node.kind === 'file') return undefined;
      const next: FileNode | DirectoryNode | undefined = node.names.get(segment);
      if (next === undefined) return undefined;
      node = next;
    }
    return node;
  }

  private directory(operation: string, path: string): DirectoryNode {
    const node = this.find(path);
    if (node === undefined) throw createDiskError('ENOENT', operation, path);
    if (node.kind === 'file') throw createDiskError('ENOTDIR', operation, path);
    return node;
  }

  private file(operation: string, path: string): FileNode {
    const node = this.find(path);
    if (node === undefined) throw createDiskError('ENOENT', operation, path);
    if (node.kind === 'directory') throw createDiskError('EISDIR', operation, path);
    return node;
  }

  private parent(operation: string, path: string): { directory: DirectoryNode; name: string } {
    const segments = segmentsOf(path);
    const name = segments.pop();
    if (name === undefined) throw createDiskError('EISDIR', operation, path);
    return { directory: this.directory(operation, segments.join('/')), name };
  }

  async create(path: string, options?: { readonly overwrite?: boolean }): Promise<DiskWriter> {
    this.check('create', path);
    const { directory, name } = this.parent('create', path);
    const existing = directory.names.get(name);
    if (existing?.kind === 'directory') throw createDiskError('EISDIR', 'create', path);
    if (existing !== undefined && options?.overwrite !== true) throw createDiskError('EEXIST', 'create', path);
    const node = existing ?? new FileNode();
    node.content = new Uint8Array(0);
    directory.names.set(name, node);
    return this.writer(node, path);
  }

  private writer(node: FileNode, path: string): DiskWriter {
    const crashes = this.crashes;
    let failure: Error | undefined;
    const perform = (operation: DiskOperation, action: () => void): Promise<void> =>
      Promise.resolve().then(() => {
        if (crashes !== this.crashes) throw createDiskError('ESTALE', operation, path);
        if (failure !== undefined) throw failure;
        const error = this.fault?.(operation, path);
        if (error !== undefined) {
          failure = error;
          throw error;
        }
        action();
      });
    return {
      write: (chunk) => perform('write', () => node.append(chunk)),
      sync: () =>
        perform('sync', () => {
          node.durable = node.content;
        }),
      close: () => Promise.resolve(),
    };
  }

  async open(path: string): Promise<DiskReader> {
    this.check('open', path);
    const node = this.file('open', path);
    const crashes = this.crashes;
    return {
      read: async (position, length) => {
        if (crashes !== this.crashes) throw createDiskError('ESTALE', 'read', path);
        this.check('read', path);
        return node.content.slice(position, position + length);
      },
      size: () => Promise.resolve(node.content.length),
      close: () => Promise.resolve(),
    };
  }

  async readFile(path: string): Promise<Uint8Array> {
    this.check('open', path);
    const node = this.file('open', path);
    this.check('read', path);
    return node.content.slice();
  }

  async link(from: string, to: string): Promise<void> {
    this.check('link', to);
    const node = this.file('link', from);
    const { directory, name } = this.parent('link', to);
    if (directory.names.has(name)) throw createDiskError('EEXIST', 'link', to);
    directory.names.set(name, node);
  }

  async unlink(path: string): Promise<void> {
    this.check('unlink', path);
    this.file('unlink', path);
    const { directory, name } = this.parent('unlink', path);
    directory.names.delete(name);
  }

  async truncate(path: string, length: number): Promise<void> {
    this.check('truncate', path);
    const node = this.file('truncate', path);
    const next = new Uint8Array(length);
    next.set(node.content.subarray(0, length));
    node.content = next;
  }

  async exists(path: string): Promise<boolean> {
    this.check('exists', path);
    return this.find(path) !== undefined;
  }

  async list(directory: string): Promise<string[]> {
    this.check('list', directory);
    return [...this.directory('list', directory).names.keys()].sort();
  }

  async makeDirectory(directory: string): Promise<void> {
    this.check('makeDirectory', directory);
    let node = this.root;
    for (const segment of segmentsOf(directory)) {
      const next = node.names.get(segment);
      if (next?.kind === 'file') throw createDiskError('EEXIST', 'makeDirectory', directory);
      const child = next ?? new DirectoryNode();
      node.names.set(segment, child);
      node = child;
    }
  }

  async removeDirectory(path: string): Promise<void> {
    this.check('removeDirectory', path);
    if (this.directory('removeDirectory', path).names.size > 0) throw createDiskError('ENOTEMPTY', 'removeDirectory', path);
    const { directory, name } = this.parent('removeDirectory', path);
    directory.names.delete(name);
  }

  async syncDirectory(path: string): Promise<void> {
    this.check('syncDirectory', path);
    const directory = this.directory('syncDirectory', path);
    directory.durable = new Map(directory.names);
  }
}
