/** What the tests of the heap backend share: whole snapshots as files, and the content of backends as plain data. */
import { MillstreamError } from '../../common/errors.js';
import { mapKeyOf } from '../../common/hash.js';
import type { Key } from '../../common/key.js';
import type { KeyedSnapshot, KeyedSnapshotFile, KeyedStateBackend, WindowTable } from '../backend.js';
import type { AnyStateDescriptor } from '../descriptors.js';

export function idOf(key: Key): string {
  return `${typeof key} ${String(mapKeyOf(key))}`;
}

/** A running snapshot whose chunks are kept. */
export class CollectedSnapshot {
  readonly snapshot: KeyedSnapshot;
  readonly chunks: Uint8Array[] = [];

  constructor(backend: KeyedStateBackend, epoch: number, completed: number, savepoint = false) {
    this.snapshot = backend.startSnapshot(epoch, completed, { write: (chunk) => void this.chunks.push(chunk) }, savepoint);
  }

  finish(rows = 1000): KeyedSnapshotFile {
    while (!this.snapshot.step(rows));
    return this.file();
  }

  file(): KeyedSnapshotFile {
    const { info } = this.snapshot;
    return { info, bytes: Buffer.concat(this.chunks), path: `chk-${info.epoch}/keyed-${info.keyGroups.start}` };
  }
}

/** Takes a snapshot at once. */
export function takeSnapshot(backend: KeyedStateBackend, epoch: number, completed = 0, savepoint = false): KeyedSnapshotFile {
  return new CollectedSnapshot(backend, epoch, completed, savepoint).finish();
}

/** The keys of a state with what `read` gives for each, by id. */
export function contentOf(backend: KeyedStateBackend, descriptor: AnyStateDescriptor, read: () => unknown): Record<string, unknown> {
  const content: Record<string, unknown> = {};
  for (const key of [...backend.keys(descriptor)]) {
    backend.setCurrentKey(key);
    content[idOf(key)] = structuredClone(read());
  }
  return content;
}

export function windowContentOf(table: WindowTable<unknown>): Record<string, unknown> {
  const content: Record<string, unknown> = {};
  for (const namespace of [...table.namespaces()]) {
    for (const { key, value } of table.entries(namespace)) content[`${namespace} ${idOf(key)}`] = structuredClone(value);
  }
  return content;
}

/** The code of the error that an action throws; undefined if it throws none. */
export function codeOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof MillstreamError) return error.code;
    throw error;
  }
  return undefined;
}
