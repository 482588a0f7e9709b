import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter } from '../common/bytes.js';
import { MillstreamError } from '../common/errors.js';
import { arbitraryText, arbitraryValue, difference, Money, moneyRegistry } from './allowed-values.test.support.js';
import { ClassRegistry } from './class-registry.js';
import { readValue, writeValue } from './row.js';

const registry = moneyRegistry();

function encoded(value: unknown): Uint8Array {
  const out = new ByteWriter(1);
  writeValue(out, value, registry);
  return out.toBytes();
}

function failure(run: () => unknown): MillstreamError {
  try {
    run();
  } catch (error) {
    if (error instanceof MillstreamError) return error;
    throw error;
  }
  throw new Error('no error');
}

describe('row codec', () => {
  test('gives back an equal value and takes just its bytes', () => {
    fc.assert(
      fc.property(arbitraryValue, arbitraryValue, (a, b) => {
        const out = new ByteWriter(1);
        writeValue(out, a, registry);
        writeValue(out, b, registry);
        const input = new ByteReader(out.toBytes());
        expect(difference(a, readValue(input, registry))).toBeUndefined();
        expect(difference(b, readValue(input, registry))).toBeUndefined();
        expect(input.remaining).toBe(0);
      }),
      { seed: 11, numRuns: 3000 },
    );
  });

  test('keeps what is special', () => {
    const shared = { x: 1 };
    const values = [
      -0,
      0,
      Number.NaN,
      undefined,
      null,
      '',
      '\ud800',
      'é'.repeat(30),
      'x'.repeat(100_000),
      0n,
      -(2n ** 700n),
      new Date(Number.NaN),
    ];
    values.push(
      { a: undefined } as never,
      JSON.parse('{"__proto__": {"polluted": 1}}') as never,
      [shared, shared] as never,
      new Map([[{ k: 1 }, new Set([[]])]]) as never,
    );
    for (const value of [...values, new Money(5n, 'EUR'), Object.create(null)]) {
      expect(difference(value, readValue(new ByteReader(encoded(value)), registry))).toBeUndefined();
    }
    expect(encoded(5).length).toBe(1);
    expect(encoded(-1).length).toBe(2);
  });

  test('bytes that were read are copies', () => {
    const source = encoded([new Uint8Array([1, 2, 3]), Buffer.from([4, 5])]);
    const [plain, buffer] = readValue(new ByteReader(source)) as [Uint8Array, Buffer];
    source.fill(0xee);
    expect([...plain, ...buffer]).toEqual([1, 2, 3, 4, 5]);
    expect(Buffer.isBuffer(buffer)).toBe(true);
  });

  test('refuses what the record model does not allow, with its path, and appends nothing', () => {
    class Point {}
    const cyclic: Record<string, unknown> = { inner: {} };
    cyclic.inner = { list: [cyclic] };
    let deep: unknown = 1;
    for (let i = 0; i < 101; i++) deep = [deep];
    // biome-ignore lint/suspicious/noSparseArray: the hole is what is tested
    const holes = [1, , 3];
    const cases: [unknown, RegExp][] = [
      [() => 1, /value: it is a function.*no functions/],
      [{ items: [0, 1, 2, { when: Symbol('s') }] }, /value\.items\[3\]\.when: it is a symbol/],
      [{ 'a b': Promise.resolve(1) }, /value\["a b"\]: it is a Promise\..*mapAsync/],
      [{ p: new Point() }, /value\.p: it is a Point\..*Turn it into one of these/],
      [new Map([['k', new WeakMap()]]), /value\.values\(\)\[0\]: it is a WeakMap/],
      [new Map([[new Error('x'), 1]]), /value\.keys\(\)\[0\]: it is an Error/],
      [new Set([/x/]), /value\.values\(\)\[0\]: it is a RegExp/],
      [{ f: new Float64Array(1) }, /value\.f: it is a Float64Array/],
      [cyclic, /value\.inner\.list\[0\]: it is a value that contains itself/],
      [deep, /nested more than 100 deep/],
      [{ holes }, /value\.holes\[1\]: it is a hole/],
    ];
    for (const [value, message] of cases) {
      const out = new ByteWriter();
      out.u8(9);
      const error = failure(() => writeValue(out, value));
      expect([error.code, error.message]).toEqual(['UNSUPPORTED_VALUE', expect.stringMatching(message)]);
      expect(out.length).toBe(1);
    }
  });

  test('100 levels are allowed', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100; i++) deep = i % 2 === 0 ? [deep] : { deep };
    expect(difference(deep, readValue(new ByteReader(encoded(deep))))).toBeUndefined();
  });

  test('damaged bytes give CORRUPT_DATA or a value', () => {
    fc.assert(
      fc.property(arbitraryValue, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), fc.nat(), (value, changes, cut) => {
        let bytes = encoded(value);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        bytes = bytes.subarray(0, changes.length > 0 && cut % 2 === 0 ? bytes.length : cut % bytes.length);
        try {
          readValue(new ByteReader(bytes), registry);
        } catch (error) {
          expect(error).toBeInstanceOf(MillstreamError);
          expect(['CORRUPT_DATA', 'UNSUPPORTED_VALUE']).toContain((error as MillstreamError).code);
        }
      }),
      { seed: 12, numRuns: 5000 },
    );
  });

  test('huge counts and deep nesting in damaged bytes cost nothing', () => {
    for (const tag of [9, 10, 11, 12, 13, 14, 15, 6, 7]) {
      const bytes = Uint8Array.from([tag, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3]);
      expect(failure(() => readValue(new ByteReader(bytes))).code).toBe('CORRUPT_DATA');
    }
    expect(
      failure(() => readValue(new ByteReader(new Uint8Array(100_000).fill(11).map((b, i) => (i % 2 === 0 ? b : 1))))).message,
    ).toContain('100 deep');
    expect(failure(() => readValue(new ByteReader(new Uint8Array([99])))).message).toContain('unknown tag 99');
  });

  test('classes: an unknown name, a codec that refuses, a second registration', () => {
    const bytes = encoded({ price: new Money(1n, 'EUR') });
    expect(failure(() => readValue(new ByteReader(bytes), new ClassRegistry())).message).toMatch(/class "Money": no class is registered/);
    const wrong = new ClassRegistry();
    wrong.registerClass('Money', Money, {
      encode: () => 0,
      decode: () => {
        throw new TypeError('no');
      },
    });
    const refused = failure(() => readValue(new ByteReader(bytes), wrong));
    expect([refused.code, (refused.cause as Error).message]).toEqual(['CORRUPT_DATA', 'no']);
    const codec = { encode: (): number => 0, decode: (): never => undefined as never };
    expect(failure(() => wrong.registerClass('Other', Money, codec)).code).toBe('INVALID_OPTION');
    expect(failure(() => wrong.registerClass('Money', URL, codec)).code).toBe('INVALID_OPTION');
    expect(failure(() => wrong.registerClass('Date', Date, codec)).code).toBe('INVALID_OPTION');
    class Badly {}
    wrong.registerClass('Badly', Badly, { encode: () => ({ bad: () => 0 }), decode: () => new Badly() });
    expect(failure(() => writeValue(new ByteWriter(), [new Badly()], wrong)).message).toContain(
      'value[0] as encoded by the codec of class Badly.bad',
    );
  });

  test('short and long strings have one form', () => {
    fc.assert(
      fc.property(arbitraryText, (text) => {
        const out = new ByteWriter();
        out.u8(6);
        out.string(text);
        expect(encoded(text)).toEqual(out.toBytes());
      }),
      { seed: 13 },
    );
  });
});
