/** Declared columns of a Parquet file: their TypeScript types, what of the file fits them, and how decoded values become them. */
import type { DecodedArray, SchemaElement } from 'hyparquet';
import { MillstreamError } from 'millstream/connector';

type RequiredColumnType = 'integer' | 'number' | 'bigint' | 'string' | 'boolean' | 'timestamp' | 'any';

/**
 * The type of a column: `integer` and `number` are JavaScript numbers (a 64-bit integer beyond 2^53 is refused), `timestamp` is ms since
 * 1970 (local timestamps are taken as UTC, fractions of a ms are dropped), `any` is what the file holds. With `?` it may be null.
 */
export type ParquetColumnType = RequiredColumnType | `${RequiredColumnType}?`;

/** The columns to read, by name. */
export type ParquetColumns = Readonly<Record<string, ParquetColumnType>>;

type RequiredValue<C> = C extends 'integer' | 'number' | 'timestamp'
  ? number
  : C extends 'bigint'
    ? bigint
    : C extends 'string'
      ? string
      : C extends 'boolean'
        ? boolean
        : unknown;

/** The TypeScript type of a value of a column. */
export type ParquetValue<C extends ParquetColumnType> = C extends `${infer Base}?` ? RequiredValue<Base> | null : RequiredValue<C>;

/** A row with the declared columns. */
export type ParquetRow<C extends ParquetColumns> = { -readonly [K in keyof C]: ParquetValue<C[K]> };

/** A column of one row group: required numbers are in a Float64Array. */
export type ParquetColumn<C extends ParquetColumnType> = C extends 'integer' | 'number' | 'timestamp'
  ? Float64Array
  : readonly ParquetValue<C>[];

/** What of the file's types a declared type takes. */
const FITS: Readonly<Record<RequiredColumnType, (element: SchemaElement) => boolean>> = {
  integer: (element) => isInteger(element),
  number: (element) => isInteger(element) || element.type === 'FLOAT' || element.type === 'DOUBLE',
  bigint: (element) => isInteger(element) && element.type === 'INT64',
  string: (element) => element.type === 'BYTE_ARRAY' && (element.converted_type === 'UTF8' || element.logical_type?.type === 'STRING'),
  boolean: (element) => element.type === 'BOOLEAN',
  timestamp: (element) => isTimestamp(element),
  any: () => true,
};

function isTimestamp({ type, converted_type, logical_type }: SchemaElement): boolean {
  if (type === 'INT96' || logical_type?.type === 'TIMESTAMP' || logical_type?.type === 'DATE') return true;
  return converted_type === 'TIMESTAMP_MILLIS' || converted_type === 'TIMESTAMP_MICROS' || converted_type === 'DATE';
}

function isInteger(element: SchemaElement): boolean {
  const { type, converted_type, logical_type } = element;
  if (type !== 'INT32' && type !== 'INT64') return false;
  if (isTimestamp(element) || logical_type?.type === 'DECIMAL' || logical_type?.type === 'TIME') return false;
  return converted_type === undefined || /^U?INT_/.test(converted_type);
}

/** Throws INVALID_OPTION if a column is not there or not of the declared type. `elements`: the file's top-level columns. */
export function checkColumns(path: string, columns: ParquetColumns, elements: readonly SchemaElement[]): void {
  for (const [name, declared] of Object.entries(columns)) {
    const element = elements.find((candidate) => candidate.name === name);
    const fits = FITS[requiredType(declared)];
    if (fits === undefined) {
      throw new MillstreamError(
        'INVALID_OPTION',
        `Cannot read the column "${name}" as "${declared}": types are ${Object.keys(FITS).join(', ')}, with a ? where there may be nulls.`,
      );
    }
    if (element === undefined) {
      const names = elements.map((candidate) => `"${candidate.name}"`).join(', ');
      throw new MillstreamError(
        'INVALID_OPTION',
        `Cannot read the column "${name}" of "${path}": the file has ${names}. Declare columns that it has.`,
      );
    }
    if (!fits(element)) {
      throw new MillstreamError(
        'INVALID_OPTION',
        `Cannot read the column "${name}" of "${path}" as ${declared}: the file has it as ${describeElement(element)}. Declare the type that it has, or "any".`,
      );
    }
  }
}

function requiredType(type: ParquetColumnType): RequiredColumnType {
  return (type.endsWith('?') ? type.slice(0, -1) : type) as RequiredColumnType;
}

function describeElement({ type, converted_type, logical_type }: SchemaElement): string {
  return [type ?? 'a group of columns', logical_type?.type ?? converted_type].filter((part) => part !== undefined).join(' ');
}

/** Where values come from, for errors. */
export interface ColumnPlace {
  readonly path: string;
  readonly column: string;
  /** The file's row of index 0. */
  readonly firstRow: number;
}

/** Turns a decoded column of `rows` values, which may come in several pieces, into its declared form. */
export function toColumn<C extends ParquetColumnType>(
  pieces: readonly DecodedArray[],
  rows: number,
  declared: C,
  place: ColumnPlace,
): ParquetColumn<C> {
  const type = requiredType(declared);
  const numeric = type === 'integer' || type === 'number' || type === 'timestamp';
  const nullable = declared.endsWith('?');
  const column: Float64Array | unknown[] = numeric && !nullable ? new Float64Array(rows) : new Array<unknown>(rows);
  let row = 0;
  for (const piece of pieces) {
    for (let index = 0; index < piece.length; index++, row++) {
      const value: unknown = piece[index];
      if (value === undefined || value === null) {
        if (!nullable && type !== 'any') throw refused(place, row, `is null. Declare the column as "${declared}?"`);
        column[row] = null as never;
      } else
        column[row] = (typeof value === 'bigint' && type !== 'any' && type !== 'bigint' ? safeNumber(value, place, row) : value) as never;
    }
  }
  if (row !== rows) throw refused(place, row, `is missing: the column has ${row} values in a row group of ${rows}. The file is damaged`);
  return column as ParquetColumn<C>;
}

function safeNumber(value: bigint, place: ColumnPlace, row: number): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number))
    throw refused(place, row, 'is beyond 2^53, which no number holds exactly. Declare the column as "bigint"');
  return number;
}

function refused(place: ColumnPlace, row: number, reason: string): MillstreamError {
  const { path, column, firstRow } = place;
  return new MillstreamError('MALFORMED_RECORD', `Cannot read row ${firstRow + row} of "${path}": its "${column}" ${reason}.`, {
    details: { file: path, row: firstRow + row, column },
  });
}
