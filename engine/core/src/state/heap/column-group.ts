/**
 * The rows of one key group of a state with a numeric schema: typed memory off the JavaScript heap, an open-addressing table with linear
 * probing whose slots are the rows themselves, so that finding a key and its fields costs one cache miss.
 *
 *   touched > 0: a key's row        touched = 0: never used since the last rehash        touched < 0: its key was removed
 *
 * Invariants: 1. keys are never NaN; 2. rows move only in `rehash`, which makes the change lists anew; walks
 * notice by `generation` and look at all again (what is saved stays saved); 3. at most seven tenths of the slots are not 0, after a
 * rehash just above a third: a key takes 1.4 to 2.9 rows, and a rehash is short since it concerns one key group.
 */
import { hashKey } from '../../common/hash.js';
import { type ChangeClock, ChangeLists, RowNumbers, type SnapshotCut } from './change-clock.js';
import { AllRowsWalk, ChangedRowsWalk } from './column-walk.js';
import { type RowLayout, SAVED, TOUCHED } from './row-layout.js';
import type { TableWalk } from './table.js';

/** Spreads hashes whose low bits say which key group this is, and so are equal here. */
const SPREAD = 0x9e3779b1;
const LOAD_MAX = 0.7;
/** Each rehash doubles the table: fresh memory costs more (page faults) than moving the rows does. */
const GROWTH = 2;
const CAPACITY_MIN = 4;
/** `touched` of a slot that is free and in no change list of this interval. */
const FREE = -0x7fffffff;

/** How rows are written to a snapshot. */
export interface RowCodec {
  writeRow(cut: SnapshotCut, group: ColumnGroup, row: number): void;
  writeRemoval(cut: SnapshotCut, group: ColumnGroup, key: number): void;
}

export class ColumnGroup {
  f64: Float64Array = new Float64Array(0);
  i32: Int32Array = new Int32Array(0);
  capacity = 0;
  /** Keys. */
  count = 0;
  /** How often the rows have moved. */
  generation = 0;
  readonly label: number;
  private readonly clock: ChangeClock;
  private readonly codec: RowCodec;
  private readonly stride: number;
  private readonly changes: ChangeLists<RowNumbers, number>;
  /** Slots that are not 0. */
  private used = 0;
  private usedMax = 0;
  /** From a 32-bit hash to a slot. */
  private scale = 0;

  constructor(label: number, clock: ChangeClock, codec: RowCodec, layout: RowLayout) {
    this.label = label;
    this.clock = clock;
    this.codec = codec;
    this.stride = layout.stride;
    this.changes = new ChangeLists(clock, (previous) => new RowNumbers(previous?.length));
    this.allocate(CAPACITY_MIN);
  }

  private allocate(capacity: number): void {
    const f64 = new Float64Array(capacity * this.stride);
    this.clock.columnBytes += f64.byteLength - this.f64.byteLength;
    this.f64 = f64;
    this.i32 = new Int32Array(f64.buffer);
    this.capacity = capacity;
    this.usedMax = Math.floor(capacity * LOAD_MAX);
    this.scale = capacity / 0x1_0000_0000;
  }

  /** The row of a key (not NaN), -1 if there is none. */
  find(hash: number, key: number): number {
    const { f64, i32, stride, capacity } = this;
    let row = ((Math.imul(hash, SPREAD) >>> 0) * this.scale) | 0;
    for (;;) {
      const at = row * stride;
      const touched = i32[at * 2 + TOUCHED] as number;
      if (f64[at] === key && touched > 0) return row;
      if (touched === 0) return -1;
      if (++row === capacity) row = 0;
    }
  }

  /** Adds a row for a key that has none; its fields are to be set. */
  add(hash: number, key: number): number {
    const { clock } = this;
    if (this.used >= this.usedMax) this.rehash();
    const row = this.freeSlot(hash);
    const at = row * this.stride;
    const touched = this.i32[at * 2 + TOUCHED] as number;
    if (touched === 0) this.used++;
    // -0 is 0 as a key.
    this.f64[at] = key + 0;
    this.i32[at * 2 + TOUCHED] = clock.interval;
    this.count++;
    clock.entries++;
    if (clock.tracking && touched !== -clock.interval) this.list(row);
    return row;
  }

  private freeSlot(hash: number): number {
    let row = ((Math.imul(hash, SPREAD) >>> 0) * this.scale) | 0;
    while ((this.i32[row * this.stride * 2 + TOUCHED] as number) > 0) if (++row === this.capacity) row = 0;
    return row;
  }

  private rehash(): void {
    const { f64, i32, stride } = this;
    this.allocate(Math.max(CAPACITY_MIN, Math.ceil((this.count + 1) * (GROWTH / LOAD_MAX))));
    this.used = this.count;
    this.generation++;
    for (const list of this.changes) list.changed.length = 0;
    for (let at = 0; at < f64.length; at += stride) {
      const touched = i32[at * 2 + TOUCHED] as number;
      if (touched <= 0) continue;
      const row = this.freeSlot(hashKey(f64[at] as number));
      // Bits, not doubles: a field's pattern must not change on the way.
      for (let part = 0; part < stride * 2; part++) this.i32[row * stride * 2 + part] = i32[at * 2 + part] as number;
      for (const list of this.changes) if (list.interval === touched) list.changed.push(row);
    }
  }

  /** Prepares a row for being changed. */
  touch(row: number): void {
    const at = row * this.stride * 2 + TOUCHED;
    if (this.i32[at] !== this.clock.interval) this.firstTouch(row, at);
  }

  private firstTouch(row: number, at: number): void {
    const { clock } = this;
    this.save(row);
    this.i32[at] = clock.interval;
    if (clock.tracking) this.list(row);
  }

  private list(row: number): void {
    this.changes.current().changed.push(row);
    this.clock.countChange();
  }

  remove(row: number): void {
    const { clock } = this;
    const at = row * this.stride;
    const key = this.f64[at] as number;
    this.save(row);
    // A slot that is in this interval's list needs no second place there when it is used again.
    this.i32[at * 2 + TOUCHED] = this.i32[at * 2 + TOUCHED] === clock.interval ? -clock.interval : FREE;
    this.count--;
    clock.entries--;
    if (!clock.tracking) return;
    this.changes.current().removed.push(key);
    clock.countChange();
  }

  /** Writes a row to the running snapshot if it is wanted there. */
  save(row: number): void {
    const { cut } = this.clock;
    const at = row * this.stride * 2;
    if (cut === undefined || !this.clock.isPending(this.i32[at + TOUCHED] as number, this.i32[at + SAVED] as number)) return;
    this.codec.writeRow(cut, this, row);
    this.i32[at + SAVED] = cut.closing;
  }

  /** The keys, in no order. Keys must not be added while this iterates. */
  *keys(): IterableIterator<number> {
    for (let at = 0; at < this.f64.length; at += this.stride) {
      if ((this.i32[at * 2 + TOUCHED] as number) > 0) yield this.f64[at] as number;
    }
  }

  walk(cut: SnapshotCut): TableWalk {
    const lists = this.changes.within(cut);
    return cut.after === 0 ? new AllRowsWalk(this) : new ChangedRowsWalk(this, this.codec, cut, lists);
  }
}
