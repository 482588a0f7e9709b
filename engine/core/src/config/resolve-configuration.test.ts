import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OptionRows } from './option-declaration.js';
import { OPTION_LAYERS, type OptionEntry, type OptionOrigin } from './option-origin.js';
import { configurationRows, jobOptions, resolveConfiguration } from './resolve-configuration.js';

const ROWS: OptionRows = {
  'rest.port': { type: 'integer', minimum: 0, maximum: 65535, default: 8081, scope: 'jobmanager', doc: 'Port.' },
  'rest.wait': { type: 'duration', default: '1 min', scope: 'client', doc: 'Wait.' },
  'rest.token': { type: 'text', secret: true, scope: 'jobmanager', doc: 'Token.' },
  'rest.limit': { type: 'integer', secret: true, scope: 'jobmanager', doc: 'A number that nobody may see.' },
  'rest.later': { type: 'integer', default: 7, pending: true, scope: 'jobmanager', doc: 'Later.' },
  'pipeline.name': { type: 'text', scope: 'job', doc: 'Name.' },
};

const ORIGINS: readonly OptionOrigin[] = [
  { layer: 'file', file: 'c.yaml', line: 2, column: 3 },
  { layer: 'environment', variable: 'MILLSTREAM_REST__PORT' },
  { layer: 'define' },
  { layer: 'flag', flag: '--port' },
];
const [FILE, ENVIRONMENT, DEFINE, FLAG] = ORIGINS as [OptionOrigin, OptionOrigin, OptionOrigin, OptionOrigin];

function entry(key: string, input: unknown, origin: OptionOrigin = FILE): OptionEntry {
  return { key, input, origin };
}

/** Entries that say 1, 2, … of one option, in layers from the lowest to the highest. */
const RISING = ORIGINS.map((origin, index) => ({ key: 'rest.port', input: index + 1, origin }));

function problemOf(...entries: readonly OptionEntry[]): string {
  try {
    resolveConfiguration(entries, ROWS);
  } catch (error) {
    expect(error).toMatchObject({ code: 'INVALID_OPTION' });
    return (error as Error).message;
  }
  throw new Error('nothing was wrong');
}

describe('layers', () => {
  it('are ordered', () => {
    expect(['default', ...ORIGINS.map(({ layer }) => layer)]).toEqual(OPTION_LAYERS);
  });

  it('override lower ones in any order of entries', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(RISING), (entries) => {
        const { options, origins } = resolveConfiguration(entries, ROWS);
        const highest = Math.max(0, ...entries.map(({ input }) => input));
        expect(options).toMatchObject({ 'rest.port': highest === 0 ? 8081 : highest });
        expect(origins.get('rest.port')).toBe(highest === 0 ? undefined : ORIGINS[highest - 1]);
      }),
      { seed: 4, numRuns: 200 },
    );
  });

  it('have defaults, also of options that cannot be set yet', () => {
    expect(resolveConfiguration([], ROWS).options).toMatchObject({ 'rest.port': 8081, 'rest.wait': 60_000, 'rest.later': 7 });
  });

  it('take the last of two -D', () => {
    const { options } = resolveConfiguration([entry('rest.port', '1', DEFINE), entry('rest.port', '2', DEFINE)], ROWS);
    expect(options).toMatchObject({ 'rest.port': 2 });
  });
});

describe('errors', () => {
  it.each<[OptionOrigin, string]>([
    [FILE, 'c.yaml:2:3: '],
    [ENVIRONMENT, 'environment variable MILLSTREAM_REST__PORT: '],
    [DEFINE, '-D rest.port: '],
    [FLAG, 'flag --port: '],
  ])('name the place, value and what is allowed: %j', (origin, place) => {
    expect(problemOf(entry('rest.port', '70000', origin))).toBe(
      `${place}Cannot set option "rest.port" to "70000": it must be a whole number from 0 to 65535.`,
    );
  });

  it('name the nearest key as its layer writes it', () => {
    expect(problemOf(entry('rest.prot', '1'))).toContain('there is no such option. Did you mean "rest.port"?');
    expect(problemOf(entry('rest.prot', '1', { layer: 'environment', variable: 'MILLSTREAM_REST__PROT' }))).toBe(
      'environment variable MILLSTREAM_REST__PROT: Cannot set option "rest.prot": there is no such option. Did you mean "MILLSTREAM_REST__PORT"?',
    );
  });

  it('name what begins like a key that is too short', () => {
    expect(problemOf(entry('rest', 8081))).toContain('Options that begin so: rest.port, rest.wait, rest.token, rest.limit.');
  });

  it('do not offer what nothing reads yet', () => {
    expect(problemOf(entry('rest.later', 1))).toContain('there is no such option. "millstream config --all" lists all options.');
  });

  it('come together, also of values that are overridden', () => {
    expect(problemOf(entry('rest.port', 'x'), entry('rest.port', 1, DEFINE), entry('rest.wait', 'soon', FLAG))).toBe(
      [
        'The configuration has 2 errors:',
        'c.yaml:2:3: Cannot set option "rest.port" to "x": it must be a whole number from 0 to 65535.',
        'flag --port: Cannot set option "rest.wait" to "soon": it must be a duration such as "10 s", "200 ms", "1 h", or a number of ms.',
      ].join('\n  '),
    );
  });

  it('are passed on from whoever read the layer', () => {
    expect(problemOf({ key: 'rest', origin: FILE, problem: 'Cannot read a list.' })).toBe('c.yaml:2:3: Cannot read a list.');
  });

  it('name both places of an option that a file sets twice', () => {
    const again = entry('rest.port', 2, { layer: 'file', file: 'c.yaml', line: 9, column: 1 });
    const problem = 'c.yaml:9:1: Cannot set option "rest.port" twice: it is also set at c.yaml:2:3. Remove one.';
    expect(problemOf(entry('rest.port', 1), again)).toBe(problem);
    expect(problemOf(entry('rest.port', 3, DEFINE), entry('rest.port', 1), again)).toBe(problem);
  });
});

describe('secrets', () => {
  const SECRET = 's3cret';

  it('are read from a file and the environment', () => {
    const { options } = resolveConfiguration([entry('rest.token', SECRET, ENVIRONMENT)], ROWS);
    expect(options).toMatchObject({ 'rest.token': SECRET });
  });

  it.each([DEFINE, FLAG])('are refused on the command line: %j', (origin) => {
    const problem = problemOf(entry('rest.token', SECRET, origin));
    expect(problem).toContain('everybody on this machine can read a command line');
    expect(problem).toContain('MILLSTREAM_REST__TOKEN');
    expect(problem).not.toContain(SECRET);
  });

  it('are in no message, nor is the value of a misspelt key', () => {
    expect(problemOf(entry('rest.limit', SECRET))).toBe('c.yaml:2:3: Cannot set option "rest.limit": it must be a whole number.');
    expect(problemOf(entry('rest.tokn', SECRET))).not.toContain(SECRET);
  });

  it('are masked in the rows that may be printed', () => {
    const rows = configurationRows(resolveConfiguration([entry('rest.token', SECRET), entry('rest.limit', '12345')], ROWS), ROWS);
    expect(rows.filter(({ secret }) => secret)).toMatchObject([
      { key: 'rest.token', value: '***', text: '***', origin: FILE },
      { key: 'rest.limit', value: '***', text: '***' },
    ]);
    expect(JSON.stringify(rows)).not.toMatch(/s3cret|12345/);
  });
});

describe('rows', () => {
  it('say value, text, origin and default of each option that can be set', () => {
    const rows = configurationRows(resolveConfiguration([entry('rest.wait', '90 s', DEFINE)], ROWS), ROWS);
    expect(rows.map(({ key }) => key)).toEqual(['rest.port', 'rest.wait', 'rest.token', 'rest.limit', 'pipeline.name']);
    expect(rows[1]).toEqual({
      key: 'rest.wait',
      value: 90_000,
      text: '90 s',
      origin: DEFINE,
      type: 'duration',
      default: 60_000,
      defaultText: '1 min',
      scope: 'client',
      secret: false,
      doc: 'Wait.',
    });
    expect(rows[4]).toMatchObject({ key: 'pipeline.name', value: undefined, text: undefined, origin: { layer: 'default' } });
  });
});

describe('options of jobs', () => {
  it('are those that are set, without those of processes', () => {
    const configuration = resolveConfiguration([
      { key: 'execution.checkpointing.interval', input: '10 s', origin: FILE },
      { key: 'rest.port', input: 1, origin: FILE },
    ]);
    expect(jobOptions(configuration)).toEqual({ 'execution.checkpointing.interval': 10_000 });
  });
});
