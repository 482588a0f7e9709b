/**
 * The rows of one key group of a state with a numeric schema: typed memory off the JavaScript heap. Rows stand in the order in which their
 * keys came, and an index of 4 bytes a slot finds them: keys that came together are mostly used together, so that their rows share
 * cache lines and pages, and the index is small enough to stay near. (CPython's dictionaries are built so.)
 *
 *     index, by hash:   · 3│t · 0│t · · 2│t ✕ 1│t …      row + 1, above it a tag: other bits of the hash, so that few rows are
 *                         ╲    │      ╱                  looked at in vain; · free, ✕ removed
 *     rows, by arrival:  [0]  [1]  [2]  [3] …
 *
 * A row's `touched`: > 0 a key's row; < 0 its key was removed, and another may get it.
 *
 * Invariants: 1. keys are never NaN; 2. a row keeps its number as long as its key lives, whatever grows; 3. at most half of the index's
 * slots are not free; 4. memory of removed keys is used again, not given back.
 */
import { hashKey } from '../../common/hash.js';
import { type ChangeClock, ChangeLists, RowNumbers, type SnapshotCut } from './change-clock.js';
import { AllRowsWalk, ChangedRowsWalk } from './column-walk.js';
import { type RowLayout, SAVED, TOUCHED } from './row-layout.js';
import type { TableWalk } from './table.js';

/** Spreads hashes whose low bits say which key group this is, and so are equal here. */
const SPREAD = 0x9e3779b1;
/** Of the index. */
const LOAD_MAX = 0.5;
const INDEX_MIN = 8;
const ROWS_MIN = 4;
const ROW_GROWTH = 1.5;
/** `touched` of a row that has no key and is in no change list of this interval. */
const FREE = -0x7fffffff;

/** How rows are written to a snapshot. */
export interface RowCodec {
  writeRow(cut: SnapshotCut, group: ColumnGroup, row: number): void;
  writeRemoval(cut: SnapshotCut, group: ColumnGroup, key: number): void;
}

export class ColumnGroup {
  f64: Float64Array = new Float64Array(0);
  i32: Int32Array = new Int32Array(0);
  /** Rows that have or had a key: numbers below it. */
  rows = 0;
  /** Keys. */
  count = 0;
  readonly label: number;
  private readonly clock: ChangeClock;
  private readonly codec: RowCodec;
  private readonly stride: number;
  private readonly changes: ChangeLists<RowNumbers, number>;
  private index: Int32Array = new Int32Array(0);
  /** Slots of the index that are not free. */
  private used = 0;
  private usedMax = 0;
  /** Of an entry: the row's number plus 1; all of it set: removed. What is above is the tag. */
  private rowMask = 0;
  /** Rows whose keys were removed. */
  private readonly vacant = new RowNumbers();

  constructor(label: number, clock: ChangeClock, codec: RowCodec, layout: RowLayout) {
    this.label = label;
    this.clock = clock;
    this.codec = codec;
    this.stride = layout.stride;
    this.changes = new ChangeLists(clock, (previous) => new RowNumbers(previous?.length));
    this.growRows(ROWS_MIN);
    this.buildIndex(INDEX_MIN);
  }

  private growRows(capacity: number): void {
    const f64 = new Float64Array(capacity * this.stride);
    f64.set(this.f64);
    this.clock.columnBytes += f64.byteLength - this.f64.byteLength;
    this.f64 = f64;
    this.i32 = new Int32Array(f64.buffer);
  }

  /** Makes room for so many more keys at once: nothing is moved while they are added. */
  reserve(keys: number): void {
    const rows = this.rows + keys - this.vacant.length;
    if (rows * this.stride > this.f64.length) this.growRows(rows);
    if (this.used + keys > this.usedMax) this.buildIndex(this.index.length, keys);
  }

  /** The row of a key (not NaN), -1 if there is none. */
  find(hash: number, key: number): number {
    const { index, rowMask, f64, stride } = this;
    const spread = Math.imul(hash, SPREAD);
    const last = index.length - 1;
    for (let slot = spread >>> Math.clz32(last); ; slot = (slot + 1) & last) {
      const entry = index[slot] as number;
      if (entry === 0) return -1;
      if (((entry ^ hash) & ~rowMask) !== 0) continue;
      const row = (entry & rowMask) - 1;
      if (row + 1 !== rowMask && f64[row * stride] === key) return row;
    }
  }

  /** Adds a row for a key that has none; its fields are to be set. */
  add(hash: number, key: number): number {
    const { clock } = this;
    if (this.used >= this.usedMax) this.buildIndex(this.index.length);
    const row = this.vacantRow();
    this.enter(hash, row);
    const at = row * this.stride;
    const touched = this.i32[at * 2 + TOUCHED] as number;
    // -0 is 0 as a key.
    this.f64[at] = key + 0;
    this.i32[at * 2 + TOUCHED] = clock.interval;
    this.count++;
    clock.entries++;
    if (clock.tracking && touched !== -clock.interval) this.list(row);
    return row;
  }

  private vacantRow(): number {
    const { vacant } = this;
    if (vacant.length > 0) {
      vacant.length--;
      return vacant.values[vacant.length] as number;
    }
    if ((this.rows + 1) * this.stride > this.f64.length) this.growRows(Math.ceil(this.rows * ROW_GROWTH));
    return this.rows++;
  }

  /** Puts a row into the first free slot of its hash. Slots of removed keys are not used again before the index is built anew. */
  private enter(hash: number, row: number): void {
    const { index, rowMask } = this;
    const last = index.length - 1;
    let slot = Math.imul(hash, SPREAD) >>> Math.clz32(last);
    while (index[slot] !== 0) slot = (slot + 1) & last;
    index[slot] = (hash & ~rowMask) | (row + 1);
    this.used++;
  }

  /** Builds the index anew, larger if its keys and `more` need it. The walk over the rows is in order, so a cheap one. */
  private buildIndex(length: number, more = 1): void {
    let wanted = Math.max(INDEX_MIN, length);
    while (this.count + more > wanted * LOAD_MAX * 0.75) wanted *= 2;
    this.clock.columnBytes += (wanted - this.index.length) * 4;
    this.index = new Int32Array(wanted);
    this.used = 0;
    this.usedMax = Math.floor(wanted * LOAD_MAX);
    // Rows can be more than keys: those of removed ones count too.
    const rowsMax = this.rows + this.usedMax + 2;
    this.rowMask = 2 ** (32 - Math.clz32(rowsMax)) - 1;
    const { f64, i32, stride } = this;
    for (let row = 0; row < this.rows; row++) {
      if ((i32[row * stride * 2 + TOUCHED] as number) > 0) this.enter(hashKey(f64[row * stride] as number), row);
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
    this.index[this.slotOf(hashKey(key), row)] = this.rowMask;
    this.vacant.push(row);
    // A row that is in this interval's list needs no second place there when it is used again.
    this.i32[at * 2 + TOUCHED] = this.i32[at * 2 + TOUCHED] === clock.interval ? -clock.interval : FREE;
    this.count--;
    clock.entries--;
    if (!clock.tracking) return;
    this.changes.current().removed.push(key);
    clock.countChange();
  }

  private slotOf(hash: number, row: number): number {
    const { index, rowMask } = this;
    const last = index.length - 1;
    const entry = (hash & ~rowMask) | (row + 1);
    let slot = Math.imul(hash, SPREAD) >>> Math.clz32(last);
    while (index[slot] !== entry) slot = (slot + 1) & last;
    return slot;
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
    for (let at = 0; at < this.rows * this.stride; at += this.stride) {
      if ((this.i32[at * 2 + TOUCHED] as number) > 0) yield this.f64[at] as number;
    }
  }

  walk(cut: SnapshotCut): TableWalk {
    const lists = this.changes.within(cut);
    return cut.after === 0 ? new AllRowsWalk(this) : new ChangedRowsWalk(this, this.codec, cut, lists);
  }
}
