/**
 * The CSV format of RFC 4180: fields separated by a delimiter, quoted ones may hold delimiters, line feeds and doubled quotes;
 * records end with LF or CRLF. Blank lines between records are skipped.
 */
import { MillstreamError } from '../common/errors.js';
import { MalformedText, type RecordFormat, type RecordParser } from './record-format.js';

/** The type of a column. With `?` an empty field is null, without it only a string may be empty. */
export type CsvColumnType = 'string' | 'integer' | 'number' | 'boolean' | 'string?' | 'integer?' | 'number?' | 'boolean?';

/** The TypeScript type of a field of a column type. */
export type CsvValue<C extends CsvColumnType> = C extends `${infer Base extends CsvColumnType}?`
  ? CsvValue<Base> | null
  : C extends 'integer' | 'number'
    ? number
    : C extends 'boolean'
      ? boolean
      : string;

/** A record with declared columns. */
export type CsvRow<C extends Readonly<Record<string, CsvColumnType>>> = { -readonly [K in keyof C]: CsvValue<C[K]> };

/** Options of {@link csv}. */
export interface CsvOptions<C> {
  /** The first record of each file holds the column names. Default: true. Without it `columns` gives names in the order of the file. */
  readonly header?: boolean;
  /** The columns to read with their types; others are left out. Default, with a header: all, as strings. */
  readonly columns?: C;
  /** One ASCII character. Default: a comma. */
  readonly delimiter?: string;
}

/**
 * The format of CSV files.
 * @example
 * FileSource.forRecordFormat(csv({ columns: { iata: 'string', latitude: 'number' } }), 'airports.csv');
 */
export function csv<const C extends Readonly<Record<string, CsvColumnType>>>(
  options: CsvOptions<C> & { readonly columns: C },
): RecordFormat<CsvRow<C>>;
export function csv(options?: CsvOptions<undefined>): RecordFormat<Record<string, string>>;
export function csv(options: CsvOptions<Readonly<Record<string, CsvColumnType>> | undefined> = {}): RecordFormat<Record<string, unknown>> {
  const { header = true, columns, delimiter = ',' } = options;
  if (delimiter.length !== 1 || delimiter > '\x7f' || delimiter === '"' || delimiter === '\n' || delimiter === '\r') {
    throw new MillstreamError(
      'INVALID_OPTION',
      `Cannot read CSV with the delimiter ${JSON.stringify(delimiter)}: it must be one ASCII character, neither a quote nor a line break.`,
    );
  }
  if (!header && columns === undefined) {
    throw new MillstreamError('INVALID_OPTION', 'Cannot read CSV without a header and without columns: declare `columns` in their order.');
  }
  return {
    hasHeader: header,
    findEnd: findRecordEnd,
    createParser(headerText) {
      const names = headerText === undefined ? Object.keys(columns ?? {}) : splitFields(headerText, delimiter);
      return columns === undefined ? stringParser(names, delimiter) : typedParser(names, columns, delimiter);
    },
  };
}

const QUOTE = 34;
const LINE_FEED = 10;

/** A record ends at the first line feed outside quotes. */
function findRecordEnd(bytes: Uint8Array, from: number, to: number): number {
  let quoted = false;
  for (let index = from; index < to; index++) {
    const byte = bytes[index];
    if (byte === QUOTE) quoted = !quoted;
    else if (byte === LINE_FEED && !quoted) return index + 1;
  }
  return -1;
}

/** The fields of a record without its terminator. */
function splitFields(text: string, delimiter: string): string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text.charCodeAt(at) === QUOTE) {
      const close = closingQuote(text, at + 1);
      fields.push(text.slice(at + 1, close).replaceAll('""', '"'));
      at = close + 1;
      if (at < text.length && text[at] !== delimiter) throw new MalformedText(`Field ${fields.length} goes on after its closing quote`);
    } else {
      const end = text.indexOf(delimiter, at);
      const field = text.slice(at, end < 0 ? text.length : end);
      if (field.includes('"')) throw new MalformedText(`Field ${fields.length + 1} has a quote inside but is not quoted`);
      fields.push(field);
      at += field.length;
    }
    if (at >= text.length) return fields;
    at++;
  }
}

/** The index of the quote that closes a field whose content starts at `from`; doubled quotes are content. */
function closingQuote(text: string, from: number): number {
  let at = text.indexOf('"', from);
  while (at >= 0 && text.charCodeAt(at + 1) === QUOTE) at = text.indexOf('"', at + 2);
  if (at < 0) throw new MalformedText('A quoted field has no closing quote');
  return at;
}

function fieldsOf(text: string, delimiter: string, expected: number): string[] {
  const fields = splitFields(text, delimiter);
  if (fields.length !== expected) throw new MalformedText(`The record has ${fields.length} fields where ${expected} are expected`);
  return fields;
}

function stringParser(names: readonly string[], delimiter: string): RecordParser<Record<string, unknown>> {
  return (text) => {
    if (text === '') return undefined;
    const fields = fieldsOf(text, delimiter, names.length);
    const row: Record<string, unknown> = {};
    for (let index = 0; index < names.length; index++) row[names[index] as string] = fields[index];
    return row;
  };
}

function typedParser(
  names: readonly string[],
  columns: Readonly<Record<string, CsvColumnType>>,
  delimiter: string,
): RecordParser<Record<string, unknown>> {
  const plan = Object.entries(columns).map(([name, type]) => ({ name, index: names.indexOf(name), ...columnParser(type) }));
  const missing = plan.filter(({ index }) => index < 0).map(({ name }) => `"${name}"`);
  if (missing.length > 0) {
    throw new MillstreamError(
      'INVALID_OPTION',
      `Cannot read the CSV columns ${missing.join(', ')}: the file has ${names.map((name) => `"${name}"`).join(', ')}. Declare columns that it has.`,
    );
  }
  return (text) => {
    if (text === '') return undefined;
    const fields = fieldsOf(text, delimiter, names.length);
    const row: Record<string, unknown> = {};
    for (const { name, index, nullable, parse, what } of plan) {
      const field = fields[index] as string;
      const value = nullable && field === '' ? null : parse(field);
      if (value === undefined) throw new MalformedText(`The field "${name}" is not ${what}`);
      row[name] = value;
    }
    return row;
  };
}

interface ColumnParser {
  readonly nullable: boolean;
  readonly what: string;
  /** Undefined: malformed. */
  readonly parse: (field: string) => string | number | boolean | undefined;
}

const COLUMN_PARSERS: Readonly<Record<string, Omit<ColumnParser, 'nullable'>>> = {
  string: { what: 'a string', parse: (field) => field },
  integer: {
    what: 'an integer',
    parse: (field) => (/^[+-]?\d+$/.test(field) && Number.isSafeInteger(Number(field)) ? Number(field) : undefined),
  },
  number: { what: 'a number', parse: (field) => (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(field) ? Number(field) : undefined) },
  boolean: { what: 'true or false', parse: (field) => (field === 'true' ? true : field === 'false' ? false : undefined) },
};

function columnParser(type: CsvColumnType): ColumnParser {
  const parser = COLUMN_PARSERS[type.replace('?', '')];
  if (parser === undefined) {
    throw new MillstreamError(
      'INVALID_OPTION',
      `Cannot read a CSV column of type "${type}": types are ${Object.keys(COLUMN_PARSERS).join(', ')}, with a ? where a field may be empty.`,
    );
  }
  return { ...parser, nullable: type.endsWith('?') };
}
