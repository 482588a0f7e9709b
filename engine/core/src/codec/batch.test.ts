import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { ByteWriter } from '../common/bytes.js';
import { MillstreamError } from '../common/errors.js';
import {
  arbitraryNumber,
  arbitraryText,
  arbitraryValue,
  difference,
  Money,
  moneyRegistry,
  objectOf,
} from './allowed-values.test.support.js';
import { BatchDecoder } from './batch-decoder.js';
import { type BatchCodecOptions, BatchEncoder } from './batch-encoder.js';
import { generatedFunction } from './generated-function.js';
import { type Schema, schema } from './schema.js';
import { streamCode } from './stream-code.js';

const registry = moneyRegistry();
const NO_TIMESTAMPS = new Float64Array(300);

function encoded(encoder: BatchEncoder, values: readonly unknown[], timestamps?: Float64Array): Uint8Array {
  const out = new ByteWriter(1);
  encoder.encode(values, timestamps, 0, values.length, out);
  return out.toBytes();
}

function decoded(decoder: BatchDecoder, bytes: Uint8Array, timestamps = NO_TIMESTAMPS): unknown[] {
  const values: unknown[] = [];
  const count = decoder.decode(bytes, 0, bytes.length, values, timestamps);
  expect(values.length).toBe(count);
  return values;
}

function roundTrip(values: readonly unknown[], options: BatchCodecOptions = {}): unknown[] {
  return decoded(new BatchDecoder(options), encoded(new BatchEncoder(options), values));
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

/** What a column may hold: one type, or several. */
const columnValue: fc.Arbitrary<fc.Arbitrary<unknown>> = fc.constantFrom<fc.Arbitrary<unknown>[]>(
  fc.integer(),
  arbitraryNumber,
  arbitraryText,
  fc.boolean(),
  fc.date({ noInvalidDate: false }),
  fc.constant(null),
  fc.option(arbitraryText),
  fc.option(fc.integer(), { nil: undefined }),
  fc.oneof(fc.integer(), arbitraryText, fc.boolean(), fc.constant(null)),
  fc.record({ a: fc.integer(), b: fc.option(arbitraryText) }),
  fc.tuple(arbitraryText, fc.integer()),
  fc.array(fc.integer(), { maxLength: 3 }),
  arbitraryValue,
);

/** Records of one shape, of fields whose columns hold what they hold. */
const records: fc.Arbitrary<fc.Arbitrary<unknown>> = fc
  .uniqueArray(fc.tuple(fc.constantFrom('id', 'name', 'at', '0', 'a"b', '\u2028', 'constructor', '__proto__', 'x'), columnValue), {
    maxLength: 5,
    selector: ([name]) => name,
  })
  .map((fields) =>
    fc.tuple(...fields.map(([, value]) => value)).map((row) => objectOf(fields.map(([name], i) => [name, row[i]] as const))),
  );

const tuples = fc.array(columnValue, { maxLength: 3 }).map((columns) => fc.tuple(...columns) as fc.Arbitrary<unknown>);

/** Batches of a stream that mixes up to twelve shapes. */
const batches: fc.Arbitrary<unknown[][]> = fc
  .array(fc.oneof({ weight: 4, arbitrary: records }, { weight: 1, arbitrary: tuples }, { weight: 2, arbitrary: columnValue }), {
    minLength: 1,
    maxLength: 12,
  })
  .chain((kinds) => fc.array(fc.array(fc.oneof(...kinds), { maxLength: 20 }), { minLength: 1, maxLength: 4 }));

describe.each([
  ['generated', true, undefined],
  ['generated and shared by all', true, streamCode('tests')],
  ['interpreted', false, undefined],
] as const)('batch codec, functions %s', (_, codegen, code) => {
  const options = { registry, codegen, code };

  test('gives back equal values, whatever the stream mixes, from shared memory at any offset', () => {
    fc.assert(
      fc.property(batches, fc.nat(9), fc.boolean(), fc.constantFrom(1, 1, 1, 15), (stream, offset, stamped, times) => {
        const encoder = new BatchEncoder(options);
        const decoder = new BatchDecoder(options);
        const ring = new Uint8Array(new SharedArrayBuffer(1 << 20));
        for (const few of stream) {
          const batch = Array.from({ length: times }, () => few).flat();
          const stamps = Float64Array.from(batch, (_, i) => (i % 3 === 1 ? Number.NaN : i * 1.5 + offset));
          const out = new ByteWriter(1);
          out.bytes(new Uint8Array(offset));
          encoder.encode([undefined, ...batch, null], stamped ? Float64Array.of(7, ...stamps) : undefined, 1, batch.length, out);
          ring.set(out.view8());
          const values: unknown[] = [];
          const timestamps = new Float64Array(batch.length);
          expect(decoder.decode(ring, offset, out.length - offset, values, timestamps)).toBe(batch.length);
          ring.fill(0xee);
          expect(difference(batch, values)).toBeUndefined();
          const anyStamp = stamped && stamps.some((stamp) => !Number.isNaN(stamp));
          expect(decoder.hasTimestamps).toBe(anyStamp);
          expect(timestamps).toEqual(anyStamp ? stamps : stamps.fill(Number.NaN));
        }
      }),
      { seed: 31, numRuns: codegen ? 500 : 1000 },
    );
  });

  test('large batches, and the other side need not have seen the ones before', () => {
    const make = (i: number): unknown => {
      if (i % 7 === 0) return { kind: 'click', at: new Date(i), where: { x: i, y: -i / 3 } };
      return i % 11 === 0 ? `text ${i}` : { kind: 'view', id: i * 1e6, tags: i % 2 === 0 ? ['a'] : [] };
    };
    const encoder = new BatchEncoder(options);
    let next = 0;
    for (const size of [300, 1, 0, 256, 17]) {
      const batch = Array.from({ length: size }, () => make(next++));
      expect(difference(batch, decoded(new BatchDecoder(options), encoded(encoder, batch)))).toBeUndefined();
    }
  });

  test('columns change their type within a stream', () => {
    const encoder = new BatchEncoder(options);
    const decoder = new BatchDecoder(options);
    const stream = [1, 2, -0, 1.5, 7, 2 ** 31, 'x', null, 3, undefined, true, new Date(5), [1], 'y', { a: 1 }, Number.NaN, 5n];
    for (const x of stream) {
      const batch = [{ x, y: 1 }, { x, y: { x } }, { x, y: [x, 1] }, [x], x];
      expect(difference(batch, decoded(decoder, encoded(encoder, batch)))).toBeUndefined();
    }
  });

  test('records whose fields differ only in order, number or presence stay apart', () => {
    const values = [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
      { a: 1 },
      { a: 1, b: undefined },
      { a: 1, b: 2, c: 3 },
      {},
      objectOf([['a', 1]], null),
      [1],
      [],
      [1, 2],
    ];
    expect(difference(values, roundTrip([...values, ...values], options).slice(values.length))).toBeUndefined();
  });

  test('many shapes, and shapes of another time', () => {
    const encoder = new BatchEncoder(options);
    const decoder = new BatchDecoder(options);
    for (let round = 0; round < 40; round++) {
      const batch = Array.from({ length: 200 }, (_, i) => ({ [`field${(i % 30) + round}`]: i, same: 'x' }));
      expect(difference(batch, decoded(decoder, encoded(encoder, batch)))).toBeUndefined();
    }
  });

  test('strings longer than 65535 units, wide and ill-formed ones, and ropes', () => {
    let rope = '';
    for (let i = 0; i < 5000; i++) rope += String.fromCharCode(97 + (i % 26));
    for (const text of ['x'.repeat(65535), 'x'.repeat(65536), 'ü'.repeat(70_000), '\ud83d\ude00', '\ude00\ud83d', '\u0000', '', rope]) {
      const values = [
        { text: 'short', other: text },
        { text, other: '' },
        { text: '', other: 'end' },
      ];
      expect(difference(values, roundTrip(values, options))).toBeUndefined();
      expect(difference([text, 'a', text], roundTrip([text, 'a', text], options))).toBeUndefined();
    }
  });

  test('an error names the path, appends nothing, and the encoder goes on', () => {
    class Point {}
    const encoder = new BatchEncoder({ codegen });
    const out = new ByteWriter();
    out.u8(1);
    const bad: [unknown, RegExp][] = [
      [{ id: 1, when: [{ f: () => 0 }] }, /value\.when\[0\]\.f: it is a function/],
      [{ id: 1, when: Promise.resolve(1) }, /value\.when: it is a Promise.*mapAsync/],
      [new Point(), /value: it is a Point/],
      [Symbol('x'), /value: it is a symbol/],
      // biome-ignore lint/suspicious/noSparseArray: the hole is what is tested
      [[1, , 2], /value\[1\]: it is a hole/],
      // biome-ignore lint/suspicious/noSparseArray: the hole is what is tested
      [{ id: 1, when: [, 2] }, /value\.when\[0\]: it is a hole/],
    ];
    const good = [{ id: 1, when: [1, 2] }, { id: 2, when: [undefined, 2] }, [1, undefined, 2], 5];
    for (const [value, message] of bad) {
      const error = failure(() => encoder.encode([...good, value], undefined, 0, 5, out));
      expect([error.code, error.message]).toEqual(['UNSUPPORTED_VALUE', expect.stringMatching(message)]);
      expect(out.length).toBe(1);
      expect(difference(good, decoded(new BatchDecoder(), encoded(encoder, good)))).toBeUndefined();
    }
  });

  test('a hole is not taken for undefined, also in a stream of tuples that have it', () => {
    // biome-ignore lint/suspicious/noSparseArray: the hole is what is tested
    const hole = [1, , 2];
    for (const wrap of [(tuple: unknown[]) => tuple, (tuple: unknown[]) => ({ tuple })]) {
      const encoder = new BatchEncoder(options);
      const good = wrap([1, undefined, 2]);
      encoded(encoder, [good, good]);
      expect(failure(() => encoded(encoder, [good, wrap(hole)])).message).toContain('[1]: it is a hole');
    }
  });

  test('damaged bytes give CORRUPT_DATA or some records', () => {
    const damage = fc.array(fc.tuple(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(255)), { maxLength: 3 });
    fc.assert(
      fc.property(batches, damage, fc.double({ min: 0, max: 1, noNaN: true }), (stream, changes, kept) => {
        let bytes = encoded(
          new BatchEncoder(options),
          stream.flat(),
          Float64Array.from(stream.flat(), (_, i) => i),
        );
        for (const [at, byte] of changes) bytes[Math.floor(at * bytes.length)] = byte;
        if (changes.length === 0) bytes = bytes.subarray(0, Math.floor(kept * (bytes.length - 1)));
        const decoder = new BatchDecoder(options);
        try {
          decoder.decode(bytes, 0, bytes.length, [], new Float64Array(300));
          expect(changes.length).toBeGreaterThan(0);
        } catch (error) {
          if (!(error instanceof MillstreamError)) throw error;
          expect(['CORRUPT_DATA', 'UNSUPPORTED_VALUE']).toContain(error.code);
        }
        const intact = encoded(new BatchEncoder(options), stream.flat());
        expect(difference(stream.flat(), decoded(decoder, intact))).toBeUndefined();
      }),
      { seed: 32, numRuns: 600 },
    );
  });
});

describe.each([true, false])('declared schema, code generation %s', (codegen) => {
  const declared = schema({ id: 'int32', score: 'float64', ok: 'boolean', name: 'string', rest: 'any' }) as Schema<unknown>;
  const options = { schema: declared, registry, codegen };

  test('just the declared fields travel, from any object', () => {
    class Row {
      readonly name = 'n';
      readonly id = -0;
      readonly score = -0;
      readonly rest = new Money(1n, 'EUR');
      readonly ok = true;
      readonly more = () => 1;
    }
    const plain = { id: 1, score: 1, ok: false, name: 'x'.repeat(70_000), rest: undefined, more: 5 };
    const [first, second] = roundTrip([new Row(), plain], options);
    expect(difference(first, { id: 0, score: -0, ok: true, name: 'n', rest: new Money(1n, 'EUR') })).toBeUndefined();
    expect(difference(second, { id: 1, score: 1, ok: false, name: plain.name, rest: undefined })).toBeUndefined();
  });

  test('a record that does not keep to it is refused', () => {
    const good = { id: 1, score: 1, ok: false, name: '', rest: null };
    const encoder = new BatchEncoder(options);
    const cases: [unknown, RegExp][] = [
      [{ ...good, id: 2 ** 31 }, /value\.id: it is a number that is no 32-bit integer, but its schema declares int32/],
      [{ ...good, id: 1.5 }, /value\.id/],
      [{ ...good, id: '1' }, /value\.id: it is of type string, but its schema declares int32/],
      [{ ...good, score: null }, /value\.score: it is of type null, but its schema declares float64/],
      [{ ...good, ok: 0 }, /value\.ok: it is of type number, but its schema declares boolean/],
      [{ id: 1, score: 1, ok: true, rest: 1 }, /value\.name: it is of type undefined, but its schema declares string/],
      [null, /value: it is of type null, but its schema declares an object/],
      [7, /value: it is of type number/],
    ];
    for (const [value, message] of cases) {
      const error = failure(() => encoded(encoder, [good, value]));
      expect([error.code, error.message]).toEqual(['UNSUPPORTED_VALUE', expect.stringMatching(message)]);
    }
    expect(failure(() => encoded(encoder, [good, { ...good, rest: [Symbol('s')] }])).message).toContain('value.rest[0]: it is a symbol');
    expect(roundTrip([good], options)).toEqual([good]);
  });

  test('bytes of other fields are refused, and schemas that cannot be', () => {
    const bytes = encoded(new BatchEncoder({ codegen }), [{ id: 1 }]);
    expect(failure(() => decoded(new BatchDecoder(options), bytes)).message).toMatch(/not those of the declared schema/);
    const reserved = { fields: [{ name: '__proto__', type: 'any' }] } as Schema<unknown>;
    const twice = { fields: [...declared.fields, ...declared.fields] } as Schema<unknown>;
    const wide = { fields: Array.from({ length: 129 }, (_, i) => ({ name: `f${i}`, type: 'any' })) } as Schema<unknown>;
    for (const wrong of [reserved, twice, wide]) expect(failure(() => new BatchEncoder({ schema: wrong })).code).toBe('INVALID_OPTION');
  });
});

describe('batch codec', () => {
  test('decoded records are plain objects of a shape of their own', () => {
    const [record] = roundTrip([{ a: 1, b: 'x' }]) as [object];
    expect(Object.getPrototypeOf(record)).toBe(Object.prototype);
    expect(record.constructor).toBe(Object);
    expect(Object.getOwnPropertyDescriptors(record)).toEqual(Object.getOwnPropertyDescriptors({ a: 1, b: 'x' }));
  });

  test('shapes of another time make room after a while', () => {
    const encoder = new BatchEncoder();
    encoded(
      encoder,
      Array.from({ length: 20 }, (_, i) => ({ [`old${i}`]: i })),
    );
    const batch = Array.from({ length: 1000 }, (_, i) => ({ temperature: i, humidity: i }));
    const asRows = encoded(encoder, batch).length;
    expect(asRows).toBeGreaterThan(20 * batch.length);
    for (let i = 0; i < 105; i++) encoded(encoder, batch);
    expect(encoded(encoder, batch).length).toBeLessThan(9 * batch.length);
  });

  test('names of fields never become code', () => {
    const names = ["'];globalThis.hacked=1;['", '"]=0;globalThis.hacked=1;//', '`;globalThis.hacked=1;`', '\\', '\n', '*/'];
    const record = Object.fromEntries(names.map((name, i) => [name, i]));
    expect(difference([record, record], roundTrip([record, record]))).toBeUndefined();
    expect('hacked' in globalThis).toBe(false);
  });

  test('impossible heads are refused', () => {
    const decoder = new BatchDecoder();
    const refused = (...bytes: number[]): string =>
      failure(() => decoder.decode(Uint8Array.from(bytes), 0, bytes.length, [], NO_TIMESTAMPS)).message;
    expect(refused(2, 0, 0)).toContain('version 2');
    expect(refused(1, 8, 0)).toContain('flags are 8');
    expect(refused(1, 0, 0xff, 0xff, 0xff, 0xff, 0x7f)).toMatch(/records, where 300 are the most/);
    expect(refused(1, 0, 0, 0)).toContain('1 bytes follow its end');
    expect(refused(1, 2, 1, 1, 1)).toContain('group 1 of 1');
    expect(failure(() => decoder.decode(new Uint8Array(4), 2, 3, [], NO_TIMESTAMPS)).code).toBe('CORRUPT_DATA');
  });

  test('the same bytes from both twins', () => {
    fc.assert(
      fc.property(batches, (stream) => {
        const generated = new BatchEncoder({ registry });
        const interpreted = new BatchEncoder({ registry, codegen: false });
        for (const batch of stream) expect(Buffer.compare(encoded(generated, batch), encoded(interpreted, batch))).toBe(0);
      }),
      { seed: 33, numRuns: 150 },
    );
  });

  test('where code generation is forbidden the interpreter runs', () => {
    const script = `try { new Function('return 1'); } catch (error) { process.stdout.write(error.constructor.name); }`;
    const flags = ['--disallow-code-generation-from-strings', '-e', script];
    expect(execFileSync(process.execPath, flags, { encoding: 'utf8' })).toBe('EvalError');
    const values = [{ a: 1, b: [{ c: 'x' }] }, 5, [1, 'y']];
    const forbidden = vi.fn(function forbidden() {
      throw new EvalError('forbidden');
    });
    vi.stubGlobal('Function', forbidden);
    try {
      expect(difference(values, roundTrip(values))).toBeUndefined();
    } finally {
      vi.unstubAllGlobals();
    }
    expect(forbidden).toHaveBeenCalled();
    expect(generatedFunction<() => number>('return () => a;', { a: 5 })?.()).toBe(5);
    expect(() => generatedFunction('return (', {})).toThrow(SyntaxError);
  });
});
