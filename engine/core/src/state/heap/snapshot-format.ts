/**
 * The format of a keyed snapshot file, little endian, `ByteWriter`'s primitives. Self-contained; a chain is a base and its deltas.
 *
 *   header    u32 magic · u16 version · u16 version of the row codec · u8 kind (0 base, 1 delta) · f64 epoch
 *             · u32 maxParallelism · u32 first and u32 last key group
 *   tables    varint count · each: u8 kind · string name · u8 has schema · [varint fields · each: string name, u8 type]
 *   blocks    u8 type (1 removals, 2 rows, 3 dropped namespaces, 4 entries) · varint table · varint first and varint last key group
 *             · u32 byte count · payload
 *   end       u8 0 · f64 rows and removals in all blocks
 *
 * A payload is a sequence of operations. In rows: NAMESPACE f64 (holds for what follows in this block; a window's start or a timer's
 * time), ROW key value, PACKED f64 key and the fields in the order of the dictionary (int32 4 bytes, float64 8, boolean 1). In
 * removals: NAMESPACE f64, ROW key, PACKED f64 key. Rows are packed ones and timers, which have no value. Keys are self-describing
 * (codec/row.ts). Dropped namespaces are f64s that concern all key groups of the file.
 *
 * Entries are by columns (value-column.ts): varint rows (at most 4096) · of a window table, until all rows have one: f64 namespace,
 * varint rows · column of keys · u8 form, columns of values (content-columns.ts). They are of any key groups of the block's range, and
 * the keys tell which.
 *
 * Reading a file of a chain: first its removals and dropped namespaces, then its rows and entries, whatever the order of its blocks. A
 * restore skips blocks without a key group that it owns without decoding them.
 */
import type { FieldType } from '../../codec/schema.js';
import { MillstreamError } from '../../common/errors.js';

export const SNAPSHOT_MAGIC = 0x53_4b_53_4d;
export const SNAPSHOT_VERSION = 2;

export const BLOCK_END = 0;
export const BLOCK_REMOVALS = 1;
export const BLOCK_ROWS = 2;
export const BLOCK_DROPS = 3;
export const BLOCK_ENTRIES = 4;
/** The most entries in a block of them. */
export const BLOCK_ROWS_MAX = 4096;

export const FORM_PLAIN = 1;
export const FORM_LIST = 2;
export const FORM_FIELDS = 3;
export const FORM_MAP = 4;

export const OP_NAMESPACE = 1;
export const OP_ROW = 2;
export const OP_PACKED = 3;

/** The order is the format: append only. */
export const TABLE_KINDS = ['value', 'list', 'map', 'reducing', 'aggregating', 'window', 'timer'] as const;
export type TableKind = (typeof TABLE_KINDS)[number];
/** The order is the format: append only. */
export const FIELD_TYPES: readonly FieldType[] = ['int32', 'float64', 'boolean', 'string', 'any'];

/** One declared field. */
export interface TableField {
  readonly name: string;
  readonly type: FieldType;
}

/** What a table is: its entry in the dictionary of a file. */
export interface TableSpec {
  readonly kind: TableKind;
  readonly name: string;
  readonly fields: readonly TableField[] | undefined;
}

/** Keyed states share one space of names; window and timer tables have their own. */
export function tableKeyOf(spec: TableSpec): string {
  return `${spec.kind === 'window' || spec.kind === 'timer' ? spec.kind : 'state'}:${spec.name}`;
}

function describe(spec: TableSpec): string {
  if (spec.fields === undefined) return `${spec.kind} without a schema`;
  return `${spec.kind} of { ${spec.fields.map((field) => `${field.name}: ${field.type}`).join(', ')} }`;
}

function isSameSchema(left: TableSpec, right: TableSpec): boolean {
  if (left.fields === undefined || right.fields === undefined) return left.fields === right.fields;
  const types = new Map(left.fields.map((field) => [field.name, field.type]));
  return left.fields.length === right.fields.length && right.fields.every((field) => types.get(field.name) === field.type);
}

/** Throws `STATE_INCOMPATIBLE` unless kind and fields (in any order) are the same. */
export function requireCompatible(found: TableSpec, declared: TableSpec): void {
  if (found.kind === declared.kind && isSameSchema(found, declared)) return;
  throw new MillstreamError(
    'STATE_INCOMPATIBLE',
    `Cannot use the state "${declared.name}" as ${describe(declared)}: what was stored or declared before is ${describe(found)}. ` +
      'Declare it as before, or give the new state another name: it then starts empty, and the old one stays in the checkpoints.',
    { details: { state: declared.name, found: describe(found), declared: describe(declared) } },
  );
}
