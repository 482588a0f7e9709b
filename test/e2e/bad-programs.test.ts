/** Programs that do what they must not: each ends with a typed error that says where, and what to do. */
import { describe, expect, it } from 'vitest';
import { millstream } from './command.js';
import { type RunJobOptions, runJob } from './run-job.js';

/** Runs a program of test/jobs/faults. */
async function run(
  fault: string,
  parameters: Readonly<Record<string, string>> = {},
  settings: Omit<RunJobOptions, 'parameters'> = {},
): Promise<unknown> {
  return await runJob('faults', { parameters: { fault, ...parameters }, ...settings });
}

function failsWith(code: string, ...texts: string[]): unknown {
  const message = expect.toSatisfy((found: string) => texts.every((text) => found.includes(text)), `includes ${texts.join(' | ')}`);
  return expect.objectContaining({ code, message });
}

/** One slot, so that records stay in it; several, so that they are encoded. */
const SLOTS = [1, 2];

describe('records', () => {
  it.each([
    ['function', 'it is a function', 'emit the data'],
    ['class instance', 'it is a Meters', 'register its class'],
    ['promise', 'it is a Promise', 'Use mapAsync'],
    ['symbol', 'it is a symbol', 'A record may hold'],
  ])('that hold a %s do not leave their operator', async (fault, ...texts) => {
    for (const slots of SLOTS) {
      const options = { 'parallelism.default': slots };
      await expect(run(fault, { edge: 'encoded' }, { options })).rejects.toEqual(
        failsWith('UNSUPPORTED_VALUE', 'value.count', "uid 'make'", ...texts),
      );
    }
  });

  it.each([
    ['date key', 'Date'],
    ['object key', 'object'],
    ['undefined key', 'undefined'],
  ])('are refused if their key is not supported, whatever follows: %s', async (fault, type) => {
    for (const slots of SLOTS) {
      for (const then of ['map', 'sink', 'reduce', 'window']) {
        await expect(run(fault, { then }, { options: { 'parallelism.default': slots } })).rejects.toEqual(
          failsWith(
            'UNSUPPORTED_KEY',
            `value of type ${type} as a key`,
            'A key is a boolean, number, string, bigint, or an array of these',
          ),
        );
      }
    }
  });
});

describe('functions', () => {
  it.each([
    ['async map', "operator 'map'", 'Use mapAsync'],
    ['async process', "'later'", 'mapAsync'],
  ])('that are asynchronous where none can be awaited: %s', async (fault, ...texts) => {
    await expect(run(fault)).rejects.toEqual(failsWith('PROMISE_RETURNED', ...texts));
  });

  it.each(SLOTS)('that throw are named with uid, subtask and record, in %i slots', async (slots) => {
    await expect(run('throws', {}, { options: { 'parallelism.default': slots } })).rejects.toEqual(
      failsWith('OPERATOR_FAILED', "'check range' (uid 'check'), subtask 0", 'record 42 of split', 'count 42 is out of range'),
    );
  });

  it('that throw behind a shuffle too, with the line in the TypeScript', async () => {
    const failure = await run('throws behind a shuffle', {}, { options: { 'parallelism.default': 2 } }).catch(
      (error: unknown) => error as Error,
    );
    expect(failure).toEqual(failsWith('OPERATOR_FAILED', "'check range' (uid 'check'), subtask ", 'count 42 is out of range'));
    expect((failure as Error).stack).toMatch(/at failAt \(.*faults\.ts:\d+:\d+\)/);
  });

  it('that always fail on one record end the job after three restarts', async () => {
    let restarts = 0;
    const options = {
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': 100,
      'restart-strategy.fixed-delay.delay': 1,
    };
    const observer = { restarting: () => void restarts++ };
    await expect(run('throws', { at: '77' }, { options, observer })).rejects.toEqual(
      failsWith('POISON_RECORD', 'record 77', "'check'", 'count 77 is out of range', 'onError'),
    );
    expect(restarts).toBe(3);
  });

  it('that use up the memory of their slot end it, and the message says so', async () => {
    const words = ['run', 'test/jobs/faults.ts', '--', '--fault', 'out of memory', '--records', '10000'];
    const { code, stderr } = await millstream(words, { env: { NODE_OPTIONS: '--max-old-space-size=100' } });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error SLOT_LOST: Slot 0 ended unexpectedly: out of memory\. .*--max-old-space-size/m);
  });
});

describe('graphs', () => {
  it('with two equal uids are refused', async () => {
    await expect(run('two equal uids')).rejects.toEqual(failsWith('DUPLICATE_UID', '"items"', 'each needs its own'));
  });

  it('that differ in a slot are refused, with the first difference, and without a restart', async () => {
    const options = { 'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.delay': '1 h' };
    await expect(run('another graph in slots', {}, { options })).rejects.toEqual(
      failsWith('GRAPH_DIFFERS', 'has name "in a slot" instead of "in the client"', 'must build the same graph each time'),
    );
  });

  it('that cannot be built in a slot are refused, without a restart', async () => {
    const options = { 'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.delay': '1 h' };
    await expect(run('throws in slots', {}, { options })).rejects.toEqual(
      failsWith('PROGRAM_FAILED', 'TypeError: only the client has this'),
    );
  });

  it('with an unknown option are refused, with the nearest', async () => {
    await expect(run('unknown option')).rejects.toEqual(failsWith('INVALID_OPTION', 'Did you mean "execution.checkpointing.interval"?'));
    await expect(run('throws', {}, { options: { 'parallelism.defualt': 2 } })).rejects.toEqual(
      failsWith('INVALID_OPTION', 'Did you mean "parallelism.default"?'),
    );
  });
});

describe('checked mode', () => {
  const checked = { run: { checked: true } };

  it.each(SLOTS)('finds a record that is changed after it was emitted, in %i slots', async (slots) => {
    const failure = await run('changed after emission', {}, { ...checked, options: { 'parallelism.default': slots } }).catch(
      (error: unknown) => error as Error,
    );
    expect(failure).toEqual(failsWith('OPERATOR_FAILED', "'count up' (uid 'count')", "Cannot assign to read only property 'count'"));
    expect((failure as Error).stack).toMatch(/at countUp \(.*faults\.ts:/);
  });

  it('finds a map that changes its input', async () => {
    await expect(run('map changes its input', {}, checked)).rejects.toEqual(
      failsWith('OPERATOR_FAILED', "Operator 'map'", "Cannot assign to read only property 'count'"),
    );
  });

  it('finds state that is changed in place without update', async () => {
    await expect(run('state changed in place', {}, checked)).rejects.toEqual(
      failsWith('STATE_CHANGED_WITHOUT_UPDATE', 'the state "total"', "uid 'sum'", 'call update'),
    );
  });

  it('is what --check turns on', async () => {
    const { code, stderr } = await millstream(['run', '--check', 'test/jobs/faults.ts', '--', '--fault', 'map changes its input']);
    expect(code).toBe(1);
    expect(stderr).toContain("Cannot assign to read only property 'count'");
  });

  it.each(['changed after emission', 'map changes its input', 'state changed in place'])('is off by default: %s', async (fault) => {
    await expect(run(fault)).resolves.toEqual({ type: 'finished' });
  });
});
