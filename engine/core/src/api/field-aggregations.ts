/** Aggregations by field as reduce functions: sum, min, max, minBy, maxBy. They never change a record. */
import { MillstreamError } from '../common/errors.js';
import type { ReduceFunction } from '../state/descriptors.js';

type Fields = { readonly [field: string]: number };

/** The first record with the field's sum. */
export function sumOf<T>(field: string): ReduceFunction<T> {
  return reduceFields(field, (left, right) => ({ ...left, [field]: numberIn(left, field) + numberIn(right, field) }));
}

/** The first record with the field's smallest value. */
export function minOf<T>(field: string): ReduceFunction<T> {
  return reduceFields(field, (left, right) =>
    numberIn(right, field) < numberIn(left, field) ? { ...left, [field]: numberIn(right, field) } : left,
  );
}

/** The first record with the field's largest value. */
export function maxOf<T>(field: string): ReduceFunction<T> {
  return reduceFields(field, (left, right) =>
    numberIn(right, field) > numberIn(left, field) ? { ...left, [field]: numberIn(right, field) } : left,
  );
}

/** The record with the field's smallest value; of equal ones the first, or the last. */
export function minByOf<T>(field: string, first: boolean): ReduceFunction<T> {
  if (first) return reduceFields(field, (left, right) => (numberIn(right, field) < numberIn(left, field) ? right : left));
  return reduceFields(field, (left, right) => (numberIn(right, field) <= numberIn(left, field) ? right : left));
}

/** The record with the field's largest value; of equal ones the first, or the last. */
export function maxByOf<T>(field: string, first: boolean): ReduceFunction<T> {
  if (first) return reduceFields(field, (left, right) => (numberIn(right, field) > numberIn(left, field) ? right : left));
  return reduceFields(field, (left, right) => (numberIn(right, field) >= numberIn(left, field) ? right : left));
}

function reduceFields<T>(field: string, reduce: ReduceFunction<Fields>): ReduceFunction<T> {
  if (typeof field !== 'string' || field === '') {
    throw new MillstreamError('INVALID_OPTION', `Cannot aggregate by the field ${JSON.stringify(field)}: name a field that has numbers.`);
  }
  return reduce as unknown as ReduceFunction<T>;
}

function numberIn(record: Fields, field: string): number {
  const value = record[field];
  if (typeof value === 'number') return value;
  throw new MillstreamError(
    'UNSUPPORTED_VALUE',
    `Cannot aggregate by the field "${field}": a record has no number there, but ${typeof value}.`,
  );
}
