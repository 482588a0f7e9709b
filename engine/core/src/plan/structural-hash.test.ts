import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, frozenPlainValue, type HashedValue, structuralHash } from './structural-hash.js';

describe('structuralHash', () => {
  it('does not depend on the order of fields, nor on undefined ones', () => {
    expect(structuralHash({ a: 1, b: [2, { c: 3, d: undefined }] })).toBe(structuralHash({ b: [2, { c: 3 }], a: 1 }));
  });

  it('keeps different values apart', () => {
    const values: HashedValue[] = [
      null,
      0,
      -1,
      1,
      '1',
      '',
      true,
      [],
      {},
      [[]],
      [1, 2],
      [12],
      ['a', 'b'],
      ['ab'],
      Number.NaN,
      Infinity,
      -Infinity,
      'NaN',
    ];
    expect(new Set(values.map(structuralHash)).size).toBe(values.length);
  });

  it('never changes: ids of operators without uid, and so their state, hang on it', () => {
    expect(structuralHash({ kind: 'map', inputs: ['a', 1] })).toBe('3dc9ba4a65a7fac7');
  });

  it('differs for every pair of texts tried', () => {
    const seen = new Map<string, string>();
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value as HashedValue);
        const hash = structuralHash(value as HashedValue);
        const other = seen.get(hash);
        seen.set(hash, text);
        return other === undefined || other === text;
      }),
      { seed: 7, numRuns: 3000 },
    );
  });
});

describe('frozenPlainValue', () => {
  it('copies and freezes plain data', () => {
    const original = { list: [{ a: 1 }], gone: undefined };
    const frozen = frozenPlainValue(original, 'it') as { list: { a: number }[] };
    expect(frozen).toEqual({ list: [{ a: 1 }] });
    expect(() => frozen.list.push({ a: 2 })).toThrow(TypeError);
    expect(Object.isFrozen(original.list)).toBe(false);
  });

  it('refuses what is not plain', () => {
    expect(() => frozenPlainValue(new Date(0), 'operator "x"')).toThrow(/an instance of Date into operator "x"/);
    expect(() => frozenPlainValue({ a: () => 1 }, 'it')).toThrow(/a function/);
    expect(() => frozenPlainValue(1n, 'it')).toThrow(/a bigint/);
  });
});
