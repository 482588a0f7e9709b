/**
 * How a declared numeric record lies in memory. One row per key, all its parts side by side, so that an access costs one cache miss:
 *
 *   f64 slot  0          1                  2 …                     …
 *             key        touched · saved    float64 fields …        int32 and boolean fields, two to a slot
 *
 * One buffer under two views (`f64`, `i32`). Reading and writing rows is generated per schema; where code generation is forbidden an
 * interpreted twin does the same.
 */
import { isCodeGenerationAllowed } from '../../codec/generated-function.js';
import type { ByteWriter } from '../../common/bytes.js';
import { MillstreamError } from '../../common/errors.js';
import { OP_PACKED, type TableField } from './snapshot-format.js';

/** Offsets in a row, in units of 4 bytes. */
export const TOUCHED = 2;
export const SAVED = 3;
const FIELDS_AT = 4;

/** Makes a plain object of a row's fields. */
export type RowReader = (f64: Float64Array, i32: Int32Array, row: number) => unknown;
/** Sets a row's fields; throws `UNSUPPORTED_VALUE`, and sets none then, if a value is not what was declared. */
export type RowWriter = (f64: Float64Array, i32: Int32Array, row: number, value: unknown) => void;

/** Appends a row as it stands in snapshot files: OP_PACKED, the key, the fields. */
export type RowPacker = (f64: Float64Array, i32: Int32Array, row: number, out: ByteWriter) => void;

/** Where a field lies: `at` is in units of 8 bytes for float64, of 4 for the others. */
export interface RowSlot {
  readonly name: string;
  readonly type: 'int32' | 'float64' | 'boolean';
  readonly at: number;
}

/** The rows of one schema. */
export interface RowLayout {
  readonly slots: readonly RowSlot[];
  /** Size of a row in units of 8 bytes. */
  readonly stride: number;
  readonly read: RowReader;
  readonly write: RowWriter;
  readonly pack: RowPacker;
}

/** Whether a schema can lie in rows: at least one field, all numeric. `__proto__` cannot be set by plain assignment. */
export function isNumericSchema(fields: readonly TableField[]): boolean {
  return fields.length > 0 && fields.every((field) => field.type !== 'string' && field.type !== 'any' && field.name !== '__proto__');
}

function placeFields(fields: readonly TableField[]): { slots: RowSlot[]; stride: number } {
  const doubles = fields.filter((field) => field.type === 'float64').length;
  let double = FIELDS_AT / 2;
  let word = FIELDS_AT + doubles * 2;
  const slots = fields.map((field): RowSlot => {
    if (field.type === 'float64') return { name: field.name, type: 'float64', at: double++ };
    return { name: field.name, type: field.type === 'int32' ? 'int32' : 'boolean', at: word++ };
  });
  return { slots, stride: Math.ceil(word / 2) };
}

function refuse(state: string, field: string | undefined, declared: string, value: unknown): never {
  const found = typeof value === 'number' ? String(value) : value === null ? 'null' : `a value of type ${typeof value}`;
  const place = field === undefined ? `the state "${state}"` : `field "${field}" of the state "${state}"`;
  throw new MillstreamError(
    'UNSUPPORTED_VALUE',
    `Cannot store ${found} in ${place}: its schema declares ${declared}. Change the value, or the schema.`,
    {
      details: { state, field, declared },
    },
  );
}

function fits(slot: RowSlot, value: unknown): boolean {
  if (slot.type === 'boolean') return typeof value === 'boolean';
  return typeof value === 'number' && (slot.type === 'float64' || (value | 0) === value);
}

function interpreted(state: string, slots: readonly RowSlot[], stride: number): Pick<RowLayout, 'read' | 'write' | 'pack'> {
  return {
    read(f64, i32, row) {
      const record: Record<string, unknown> = {};
      for (const slot of slots) {
        if (slot.type === 'float64') record[slot.name] = f64[row * stride + slot.at];
        else record[slot.name] = slot.type === 'int32' ? i32[row * stride * 2 + slot.at] : i32[row * stride * 2 + slot.at] === 1;
      }
      return record;
    },
    write(f64, i32, row, value) {
      if (typeof value !== 'object' || value === null) return refuse(state, undefined, 'a record', value);
      const record = value as Record<string, unknown>;
      for (const slot of slots) if (!fits(slot, record[slot.name])) refuse(state, slot.name, slot.type, record[slot.name]);
      for (const slot of slots) {
        if (slot.type === 'float64') f64[row * stride + slot.at] = record[slot.name] as number;
        else i32[row * stride * 2 + slot.at] = Number(record[slot.name]);
      }
    },
    pack(f64, i32, row, out) {
      out.u8(OP_PACKED);
      out.f64(f64[row * stride] as number);
      for (const slot of slots) {
        if (slot.type === 'float64') out.f64(f64[row * stride + slot.at] as number);
        else if (slot.type === 'int32') out.i32(i32[row * stride * 2 + slot.at] as number);
        else out.u8(i32[row * stride * 2 + slot.at] as number);
      }
    },
  };
}

/** A class of its own per schema: its fields' representations are not disturbed by other objects of the same field names. */
function readerSource(slots: readonly RowSlot[], stride: number): string {
  const assignments = slots.map((slot) => {
    const source = slot.type === 'float64' ? `f64[d + ${slot.at}]` : `i32[w + ${slot.at}]${slot.type === 'boolean' ? ' === 1' : ''}`;
    return `  this[${JSON.stringify(slot.name)}] = ${source};`;
  });
  return [
    '"use strict";',
    'function Row(f64, i32, row) {',
    `  const d = row * ${stride}, w = row * ${stride * 2};`,
    ...assignments,
    '}',
    'Row.prototype = Object.prototype;',
    'return (f64, i32, row) => new Row(f64, i32, row);',
  ].join('\n');
}

function writerSource(slots: readonly RowSlot[], stride: number): string {
  const lines = slots.map((slot, i) => {
    const wrong =
      slot.type === 'boolean'
        ? `typeof v${i} !== "boolean"`
        : `typeof v${i} !== "number"${slot.type === 'int32' ? ` || (v${i} | 0) !== v${i}` : ''}`;
    const name = JSON.stringify(slot.name);
    return `  const v${i} = value[${name}]; if (${wrong}) refuse(state, ${name}, "${slot.type}", v${i});`;
  });
  const stores = slots.map((slot, i) =>
    slot.type === 'float64'
      ? `  f64[d + ${slot.at}] = v${i};`
      : `  i32[w + ${slot.at}] = v${i}${slot.type === 'boolean' ? ' ? 1 : 0' : ''};`,
  );
  return [
    '"use strict";',
    'return (f64, i32, row, value) => {',
    '  if (typeof value !== "object" || value === null) refuse(state, undefined, "a record", value);',
    `  const d = row * ${stride}, w = row * ${stride * 2};`,
    ...lines,
    ...stores,
    '};',
  ].join('\n');
}

function packerSource(slots: readonly RowSlot[], stride: number): string {
  let size = 9;
  const stores = slots.map((slot) => {
    const at = size;
    size += slot.type === 'float64' ? 8 : slot.type === 'int32' ? 4 : 1;
    if (slot.type === 'float64') return `  view.setFloat64(at + ${at}, f64[d + ${slot.at}], true);`;
    return slot.type === 'int32'
      ? `  view.setInt32(at + ${at}, i32[w + ${slot.at}], true);`
      : `  view.setUint8(at + ${at}, i32[w + ${slot.at}]);`;
  });
  return [
    '"use strict";',
    'return (f64, i32, row, out) => {',
    `  out.reserve(${size});`,
    '  const view = out.view, at = out.length;',
    `  const d = row * ${stride}, w = row * ${stride * 2};`,
    `  view.setUint8(at, ${OP_PACKED});`,
    '  view.setFloat64(at + 1, f64[d], true);',
    ...stores,
    `  out.length = at + ${size};`,
    '};',
  ].join('\n');
}

/** Lays out the rows of a state. `generate`: whether to compile code for it. */
export function rowLayoutOf(state: string, fields: readonly TableField[], generate: boolean = isCodeGenerationAllowed()): RowLayout {
  const { slots, stride } = placeFields(fields);
  if (!generate) return { slots, stride, ...interpreted(state, slots, stride) };
  return {
    slots,
    stride,
    read: new Function(readerSource(slots, stride))() as RowReader,
    write: new Function('state', 'refuse', writerSource(slots, stride))(state, refuse) as RowWriter,
    pack: new Function(packerSource(slots, stride))() as RowPacker,
  };
}
