/**
 * A timer table: a heap of the distinct times, and per time the one timer, or a Map of the timers by key where there are several.
 * Invariants: 1. the heap holds exactly the keys of `buckets`; 2. the first time of the heap has a timer: a time whose timers were all
 * deleted may stay only further back, until it comes to the front or such times are the majority. Distinct times are at most 2^24.
 */
import { readValue, writeValue } from '../../codec/row.js';
import type { ByteReader } from '../../common/bytes.js';
import { keyGroupOf, sameKey } from '../../common/hash.js';
import type { Key } from '../../common/key.js';
import type { TimerTable } from '../backend.js';
import type { SnapshotCut } from './change-clock.js';
import { corrupt } from './snapshot-file-reader.js';
import type { BlockBuffer } from './snapshot-file-writer.js';
import { OP_NAMESPACE, OP_ROW, type TableSpec } from './snapshot-format.js';
import { type HeapTable, ownedKey, quickMapKey, requireKey, requireNamespace, type TableContext, type TableWalk } from './table.js';
import { TimeHeap } from './time-heap.js';
import { type TimerCodec, TimerRows } from './timer-rows.js';

/** In place of a row: the time has no timer any more. */
const EMPTY = -1;
/** So many times without timers are not worth a clean-up. */
const EMPTY_TIMES_MIN = 1024;

/** Several timers of one time: rows by map key. */
type Bucket = Map<unknown, number>;

export class TimerQueue implements HeapTable, TimerTable, TimerCodec {
  readonly id: number;
  readonly spec: TableSpec;
  polledTime: number = Number.NaN;
  size = 0;
  private readonly context: TableContext;
  private readonly heap = new TimeHeap();
  private readonly buckets = new Map<number, number | Bucket>();
  private readonly rows: TimerRows;
  private emptyTimes = 0;
  /** The bucket that is being polled; its iterator goes on, since a new one would pass over all that was deleted before. */
  private polled: Bucket | undefined;
  private polledKeys: MapIterator<unknown> | undefined;

  constructor(id: number, spec: TableSpec, context: TableContext) {
    this.id = id;
    this.spec = spec;
    this.context = context;
    this.rows = new TimerRows(context.clock, this);
  }

  register(time: number, key: Key): boolean {
    const bucket = this.buckets.get(time);
    if (bucket === undefined || bucket === EMPTY) {
      if (bucket === EMPTY) this.emptyTimes--;
      else this.heap.push(time);
      this.buckets.set(time, this.add(time, key));
      return true;
    }
    const mapKey = quickMapKey(key);
    if (typeof bucket === 'number') {
      const other = this.rows.key(bucket);
      if (sameKey(other, key)) return false;
      const several: Bucket = new Map([[quickMapKey(other), bucket]]);
      several.set(mapKey, this.add(time, key));
      this.buckets.set(time, several);
      return true;
    }
    if (bucket.has(mapKey)) return false;
    bucket.set(mapKey, this.add(time, key));
    return true;
  }

  private add(time: number, key: Key): number {
    this.size++;
    return this.rows.add(time, ownedKey(key));
  }

  private removeRow(row: number): void {
    this.size--;
    this.rows.remove(row);
  }

  delete(time: number, key: Key): boolean {
    const bucket = this.buckets.get(time);
    if (bucket === undefined || bucket === EMPTY) return false;
    if (typeof bucket === 'number') {
      if (!sameKey(this.rows.key(bucket), key)) return false;
      this.removeRow(bucket);
      this.emptyTime(time);
      return true;
    }
    const mapKey = quickMapKey(key);
    const row = bucket.get(mapKey);
    if (row === undefined) return false;
    bucket.delete(mapKey);
    this.removeRow(row);
    if (bucket.size === 0) this.emptyTime(time);
    return true;
  }

  private emptyTime(time: number): void {
    this.buckets.set(time, EMPTY);
    this.emptyTimes++;
    if (time === this.heap.peek()) this.trim();
    else if (this.emptyTimes > EMPTY_TIMES_MIN && this.emptyTimes * 2 > this.heap.size) this.cleanUp();
  }

  /** Restores invariant 2. */
  private trim(): void {
    for (;;) {
      const time = this.heap.peek();
      if (this.buckets.get(time) !== EMPTY) return;
      this.heap.pop();
      this.buckets.delete(time);
      this.emptyTimes--;
    }
  }

  private cleanUp(): void {
    this.heap.retain((time) => {
      if (this.buckets.get(time) !== EMPTY) return true;
      this.buckets.delete(time);
      return false;
    });
    this.emptyTimes = 0;
  }

  nextTime(): number {
    return this.heap.peek();
  }

  poll(limit: number): Key | undefined {
    const time = this.heap.peek();
    if (this.size === 0 || time > limit) return undefined;
    const bucket = this.buckets.get(time) as number | Bucket;
    const row = typeof bucket === 'number' ? bucket : this.pollBucket(bucket);
    const key = this.rows.key(row);
    this.polledTime = time;
    this.removeRow(row);
    if (typeof bucket === 'number' || bucket.size === 0) {
      this.heap.pop();
      this.buckets.delete(time);
      this.trim();
    }
    return key;
  }

  /** Takes the first timer out of a bucket that has one: what was polled is deleted, so none lies behind the iterator. */
  private pollBucket(bucket: Bucket): number {
    if (bucket !== this.polled || this.polledKeys === undefined) {
      this.polled = bucket;
      this.polledKeys = bucket.keys();
    }
    const mapKey = this.polledKeys.next().value;
    const row = bucket.get(mapKey) as number;
    bucket.delete(mapKey);
    if (bucket.size === 0) {
      this.polled = undefined;
      this.polledKeys = undefined;
    }
    return row;
  }

  walk(cut: SnapshotCut): TableWalk {
    return this.rows.walk(cut);
  }

  writeTimer(cut: SnapshotCut, time: number, key: Key): void {
    this.write(cut, cut.file.rows(this.id, keyGroupOf(key, this.context.maxParallelism)), time, key);
  }

  writeDeletedTimer(cut: SnapshotCut, time: number, key: Key): void {
    this.write(cut, cut.file.removals(this.id, keyGroupOf(key, this.context.maxParallelism)), time, key);
  }

  private write(cut: SnapshotCut, buffer: BlockBuffer, time: number, key: Key): void {
    buffer.setNamespace(time);
    buffer.out.u8(OP_ROW);
    writeValue(buffer.out, key);
    cut.file.endRow(buffer);
  }

  load(rows: ByteReader): void {
    this.read(rows, (time, key) => this.register(time, key));
  }

  loadEntries(): void {
    throw corrupt(`A timer of "${this.spec.name}" is of an unknown form.`);
  }

  unload(removals: ByteReader): void {
    this.read(removals, (time, key) => this.delete(time, key));
  }

  private read(input: ByteReader, apply: (time: number, key: Key) => void): void {
    let time = Number.NaN;
    while (input.remaining > 0) {
      const operation = input.u8();
      if (operation === OP_NAMESPACE) time = requireNamespace(input.f64());
      else if (operation === OP_ROW && !Number.isNaN(time)) apply(time, requireKey(readValue(input)));
      else throw corrupt(`A timer of "${this.spec.name}" is of an unknown form.`);
    }
  }
}
