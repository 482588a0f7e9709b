import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MillstreamError } from './errors.js';
import { hashKey, keyGroupOf, mapKeyOf, sameKey } from './hash.js';
import type { Key, PrimitiveKey } from './key.js';

/** Murmur3 x86 32 byte by byte, straight from the description of the algorithm: the judge of the block-wise one under test. */
function murmur3(bytes: Uint8Array, seed: number): number {
  const rotate = (x: number, r: number): number => (x << r) | (x >>> (32 - r));
  let h = seed | 0;
  let k = 0;
  const tail = bytes.length & ~3;
  for (let i = 0; i < tail; i += 4) {
    k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    h ^= Math.imul(rotate(Math.imul(k, 0xcc9e2d51), 15), 0x1b873593);
    h = (Math.imul(rotate(h, 13), 5) + 0xe6546b64) | 0;
  }
  k = 0;
  for (let i = bytes.length - 1; i >= tail; i--) k = (k << 8) | bytes[i]!;
  h ^= Math.imul(rotate(Math.imul(k, 0xcc9e2d51), 15), 0x1b873593);
  h ^= bytes.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function word(value: number): number[] {
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
}

function canonicalBytes(key: Exclude<Key, readonly PrimitiveKey[]> | readonly PrimitiveKey[]): number[] {
  if (typeof key === 'number') return [...word(1), ...new Uint8Array(new Float64Array([key]).buffer)];
  if (typeof key === 'string') return [...word(2), ...Buffer.from(key, 'utf16le')];
  if (typeof key === 'boolean') return [...word(4), ...word(key ? 1 : 0)];
  if (typeof key === 'bigint') {
    const magnitude = key < 0n ? -key : key;
    let hex = magnitude === 0n ? '' : magnitude.toString(16);
    hex = hex.padStart(Math.ceil(hex.length / 8) * 8, '0');
    return [...word(3), ...word(key < 0n ? 1 : 0), ...Buffer.from(hex, 'hex').reverse()];
  }
  return [...word(5), ...word(key.length), ...key.flatMap((element) => word(hashKey(element)))];
}

const primitive: fc.Arbitrary<PrimitiveKey> = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('\u0000', 's', 't', '1', ':', ';', '\ud800') }),
  fc.bigInt({ min: -(1n << 80n), max: 1n << 80n }),
);
const key: fc.Arbitrary<Key> = fc.oneof(primitive, fc.array(primitive, { maxLength: 4 }));

interface Golden {
  readonly key: unknown;
  readonly hash: number;
  readonly keyGroupOf128: number;
}

function goldenKey(text: unknown): Key {
  if (Array.isArray(text)) return text.map((element) => goldenKey(element) as PrimitiveKey);
  const { type, value } = text as { type: string; value: string };
  if (type === 'number') return Number(value);
  if (type === 'bigint') return BigInt(value);
  return type === 'boolean' ? value === 'true' : value;
}

describe('hashKey', () => {
  test('the judge agrees with the published vectors of murmur3 x86 32', () => {
    const of = (text: string, seed: number): number => murmur3(Buffer.from(text), seed) >>> 0;
    expect(of('', 0)).toBe(0);
    expect(of('', 1)).toBe(0x514e28b7);
    expect(of('', 0xffffffff)).toBe(0x81f16f39);
    expect(of('test', 0)).toBe(0xba6bd213);
    expect(of('Hello, world!', 0)).toBe(0xc0363e43);
    expect(of('abc', 0)).toBe(0xb3dd93fa);
    expect(of('aaaa', 0x9747b28c)).toBe(0x5a97808a);
    expect(of('The quick brown fox jumps over the lazy dog', 0)).toBe(0x2e4ff723);
  });

  test('everything but int32 numbers is murmur3 of the documented bytes', () => {
    fc.assert(
      fc.property(key, (k) => {
        fc.pre(!(typeof k === 'number' && (k | 0) === k));
        expect(hashKey(k)).toBe(murmur3(Uint8Array.from(canonicalBytes(k)), 0));
      }),
      { seed: 1, numRuns: 2000 },
    );
  });

  test('golden vectors hold', () => {
    const path = new URL('../../../../test/compatibility/key-hash.json', import.meta.url);
    const golden = JSON.parse(readFileSync(path, 'utf8')) as Golden[];
    expect(golden.length).toBeGreaterThan(20);
    for (const vector of golden) {
      const k = goldenKey(vector.key);
      expect([vector.key, hashKey(k), keyGroupOf(k, 128)]).toEqual([vector.key, vector.hash, vector.keyGroupOf128]);
    }
  });

  test('-0 is 0, NaN is NaN, types differ, order and length of tuples count', () => {
    expect(hashKey(-0)).toBe(hashKey(0));
    expect(hashKey([-0])).toBe(hashKey([0]));
    const nanWithPayload = new Float64Array(new Uint32Array([5, 0xfff80001]).buffer)[0]!;
    expect(hashKey(nanWithPayload)).toBe(hashKey(Number.NaN));
    const different: Key[] = [1, '1', 1n, true, [1], [1, 1], ['1'], [1, 2], [2, 1], [], '', 0, 0n, false, -1n, 1.5, 2 ** 40, 2 ** 31];
    expect(new Set(different.map(hashKey)).size).toBe(different.length);
  });

  test('key groups are spread and in range', () => {
    const counts = new Array<number>(128).fill(0);
    for (let i = 0; i < 12800; i++) {
      for (const k of [i, `user-${i}`]) {
        const group = keyGroupOf(k, 128);
        counts[group] = counts[group]! + 1;
      }
    }
    expect(Math.min(...counts)).toBeGreaterThan(130);
    expect(Math.max(...counts)).toBeLessThan(280);
  });

  test('an unsupported key is named', () => {
    const failure = (bad: unknown): MillstreamError => {
      for (const use of [hashKey, mapKeyOf]) {
        try {
          use(bad as Key);
        } catch (error) {
          expect(error).toBeInstanceOf(MillstreamError);
          expect((error as MillstreamError).code).toBe('UNSUPPORTED_KEY');
          if (use === mapKeyOf) return error as MillstreamError;
          continue;
        }
        throw new Error(`${String(bad)} was taken as a key`);
      }
      throw new Error('unreachable');
    };
    expect(failure(new Date(0)).message).toMatch(/type Date as a key\. .*boolean, number, string, bigint.*getTime/s);
    expect(failure({ a: 1 }).message).toContain('type object');
    expect(failure(Object.create(null)).message).toContain('type object');
    expect(failure(undefined).message).toContain('type undefined');
    expect(failure(null).message).toContain('type null');
    expect(failure(Symbol('x')).message).toContain('type symbol');
    expect(failure([1, [2]]).message).toContain('element 1 is of type array');
    expect(failure([new Map()]).message).toContain('element 0 is of type Map');
    expect(failure(['a', undefined]).message).toContain('undefined');
  });
});

describe('sameKey and mapKeyOf', () => {
  test('agree with each other and with the hash', () => {
    const similar = fc
      .tuple(key, key)
      .chain(([a, b]) => fc.constantFrom([a, b] as const, [a, a] as const, [a, structuredClone(a)] as const));
    fc.assert(
      fc.property(similar, ([a, b]) => {
        const same = sameKey(a, b);
        expect(new Set([mapKeyOf(a), mapKeyOf(b)]).size === 1).toBe(same);
        if (same) expect(hashKey(a)).toBe(hashKey(b));
      }),
      { seed: 2, numRuns: 3000 },
    );
  });

  test('tuples do not run into each other or into strings', () => {
    const keys: Key[] = [
      ['a', 'b'],
      ['ab'],
      ['a,b'],
      ['1'],
      [1],
      [1n],
      [true],
      't',
      ['t'],
      [],
      '',
      [''],
      ['', ''],
      '\u0000t',
      '\u0000s\u0000t',
      '\u0000',
      [1, 23],
      [12, 3],
    ];
    expect(new Set(keys.map(mapKeyOf)).size).toBe(keys.length);
    for (const a of keys) for (const b of keys) expect(sameKey(a, b)).toBe(a === b);
    expect(Object.is(mapKeyOf(-0), 0)).toBe(true);
    expect(sameKey(Number.NaN, Number.NaN)).toBe(true);
    expect(sameKey([Number.NaN, -0], [Number.NaN, 0])).toBe(true);
  });
});
