/**
 * The contract between operators and a keyed state backend. One backend instance belongs to one operator of one subtask.
 *
 * Three kinds of tables, all snapshot together:
 *  - keyed states (value, list, map, reducing, aggregating): one entry per (state, key);
 *  - window tables: one entry per (namespace, key), the namespace a number (a window's start); dropped by namespace;
 *  - timer tables: a set of (time, key) in order of time.
 *
 * Snapshots: `startSnapshot(epoch, completed)` costs nothing but bumping the epoch; `step` serialises in slices between
 * records. What an entry held at the barrier is what the snapshot holds: any access that hands out an entry not yet serialised
 * serialises it first. A delta holds what changed in the epochs (completed, epoch]; a base holds everything. Changes of epochs that
 * no confirmed checkpoint covers stay dirty.
 *
 *      records … | barrier n: startSnapshot(n, c) | step … records … step (done) | … confirm(n) (or abort(n)) …
 *
 * Invariants: 1. at most one snapshot is in progress; 2. epochs only grow; 3. after `abort(n)` nothing of n is referred to, and its
 * changes are in the next delta; 4. entries are only of key groups in `keyGroupRange`; 5. a savepoint changes no later delta.
 */

import type { Schema } from '../codec/schema.js';
import type { Key } from '../common/key.js';
import type {
  AggregatingStateDescriptor,
  AnyStateDescriptor,
  ListStateDescriptor,
  MapStateDescriptor,
  ReducingStateDescriptor,
  ValueStateDescriptor,
} from './descriptors.js';
import type { KeyGroupRange } from './key-group.js';
import type { AggregatingState, ListState, MapState, ReducingState, ValueState } from './state.js';
import type { ValueKeeper } from './undo-log.js';

/** A live entry: reading and changing `value` is allowed until the callback returns. */
export interface StateEntry<V> {
  value: V;
}

/** An entry that knows its key. */
export interface KeyedEntry<V> extends StateEntry<V> {
  readonly key: Key;
}

/** Accumulators or buffers by (namespace, key). The namespace is a finite number. */
export interface WindowTable<V> {
  /** The entry, prepared for being changed in place; undefined if there is none. */
  entry(namespace: number, key: Key): StateEntry<V> | undefined;
  /** Adds an entry that is not there yet and returns it. */
  insert(namespace: number, key: Key, value: V): StateEntry<V>;
  remove(namespace: number, key: Key): void;
  /** All entries of a namespace, prepared like `entry`. They may be removed while this iterates. */
  entries(namespace: number): IterableIterator<KeyedEntry<V>>;
  count(namespace: number): number;
  /** Removes a namespace with all its entries. */
  drop(namespace: number): void;
  /** The namespaces that have entries, in no order. */
  namespaces(): IterableIterator<number>;
}

/** A set of (time, key), unique, handed out in order of time. Times are finite numbers of ms. */
export interface TimerTable {
  /** Returns false if it was there already. */
  register(time: number, key: Key): boolean;
  /** Returns false if it was not there. */
  delete(time: number, key: Key): boolean;
  /** The smallest time, Infinity if empty. */
  nextTime(): number;
  /** Removes the first timer whose time is <= `limit` and returns its key (its time in `polledTime`); undefined if there is none. */
  poll(limit: number): Key | undefined;
  /** The time of the timer that `poll` returned last. */
  readonly polledTime: number;
  readonly size: number;
}

/** Where a snapshot's bytes go. `write` takes ownership of the chunk. */
export interface SnapshotSink {
  write(chunk: Uint8Array): void;
}

/** What to know of a finished snapshot file; together with the file it can be restored. Plain data. */
export interface KeyedSnapshotInfo {
  readonly kind: 'base' | 'delta';
  readonly epoch: number;
  readonly keyGroups: { readonly start: number; readonly end: number };
  /** Bytes written to the sink. */
  readonly length: number;
  /** Entries and tombstones written. */
  readonly rows: number;
}

/** A snapshot that is being serialised. */
export interface KeyedSnapshot {
  /** Serialises about `rows` rows; true when nothing is left. */
  step(rows: number): boolean;
  /** Only after `step` returned true. */
  readonly info: KeyedSnapshotInfo;
}

/** One file of a chain, in the order base, delta, delta …; the bytes were verified against their checksum before. */
export interface KeyedSnapshotFile {
  readonly info: KeyedSnapshotInfo;
  readonly bytes: Uint8Array;
  /** Where it lies, for errors. */
  readonly path: string;
}

/** Figures for metrics; computed from counters, without a walk. */
export interface KeyedStateSize {
  readonly entries: number;
  /** Bytes of typed columns; what lies on the JavaScript heap is not known. */
  readonly columnBytes: number;
}

export interface KeyedStateBackend {
  readonly keyGroupRange: KeyGroupRange;
  readonly maxParallelism: number;
  /** Sets the key of the states; computes its key group. Throws UNSUPPORTED_KEY. */
  setCurrentKey(key: Key): void;
  currentKey(): Key;

  /** `keeper`, here and below: how a backend with an undo log remembers the values. Default: by deep copies. */
  value<T>(descriptor: ValueStateDescriptor<T>, keeper?: ValueKeeper<T>): ValueState<T>;
  list<T>(descriptor: ListStateDescriptor<T>): ListState<T>;
  map<K, V>(descriptor: MapStateDescriptor<K, V>): MapState<K, V>;
  reducing<T>(descriptor: ReducingStateDescriptor<T>): ReducingState<T>;
  aggregating<IN, ACC, OUT>(descriptor: AggregatingStateDescriptor<IN, ACC, OUT>): AggregatingState<IN, OUT>;
  /** The keys that have an entry in a state, for `applyToKeys` and tests. Entries must not be added while it iterates. */
  keys(descriptor: AnyStateDescriptor): IterableIterator<Key>;

  windows<V>(name: string, schema?: Schema<V>, keeper?: ValueKeeper<V>): WindowTable<V>;
  timers(name: string): TimerTable;

  /**
   * `completed`: the last epoch whose checkpoint is known to be complete, 0 if none. `savepoint`: a base whatever has changed, and no delta
   * is ever relative to it: the chain of checkpoints goes on as if it had not been. Default: false.
   */
  startSnapshot(epoch: number, completed: number, sink: SnapshotSink, savepoint?: boolean): KeyedSnapshot;
  /** The checkpoint of `epoch` is complete: what is dirty only up to it is clean now. */
  confirm(epoch: number): void;
  /** The checkpoint of `epoch` failed or was declined, also in mid-snapshot. */
  abort(epoch: number): void;
  /** Only once, before anything else, after all states have been declared or before (both must work). `chains`: one per old subtask. Takes entries of `keyGroupRange`, leaves others. */
  restore(chains: readonly (readonly KeyedSnapshotFile[])[]): void;
  size(): KeyedStateSize;
}
