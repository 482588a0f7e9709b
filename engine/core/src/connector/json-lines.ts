/** The JSON lines format: one JSON value per line, UTF-8; blank lines are skipped. */
import { findLineEnd, MalformedText, type RecordFormat } from './record-format.js';

/** Options of {@link jsonLines}. */
export interface JsonLinesOptions<T> {
  /** Checks a parsed value and returns it (or what to make of it). What it throws makes the record malformed. Default: trusts the file. */
  readonly validate?: (value: unknown) => T;
}

/**
 * The format of files with one JSON value per line.
 * @example
 * FileSource.forRecordFormat(jsonLines<{ user: string }>(), 'events.jsonl');
 */
export function jsonLines<T>(options: JsonLinesOptions<T> = {}): RecordFormat<T> {
  const { validate } = options;
  const parse = (text: string): T | undefined => {
    if (text.trim() === '') return undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new MalformedText('The line is not valid JSON');
    }
    if (validate === undefined) return value as T;
    try {
      return validate(value);
    } catch (error) {
      throw new MalformedText(`The value was refused: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  return { hasHeader: false, findEnd: findLineEnd, createParser: () => parse };
}
