/** How records become lines of text: JSON lines and CSV, for the file sink. Synchronous, into the sink's buffer. */
import type { ByteWriter } from '../common/bytes.js';
import { MillstreamError } from '../common/errors.js';

/** Writes records into parts of a {@link FileSink}. What it writes for a record must be readable by itself. */
export interface RowEncoder<T> {
  /** Of the part files' names: 'jsonl'. */
  readonly extension: string;
  /** What each part starts with. */
  header?(out: ByteWriter): void;
  encode(value: T, out: ByteWriter): void;
}

/** Appends a string as UTF-8; lone surrogates become U+FFFD. */
export function writeText(out: ByteWriter, text: string): void {
  out.reserve(text.length * 3);
  out.length += out.buffer.utf8Write(text, out.length);
}

/**
 * One JSON text per line, as `JSON.stringify` writes it: fields that are undefined are left out, NaN and infinities become null, Dates
 * ISO 8601 strings, Map and Set empty objects. A bigint, or a record that is undefined, throws UNSUPPORTED_VALUE: map it before the sink.
 */
export function jsonLinesEncoder<T>(): RowEncoder<T> {
  return {
    extension: 'jsonl',
    encode(value, out) {
      writeText(out, jsonOf(value));
      out.u8(0x0a);
    },
  };
}

function jsonOf(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new MillstreamError('UNSUPPORTED_VALUE', `Cannot write a record as JSON: ${(cause as Error).message}. Map it before the sink.`, {
      cause,
    });
  }
  if (text === undefined) {
    throw new MillstreamError('UNSUPPORTED_VALUE', `Cannot write ${String(value)} as JSON: it has no JSON form. Map it before the sink.`);
  }
  return text;
}

/** Settings of `csvEncoder`. */
export interface CsvEncoderOptions<T> {
  /** The fields to write, in this order. */
  readonly columns: readonly (keyof T & string)[];
  /** Whether each part starts with the columns' names. Default: true. */
  readonly header?: boolean;
}

/**
 * CSV after RFC 4180 (comma, double quotes), lines ending in a line feed, UTF-8. null and undefined are empty, an empty string is `""`;
 * Dates are ISO 8601, arrays and plain objects JSON. Other objects throw UNSUPPORTED_VALUE.
 */
export function csvEncoder<T>(options: CsvEncoderOptions<T>): RowEncoder<T> {
  const { columns } = options;
  if (columns.length === 0) throw new MillstreamError('INVALID_OPTION', 'Cannot write CSV without columns. Name the fields to write.');
  const encoder: RowEncoder<T> = {
    extension: 'csv',
    encode(value, out) {
      for (let i = 0; i < columns.length; i++) {
        if (i > 0) out.u8(0x2c);
        writeText(out, csvField(value[columns[i] as keyof T & string], columns[i] as string));
      }
      out.u8(0x0a);
    },
  };
  if (options.header === false) return encoder;
  return { ...encoder, header: (out) => writeText(out, `${columns.map(quoted).join(',')}\n`) };
}

function csvField(value: unknown, column: string): string {
  switch (typeof value) {
    case 'string':
      return quoted(value);
    case 'number':
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'undefined':
      return '';
    default:
      if (value === null) return '';
      if (value instanceof Date) return Number.isNaN(value.getTime()) ? '' : value.toISOString();
      if (Array.isArray(value) || isPlainObject(value)) return quoted(jsonOf(value));
      throw new MillstreamError(
        'UNSUPPORTED_VALUE',
        `Cannot write the field '${column}' as CSV: it is a ${kindOf(value)}. Map it to a string or number before the sink.`,
      );
  }
}

function quoted(text: string): string {
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function isPlainObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function kindOf(value: unknown): string {
  return typeof value === 'object' && value !== null ? (value.constructor?.name ?? 'object') : typeof value;
}
