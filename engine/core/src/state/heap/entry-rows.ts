/**
 * Serialises the entries of one table: gathers them while a slice goes on, and encodes them by columns before it ends, since after it
 * they may change. Entries of all key groups go together: in one window, a key group has few.
 *
 *     walk.step ─▶ gather … gather (full: a block) … gather ─▶ file.encodeGathered: a block
 *
 * Invariants: 1. between slices nothing is gathered; 2. a block has about `BLOCK_BYTES`: how many values that are is told by the block
 * before, and the first ones are small.
 */
import type { BatchCodecOptions } from '../../codec/batch-encoder.js';
import type { ByteReader, ByteWriter } from '../../common/bytes.js';
import type { Key } from '../../common/key.js';
import type { SnapshotCut } from './change-clock.js';
import { type ContentColumns, ContentReader, FieldsColumns, isList, ListColumns, MapColumns, PlainColumns } from './content-columns.js';
import { corrupt } from './snapshot-file-reader.js';
import type { RowBatch, SnapshotFileWriter } from './snapshot-file-writer.js';
import { BLOCK_ROWS_MAX, FORM_LIST, FORM_MAP, type TableSpec } from './snapshot-format.js';
import { requireKey, requireNamespace, type TableContext, unwritable } from './table.js';
import { ValueColumn, ValueColumnReader } from './value-column.js';

/** Larger ones cost more: V8 keeps objects over 128 KiB, as the joined strings of a block are for a moment, apart from others. */
const BLOCK_BYTES = 64 * 1024;
const ELEMENTS_START = 64;
/** Rows count, too. */
const ELEMENTS_MAX = BLOCK_ROWS_MAX;
/** So many elements of a list take about the time of a row. */
const ELEMENTS_PER_ROW_BITS = 3;

/** Which table a batch is of. */
interface TableAddress {
  readonly id: number;
  readonly spec: TableSpec;
}

/** Entries of one form that wait for being encoded. */
class EntryBatch implements RowBatch {
  rows = 0;
  readonly content: ContentColumns;
  private readonly table: TableAddress;
  private readonly context: TableContext;
  private readonly keys: ValueColumn;
  /** Of windows: namespaces, and how many rows each has. */
  private readonly namespaces: number[] = [];
  private readonly namespaceRows: number[] = [];
  private firstGroup = 0;
  private lastGroup = 0;
  private elements = 0;
  private elementsMax = ELEMENTS_START;
  private file: SnapshotFileWriter | undefined;

  constructor(table: TableAddress, context: TableContext, content: ContentColumns) {
    this.table = table;
    this.context = context;
    this.content = content;
    this.keys = new ValueColumn({ codegen: context.generateCode });
  }

  /** Adds a row; returns how many elements its value has. `label`: its namespace in a window table, its key group in others. */
  add(file: SnapshotFileWriter, label: number, key: Key, value: unknown): number {
    if (this.rows === 0 || this.file !== file) this.begin(file);
    const elements = this.addContent(value);
    this.keys.add(key);
    this.addLabel(label);
    this.rows++;
    this.elements += elements;
    if (this.elements + this.rows >= this.elementsMax) this.encode();
    return elements;
  }

  private addContent(value: unknown): number {
    try {
      return this.content.add(value);
    } catch (error) {
      this.clear();
      throw unwritable(this.table.spec, error);
    }
  }

  private begin(file: SnapshotFileWriter): void {
    // What a failed snapshot left.
    if (this.rows > 0) this.clear();
    this.file = file;
    const { start, end } = this.context.range;
    const isWindow = this.table.spec.kind === 'window';
    this.firstGroup = isWindow ? start : end;
    this.lastGroup = isWindow ? end : start;
    file.gathering(this);
  }

  private addLabel(label: number): void {
    if (this.table.spec.kind !== 'window') {
      if (label < this.firstGroup) this.firstGroup = label;
      if (label > this.lastGroup) this.lastGroup = label;
      return;
    }
    const last = this.namespaces.length - 1;
    if (this.namespaces[last] === label) this.namespaceRows[last] = (this.namespaceRows[last] as number) + 1;
    else {
      this.namespaces.push(label);
      this.namespaceRows.push(1);
    }
  }

  encode(): void {
    if (this.rows === 0) return;
    const { rows, elements } = this;
    const file = this.file as SnapshotFileWriter;
    try {
      const { payload } = file;
      payload.reset();
      this.write(payload);
      file.entries(this.table.id, this.firstGroup, this.lastGroup, rows);
      const bytesPerElement = payload.length / (elements + rows);
      this.elementsMax = Math.max(1, Math.min(ELEMENTS_MAX, this.elementsMax * 2, Math.floor(BLOCK_BYTES / bytesPerElement)));
    } catch (error) {
      throw unwritable(this.table.spec, error);
    } finally {
      this.clear();
    }
  }

  private write(out: ByteWriter): void {
    out.varint(this.rows);
    this.namespaces.forEach((namespace, i) => {
      out.f64(namespace);
      out.varint(this.namespaceRows[i] as number);
    });
    this.keys.write(out);
    this.content.write(out);
  }

  clear(): void {
    this.rows = 0;
    this.elements = 0;
    this.namespaces.length = 0;
    this.namespaceRows.length = 0;
    this.keys.clear();
    this.content.clear();
    this.file = undefined;
  }
}

/** Gathers the entries of a table. */
export class EntryRows {
  private readonly table: TableAddress;
  private readonly context: TableContext;
  private readonly options: BatchCodecOptions;
  /** Takes every value that is not for one of the others; of a map state, all. */
  private readonly rest: EntryBatch;
  private lists: EntryBatch | undefined;
  private fields: { readonly columns: FieldsColumns; readonly batch: EntryBatch } | undefined;

  constructor(table: TableAddress, context: TableContext) {
    this.table = table;
    this.context = context;
    this.options = { registry: context.classes, codegen: context.generateCode };
    this.rest = this.batch(table.spec.kind === 'map' ? new MapColumns(this.options) : new PlainColumns(this.options));
  }

  private batch(content: ContentColumns): EntryBatch {
    return new EntryBatch(this.table, this.context, content);
  }

  /**
   * Takes a row, which is encoded before `cut.file.encodeGathered` returns; returns what it costs beyond one row. `label`: the namespace
   * in a window table, the key group in others. Throws `UNSUPPORTED_VALUE`.
   */
  gather(cut: SnapshotCut, label: number, key: Key, value: unknown): number {
    const batch = typeof value === 'object' && value !== null ? this.batchFor(value) : this.rest;
    return batch.add(cut.file, label, key, value) >> ELEMENTS_PER_ROW_BITS;
  }

  private batchFor(value: object): EntryBatch {
    if (this.table.spec.kind === 'map') return this.rest;
    if (isList(value)) {
      this.lists ??= this.batch(new ListColumns(this.options));
      return this.lists;
    }
    if (this.fields?.columns.fits(value) === true) return this.fields.batch;
    // One object of each block is looked at: it could be the first of another form.
    if (this.rest.rows === 0 && (this.fields === undefined || this.fields.batch.rows === 0)) {
      const columns = FieldsColumns.of(value, this.options);
      if (columns !== undefined) {
        this.fields = { columns, batch: this.batch(columns) };
        return this.fields.batch;
      }
    }
    return this.rest;
  }
}

/** The rows of a block. */
export interface EntryBlock {
  readonly keys: readonly Key[];
  readonly values: readonly unknown[];
  /** Of a window table: the namespace of each row. */
  readonly namespaces: readonly number[];
}

/** Reads blocks of a table. */
export class EntryBlockReader {
  private readonly spec: TableSpec;
  private readonly keys: ValueColumnReader;
  private readonly contents: ContentReader;

  constructor(spec: TableSpec, context: TableContext) {
    this.spec = spec;
    this.keys = new ValueColumnReader({ codegen: context.generateCode });
    this.contents = new ContentReader({ registry: context.classes, codegen: context.generateCode });
  }

  read(input: ByteReader): EntryBlock {
    const { kind, name } = this.spec;
    const count = input.varint();
    if (count > BLOCK_ROWS_MAX) throw corrupt(`A block of the state "${name}" has ${count} rows, where ${BLOCK_ROWS_MAX} are the most.`);
    const namespaces = kind === 'window' ? readNamespaces(input, count) : [];
    const keys = this.keys.read(input, count).map(requireKey);
    const form = input.u8();
    const isOfKind = kind === 'list' ? form === FORM_LIST : (kind === 'map') === (form === FORM_MAP);
    if (!isOfKind) throw corrupt(`A block of the ${kind} state "${name}" has the form ${form}.`);
    const values = this.contents.read(form, input, count);
    if (input.remaining !== 0) throw corrupt(`${input.remaining} bytes follow a block of the state "${name}".`);
    return { keys, values, namespaces };
  }
}

function readNamespaces(input: ByteReader, count: number): number[] {
  const namespaces: number[] = [];
  while (namespaces.length < count) {
    const namespace = requireNamespace(input.f64());
    const rows = input.varint();
    if (rows === 0 || rows > count - namespaces.length) throw corrupt(`A namespace has ${rows} rows in a block of ${count}.`);
    for (let left = rows; left > 0; left--) namespaces.push(namespace);
  }
  return namespaces;
}
