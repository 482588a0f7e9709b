import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../common/bytes.js';
import { MillstreamError } from '../common/errors.js';
import { BatchDecoder } from './batch-decoder.js';
import { BatchEncoder } from './batch-encoder.js';
import { REFERENCES_MAX, RecentStrings } from './recent-strings.js';

function encoded(encoder: BatchEncoder, values: readonly unknown[]): Uint8Array {
  const out = new ByteWriter(1);
  encoder.encode(values, undefined, 0, values.length, out);
  return out.toBytes();
}

function decoded(bytes: Uint8Array, codegen: boolean): unknown[] {
  const values: unknown[] = [];
  new BatchDecoder({ codegen }).decode(bytes, 0, bytes.length, values, new Float64Array(2000));
  return values;
}

/** Not the same string, but an equal one, which is not flat. */
function copyOf(text: string): string {
  return text.length < 14 ? Buffer.from(text, 'utf16le').toString('utf16le') : text.slice(0, 7) + text.slice(7);
}

describe('RecentStrings', () => {
  test('finds only what an earlier record of the batch had, and only in its first records', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'b', 'ab', 'ba', '\ud800', 'a longer text', 'a longer texT'), { maxLength: 700 }),
        (texts) => {
          const recent = new RecentStrings();
          recent.begin(texts.length);
          if (!recent.isLooking) return texts.length < 32;
          texts.forEach((text, index) => {
            const record = recent.find(copyOf(text), index);
            expect(record).toBeLessThan(Math.min(index, REFERENCES_MAX));
            if (record >= 0) expect(texts[record]).toBe(text);
          });
          recent.end(texts.length);
          recent.begin(texts.length);
          return true;
        },
      ),
      { seed: 3, numRuns: 200 },
    );
  });

  test('finds the last record that can be referred to, and none behind it', () => {
    const recent = new RecentStrings();
    recent.begin(1000);
    for (let index = 0; index <= REFERENCES_MAX + 1; index++) expect(recent.find(`text ${index}`, index)).toBe(-1);
    const found = [-1, 0, 1].map((away) => recent.find(`text ${REFERENCES_MAX + away}`, 900 + away));
    expect(found).toEqual([REFERENCES_MAX - 1, -1, -1]);
  });

  test('leaves a column alone where few strings come again, and looks again later', () => {
    const recent = new RecentStrings();
    const looked: boolean[] = [];
    for (let batch = 0; batch < 40; batch++) {
      recent.begin(100);
      looked.push(recent.isLooking);
      if (recent.isLooking) for (let i = 0; i < 100; i++) recent.find(`text ${batch} ${i}`, i);
      recent.end(100);
    }
    expect(looked.flatMap((looking, batch) => (looking ? [batch] : []))).toEqual([0, 32]);
  });
});

describe.each([true, false])('strings that come again, code generation %s', (codegen) => {
  const pools = [
    ['', 'x', 'y'],
    ['/a/long/path/one', '/a/long/path/two', '/a/long/path/ten'],
    ['ä', 'ö', '€', '\ud83d\ude00', '\udc00'],
  ];

  test('are the same on the other side, in fields, tuples and columns of several types', () => {
    const text = fc.constantFrom(...pools.flat()).map(copyOf);
    const record = fc.record({ a: text, nested: fc.record({ b: text, pair: fc.tuple(text, fc.integer()) }), c: fc.option(text) });
    fc.assert(
      fc.property(fc.array(fc.array(record, { maxLength: 600, size: 'max' }), { maxLength: 3 }), (batches) => {
        const encoder = new BatchEncoder({ codegen });
        for (const batch of batches) {
          const bytes = encoded(encoder, batch);
          expect(decoded(bytes, true)).toEqual(batch);
          expect(decoded(bytes, false)).toEqual(batch);
        }
      }),
      { seed: 5, numRuns: 40 },
    );
  });

  test('may be those of the last records that can be referred to, and of the first that cannot', () => {
    const first = Array.from({ length: REFERENCES_MAX + 20 }, (_, i) => ({ text: `text ${i}` }));
    const batch = [...first, ...first.slice(-40).map(({ text }) => ({ text: copyOf(text) }))];
    expect(decoded(encoded(new BatchEncoder({ codegen }), batch), codegen)).toEqual(batch);
  });

  test.each([0xfeff, 0xff00, 0xffff, 0x10000])('may have %i units', (length) => {
    const [first, second] = [0, 1].map((i) => 'x'.repeat(length - 1) + i);
    const batch = Array.from({ length: 40 }, (_, i) => ({ text: copyOf((i % 2 === 0 ? first : second) as string) }));
    const bytes = encoded(new BatchEncoder({ codegen }), batch);
    expect(bytes.length).toBeLessThan(3 * length);
    expect(decoded(bytes, codegen)).toEqual(batch);
  });

  test('are written once', () => {
    const batch = Array.from({ length: 256 }, (_, i) => ({ country: ['Norway', 'Sweden', 'Denmark'][i % 3], city: `city ${i}` }));
    const bytes = encoded(new BatchEncoder({ codegen }), batch);
    expect(
      Buffer.from(bytes)
        .toString('latin1')
        .match(/Norway/g),
    ).toHaveLength(1);
    expect(decoded(bytes, codegen)).toEqual(batch);
  });

  test('a reference that leads nowhere is damage', () => {
    const batch = Array.from({ length: 32 }, () => ({ text: 'the same' }));
    const bytes = encoded(new BatchEncoder({ codegen }), batch);
    // The lengths are the only column: 32 times 2 bytes, of which the first is the length of the string and all others are references.
    const at = Buffer.from(bytes).indexOf(Buffer.from([8, 0, 0, 0xff, 0, 0xff]));
    expect(at).toBeGreaterThan(0);
    for (const record of [1, 2, 31, 255]) {
      const damaged = bytes.slice();
      damaged[at + 2] = record;
      const failure = ((): unknown => {
        try {
          return decoded(damaged, codegen);
        } catch (error) {
          return error;
        }
      })();
      expect(failure).toBeInstanceOf(MillstreamError);
      expect(failure).toMatchObject({ code: 'CORRUPT_DATA' });
    }
  });
});
