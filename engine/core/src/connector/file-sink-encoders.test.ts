import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../common/bytes.js';
import { csvEncoder, jsonLinesEncoder, type RowEncoder } from './file-sink-encoders.js';

function encode<T>(encoder: RowEncoder<T>, ...values: T[]): string {
  const out = new ByteWriter(1);
  encoder.header?.(out);
  for (const value of values) encoder.encode(value, out);
  return out.view8().toString();
}

describe('jsonLinesEncoder', () => {
  it('writes one JSON text per line', () => {
    expect(encode<unknown>(jsonLinesEncoder(), { a: 1, b: 'ü\n"' }, [null], 'x', 3.5)).toBe('{"a":1,"b":"ü\\n\\""}\n[null]\n"x"\n3.5\n');
    expect(encode(jsonLinesEncoder(), '\ud800')).toBe('"\\ud800"\n');
  });

  it('refuses what JSON cannot say', () => {
    for (const value of [{ a: 1n }, undefined]) {
      expect(() => encode(jsonLinesEncoder(), value)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_VALUE' }));
    }
  });
});

describe('csvEncoder', () => {
  it('quotes after RFC 4180 and tells empty strings from nothing', () => {
    interface Row {
      readonly name: string | null | undefined;
      readonly 'a "b",c': unknown;
    }
    const encoder = csvEncoder<Row>({ columns: ['name', 'a "b",c'] });
    const rows: Row[] = [
      { name: 'plain text', 'a "b",c': 1.5 },
      { name: 'a,b', 'a "b",c': true },
      { name: 'say "hi"', 'a "b",c': 10n },
      { name: 'two\r\nlines', 'a "b",c': new Date(0) },
      { name: '', 'a "b",c': [1, { x: 'y' }] },
      { name: null, 'a "b",c': new Date(Number.NaN) },
      { name: undefined, 'a "b",c': -0 },
    ];
    expect(encode(encoder, ...rows)).toBe(
      [
        'name,"a ""b"",c"',
        'plain text,1.5',
        '"a,b",true',
        '"say ""hi""",10',
        '"two\r\nlines",1970-01-01T00:00:00.000Z',
        '"","[1,{""x"":""y""}]"',
        ',',
        ',0',
        '',
      ].join('\n'),
    );
  });

  it('leaves the header out on request', () => {
    expect(encode(csvEncoder<{ a: number }>({ columns: ['a'], header: false }), { a: 1 })).toBe('1\n');
  });

  it('refuses what has no text form, and no columns', () => {
    const encoder = csvEncoder<{ a: unknown }>({ columns: ['a'] });
    for (const value of [new Map(), new Uint8Array(1), () => 1, { a: 1n }]) {
      expect(() => encode(encoder, { a: value })).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_VALUE' }));
    }
    expect(() => csvEncoder({ columns: [] })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });
});
