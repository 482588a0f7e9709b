import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConfigurationFile } from './parse-configuration-file.js';

/** Key and text of each option, or what is wrong with it. */
function read(text: string): readonly (readonly [string, unknown])[] {
  return parseConfigurationFile('c.yaml', text).map((entry) => [entry.key, 'problem' in entry ? entry.problem : entry.input] as const);
}

/** "line:column" of each option. */
function placesOf(text: string): readonly string[] {
  return parseConfigurationFile('c.yaml', text).map(({ origin }) => (origin.layer === 'file' ? `${origin.line}:${origin.column}` : ''));
}

describe('a configuration file', () => {
  it('has flat keys, nested maps, or both', () => {
    const text = 'rest.port: 1\nrest:\n  address: here\n  server.max-content-length: 1 mb\njobmanager: { rpc: { port: 2 } }\n';
    expect(read(text)).toEqual([
      ['rest.port', '1'],
      ['rest.address', 'here'],
      ['rest.server.max-content-length', '1 mb'],
      ['jobmanager.rpc.port', '2'],
    ]);
    expect(placesOf(text)).toEqual(['1:1', '3:3', '4:3', '5:22']);
  });

  it('keeps values as they are written', () => {
    const text = 'a: 10 s\nb: 0x10\nc: 007\nd: True\ne: "5 # x"\nf: no\ng: 1e3\nh: 2024-01-01\ni: C:\\x\n';
    expect(read(text).map(([, value]) => value)).toEqual(['10 s', '0x10', '007', 'true', '5 # x', 'no', '1e3', '2024-01-01', 'C:\\x']);
  });

  it.each(['', '# nothing\n', 'rest:\n  # port: 1\n', 'a:\nb: ~\nc: null\n', '---\n', '{}'])('may say nothing: %j', (text) => {
    expect(read(text)).toEqual([]);
  });

  it('is read with CRLF and a byte order mark', () => {
    expect(read('\uFEFFa: 1\r\nb:\r\n  c: 2\r\n')).toEqual([
      ['a', '1'],
      ['b.c', '2'],
    ]);
  });

  it('gives back what is written to it', () => {
    const texts = fc.string({ unit: 'grapheme', minLength: 1 });
    const property = fc.property(texts, fc.integer({ min: 0, max: 2 ** 50 }), (text, number) => {
      expect(read(`a: ${JSON.stringify(text)}\nb: ${number}\n`)).toEqual([
        ['a', text],
        ['b', String(number)],
      ]);
    });
    fc.assert(property, { seed: 4, numRuns: 300 });
  });
});

describe('what is wrong in a file', () => {
  it.each([
    ['a: 1\nb: [1,\n', 'c.yaml:3:1: Flow sequence'],
    ['a: 1\n\tb: 2\n', 'c.yaml:2:1: Tabs are not allowed as indentation. '],
    ['a: "x\n', 'c.yaml:2:1: Missing closing "quote. '],
    ['a: b: c\n', 'c.yaml:1:4: Nested mappings'],
    ['a: 1\n---\nb: 2\n', 'c.yaml:2:1: A second document begins here; a configuration is one. '],
    ['- 1\n', 'c.yaml:1:1: Expected "key: value" lines. It must be YAML.'],
    ['just text', 'c.yaml:1:1: Expected "key: value" lines. It must be YAML.'],
  ])('%j is named with line and column', (text, message) => {
    expect(() => read(text)).toThrow(
      expect.objectContaining({ code: 'CONFIGURATION_UNREADABLE', message: expect.stringContaining(message) }),
    );
  });

  it.each([
    ['a: [1, 2]\n', 'a', 'Cannot set option "a" to a list'],
    ['a: !x 1\n', 'a', 'Cannot set option "a" to a tag or an anchor'],
    ['a: &x 1\n', 'a', 'Cannot set option "a" to a tag or an anchor'],
    ['a: !!binary aGk=\n', 'a', 'Cannot set option "a" to a tag or an anchor'],
    ['b:\n  1: 2\n  ? [x]\n  : 3\n', 'b', 'Cannot read this key: it must be text.'],
    ['rest: { a: 1 }\nrest: { b: 2 }\n', 'rest', 'Cannot begin "rest" twice: it also begins at line 1. Join both.'],
  ])('%j is said of the option', (text, key, problem) => {
    expect(read(text)).toContainEqual([key, expect.stringContaining(problem)]);
  });

  it('an alias is one, wherever it leads', () => {
    expect(read('a: &x 1\nb: *x\nc: 2\n')).toMatchObject([
      ['a', expect.anything()],
      ['b', expect.stringContaining('to an alias')],
      ['c', '2'],
    ]);
  });

  it('the same option twice is left to the layers, with both places', () => {
    expect(placesOf('rest.port: 1\nrest:\n  port: 2\n')).toEqual(['1:1', '3:3']);
    expect(placesOf('a: 1\na: 2\n')).toEqual(['1:1', '2:1']);
  });

  it.each([
    'a: s3cret: x\n',
    'a: "\\s3cret"\n',
    'a: [s3cret\n',
    'a: !s3cret%zz x\n',
    'a: *s3cret\n',
    'a: "s3cret" s3cret\n',
    '"s3cret" s3cret\n',
    '@s3cret',
    'a: |s3cret\n',
  ])('is never quoted: %j', (text) => {
    let said = '';
    try {
      said = JSON.stringify(read(text));
    } catch (error) {
      said = (error as Error).message;
    }
    expect(said).not.toBe('');
    expect(said).not.toContain('s3cret');
  });

  it('ends in an error of its own, whatever the text', () => {
    const property = fc.property(fc.string({ unit: fc.constantFrom(...'ab:-?[]{}&*!|>\'"%@#,\n\t 0.'), maxLength: 60 }), (text) => {
      try {
        for (const { key, origin } of parseConfigurationFile('c.yaml', text))
          expect([typeof key, origin.layer]).toEqual(['string', 'file']);
      } catch (error) {
        expect(error).toMatchObject({ code: 'CONFIGURATION_UNREADABLE' });
      }
    });
    fc.assert(property, { seed: 4, numRuns: 3000 });
  });
});
