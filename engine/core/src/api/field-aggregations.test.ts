import { describe, expect, it } from 'vitest';
import { maxByOf, maxOf, minByOf, minOf, sumOf } from './field-aggregations.js';

interface Item {
  readonly id: string;
  readonly value: number;
}

const first: Item = Object.freeze({ id: 'first', value: 3 });
const smaller: Item = Object.freeze({ id: 'smaller', value: 1 });
const equal: Item = Object.freeze({ id: 'equal', value: 3 });
const larger: Item = Object.freeze({ id: 'larger', value: 5 });

describe('aggregations by field', () => {
  it('sum, min and max keep the other fields of the first record', () => {
    expect(sumOf<Item>('value')(first, larger)).toEqual({ id: 'first', value: 8 });
    expect(minOf<Item>('value')(first, smaller)).toEqual({ id: 'first', value: 1 });
    expect(minOf<Item>('value')(first, larger)).toBe(first);
    expect(maxOf<Item>('value')(first, larger)).toEqual({ id: 'first', value: 5 });
    expect(maxOf<Item>('value')(first, smaller)).toBe(first);
  });

  it('minBy and maxBy take the whole record, of equal ones the first or the last', () => {
    expect(minByOf<Item>('value', true)(first, smaller)).toBe(smaller);
    expect(minByOf<Item>('value', true)(first, equal)).toBe(first);
    expect(minByOf<Item>('value', false)(first, equal)).toBe(equal);
    expect(maxByOf<Item>('value', true)(first, larger)).toBe(larger);
    expect(maxByOf<Item>('value', true)(first, equal)).toBe(first);
    expect(maxByOf<Item>('value', false)(first, equal)).toBe(equal);
    expect(maxByOf<Item>('value', false)(first, smaller)).toBe(first);
  });

  it('refuse records without a number there, and names that are none', () => {
    expect(() => sumOf<unknown>('value')(first, { value: '4' })).toThrow(/the field "value": a record has no number there, but string/);
    expect(() => sumOf<unknown>('')).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });
});
