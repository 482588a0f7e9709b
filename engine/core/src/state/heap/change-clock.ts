/**
 * When things changed. Time is cut by snapshots into intervals, numbered from 1: a barrier ends interval n, and n + 1 begins. Every
 * entry has two numbers: `touched`, the interval in which it was last prepared for a change (0: not live), and `saved`, the interval
 * that ended with the last snapshot that has it.
 *
 *      interval 1 | barrier: cut {after 0, closing 1} | interval 2 … | barrier: cut {after 1, closing 2} | interval 3 …
 *
 * Invariants: 1. an entry with `touched === interval` may be changed freely: it is in this interval's change list, and the running
 * snapshot has it or does not want it; 2. change lists of intervals up to `floor` are never read again.
 */
import type { Key } from '../../common/key.js';
import type { SnapshotFileWriter } from './snapshot-file-writer.js';
import type { TableWalk } from './table.js';

/** Changes that one interval may always have before tracking them is given up for a base. */
const CHANGES_MIN = 1024;

/** What the running snapshot holds: all that was touched in the intervals (after, closing]. */
export interface SnapshotCut {
  readonly file: SnapshotFileWriter;
  /** 0 in a base. */
  readonly after: number;
  readonly closing: number;
  /** By table. */
  readonly walks: TableWalk[];
  /** Why the snapshot cannot be finished: found while a record was processed, which is not to blame. */
  failure?: { readonly error: unknown } | undefined;
}

/** The clock and the counters that all tables of a backend share. */
export class ChangeClock {
  interval = 1;
  /** False before the first snapshot, and when the next one has to be a base anyway: then nothing is listed. */
  tracking = false;
  floor = 0;
  cut: SnapshotCut | undefined;
  /** Live entries of all tables. */
  entries = 0;
  columnBytes = 0;
  /** Changes listed in this interval. */
  changes = 0;
  private changesMax = CHANGES_MIN;

  /** Whether the running snapshot still needs the entry, which was last touched before its barrier. */
  isPending(touched: number, saved: number): boolean {
    const cut = this.cut;
    return cut !== undefined && saved !== cut.closing && touched > cut.after && touched <= cut.closing;
  }

  /** Counts a listed change. Changes without end between two snapshots must not fill the memory: a base needs no list. */
  countChange(): void {
    if (++this.changes <= this.changesMax) return;
    this.changesMax = Math.max(CHANGES_MIN, 2 * this.entries);
    if (this.changes > this.changesMax) this.tracking = false;
  }

  /** Ends the interval. */
  nextInterval(): void {
    this.interval++;
    this.tracking = true;
    this.changes = 0;
    this.changesMax = Math.max(CHANGES_MIN, 2 * this.entries);
  }

  /** Whether so many changes make a delta as large as a base. */
  isBaseCheaper(changes: number): boolean {
    return changes >= CHANGES_MIN && changes >= this.entries;
  }
}

/** What changed in one interval in one container (a key group, a pane, a timer queue). */
export interface ChangeList<C, R = Key> {
  readonly interval: number;
  readonly changed: C;
  readonly removed: R[];
}

/** The change lists of one container, oldest first. */
export class ChangeLists<C, R = Key> {
  private readonly lists: ChangeList<C, R>[] = [];
  private readonly clock: ChangeClock;
  private readonly empty: (previous: C | undefined) => C;

  /** `empty` makes a list's content, for about as much as in the previous one. */
  constructor(clock: ChangeClock, empty: (previous: C | undefined) => C) {
    this.clock = clock;
    this.empty = empty;
  }

  /** The list of the current interval. */
  current(): ChangeList<C, R> {
    const last = this.lists[this.lists.length - 1];
    return last !== undefined && last.interval === this.clock.interval ? last : this.open();
  }

  private open(): ChangeList<C, R> {
    const previous = this.lists.at(-1)?.changed;
    this.discard();
    const list: ChangeList<C, R> = { interval: this.clock.interval, changed: this.empty(previous), removed: [] };
    this.lists.push(list);
    return list;
  }

  /** Frees what no snapshot needs any more. */
  discard(): void {
    const lists = this.lists;
    while (lists.length > 0 && (lists[0] as ChangeList<C, R>).interval <= this.clock.floor) lists.shift();
  }

  [Symbol.iterator](): IterableIterator<ChangeList<C, R>> {
    return this.lists.values();
  }

  /** The lists that a delta consists of. */
  within(cut: SnapshotCut): ChangeList<C, R>[] {
    this.discard();
    return this.lists.filter((list) => list.interval > cut.after && list.interval <= cut.closing);
  }
}

/** A growable list of row numbers, 4 bytes each. */
export class RowNumbers {
  values: Int32Array;
  length = 0;

  constructor(capacity = 8) {
    this.values = new Int32Array(Math.max(8, capacity));
  }

  push(row: number): void {
    if (this.length === this.values.length) {
      const next = new Int32Array(this.length * 2);
      next.set(this.values);
      this.values = next;
    }
    this.values[this.length++] = row;
  }
}
