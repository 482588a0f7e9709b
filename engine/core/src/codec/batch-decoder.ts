/**
 * Decodes batches (format: batch-format.ts). Reads only the batch that it is given; the programs for shapes that it has seen are kept
 * and found again by the bytes of their definition.
 *
 * Invariants: 1. records never refer to the batch's memory, which may be a shared ring; 2. damaged bytes give `CORRUPT_DATA` or some
 * records, within time and memory proportional to the bytes at hand.
 */
import { ByteReader } from '../common/bytes.js';
import { MillstreamError } from '../common/errors.js';
import { type BatchCodecOptions, codeOf } from './batch-encoder.js';
import { BATCH_COUNT_MAX, BATCH_FORMAT_VERSION, FLAG_GROUPS, FLAG_TIMESTAMPS, TEXT_ASCII, TEXT_UTF8, TEXT_UTF16 } from './batch-format.js';
import { type ColumnLayout, columnLayoutOf } from './column-layout.js';
import { COLUMN_ALIGNMENT, ColumnScratch, columnViewsOf } from './column-views.js';
import { declaredShapeOf } from './declared-shape.js';
import { type DecodeProgram, type DecodeSource, decodeProgramOf } from './decode-program.js';
import { decodeDefinition, encodeDefinition } from './shape-definition.js';
import type { StreamCode } from './stream-code.js';

interface KnownDefinition {
  readonly bytes: Uint8Array;
  readonly layout: ColumnLayout;
  readonly program: DecodeProgram;
}

/** Beyond so many, all are forgotten: a stream has a few. */
const DEFINITIONS_MAX = 64;

function corrupt(what: string): MillstreamError {
  return new MillstreamError('CORRUPT_DATA', `Cannot decode a batch: ${what}. The data is damaged or of another version.`);
}

export class BatchDecoder {
  /** Whether the last batch had timestamps. */
  hasTimestamps = false;
  private readonly code: StreamCode | undefined;
  private readonly scratch = new ColumnScratch();
  private readonly source: DecodeSource;
  /** One reader for each piece of memory that batches come from: a ring has a few, and they come again and again. */
  private readonly readers = new WeakMap<Uint8Array, ByteReader>();
  private readonly declared: Uint8Array | undefined;
  private definitions: KnownDefinition[] = [];
  private groupRecords: unknown[][] = [];
  /** The memory of the batch in work, and where in it that begins. */
  private bytes: Uint8Array = new Uint8Array(0);
  private begin = 0;

  constructor(options: BatchCodecOptions = {}) {
    this.code = codeOf(options);
    this.source = { text: '', rows: new ByteReader(new Uint8Array(0)), registry: options.registry };
    if (options.schema !== undefined) this.declared = encodeDefinition(declaredShapeOf(options.schema), false);
  }

  /**
   * Decodes bytes[offset, offset + length): puts the records into values[0, count), their timestamps (NaN where there are none) into
   * timestamps[0, count), and returns count. Throws `CORRUPT_DATA`, and `UNSUPPORTED_VALUE` for a class that is not registered here.
   */
  decode(bytes: Uint8Array, offset: number, length: number, values: unknown[], timestamps: Float64Array): number {
    const input = this.readerOf(bytes, offset, length);
    this.bytes = bytes;
    this.begin = offset;
    const version = input.u8();
    if (version !== BATCH_FORMAT_VERSION) throw corrupt(`it is of version ${version}, this is version ${BATCH_FORMAT_VERSION}`);
    const flags = input.u8();
    if ((flags & ~(FLAG_TIMESTAMPS | FLAG_GROUPS)) !== 0) throw corrupt(`its flags are ${flags}`);
    const count = input.varint();
    if (count > BATCH_COUNT_MAX || count > timestamps.length) {
      throw corrupt(`it has ${count} records, where ${Math.min(BATCH_COUNT_MAX, timestamps.length)} are the most`);
    }
    this.hasTimestamps = (flags & FLAG_TIMESTAMPS) !== 0;
    if (this.hasTimestamps) new Uint8Array(timestamps.buffer, timestamps.byteOffset, count * 8).set(input.bytes(count * 8));
    else timestamps.fill(Number.NaN, 0, count);
    if ((flags & FLAG_GROUPS) !== 0) this.decodeGroups(input, count, values);
    else if (count > 0) this.decodeGroup(input, count, values);
    if (input.remaining !== 0) throw corrupt(`${input.remaining} bytes follow its end`);
    return count;
  }

  private readerOf(bytes: Uint8Array, offset: number, length: number): ByteReader {
    if (offset < 0 || length < 0 || offset + length > bytes.length) throw corrupt(`it ends at ${offset + length} of ${bytes.length} bytes`);
    let reader = this.readers.get(bytes);
    if (reader === undefined) {
      reader = new ByteReader(bytes);
      this.readers.set(bytes, reader);
    }
    reader.at = offset;
    reader.end = offset + length;
    return reader;
  }

  private decodeGroups(input: ByteReader, count: number, values: unknown[]): void {
    const groups = input.varint();
    if (groups > 0xff) throw corrupt(`it has ${groups} groups`);
    const groupOf = input.bytes(count);
    const sizes = new Array<number>(groups).fill(0);
    for (let i = 0; i < count; i++) {
      const group = groupOf[i] as number;
      if (group >= groups) throw corrupt(`a record is of group ${group} of ${groups}`);
      sizes[group] = (sizes[group] as number) + 1;
    }
    const lists = this.groupRecords;
    while (lists.length < groups) lists.push([]);
    for (let group = 0; group < groups; group++) this.decodeGroup(input, sizes[group] as number, lists[group] as unknown[]);
    const next = sizes.fill(0);
    for (let i = 0; i < count; i++) {
      const group = groupOf[i] as number;
      const at = next[group] as number;
      next[group] = at + 1;
      values[i] = (lists[group] as unknown[])[at];
    }
    for (const list of lists) list.length = 0;
  }

  private decodeGroup(input: ByteReader, count: number, target: unknown[]): void {
    const { layout, program } = this.definition(input);
    const { scratch, source } = this;
    input.bytes((this.begin - input.at) & (COLUMN_ALIGNMENT - 1));
    const columnBytes = layout.recordBytes * count;
    if (columnBytes > input.remaining) throw corrupt(`columns of ${columnBytes} bytes have ${input.remaining}`);
    const columnsAt = input.at;
    const inPlace = columnsAt % COLUMN_ALIGNMENT === 0 ? columnViewsOf(this.bytes) : undefined;
    const views = inPlace ?? scratch.ensure(columnBytes);
    if (inPlace === undefined) input.buffer.copy(views.uint8, 0, columnsAt, columnsAt + columnBytes);
    input.at += columnBytes;
    source.text = layout.stringColumns > 0 ? readStrings(input) : '';
    const end = input.end;
    const rowsEnd = layout.hasRows ? input.u32() + input.at : input.at;
    if (rowsEnd > end) throw corrupt(`rows end ${rowsEnd - end} bytes after it`);
    input.end = rowsEnd;
    source.rows = input;
    const units = program(target, count, views, inPlace === undefined ? 0 : columnsAt, source);
    if (units !== source.text.length) throw corrupt(`its strings have ${source.text.length} units, their lengths say ${units}`);
    if (input.remaining !== 0) throw corrupt(`${input.remaining} bytes of rows are left`);
    source.text = '';
    input.end = end;
  }

  private definition(input: ByteReader): KnownDefinition {
    const length = input.varint();
    if (length > input.remaining) throw corrupt(`a definition of ${length} bytes has ${input.remaining}`);
    const at = input.at;
    input.at = at + length;
    for (const known of this.definitions) if (sameBytes(known.bytes, input.buffer, at, length)) return known;
    const bytes = new Uint8Array(input.buffer.subarray(at, at + length));
    const { shape, wideLengths, references } = decodeDefinition(new ByteReader(bytes));
    if (this.declared !== undefined && !sameBytes(this.declared, encodeDefinition(shape, false), 0, this.declared.length)) {
      throw corrupt('its fields are not those of the declared schema');
    }
    const layout = columnLayoutOf(shape, wideLengths);
    const known = { bytes, layout, program: decodeProgramOf(layout, references, this.code) };
    if (this.definitions.length >= DEFINITIONS_MAX) this.definitions = [];
    this.definitions.push(known);
    return known;
  }
}

function sameBytes(known: Uint8Array, bytes: Uint8Array, at: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let i = 0; i < length; i++) if (known[i] !== bytes[at + i]) return false;
  return true;
}

function readStrings(input: ByteReader): string {
  const encoding = input.u8();
  const byteCount = input.u32();
  const start = input.at;
  const end = start + byteCount;
  if (byteCount > input.remaining) throw corrupt(`strings of ${byteCount} bytes have ${input.remaining}`);
  input.at = end;
  switch (encoding) {
    case TEXT_ASCII:
      return input.buffer.latin1Slice(start, end);
    case TEXT_UTF8:
      return input.buffer.utf8Slice(start, end);
    case TEXT_UTF16:
      return input.buffer.ucs2Slice(start, end);
    default:
      throw corrupt(`its strings have the unknown encoding ${encoding}`);
  }
}
