/** Copies share nothing with their original and are exactly equal to it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryValue, difference, moneyRegistry } from './allowed-values.test.support.js';
import { ClassRegistry } from './class-registry.js';
import { copyAllowedValue, copyValue } from './copy-value.js';

/** Every object that can be reached. */
function objectsIn(value: unknown, found: Set<object> = new Set()): Set<object> {
  if (typeof value !== 'object' || value === null) return found;
  found.add(value);
  if (value instanceof Uint8Array || value instanceof Date) return found;
  const parts = value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : Object.values(value);
  for (const part of parts) objectsIn(part, found);
  return found;
}

class Tally {
  #counts: number[];

  constructor(counts: number[]) {
    this.#counts = counts;
  }

  get counts(): number[] {
    return this.#counts;
  }
}

describe('copyValue', () => {
  it('copies every allowed value, and shares nothing', () => {
    const registry = moneyRegistry();
    fc.assert(
      fc.property(arbitraryValue, (value) => {
        for (const copy of [copyValue(value, registry), copyAllowedValue(value, registry)]) {
          expect(difference(value, copy)).toBeUndefined();
          const originals = objectsIn(value);
          expect([...objectsIn(copy)].filter((part) => originals.has(part))).toEqual([]);
        }
      }),
      { seed: 22, numRuns: 500 },
    );
  });

  it('copies bytes of a Buffer, which a slice would share', () => {
    const buffer = Buffer.from('bytes');
    const copy = copyValue(buffer);
    buffer[0] = 0;
    expect(copy).toEqual(Buffer.from('bytes'));
  });

  it('copies what an instance hides through its codec, though encode gives it away', () => {
    const registry = new ClassRegistry();
    registry.registerClass('Tally', Tally, { encode: (tally) => tally.counts, decode: (counts) => new Tally(counts as number[]) });
    const tally = new Tally([1]);
    const copy = copyAllowedValue({ tally }, registry).tally;
    tally.counts.push(2);
    expect(copy).toBeInstanceOf(Tally);
    expect(copy.counts).toEqual([1]);
  });

  it('keeps the prototype of other classes, and refuses them where only allowed values are', () => {
    class Point {
      x = 1;
    }
    expect(copyValue({ at: new Point() }).at).toBeInstanceOf(Point);
    expect(() => copyAllowedValue([new Point()], undefined)).toThrow(/it is a Point/);
    expect(() => copyAllowedValue(new (class extends Map {})(), undefined)).toThrow(/Cannot emit or store/);
  });
});
