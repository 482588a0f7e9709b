/**
 * The entries of a container (a key group, or a pane of a window table) with their changes, and the walks over them.
 * Invariant: an entry that the running snapshot wants is gathered before it can change, and encoded before anyone gets hold of it.
 */
import type { Key } from '../../common/key.js';
import type { StateEntry } from '../backend.js';
import { type ChangeClock, ChangeLists, type SnapshotCut } from './change-clock.js';
import { ownedKey, type TableWalk } from './table.js';

/** One value with its key. */
export class Entry implements StateEntry<unknown> {
  value: unknown;
  readonly key: Key;
  touched: number;
  saved = 0;

  constructor(key: Key, value: unknown, touched: number) {
    this.value = value;
    this.key = key;
    this.touched = touched;
  }
}

/**
 * Rows that are written along with one that is touched: encoded alone, it would cost several times as much, and they have to be written
 * anyway.
 */
const TOUCHED_ROWS = 32;

/** How the entries of a table are written. */
export interface EntryCodec {
  /** The table's place in a file's dictionary. */
  readonly id: number;
  /** Takes a row that is encoded at the latest by `cut.file.encodeGathered`; returns what it costs beyond one row. */
  gather(cut: SnapshotCut, container: EntryContainer, entry: Entry): number;
  writeRemoval(cut: SnapshotCut, container: EntryContainer, key: Key): void;
}

/** A set of entries by key, with its changes. */
export class EntryContainer {
  /** By `mapKeyOf`. */
  readonly entries: Map<unknown, Entry> = new Map();
  /** A key group, or a namespace. */
  readonly label: number;
  private readonly clock: ChangeClock;
  private readonly codec: EntryCodec;
  private readonly changes: ChangeLists<Entry[]>;

  constructor(label: number, clock: ChangeClock, codec: EntryCodec) {
    this.label = label;
    this.clock = clock;
    this.codec = codec;
    this.changes = new ChangeLists<Entry[]>(clock, () => []);
  }

  /** Prepares an entry for being changed in place. */
  touch(entry: Entry): void {
    if (entry.touched !== this.clock.interval) this.firstTouch(entry);
  }

  private firstTouch(entry: Entry): void {
    const clock = this.clock;
    this.saveIfPending(entry);
    entry.touched = clock.interval;
    if (clock.tracking) this.list(entry);
  }

  private list(entry: Entry): void {
    this.changes.current().changed.push(entry);
    this.clock.countChange();
  }

  /** Adds an entry for a key that has none. */
  add(mapKey: unknown, key: Key, value: unknown): Entry {
    const clock = this.clock;
    const entry = new Entry(ownedKey(key), value, clock.interval);
    // A primitive stands for itself: the owned copy is the map key, too.
    this.entries.set(mapKey === key ? entry.key : mapKey, entry);
    clock.entries++;
    if (clock.tracking) this.list(entry);
    return entry;
  }

  remove(mapKey: unknown, entry: Entry): void {
    const clock = this.clock;
    if (entry.touched !== clock.interval) this.saveIfPending(entry);
    this.entries.delete(mapKey);
    entry.touched = 0;
    clock.entries--;
    if (!clock.tracking) return;
    this.changes.current().removed.push(entry.key);
    clock.countChange();
  }

  private saveIfPending(entry: Entry): void {
    const cut = this.clock.cut;
    if (cut === undefined || cut.failure !== undefined || !this.clock.isPending(entry.touched, entry.saved)) return;
    try {
      this.save(cut, entry);
      (cut.walks[this.codec.id] as TableWalk).step(TOUCHED_ROWS);
      cut.file.encodeGathered();
    } catch (error) {
      cut.failure = { error };
    }
  }

  /** Gathers an entry for the running snapshot; returns what it costs beyond one row. */
  save(cut: SnapshotCut, entry: Entry): number {
    entry.saved = cut.closing;
    return this.codec.gather(cut, this, entry);
  }

  walk(cut: SnapshotCut): TableWalk {
    if (cut.after === 0) {
      this.changes.discard();
      return new AllEntriesWalk(this, this.clock, cut);
    }
    return new ChangedEntriesWalk(this, this.clock, this.codec, cut, this.changes.within(cut));
  }
}

/** A base: the entries that were there when the walk began come first in a Map's order, whatever is added later. */
class AllEntriesWalk implements TableWalk {
  private readonly container: EntryContainer;
  private readonly clock: ChangeClock;
  private readonly cut: SnapshotCut;
  private readonly iterator: MapIterator<Entry>;
  private left: number;

  constructor(container: EntryContainer, clock: ChangeClock, cut: SnapshotCut) {
    this.container = container;
    this.clock = clock;
    this.cut = cut;
    this.iterator = container.entries.values();
    this.left = container.entries.size;
  }

  step(rows: number): number {
    let left = rows;
    for (; left > 0 && this.left > 0; left--, this.left--) {
      const next = this.iterator.next();
      if (next.done === true) this.left = 1;
      else if (this.clock.isPending(next.value.touched, next.value.saved)) left -= this.container.save(this.cut, next.value);
    }
    return Math.max(0, left);
  }
}

type EntryChanges = ReturnType<ChangeLists<Entry[]>['within']>;

/** A delta: the change lists of its intervals, the removed keys first. */
class ChangedEntriesWalk implements TableWalk {
  private readonly container: EntryContainer;
  private readonly clock: ChangeClock;
  private readonly codec: EntryCodec;
  private readonly cut: SnapshotCut;
  private readonly lists: EntryChanges;
  private list = 0;
  private removed = 0;
  private changed = 0;

  constructor(container: EntryContainer, clock: ChangeClock, codec: EntryCodec, cut: SnapshotCut, lists: EntryChanges) {
    this.container = container;
    this.clock = clock;
    this.codec = codec;
    this.cut = cut;
    this.lists = lists;
  }

  step(rows: number): number {
    let left = rows;
    for (; this.list < this.lists.length; this.list++, this.removed = 0, this.changed = 0) {
      const list = this.lists[this.list] as EntryChanges[number];
      for (; this.removed < list.removed.length; this.removed++) {
        if (left-- <= 0) return 0;
        this.codec.writeRemoval(this.cut, this.container, list.removed[this.removed] as Key);
      }
      for (; this.changed < list.changed.length; this.changed++) {
        if (left-- <= 0) return 0;
        const entry = list.changed[this.changed] as Entry;
        if (this.clock.isPending(entry.touched, entry.saved)) left -= this.container.save(this.cut, entry);
      }
    }
    return Math.max(0, left);
  }
}
