import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arbitraryValue, Money, moneyRegistry } from './allowed-values.test.support.js';
import { checkValue, deepFreeze } from './value-check.js';

describe('checkValue', () => {
  test('takes every allowed value', () => {
    const registry = moneyRegistry();
    fc.assert(
      fc.property(arbitraryValue, (value) => {
        checkValue(value, registry);
      }),
      { seed: 21, numRuns: 1000 },
    );
    const shared = [1];
    checkValue([shared, shared, { shared }]);
  });

  test('refuses what would be lost without notice', () => {
    expect(() => checkValue('ab'.match(/a/))).toThrow(/an array with properties besides its elements/);
    expect(() => checkValue({ deep: { [Symbol('s')]: 1 } })).toThrow(/value\.deep: it is an object with a property whose name is a symbol/);
    expect(() => checkValue(new Money(1n, 'EUR'))).toThrow(/value: it is a Money/);
    expect(() => checkValue(new (class extends Map {})(), undefined, 'the key')).toThrow(/Cannot emit or store the key: it is an? /);
  });
});

describe('deepFreeze', () => {
  test('freezes plain objects and arrays however deep, and nothing else', () => {
    const inner = { list: [{ x: 1 }] };
    const value = { inner: Object.freeze([inner]), at: new Date(0), map: new Map([['k', { free: 1 }]]), bytes: new Uint8Array(2) };
    deepFreeze(value);
    expect(() => {
      inner.list[0]!.x = 2;
    }).toThrow(TypeError);
    expect(() => inner.list.push({ x: 3 })).toThrow(TypeError);
    value.at.setTime(5);
    value.map.get('k')!.free = 2;
    value.bytes[0] = 1;
    expect(Object.isFrozen(value.map)).toBe(false);
  });

  test('ends on cycles', () => {
    const cyclic: { self?: unknown; list: unknown[] } = { list: [] };
    cyclic.self = Object.freeze([cyclic]);
    cyclic.list.push(cyclic.self, cyclic);
    deepFreeze(cyclic);
    expect(Object.isFrozen(cyclic.list)).toBe(true);
  });
});
