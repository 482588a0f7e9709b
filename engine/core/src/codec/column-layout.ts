/**
 * Where each column of a shape lies in the column section of a batch of n records. Sorted by element size, so that every column is
 * aligned without padding and its place is a multiple of n:
 *
 *   | float64 columns | int32 columns | uint16 columns | uint8 columns |
 *   0                 8·d·n           (8·d + 4·i)·n    (8·d + 4·i + 2·s)·n
 *
 * A leaf has a float64 column for doubles and dates, an int32 column for integers, a length column for strings (uint16, or int32 where
 * a string was longer), and a uint8 column for booleans or, where more than one type occurs, for the tag of each value.
 *
 * A length may be a reference instead, to an earlier record of the group that has the same string in this column: 0xff00 + the record's
 * index in a uint16 column, -1 - the index in an int32 column.
 */
import { BOOLEAN, DATE, DECLARED_ANY, DOUBLE, INT, OTHER, type Shape, STRING } from './shape.js';

/** Tags of values in columns of several types. */
export const TAG_NUMBER = 0;
export const TAG_STRING = 1;
export const TAG_FALSE = 2;
export const TAG_TRUE = 3;
export const TAG_DATE = 4;
export const TAG_NULL = 5;
export const TAG_UNDEFINED = 6;
export const TAG_OTHER = 7;

/** In a uint16 column of lengths, the reference to record 0; smaller numbers are lengths. */
export const SHORT_REFERENCE = 0xff00;

/** A leaf with its columns: element index of the column's first value, divided by n, in the view of its element size; -1: none. */
export interface LeafColumns {
  readonly kind: 'leaf';
  readonly mask: number;
  /** Whether values carry a tag: more than one type occurs. */
  readonly tagged: boolean;
  readonly float64: number;
  readonly int32: number;
  readonly lengths: number;
  readonly uint8: number;
  /** Its number among the leaves that may hold strings; -1: it is none. */
  readonly strings: number;
}
export interface ObjectColumns {
  readonly kind: 'object';
  readonly names: readonly string[];
  readonly children: readonly Columns[];
}
export interface TupleColumns {
  readonly kind: 'tuple';
  readonly children: readonly Columns[];
}
export type Columns = LeafColumns | ObjectColumns | TupleColumns;

export interface ColumnLayout {
  readonly root: Columns;
  readonly wideLengths: boolean;
  /** Bytes of the column section per record. */
  readonly recordBytes: number;
  /** Leaves that may hold strings. */
  readonly stringColumns: number;
  /** Whether some values are coded as rows. */
  readonly hasRows: boolean;
  /** Whether cells may stay unset: where a column's values are of several types. */
  readonly hasGaps: boolean;
}

/** The views of columns, by their names in generated code. */
export type ColumnView = 'float64' | 'int32' | 'uint16' | 'uint8';
const SHIFTS: Readonly<Record<ColumnView, number>> = { float64: 3, int32: 2, uint16: 1, uint8: 0 };

/** The expression of record i's cell in generated code; `setup` gets what is computed once per batch. */
export function columnCell(view: ColumnView, place: number, setup: string[]): string {
  const start = `${view}At${place}`;
  const line = `const ${start} = (base >>> ${SHIFTS[view]}) + ${place} * count;`;
  if (!setup.includes(line)) setup.push(line);
  return `${view}[${start} + i]`;
}

class Allocator {
  strings = 0;
  float64 = 0;
  int32 = 0;
  uint16 = 0;
  uint8 = 0;
}

function isTagged(mask: number): boolean {
  return (mask & (mask - 1)) !== 0;
}

function count(shape: Shape, wideLengths: boolean, counts: Allocator): void {
  if (shape.kind !== 'leaf') {
    for (const child of shape.children) count(child, wideLengths, counts);
    return;
  }
  const mask = shape.mask;
  if ((mask & (DOUBLE | DATE)) !== 0) counts.float64++;
  if ((mask & INT) !== 0) counts.int32++;
  if ((mask & STRING) !== 0) {
    counts.strings++;
    if (wideLengths) counts.int32++;
    else counts.uint16++;
  }
  if (isTagged(mask) || mask === BOOLEAN) counts.uint8++;
}

function place(shape: Shape, wideLengths: boolean, next: Allocator): Columns {
  if (shape.kind !== 'leaf') return { ...shape, children: shape.children.map((child) => place(child, wideLengths, next)) };
  const mask = shape.mask;
  const tagged = isTagged(mask);
  const float64 = (mask & (DOUBLE | DATE)) !== 0 ? next.float64++ : -1;
  const int32 = (mask & INT) !== 0 ? next.int32++ : -1;
  const lengths = (mask & STRING) === 0 ? -1 : wideLengths ? next.int32++ : next.uint16++;
  const uint8 = tagged || mask === BOOLEAN ? next.uint8++ : -1;
  const strings = (mask & STRING) === 0 ? -1 : next.strings++;
  return { kind: 'leaf', mask, tagged, float64, int32, lengths, uint8, strings };
}

function someLeaf(shape: Shape, holds: (mask: number) => boolean): boolean {
  return shape.kind === 'leaf' ? holds(shape.mask) : shape.children.some((child) => someLeaf(child, holds));
}

/** The columns of a shape. */
export function columnLayoutOf(shape: Shape, wideLengths: boolean): ColumnLayout {
  const counts = new Allocator();
  count(shape, wideLengths, counts);
  const next = new Allocator();
  next.int32 = 2 * counts.float64;
  next.uint16 = 2 * next.int32 + 2 * counts.int32;
  next.uint8 = 2 * next.uint16 + 2 * counts.uint16;
  const recordBytes = next.uint8 + counts.uint8;
  const root = place(shape, wideLengths, next);
  const hasRows = someLeaf(shape, (mask) => mask === DECLARED_ANY || (mask & OTHER) !== 0);
  const hasGaps = someLeaf(shape, isTagged);
  return { root, wideLengths, recordBytes, stringColumns: counts.strings, hasRows, hasGaps };
}
