/** What all tables of the heap backend share: the current key, the clock, and the contract between a table and snapshots. */
import type { ClassRegistry } from '../../codec/class-registry.js';
import type { ByteReader } from '../../common/bytes.js';
import { MillstreamError } from '../../common/errors.js';
import { hashKey, mapKeyOf } from '../../common/hash.js';
import type { Key, PrimitiveKey } from '../../common/key.js';
import type { KeyGroupRange } from '../key-group.js';
import type { ChangeClock, SnapshotCut } from './change-clock.js';
import { corrupt } from './snapshot-file-reader.js';
import type { TableSpec } from './snapshot-format.js';

/** V8 makes a substring of at least this length a slice, which keeps its whole source (a decoded batch) in memory. */
const SLICE_LENGTH_MIN = 13;

function ownedString(text: string): string {
  if (text.length < SLICE_LENGTH_MIN) return text;
  const narrow = Buffer.from(text, 'latin1').toString('latin1');
  return narrow === text ? narrow : Buffer.from(text, 'utf16le').toString('utf16le');
}

function ownedPrimitive(key: PrimitiveKey): PrimitiveKey {
  if (key === 0) return 0;
  return typeof key === 'string' ? ownedString(key) : key;
}

/** A key as it may be kept: without the batch that it was cut from, or an array that its maker changes. */
export function ownedKey(key: Key): Key {
  return typeof key === 'object' ? key.map(ownedPrimitive) : ownedPrimitive(key);
}

/** {@link mapKeyOf}, short for what is its own map key (a `Map` takes -0 for 0 itself). */
export function quickMapKey(key: Key): unknown {
  return typeof key === 'number' ? key : mapKeyOf(key);
}

/** The key that the states are about. */
export class CurrentKey {
  key: Key = 0;
  mapKey: unknown = 0;
  hash = 0;
  /** The key's group, counted from the first of the backend's range; -1 before the first key. */
  groupIndex = -1;
  /**
   * Grows with each change of the key; what was looked up under another number is out of date. A fraction, so that V8 never has to
   * change its representation.
   */
  serial = 0.5;
  /** A number that equals itself: fit for a column. */
  numeric = false;
  private readonly maxParallelism: number;
  private readonly range: KeyGroupRange;
  /** Instead of the division where the number of groups is a power of two; else -1. */
  private readonly groupMask: number;

  constructor(range: KeyGroupRange, maxParallelism: number) {
    this.range = range;
    this.groupMask = (maxParallelism & (maxParallelism - 1)) === 0 ? maxParallelism - 1 : -1;
    this.maxParallelism = maxParallelism;
  }

  set(key: Key): void {
    if (key === this.key && this.groupIndex >= 0 && typeof key !== 'object') return;
    const hash = hashKey(key);
    // The same as keyGroupOf, from the hash that the column tables need too.
    const group = this.groupMask >= 0 ? hash & this.groupMask : (hash & 0x7fffffff) % this.maxParallelism;
    if (group < this.range.start || group > this.range.end) throw this.foreignKey(group);
    this.key = key;
    this.mapKey = quickMapKey(key);
    this.hash = hash;
    this.groupIndex = group - this.range.start;
    this.numeric = typeof key === 'number' && !Number.isNaN(key);
    this.serial++;
  }

  /** Throws unless there is a key. */
  require(): void {
    if (this.groupIndex >= 0) return;
    throw new MillstreamError(
      'UNSUPPORTED_KEY',
      'Cannot use keyed state now: there is no current key. It can be used while an element or a timer is processed, not in open.',
    );
  }

  private foreignKey(group: number): MillstreamError {
    const { start, end } = this.range;
    return new MillstreamError(
      'INTERNAL',
      `Cannot use a key of key group ${group}: this subtask has groups ${start} to ${end}. ` +
        'The key selector gave another key here than before the shuffle; it must be pure.',
    );
  }
}

/** What a table needs of its backend. */
export interface TableContext {
  readonly clock: ChangeClock;
  readonly key: CurrentKey;
  readonly range: KeyGroupRange;
  readonly maxParallelism: number;
  readonly classes: ClassRegistry | undefined;
  /** Whether functions may be generated; undefined: where the process allows it. */
  readonly generateCode: boolean | undefined;
}

/** A walk over what a snapshot holds, in slices. */
export interface TableWalk {
  /**
   * Visits at most `rows` rows, where a long list counts as several. Returns what is left of them; 0 if it may not be done. May be called
   * again when it is done.
   */
  step(rows: number): number;
}

/** A table as snapshots see it. */
export interface HeapTable {
  /** Its place in a file's dictionary. */
  readonly id: number;
  readonly spec: TableSpec;
  /** Starts to serialise at the barrier; `clock.cut` is `cut` until the walk is done or the snapshot aborted. */
  walk(cut: SnapshotCut): TableWalk;
  /** So many bytes of rows of a key group will be loaded, mostly of keys that are not there yet. */
  expectRows?(bytes: number, group: number, source: TableSpec): void;
  /** Adds or replaces the rows of a block of rows; `source` is the table in the file's dictionary. */
  load(rows: ByteReader, group: number, source: TableSpec, isDropped: (namespace: number) => boolean): void;
  /** Adds or replaces the entries of a block. `isForeign`: some may be of key groups that are not this backend's. */
  loadEntries(input: ByteReader, isForeign: boolean, isDropped: (namespace: number) => boolean): void;
  /** Removes the keys of a block. */
  unload(removals: ByteReader, group: number): void;
}

/** Walks one after another. */
export class SequenceWalk implements TableWalk {
  private readonly next: () => TableWalk | undefined;
  private walk: TableWalk | undefined;

  constructor(next: () => TableWalk | undefined) {
    this.next = next;
    this.walk = next();
  }

  step(rows: number): number {
    let left = rows;
    while (this.walk !== undefined) {
      left = this.walk.step(left);
      if (left === 0) return 0;
      this.walk = this.next();
    }
    return left;
  }
}

/** A key read from a file. */
export function requireKey(value: unknown): Key {
  mapKeyOf(value as Key);
  return value as Key;
}

/** A namespace read from a file. */
export function requireNamespace(value: number): number {
  if (!Number.isFinite(value)) throw corrupt(`The namespace ${value} is not finite.`);
  return value;
}

/** Says which state a value that cannot be encoded belongs to. */
export function unwritable(spec: TableSpec, error: unknown): unknown {
  if (!(error instanceof MillstreamError)) return error;
  return new MillstreamError(error.code, `Cannot snapshot the state "${spec.name}": ${error.message}`, {
    cause: error,
    details: error.details,
  });
}
