/** Reads the frame of a keyed snapshot file (snapshot-format.ts): header, dictionary and where its blocks lie. Rows stay encoded. */
import { ROW_FORMAT_VERSION } from '../../codec/row.js';
import { ByteReader } from '../../common/bytes.js';
import { MillstreamError } from '../../common/errors.js';
import type { KeyedSnapshotFile } from '../backend.js';
import {
  BLOCK_END,
  BLOCK_ENTRIES,
  FIELD_TYPES,
  SNAPSHOT_MAGIC,
  SNAPSHOT_VERSION,
  TABLE_KINDS,
  type TableField,
  type TableSpec,
} from './snapshot-format.js';

/** A block of a file; `start` and `end` bound its payload. */
export interface SnapshotBlock {
  readonly type: number;
  readonly table: number;
  readonly firstGroup: number;
  readonly lastGroup: number;
  readonly start: number;
  readonly end: number;
}

/** The frame of a file. */
export interface SnapshotFrame {
  readonly kind: 'base' | 'delta';
  readonly epoch: number;
  readonly maxParallelism: number;
  readonly tables: readonly TableSpec[];
  readonly blocks: readonly SnapshotBlock[];
}

/** The error for bytes that cannot be a snapshot file's. */
export function corrupt(message: string): MillstreamError {
  return new MillstreamError('CORRUPT_DATA', message);
}

/** Runs `read`; whatever fails in it says that the file is damaged, and which. */
export function readingFile<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof MillstreamError && error.code !== 'CORRUPT_DATA' && error.code !== 'UNSUPPORTED_KEY') throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new MillstreamError(
      'CORRUPT_DATA',
      `Cannot restore keyed state from "${path}": ${reason} The file is damaged; restore from an earlier checkpoint.`,
      { cause: error, details: { path } },
    );
  }
}

function readFields(input: ByteReader): TableField[] {
  const fields: TableField[] = [];
  for (let left = input.varint(); left > 0; left--) {
    const name = input.string();
    const type = FIELD_TYPES[input.u8()];
    if (type === undefined) throw corrupt(`The type of field "${name}" is unknown.`);
    fields.push({ name, type });
  }
  return fields;
}

function readDictionary(input: ByteReader): TableSpec[] {
  const tables: TableSpec[] = [];
  for (let left = input.varint(); left > 0; left--) {
    const kind = TABLE_KINDS[input.u8()];
    const name = input.string();
    if (kind === undefined) throw corrupt(`The kind of state "${name}" is unknown.`);
    tables.push({ kind, name, fields: input.u8() === 0 ? undefined : readFields(input) });
  }
  return tables;
}

function readBlocks(input: ByteReader, tableCount: number): SnapshotBlock[] {
  const blocks: SnapshotBlock[] = [];
  for (;;) {
    const type = input.u8();
    if (type === BLOCK_END) break;
    if (type > BLOCK_ENTRIES) throw corrupt(`There is no block of type ${type}.`);
    const table = input.varint();
    if (table >= tableCount) throw corrupt(`A block belongs to table ${table} of ${tableCount}.`);
    const firstGroup = input.varint();
    const lastGroup = input.varint();
    const byteCount = input.u32();
    const start = input.at;
    input.bytes(byteCount);
    blocks.push({ type, table, firstGroup, lastGroup, start, end: input.at });
  }
  input.f64();
  if (input.remaining !== 0) throw corrupt(`${input.remaining} bytes follow its end.`);
  return blocks;
}

/** Reads the frame; throws `CORRUPT_DATA`, or `CHECKPOINT_VERSION` for a file of a later version. Call within `readingFile`. */
export function readSnapshotFrame(file: KeyedSnapshotFile): SnapshotFrame {
  const input = new ByteReader(file.bytes);
  if (input.u32() !== SNAPSHOT_MAGIC) throw corrupt('It does not begin as a keyed snapshot does.');
  const version = input.u16();
  const rowVersion = input.u16();
  if (version !== SNAPSHOT_VERSION || rowVersion !== ROW_FORMAT_VERSION) {
    throw new MillstreamError(
      'CHECKPOINT_VERSION',
      `Cannot restore keyed state from "${file.path}": it is of format ${version}.${rowVersion}, and this version reads ${SNAPSHOT_VERSION}.${ROW_FORMAT_VERSION}. ` +
        'Use the version of Millstream that wrote it, or a later one.',
    );
  }
  const kind = input.u8() === 0 ? 'base' : 'delta';
  const epoch = input.f64();
  if (kind !== file.info.kind || epoch !== file.info.epoch) {
    throw corrupt(`It holds the ${kind} of epoch ${epoch}, not the ${file.info.kind} of epoch ${file.info.epoch}.`);
  }
  const maxParallelism = input.u32();
  input.u32();
  input.u32();
  const tables = readDictionary(input);
  return { kind, epoch, maxParallelism, tables, blocks: readBlocks(input, tables.length) };
}
