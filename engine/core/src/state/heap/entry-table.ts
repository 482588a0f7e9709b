/** A keyed state whose values are any objects: one entry per key, in a Map per key group (a Map holds no more than 2^24 entries). */
import { readValue, writeValue } from '../../codec/row.js';
import type { ByteReader } from '../../common/bytes.js';
import { keyGroupOf } from '../../common/hash.js';
import type { Key } from '../../common/key.js';
import type { Cells } from './cells.js';
import type { SnapshotCut } from './change-clock.js';
import { type Entry, type EntryCodec, EntryContainer } from './entry.js';
import { EntryBlockReader, EntryRows } from './entry-rows.js';
import { corrupt } from './snapshot-file-reader.js';
import { OP_ROW, type TableSpec } from './snapshot-format.js';
import { type CurrentKey, type HeapTable, quickMapKey, requireKey, SequenceWalk, type TableContext, type TableWalk } from './table.js';

export class EntryTable implements HeapTable, Cells, EntryCodec {
  readonly id: number;
  readonly spec: TableSpec;
  private readonly context: TableContext;
  private readonly key: CurrentKey;
  private readonly groups: (EntryContainer | undefined)[];
  private readonly rows: EntryRows;
  private blockReader: EntryBlockReader | undefined;
  /** What was found for the current key, while `foundSerial` is its number. */
  private found: Entry | undefined;
  private foundSerial = -0.5;

  constructor(id: number, spec: TableSpec, context: TableContext) {
    this.id = id;
    this.spec = spec;
    this.context = context;
    this.key = context.key;
    this.groups = new Array(context.range.end - context.range.start + 1).fill(undefined);
    this.rows = new EntryRows(this, context);
  }

  private find(): Entry | undefined {
    if (this.foundSerial === this.key.serial) return this.found;
    this.key.require();
    this.found = this.groups[this.key.groupIndex]?.entries.get(this.key.mapKey);
    this.foundSerial = this.key.serial;
    return this.found;
  }

  private group(index: number): EntryContainer {
    let group = this.groups[index];
    if (group === undefined) {
      group = new EntryContainer(this.context.range.start + index, this.context.clock, this);
      this.groups[index] = group;
    }
    return group;
  }

  /** The entry's value without preparing it for a change. */
  peek(): unknown {
    return this.find()?.value;
  }

  read(): unknown {
    const entry = this.find();
    if (entry === undefined) return undefined;
    const value = entry.value;
    if (entry.touched !== this.context.clock.interval && typeof value === 'object' && value !== null) {
      (this.groups[this.key.groupIndex] as EntryContainer).touch(entry);
    }
    return value;
  }

  write(value: unknown): void {
    const entry = this.find();
    const group = this.group(this.key.groupIndex);
    if (entry === undefined) {
      this.found = group.add(this.key.mapKey, this.key.key, value);
      return;
    }
    group.touch(entry);
    // Not stored again if it was changed in place: the collector's write barrier would look at two more pages.
    if (entry.value !== value) entry.value = value;
  }

  remove(): void {
    const entry = this.find();
    if (entry === undefined) return;
    (this.groups[this.key.groupIndex] as EntryContainer).remove(this.key.mapKey, entry);
    this.found = undefined;
  }

  *keys(): IterableIterator<Key> {
    for (const group of this.groups) {
      if (group === undefined) continue;
      for (const entry of group.entries.values()) yield entry.key;
    }
  }

  walk(cut: SnapshotCut): TableWalk {
    const groups = this.groups.filter((group) => group !== undefined).values();
    return new SequenceWalk(() => groups.next().value?.walk(cut));
  }

  gather(cut: SnapshotCut, container: EntryContainer, entry: Entry): number {
    return this.rows.gather(cut, container.label, entry.key, entry.value);
  }

  writeRemoval(cut: SnapshotCut, container: EntryContainer, key: Key): void {
    const buffer = cut.file.removals(this.id, container.label);
    buffer.out.u8(OP_ROW);
    writeValue(buffer.out, key);
    cut.file.endRow(buffer);
  }

  load(): void {
    throw corrupt(`A block of the state "${this.spec.name}" is of an unknown form.`);
  }

  loadEntries(input: ByteReader): void {
    const { range, maxParallelism } = this.context;
    this.blockReader ??= new EntryBlockReader(this.spec, this.context);
    const { keys, values } = this.blockReader.read(input);
    for (let row = 0; row < keys.length; row++) {
      const key = keys[row] as Key;
      const group = keyGroupOf(key, maxParallelism);
      if (group >= range.start && group <= range.end) this.put(this.group(group - range.start), key, values[row]);
    }
  }

  private put(container: EntryContainer, key: Key, value: unknown): void {
    const mapKey = quickMapKey(key);
    const entry = container.entries.get(mapKey);
    if (entry === undefined) container.add(mapKey, key, value);
    else entry.value = value;
  }

  unload(removals: ByteReader, group: number): void {
    while (removals.remaining > 0) {
      if (removals.u8() !== OP_ROW) throw corrupt(`A removal in the state "${this.spec.name}" is of an unknown form.`);
      this.unloadRow(removals, group);
    }
  }

  /** Removes one key whose operation has been read. */
  unloadRow(removals: ByteReader, group: number): void {
    const mapKey = quickMapKey(requireKey(readValue(removals)));
    const container = this.groups[group - this.context.range.start];
    const entry = container?.entries.get(mapKey);
    if (entry !== undefined) container?.remove(mapKey, entry);
  }
}
