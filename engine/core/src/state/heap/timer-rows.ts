/**
 * The timers of a queue as rows of parallel arrays, with their changes: no object per timer. A timer never changes; it is registered in
 * one interval and deleted in that one or a later one. `touched` is the interval of its registration; of a free row 0, or negative if
 * the row is in that interval's list already.
 */
import type { Key } from '../../common/key.js';
import { type ChangeClock, type ChangeList, ChangeLists, RowNumbers, type SnapshotCut } from './change-clock.js';
import type { TableWalk } from './table.js';

/** A timer that is gone. */
export interface DeletedTimer {
  readonly time: number;
  readonly key: Key;
}

/** How timers are written to a snapshot. */
export interface TimerCodec {
  writeTimer(cut: SnapshotCut, time: number, key: Key): void;
  writeDeletedTimer(cut: SnapshotCut, time: number, key: Key): void;
}

export class TimerRows {
  /** Rows in use or free. */
  count = 0;
  private readonly clock: ChangeClock;
  private readonly codec: TimerCodec;
  private readonly changes: ChangeLists<RowNumbers, DeletedTimer>;
  private times = new Float64Array(16);
  private readonly keys: Key[] = [];
  /** Two a row: touched, saved. */
  private marks = new Int32Array(32);
  /** The last freed row, whose time is the number of the one before; -1 if there is none. */
  private free = -1;

  constructor(clock: ChangeClock, codec: TimerCodec) {
    this.clock = clock;
    this.codec = codec;
    this.changes = new ChangeLists(clock, () => new RowNumbers());
  }

  key(row: number): Key {
    return this.keys[row] as Key;
  }

  add(time: number, key: Key): number {
    const { clock } = this;
    let row = this.free;
    if (row >= 0) this.free = this.times[row] as number;
    else row = this.append();
    const touched = this.marks[row * 2] as number;
    this.times[row] = time;
    this.keys[row] = key;
    this.marks[row * 2] = clock.interval;
    clock.entries++;
    if (clock.tracking && touched !== -clock.interval) {
      this.changes.current().changed.push(row);
      clock.countChange();
    }
    return row;
  }

  private append(): number {
    if (this.count === this.times.length) {
      const times = new Float64Array(this.count * 2);
      times.set(this.times);
      this.times = times;
      const marks = new Int32Array(this.count * 4);
      marks.set(this.marks);
      this.marks = marks;
    }
    return this.count++;
  }

  remove(row: number): void {
    const { clock } = this;
    const touched = this.marks[row * 2] as number;
    const isNew = touched === clock.interval;
    if (!isNew) {
      this.save(row);
      if (clock.tracking) {
        this.changes.current().removed.push({ time: this.times[row] as number, key: this.keys[row] as Key });
        clock.countChange();
      }
    }
    this.marks[row * 2] = isNew ? -touched : 0;
    this.times[row] = this.free;
    this.keys[row] = 0;
    this.free = row;
    clock.entries--;
  }

  /** Writes a timer to the running snapshot if it is wanted there. */
  save(row: number): void {
    const { cut } = this.clock;
    if (cut === undefined || !this.clock.isPending(this.marks[row * 2] as number, this.marks[row * 2 + 1] as number)) return;
    this.codec.writeTimer(cut, this.times[row] as number, this.keys[row] as Key);
    this.marks[row * 2 + 1] = cut.closing;
  }

  walk(cut: SnapshotCut): TableWalk {
    return new TimersWalk(this, this.codec, cut, this.changes.within(cut));
  }
}

/** A base: all rows; a delta: the change lists of its intervals. */
class TimersWalk implements TableWalk {
  private readonly rows: TimerRows;
  private readonly codec: TimerCodec;
  private readonly cut: SnapshotCut;
  private readonly lists: ChangeList<RowNumbers, DeletedTimer>[];
  private readonly rowsEnd: number;
  private row = 0;
  private list = 0;
  private removed = 0;
  private changed = 0;

  constructor(rows: TimerRows, codec: TimerCodec, cut: SnapshotCut, lists: ChangeList<RowNumbers, DeletedTimer>[]) {
    this.rows = rows;
    this.codec = codec;
    this.cut = cut;
    this.lists = lists;
    this.rowsEnd = cut.after === 0 ? rows.count : 0;
  }

  step(rows: number): number {
    const end = Math.min(this.rowsEnd, this.row + rows);
    let left = rows - (end - this.row);
    for (; this.row < end; this.row++) this.rows.save(this.row);
    for (; this.list < this.lists.length; this.list++, this.removed = 0, this.changed = 0) {
      const { removed, changed } = this.lists[this.list] as ChangeList<RowNumbers, DeletedTimer>;
      for (; this.removed < removed.length; this.removed++) {
        if (left-- === 0) return 0;
        const timer = removed[this.removed] as DeletedTimer;
        this.codec.writeDeletedTimer(this.cut, timer.time, timer.key);
      }
      for (; this.changed < changed.length; this.changed++) {
        if (left-- === 0) return 0;
        this.rows.save(changed.values[this.changed] as number);
      }
    }
    return left;
  }
}
