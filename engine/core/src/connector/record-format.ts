/**
 * The contract of record formats: how a file's bytes become records. A format finds where a record ends and parses its text; files,
 * positions, reading ahead and the fate of malformed records are the file source's.
 */

/** Turns the text of one record into a value; undefined if there is none (a blank line). Throws {@link MalformedText}. */
export type RecordParser<T> = (text: string) => T | undefined;

/** How records lie in a file. */
export interface RecordFormat<T> {
  /** The first record of each file is no value but what `createParser` gets. */
  readonly hasHeader: boolean;
  /** The index after the terminator of the record that starts at `from`; -1 if its end is not before `to`. */
  findEnd(bytes: Uint8Array, from: number, to: number): number;
  /** `header`: the text of the file's first record if `hasHeader`, otherwise undefined. */
  createParser(header: string | undefined): RecordParser<T>;
}

/** Thrown by parsers for text that is not as the format demands. The message says why, without quoting the text. */
export class MalformedText extends Error {
  override readonly name: string = 'MalformedText';
}

/** What a file source with `malformed: 'report'` emits in place of a record that it cannot parse. */
export interface MalformedRecord {
  readonly malformed: true;
  readonly file: string;
  /** The record's first line, from 1. */
  readonly line: number;
  readonly text: string;
  readonly message: string;
}

/**
 * Tells a {@link MalformedRecord} from a record: use it to route malformed records to a side output.
 * @example
 * stream.process({ processElement(value, context, out) { if (isMalformedRecord(value)) context.output(errors, value); else out.collect(value); } });
 */
export function isMalformedRecord(value: unknown): value is MalformedRecord {
  return typeof value === 'object' && value !== null && (value as Partial<MalformedRecord>).malformed === true && 'text' in value;
}

const LINE_FEED = 10;

/** `findEnd` of formats whose records are lines. */
export function findLineEnd(bytes: Uint8Array, from: number, to: number): number {
  const index = bytes.indexOf(LINE_FEED, from);
  return index < 0 || index >= to ? -1 : index + 1;
}
