/**
 * A window table: one pane per namespace, a Map from key to entry. The pane used last is at hand, since records of one window follow one
 * another. A pane may hold 2^24 keys, the limit of a Map.
 *
 * A pane that is dropped while the running snapshot still wants its entries is left to the walk: nobody else can reach them any more.
 */
import { readValue, writeValue } from '../../codec/row.js';
import type { ByteReader } from '../../common/bytes.js';
import { invariant } from '../../common/errors.js';
import { keyGroupOf } from '../../common/hash.js';
import type { Key } from '../../common/key.js';
import type { KeyedEntry, StateEntry, WindowTable } from '../backend.js';
import { type ChangeClock, ChangeLists, type SnapshotCut } from './change-clock.js';
import { type Entry, type EntryCodec, EntryContainer } from './entry.js';
import { EntryBlockReader, EntryRows } from './entry-rows.js';
import { corrupt } from './snapshot-file-reader.js';
import { OP_NAMESPACE, OP_ROW, type TableSpec } from './snapshot-format.js';
import { type HeapTable, quickMapKey, requireKey, requireNamespace, SequenceWalk, type TableContext, type TableWalk } from './table.js';

class Pane extends EntryContainer {
  /** The interval in which it was made. */
  readonly born: number;
  /** The `closing` of the snapshot whose walk has begun with it. */
  walked = 0;
  /** The entry that was found last: where a few keys are hot, they follow one another. */
  private recentKey: unknown;
  private recent: Entry | undefined;

  constructor(namespace: number, clock: ChangeClock, codec: EntryCodec) {
    super(namespace, clock, codec);
    this.born = clock.interval;
  }

  find(mapKey: unknown): Entry | undefined {
    if (this.recent !== undefined && this.recentKey === mapKey) return this.recent;
    const entry = this.entries.get(mapKey);
    if (entry === undefined) return undefined;
    this.recentKey = mapKey;
    this.recent = entry;
    return entry;
  }

  override remove(mapKey: unknown, entry: Entry): void {
    if (entry === this.recent) this.recent = undefined;
    super.remove(mapKey, entry);
  }
}

/** The entries of a pane, until it is dropped. */
class PaneEntries implements IterableIterator<Entry> {
  private readonly pane: Pane;
  private readonly panes: ReadonlyMap<number, Pane>;
  private readonly iterator: MapIterator<Entry>;

  constructor(pane: Pane, panes: ReadonlyMap<number, Pane>) {
    this.pane = pane;
    this.panes = panes;
    this.iterator = pane.entries.values();
  }

  next(): IteratorResult<Entry> {
    const { pane } = this;
    if (this.panes.get(pane.label) !== pane) return { done: true, value: undefined };
    const next = this.iterator.next();
    if (next.done !== true) pane.touch(next.value);
    return next;
  }

  [Symbol.iterator](): this {
    return this;
  }
}

export class WindowPanes implements HeapTable, WindowTable<unknown>, EntryCodec {
  readonly id: number;
  readonly spec: TableSpec;
  private readonly context: TableContext;
  private readonly clock: ChangeClock;
  private readonly panes = new Map<number, Pane>();
  private readonly drops: ChangeLists<undefined, number>;
  private last: Pane | undefined;
  /** Panes dropped since the barrier, before the running walk came to them. */
  private orphans: Pane[] = [];
  private readonly rows: EntryRows;
  private blockReader: EntryBlockReader | undefined;

  constructor(id: number, spec: TableSpec, context: TableContext) {
    this.id = id;
    this.spec = spec;
    this.context = context;
    this.clock = context.clock;
    this.drops = new ChangeLists(context.clock, () => undefined);
    this.rows = new EntryRows(this, context);
  }

  private pane(namespace: number): Pane | undefined {
    const last = this.last;
    if (last !== undefined && last.label === namespace) return last;
    const pane = this.panes.get(namespace);
    if (pane !== undefined) this.last = pane;
    return pane;
  }

  entry(namespace: number, key: Key): StateEntry<unknown> | undefined {
    const pane = this.pane(namespace);
    if (pane === undefined) return undefined;
    const entry = pane.find(quickMapKey(key));
    if (entry !== undefined) pane.touch(entry);
    return entry;
  }

  insert(namespace: number, key: Key, value: unknown): StateEntry<unknown> {
    const pane = this.pane(namespace) ?? this.open(namespace);
    const { size } = pane.entries;
    const entry = pane.add(quickMapKey(key), key, value);
    if (pane.entries.size === size) invariant(false, `The window table "${this.spec.name}" had an entry for the key that was inserted`);
    return entry;
  }

  private open(namespace: number): Pane {
    const pane = new Pane(namespace, this.clock, this);
    this.panes.set(namespace, pane);
    this.last = pane;
    return pane;
  }

  remove(namespace: number, key: Key): void {
    const pane = this.pane(namespace);
    const mapKey = quickMapKey(key);
    const entry = pane?.entries.get(mapKey);
    if (pane === undefined || entry === undefined) return;
    pane.remove(mapKey, entry);
    if (pane.entries.size === 0) this.detach(pane);
  }

  entries(namespace: number): IterableIterator<KeyedEntry<unknown>> {
    const pane = this.pane(namespace);
    return pane === undefined ? [].values() : new PaneEntries(pane, this.panes);
  }

  count(namespace: number): number {
    return this.pane(namespace)?.entries.size ?? 0;
  }

  drop(namespace: number): void {
    const pane = this.pane(namespace);
    if (pane !== undefined) this.detach(pane);
  }

  namespaces(): IterableIterator<number> {
    return this.panes.keys();
  }

  private detach(pane: Pane): void {
    const { clock } = this;
    this.panes.delete(pane.label);
    if (this.last === pane) this.last = undefined;
    clock.entries -= pane.entries.size;
    // A pane of this interval is in no snapshot.
    if (pane.born === clock.interval) return;
    if (clock.cut !== undefined && pane.walked !== clock.cut.closing) this.orphans.push(pane);
    if (!clock.tracking) return;
    this.drops.current().removed.push(pane.label);
    clock.countChange();
  }

  walk(cut: SnapshotCut): TableWalk {
    this.orphans = [];
    const drops = this.drops.within(cut).values();
    const panes = new PanesWalk(this.panes.values(), () => this.orphans.pop(), cut);
    let next: TableWalk | undefined = panes;
    return new SequenceWalk(() => {
      const list = drops.next().value;
      if (list !== undefined) return new DropsWalk(this.id, list.removed, cut);
      const walk = next;
      next = undefined;
      return walk;
    });
  }

  gather(cut: SnapshotCut, container: EntryContainer, entry: Entry): number {
    return this.rows.gather(cut, container.label, entry.key, entry.value);
  }

  writeRemoval(cut: SnapshotCut, container: EntryContainer, key: Key): void {
    const buffer = cut.file.removals(this.id, keyGroupOf(key, this.context.maxParallelism));
    buffer.setNamespace(container.label);
    buffer.out.u8(OP_ROW);
    writeValue(buffer.out, key);
    cut.file.endRow(buffer);
  }

  load(): void {
    throw corrupt(`A block of the window table "${this.spec.name}" is of an unknown form.`);
  }

  loadEntries(input: ByteReader, isForeign: boolean, isDropped: (namespace: number) => boolean): void {
    const { range, maxParallelism } = this.context;
    this.blockReader ??= new EntryBlockReader(this.spec, this.context);
    const { keys, values, namespaces } = this.blockReader.read(input);
    for (let row = 0; row < keys.length; row++) {
      const key = keys[row] as Key;
      const namespace = namespaces[row] as number;
      if (isDropped(namespace)) continue;
      const group = isForeign ? keyGroupOf(key, maxParallelism) : range.start;
      if (group >= range.start && group <= range.end) this.put(namespace, key, values[row]);
    }
  }

  private put(namespace: number, key: Key, value: unknown): void {
    const pane = this.pane(namespace) ?? this.open(namespace);
    const mapKey = quickMapKey(key);
    const entry = pane.entries.get(mapKey);
    if (entry === undefined) pane.add(mapKey, key, value);
    else entry.value = value;
  }

  unload(removals: ByteReader): void {
    let namespace = Number.NaN;
    while (removals.remaining > 0) {
      const operation = removals.u8();
      if (operation === OP_NAMESPACE) namespace = requireNamespace(removals.f64());
      else if (operation === OP_ROW) this.remove(namespace, requireKey(readValue(removals)));
      else throw corrupt(`A removal in the window table "${this.spec.name}" is of an unknown form.`);
    }
  }
}

/** The namespaces that were dropped in one interval. */
class DropsWalk implements TableWalk {
  private readonly table: number;
  private readonly namespaces: readonly number[];
  private readonly cut: SnapshotCut;
  private at = 0;

  constructor(table: number, namespaces: readonly number[], cut: SnapshotCut) {
    this.table = table;
    this.namespaces = namespaces;
    this.cut = cut;
  }

  step(rows: number): number {
    const end = Math.min(this.namespaces.length, this.at + rows);
    const left = rows - (end - this.at);
    for (; this.at < end; this.at++) this.cut.file.drop(this.table, this.namespaces[this.at] as number);
    return left;
  }
}

/** The panes that were there at the barrier, then those that were dropped meanwhile. */
class PanesWalk implements TableWalk {
  private readonly panes: IterableIterator<Pane>;
  private readonly nextOrphan: () => Pane | undefined;
  private readonly cut: SnapshotCut;
  private walk: TableWalk | undefined;

  constructor(panes: IterableIterator<Pane>, nextOrphan: () => Pane | undefined, cut: SnapshotCut) {
    this.panes = panes;
    this.nextOrphan = nextOrphan;
    this.cut = cut;
  }

  step(rows: number): number {
    let left = rows;
    while (left > 0) {
      const walk = this.walk;
      if (walk !== undefined) {
        left = walk.step(left);
        if (left > 0) this.walk = undefined;
        continue;
      }
      const pane = this.panes.next().value ?? this.nextOrphan();
      if (pane === undefined) return left;
      left--;
      if (pane.born > this.cut.closing) continue;
      pane.walked = this.cut.closing;
      this.walk = pane.walk(this.cut);
    }
    return 0;
  }
}
