import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OptionDeclaration } from './option-declaration.js';
import { readOption, writeOption } from './option-type.js';
import { OPTIONS } from './options.js';
import { parseOption, parseOptions, parseRow, resolveOptions } from './resolve-options.js';

const table: [string, OptionDeclaration][] = Object.entries(OPTIONS);

describe('the table of options', () => {
  it.each(table)('%s has a valid default and an explanation', (_key, option) => {
    if (option.default !== undefined) expect(readOption(option, option.default)).not.toBeUndefined();
    expect(option.doc).toMatch(/^[A-Z].*\.$/);
  });

  it('has no key that another one continues: both could not be written as nested maps', () => {
    const keys = Object.keys(OPTIONS);
    expect(keys.filter((key) => keys.some((other) => other.startsWith(`${key}.`)))).toEqual([]);
  });

  it('has secrets of text only, without a default', () => {
    const secrets = table.filter(([, option]) => option.secret === true);
    expect(secrets.map(([key]) => key)).toContain('security.rest.token.admin');
    expect(secrets.filter(([, option]) => option.type !== 'text' || option.default !== undefined)).toEqual([]);
  });

  it('resolves to Flink’s defaults', () => {
    expect(resolveOptions({})).toMatchObject({
      'parallelism.default': 1,
      'pipeline.max-parallelism': undefined,
      'pipeline.auto-watermark-interval': 200,
      'execution.buffer-timeout.interval': 100,
      'execution.checkpointing.interval': undefined,
      'execution.checkpointing.mode': 'EXACTLY_ONCE',
      'execution.checkpointing.timeout': 600_000,
      'restart-strategy.exponential-delay.backoff-multiplier': 1.5,
      'restart-strategy.exponential-delay.reset-backoff-threshold': 3_600_000,
      'restart-strategy.fixed-delay.attempts': 1,
    });
  });
});

describe('values', () => {
  it.each([
    [250, 250],
    ['250', 250],
    ['10 s', 10_000],
    ['0.1s', 100],
    ['2 min', 120_000],
    ['1H', 3_600_000],
    ['1 day', 86_400_000],
  ])('a duration of %s is %d ms', (input, expected) => {
    expect(parseOption('execution.checkpointing.timeout', input)).toBe(expected);
  });

  it.each([
    [1000, 1000],
    ['64 mb', 64 * 1024 * 1024],
    ['512k', 512 * 1024],
    ['0.5 gb', 512 * 1024 * 1024],
  ])('a memory size of %s is %d bytes', (input, expected) => {
    expect(parseOption('exchange.record-output-max', input)).toBe(expected);
  });

  it('of other types are read from text too', () => {
    expect(parseOption('parallelism.default', '4')).toBe(4);
    expect(parseOption('pipeline.operator-chaining.enabled', 'false')).toBe(false);
    expect(parseOption('restart-strategy.type', 'FIXED_DELAY')).toBe('fixed-delay');
    expect(parseOption('restart-strategy.exponential-delay.jitter-factor', '0.25')).toBe(0.25);
    expect(parseOption('execution.buffer-timeout.interval', '-1')).toBe(-1);
  });

  it.each<[OptionDeclaration['type'], number, string]>([
    ['duration', 0, '0 ms'],
    ['duration', -1, '-1'],
    ['duration', 250, '250 ms'],
    ['duration', 90_000, '90 s'],
    ['duration', 172_800_000, '2 d'],
    ['memory', 1023, '1023 b'],
    ['memory', 64 * 1024 * 1024, '64 mb'],
    ['integer', 60_000, '60000'],
  ])('are written as text: %s %d is %s', (type, value, text) => {
    expect(writeOption({ type, scope: 'job', doc: '' } as OptionDeclaration, value)).toBe(text);
  });

  it('are the same when they are written and read again', () => {
    const types = fc.constantFrom<OptionDeclaration['type']>('duration', 'memory', 'integer');
    const property = fc.property(types, fc.integer({ min: 1, max: 2 ** 40 }), (type, value) => {
      const option = { type, scope: 'job', doc: '' } as OptionDeclaration;
      expect(readOption(option, writeOption(option, value))).toBe(value);
    });
    fc.assert(property, { seed: 4, numRuns: 1000 });
  });

  it('that are undefined are left out', () => {
    expect(parseOptions({ 'pipeline.name': undefined, 'parallelism.default': 2 })).toEqual({ 'parallelism.default': 2 });
  });
});

describe('errors', () => {
  it.each([
    ['parallelism.default', 0, 'it must be a whole number from 1 to 32768'],
    ['parallelism.default', 1.5, 'it must be a whole number from 1 to 32768'],
    ['parallelism.default', '2x', 'it must be a whole number from 1 to 32768'],
    ['pipeline.name', '', 'it must be text'],
    ['pipeline.operator-chaining.enabled', 'yes', 'it must be true or false'],
    ['execution.checkpointing.mode', 'TWICE', 'it must be one of EXACTLY_ONCE, AT_LEAST_ONCE'],
    ['execution.checkpointing.max-concurrent-checkpoints', 2, 'it must be 1: a job has one checkpoint under way at a time. Where'],
    [
      'execution.checkpointing.externalized-checkpoint-retention',
      'DELETE_ON_CANCELLATION',
      'it must be one of RETAIN_ON_CANCELLATION: what a job that is cancelled',
    ],
    ['execution.checkpointing.interval', 0, 'it must be a duration of at least 1 ms'],
    ['execution.checkpointing.interval', '5 fortnights', 'it must be a duration'],
    ['execution.checkpointing.timeout', -1, 'it must be a duration'],
    ['exchange.record-output-max', '0 mb', 'it must be an amount of memory'],
    ['restart-strategy.exponential-delay.jitter-factor', 2, 'it must be a number from 0 to 1'],
    ['restart-strategy.exponential-delay.backoff-multiplier', Number.NaN, 'it must be a number of at least 1'],
  ])('name option, value and what is allowed: %s = %s', (key, value, allowed) => {
    const shown = typeof value === 'number' ? String(value) : JSON.stringify(value);
    const message = expect.stringContaining(`option "${key}" to ${shown}: ${allowed}`);
    expect(() => parseOption(key, value)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', message }));
  });

  it('name the nearest key for an unknown one', () => {
    expect(() => parseOptions({ 'execution.checkpoint.interval': 1 })).toThrow(/Did you mean "execution.checkpointing.interval"\?/);
    expect(() => parseOptions({ 'Parallelism.Default': 1 })).toThrow(/Did you mean "parallelism.default"\?/);
    expect(() => parseOptions({ colour: 'blue' })).toThrow(/no such option\. "millstream config --all" lists all options\./);
    expect(() => parseOptions({ toString: 1 })).toThrow(/no such option/);
  });

  it('refuse an option that nothing reads yet', () => {
    expect(() => parseRow({ 'a.b': { type: 'integer', pending: true, scope: 'job', doc: '' } }, 'a.b', 1)).toThrow(/no such option/);
  });

  it.each([
    ['jobmanager', 'the jobmanager'],
    ['cluster', 'the processes of the cluster'],
  ] as const)('refuse an option of the %s for a job', (scope, reader) => {
    const setForJob = (): unknown => parseRow({ 'a.b': { type: 'integer', scope, doc: '' } }, 'a.b', 1);
    expect(setForJob).toThrow(`Cannot set option "a.b" for a job: it is read by ${reader}. Set it in their configuration.`);
  });
});
