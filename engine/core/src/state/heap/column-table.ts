/**
 * A keyed state with a numeric schema: number keys have rows in typed memory, other keys (NaN too) entries with copies of their values.
 * What `read` returns is a copy: changes need `write`.
 */
import type { ByteReader } from '../../common/bytes.js';
import { invariant } from '../../common/errors.js';
import { hashKey } from '../../common/hash.js';
import type { Key } from '../../common/key.js';
import type { Cells } from './cells.js';
import type { SnapshotCut } from './change-clock.js';
import { ColumnGroup, type RowCodec } from './column-group.js';
import { EntryTable } from './entry-table.js';
import { type RowLayout, type RowSlot, rowLayoutOf } from './row-layout.js';
import { corrupt } from './snapshot-file-reader.js';
import { OP_PACKED, OP_ROW, type TableField, type TableSpec } from './snapshot-format.js';
import { type CurrentKey, type HeapTable, SequenceWalk, type TableContext, type TableWalk } from './table.js';

/** Of a packed row. */
const FIELD_BYTES = { float64: 8, int32: 4, boolean: 1 } as const satisfies Readonly<Record<RowSlot['type'], number>>;

export class ColumnTable implements HeapTable, Cells, RowCodec {
  readonly id: number;
  readonly spec: TableSpec;
  private readonly context: TableContext;
  private readonly key: CurrentKey;
  private readonly layout: RowLayout;
  private readonly others: EntryTable;
  private readonly groups: (ColumnGroup | undefined)[];
  /** What was found for the current key, while `foundSerial` is its number. */
  private group: ColumnGroup | undefined;
  private row = -1;
  private foundSerial = -0.5;
  /** One row of its own, through which values of other keys are checked and copied. */
  private readonly scratch: { readonly f64: Float64Array; readonly i32: Int32Array };

  constructor(id: number, spec: TableSpec, context: TableContext) {
    this.id = id;
    this.spec = spec;
    this.context = context;
    this.key = context.key;
    this.layout = rowLayoutOf(spec.name, spec.fields as readonly TableField[], context.generateCode);
    this.others = new EntryTable(id, spec, context);
    this.groups = new Array(context.range.end - context.range.start + 1).fill(undefined);
    const f64 = new Float64Array(this.layout.stride);
    this.scratch = { f64, i32: new Int32Array(f64.buffer) };
  }

  private find(): void {
    const key = this.key;
    key.require();
    this.group = this.groups[key.groupIndex];
    this.row = this.group === undefined ? -1 : this.group.find(key.hash, key.key as number);
    this.foundSerial = key.serial;
  }

  read(): unknown {
    if (!this.key.numeric) return this.others.read();
    if (this.foundSerial !== this.key.serial) this.find();
    if (this.row < 0) return undefined;
    const group = this.group as ColumnGroup;
    return this.layout.read(group.f64, group.i32, this.row);
  }

  write(value: unknown): void {
    const key = this.key;
    if (!key.numeric) {
      this.others.write(this.copy(value));
      return;
    }
    if (this.foundSerial !== key.serial) this.find();
    if (this.row < 0) this.insert(value);
    const group = this.group as ColumnGroup;
    group.touch(this.row);
    this.layout.write(group.f64, group.i32, this.row, value);
  }

  /** Adds the row of the current key; nothing is added if the value is refused. */
  private insert(value: unknown): void {
    this.copy(value);
    this.group = this.groupAt(this.key.groupIndex);
    this.row = this.group.add(this.key.hash, this.key.key as number);
  }

  private copy(value: unknown): unknown {
    const { f64, i32 } = this.scratch;
    this.layout.write(f64, i32, 0, value);
    return this.layout.read(f64, i32, 0);
  }

  remove(): void {
    const key = this.key;
    if (!key.numeric) {
      this.others.remove();
      return;
    }
    if (this.foundSerial !== key.serial) this.find();
    if (this.row < 0) return;
    (this.group as ColumnGroup).remove(this.row);
    this.row = -1;
  }

  private groupAt(index: number): ColumnGroup {
    let group = this.groups[index];
    if (group === undefined) {
      group = new ColumnGroup(this.context.range.start + index, this.context.clock, this, this.layout);
      this.groups[index] = group;
    }
    return group;
  }

  *keys(): IterableIterator<Key> {
    for (const group of this.groups) if (group !== undefined) yield* group.keys();
    yield* this.others.keys();
  }

  walk(cut: SnapshotCut): TableWalk {
    const groups = this.groups.filter((group) => group !== undefined).values();
    const columns = new SequenceWalk(() => groups.next().value?.walk(cut));
    const parts = [columns, this.others.walk(cut)].values();
    return new SequenceWalk(() => parts.next().value);
  }

  writeRow(cut: SnapshotCut, group: ColumnGroup, row: number): void {
    const buffer = cut.file.rows(this.id, group.label);
    this.layout.pack(group.f64, group.i32, row, buffer.out);
    cut.file.endRow(buffer);
  }

  writeRemoval(cut: SnapshotCut, group: ColumnGroup, key: number): void {
    const buffer = cut.file.removals(this.id, group.label);
    buffer.out.u8(OP_PACKED);
    buffer.out.f64(key);
    cut.file.endRow(buffer);
  }

  /** The file may have the fields in another order: columns go by name. */
  private slotsOf(source: TableSpec): RowSlot[] {
    return (source.fields ?? []).map((field) => {
      const slot = this.layout.slots.find((candidate) => candidate.name === field.name);
      invariant(slot !== undefined, `The state "${this.spec.name}" has no field "${field.name}", though its schema was compared`);
      return slot;
    });
  }

  expectRows(bytes: number, groupNumber: number, source: TableSpec): void {
    // Operation and key come first.
    let rowBytes = 1 + 8;
    for (const { type } of this.slotsOf(source)) rowBytes += FIELD_BYTES[type];
    this.groupAt(groupNumber - this.context.range.start).reserve(Math.floor(bytes / rowBytes));
  }

  load(rows: ByteReader, groupNumber: number, source: TableSpec): void {
    const slots = this.slotsOf(source);
    const { stride } = this.layout;
    while (rows.remaining > 0) {
      const operation = rows.u8();
      if (operation !== OP_PACKED) throw corrupt(`A row of the state "${this.spec.name}" is of an unknown form.`);
      const key = rows.f64();
      if (Number.isNaN(key)) throw corrupt(`A packed row of the state "${this.spec.name}" has no key.`);
      const group = this.groupAt(groupNumber - this.context.range.start);
      const hash = hashKey(key);
      const found = group.find(hash, key);
      const row = found >= 0 ? found : group.add(hash, key);
      for (const slot of slots) {
        if (slot.type === 'float64') group.f64[row * stride + slot.at] = rows.f64();
        else group.i32[row * stride * 2 + slot.at] = slot.type === 'int32' ? rows.i32() : rows.u8();
      }
    }
  }

  loadEntries(input: ByteReader): void {
    this.others.loadEntries(input);
  }

  unload(removals: ByteReader, groupNumber: number): void {
    while (removals.remaining > 0) {
      const operation = removals.u8();
      if (operation === OP_ROW) {
        this.others.unloadRow(removals, groupNumber);
        continue;
      }
      if (operation !== OP_PACKED) throw corrupt(`A removal in the state "${this.spec.name}" is of an unknown form.`);
      const key = removals.f64();
      const group = this.groups[groupNumber - this.context.range.start];
      const hash = hashKey(key);
      const row = group?.find(hash, key) ?? -1;
      if (row >= 0) group?.remove(row);
    }
  }
}
