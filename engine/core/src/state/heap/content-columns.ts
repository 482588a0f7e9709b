/**
 * How the values of many entries lie in columns. Lists are taken apart, so that their elements are encoded together whichever entry they
 * belong to:
 *
 *   PLAIN    column of values
 *   LIST     column of lists                                                            [bid, bid], [bid]
 *   FIELDS   varint fields · each: string name, u8 is list · each: column of values or of lists      { left: [auction], right: [bid] }
 *   MAP      column of lists of keys · column of lists of values                        map states
 */
import type { BatchCodecOptions } from '../../codec/batch-encoder.js';
import { hasFields } from '../../codec/shape.js';
import type { ByteReader, ByteWriter } from '../../common/bytes.js';
import { keyOfContent, putContent, valueOfContent } from './map-content.js';
import { corrupt } from './snapshot-file-reader.js';
import { FORM_FIELDS, FORM_LIST, FORM_MAP, FORM_PLAIN } from './snapshot-format.js';
import { requireKey } from './table.js';
import { ListColumn, ListColumnReader, ValueColumn, ValueColumnReader } from './value-column.js';

/** Objects with more fields stay whole: a batch for each field would cost more than it saves. */
const FIELDS_MAX = 4;

/** Columns for values of one form. */
export interface ContentColumns {
  /** Adds a value that fits; returns how many elements it has. Throws `UNSUPPORTED_VALUE`; then the columns must be cleared. */
  add(value: unknown): number;
  /** Appends the form and the columns, and forgets the values. */
  write(out: ByteWriter): void;
  clear(): void;
}

/** Whether this is an array as the record model knows it, though it may have holes. */
export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && Object.getPrototypeOf(value) === Array.prototype;
}

export class PlainColumns implements ContentColumns {
  private readonly values: ValueColumn;

  constructor(options: BatchCodecOptions) {
    this.values = new ValueColumn(options);
  }

  add(value: unknown): number {
    this.values.add(value);
    return 1;
  }

  write(out: ByteWriter): void {
    out.u8(FORM_PLAIN);
    this.values.write(out);
  }

  clear(): void {
    this.values.clear();
  }
}

export class ListColumns implements ContentColumns {
  private readonly lists: ListColumn;

  constructor(options: BatchCodecOptions) {
    this.lists = new ListColumn(options);
  }

  add(value: unknown): number {
    const list = value as readonly unknown[];
    this.lists.add(list);
    return list.length;
  }

  write(out: ByteWriter): void {
    out.u8(FORM_LIST);
    this.lists.write(out);
  }

  clear(): void {
    this.lists.clear();
  }
}

/** Objects of the same few fields, some of which are lists. */
export class FieldsColumns implements ContentColumns {
  private readonly names: readonly string[];
  private readonly columns: readonly (ValueColumn | ListColumn)[];

  /** Columns for objects like this one; undefined if it has no list or too many fields. */
  static of(value: object, options: BatchCodecOptions): FieldsColumns | undefined {
    const names = Object.keys(value);
    if (names.length > FIELDS_MAX || names.includes('__proto__') || !hasFields(value, names)) return undefined;
    const isListField = names.map((name) => isList((value as Record<string, unknown>)[name]));
    return isListField.includes(true) ? new FieldsColumns(names, isListField, options) : undefined;
  }

  private constructor(names: readonly string[], isListField: readonly boolean[], options: BatchCodecOptions) {
    this.names = names;
    this.columns = isListField.map((isListOne) => (isListOne ? new ListColumn(options) : new ValueColumn(options)));
  }

  fits(value: object): boolean {
    const { names, columns } = this;
    if (!hasFields(value, names)) return false;
    for (let i = 0; i < names.length; i++) {
      if (columns[i] instanceof ListColumn && !isList((value as Record<string, unknown>)[names[i] as string])) return false;
    }
    return true;
  }

  add(value: unknown): number {
    let elements = 0;
    for (let i = 0; i < this.names.length; i++) {
      const column = this.columns[i] as ValueColumn | ListColumn;
      const part = (value as Record<string, unknown>)[this.names[i] as string];
      if (column instanceof ListColumn) {
        column.add(part as readonly unknown[]);
        elements += (part as readonly unknown[]).length;
      } else {
        column.add(part);
        elements++;
      }
    }
    return elements;
  }

  write(out: ByteWriter): void {
    out.u8(FORM_FIELDS);
    out.varint(this.names.length);
    this.names.forEach((name, i) => {
      out.string(name);
      out.u8(this.columns[i] instanceof ListColumn ? 1 : 0);
    });
    for (const column of this.columns) column.write(out);
  }

  clear(): void {
    for (const column of this.columns) column.clear();
  }
}

/** The contents of a map state. */
export class MapColumns implements ContentColumns {
  private readonly keys: ListColumn;
  private readonly values: ListColumn;

  constructor(options: BatchCodecOptions) {
    this.keys = new ListColumn(options);
    this.values = new ListColumn(options);
  }

  add(value: unknown): number {
    const content = value as Map<unknown, unknown>;
    this.keys.add(Array.from(content, ([mapKey, stored]) => keyOfContent(mapKey, stored)));
    this.values.add(Array.from(content.values(), valueOfContent));
    return 2 * content.size;
  }

  write(out: ByteWriter): void {
    out.u8(FORM_MAP);
    this.keys.write(out);
    this.values.write(out);
  }

  clear(): void {
    this.keys.clear();
    this.values.clear();
  }
}

/** Reads the values of entries from their columns. */
export class ContentReader {
  private readonly options: BatchCodecOptions;
  /** By place, for those that come again in the next block. */
  private readonly values: ValueColumnReader[] = [];
  private readonly lists: ListColumnReader[] = [];

  constructor(options: BatchCodecOptions) {
    this.options = options;
  }

  private column(place: number): ValueColumnReader {
    this.values[place] ??= new ValueColumnReader(this.options);
    return this.values[place];
  }

  private list(place: number): ListColumnReader {
    this.lists[place] ??= new ListColumnReader(this.options);
    return this.lists[place];
  }

  /** The values of `count` entries whose form has been read. */
  read(form: number, input: ByteReader, count: number): unknown[] {
    if (form === FORM_PLAIN) return this.column(0).read(input, count);
    if (form === FORM_LIST) return this.list(0).read(input, count);
    if (form === FORM_FIELDS) return this.readFields(input, count);
    if (form === FORM_MAP) return this.readMaps(input, count);
    throw corrupt(`A block has the unknown form ${form}.`);
  }

  private readFields(input: ByteReader, count: number): unknown[] {
    const fieldCount = input.varint();
    if (fieldCount === 0 || fieldCount > FIELDS_MAX) throw corrupt(`Values are of ${fieldCount} fields.`);
    const fields = Array.from({ length: fieldCount }, () => ({ name: input.string(), isList: input.u8() !== 0 }));
    if (fields.some(({ name }) => name === '__proto__')) throw corrupt('A field has the name of the prototype.');
    const columns = fields.map((field, i) => (field.isList ? this.list(i) : this.column(i)).read(input, count));
    const objects: unknown[] = [];
    for (let row = 0; row < count; row++) {
      const object: Record<string, unknown> = {};
      for (let i = 0; i < fieldCount; i++) object[(fields[i] as { name: string }).name] = (columns[i] as unknown[])[row];
      objects.push(object);
    }
    return objects;
  }

  private readMaps(input: ByteReader, count: number): unknown[] {
    const keys = this.list(0).read(input, count);
    const values = this.list(1).read(input, count);
    return keys.map((mapKeys, row) => {
      const items = values[row] as unknown[];
      if (items.length !== mapKeys.length) throw corrupt(`A map has ${mapKeys.length} keys and ${items.length} values.`);
      const content = new Map<unknown, unknown>();
      mapKeys.forEach((key, i) => {
        putContent(content, requireKey(key), items[i]);
      });
      return content;
    });
  }
}
