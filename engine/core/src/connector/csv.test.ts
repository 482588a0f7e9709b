import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csv } from './csv.js';

/** All records of a text, as a file source would find them. */
function parse<T>(format: ReturnType<typeof csv> | { hasHeader: boolean; findEnd: never; createParser: never }, text: string): T[] {
  const { hasHeader, findEnd, createParser } = format as ReturnType<typeof csv>;
  const bytes = Buffer.from(text);
  const records: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = findEnd(bytes, at, bytes.length);
    const next = end < 0 ? bytes.length : end;
    records.push(bytes.toString('utf8', at, next).replace(/\r?\n$/, ''));
    at = next;
  }
  const parser = createParser(hasHeader ? records.shift() : undefined);
  return records.map((record) => parser(record)).filter((row) => row !== undefined) as T[];
}

describe('csv', () => {
  it('reads what RFC 4180 allows', () => {
    const text = 'a,b\r\n1,"x, ""y"""\r\n"two\nlines",\r\n,"é"';
    expect(parse(csv(), text)).toEqual([
      { a: '1', b: 'x, "y"' },
      { a: 'two\nlines', b: '' },
      { a: '', b: 'é' },
    ]);
  });

  it('reads back every table of strings', () => {
    const field = fc.string({ unit: fc.constantFrom('a', 'é', ',', '"', '\n', ' ', ';') });
    fc.assert(
      fc.property(fc.array(fc.tuple(field, field, field), { maxLength: 8 }), (rows) => {
        const quote = (value: string): string => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
        const text = ['a,b,c', ...rows.map((row) => row.map(quote).join(','))].map((line) => `${line}\n`).join('');
        expect(parse<Record<string, string>>(csv(), text).map(({ a, b, c }) => [a, b, c])).toEqual(rows);
      }),
      { numRuns: 300, seed: 3 },
    );
  });

  it('takes the declared columns with their types, in any order', () => {
    const format = csv({ columns: { n: 'number', ok: 'boolean?', id: 'integer', s: 'string' } });
    expect(parse(format as never, 'id,other,s,ok,n\n7,x,,true,-1.5e3\n8,x,y,,.5\n')).toEqual([
      { n: -1500, ok: true, id: 7, s: '' },
      { n: 0.5, ok: null, id: 8, s: 'y' },
    ]);
  });

  it('takes names from the columns where there is no header, and another delimiter', () => {
    expect(parse(csv({ header: false, delimiter: ';', columns: { a: 'integer', b: 'string' } }) as never, '1;x\n')).toEqual([
      { a: 1, b: 'x' },
    ]);
  });

  it.each([
    ['a,b\n1\n', /1 fields where 2/],
    ['a,b\n1,"x"y\n', /Field 2 goes on after its closing quote/],
    ['a,b\n1,x"y"\n', /Field 2 has a quote inside/],
    ['a,b\n1,"x\n', /no closing quote/],
  ])('refuses %j', (text, message) => {
    expect(() => parse(csv(), text)).toThrow(message);
  });

  it.each([
    ['integer', '1.5'],
    ['integer', ''],
    ['integer', '9007199254740993'],
    ['number', '0x10'],
    ['number', ' 1'],
    ['boolean', 'yes'],
  ] as const)('refuses as %s the field %j', (type, field) => {
    expect(() => parse(csv({ columns: { a: type } }) as never, `a,b\n${field},\n`)).toThrow(/field "a" is not/);
  });

  it('refuses columns that the file does not have and options that make no sense', () => {
    expect(() => parse(csv({ columns: { x: 'string' } }) as never, 'a,b\n')).toThrow(/columns "x": the file has "a", "b"/);
    expect(() => csv({ delimiter: '"' })).toThrow(/delimiter/);
    expect(() => csv({ header: false })).toThrow(/declare `columns`/);
    expect(() => csv({ columns: { a: 'date' as never } }).createParser('a')).toThrow(/type "date"/);
  });
});
