/** Instances of a registered class survive the way between slots, state, checkpoints, restores and rescaling; others are refused. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobRun } from 'millstream/cluster';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FEE_COUNT, KEPT, type Line, payment } from '../jobs/registered-classes.js';
import { millstream } from './command.js';
import { readLines, runJob } from './run-job.js';

const RECORDS = 20_000;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-classes-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function parameters(): Record<string, string> {
  return { records: `${RECORDS}`, results: join(directory, 'results') };
}

/** In each attempt all but a quarter of the records waits for this file: however slow checkpoints are, the input has not ended before. */
function held(): { readonly until: string } {
  return { until: join(directory, 'go on') };
}

function options(parallelism: number): Record<string, unknown> {
  return {
    'parallelism.default': parallelism,
    'execution.checkpointing.interval': '100 ms',
    'execution.checkpointing.dir': join(directory, 'checkpoints'),
    'restart-strategy.type': 'fixed-delay',
    'restart-strategy.fixed-delay.attempts': 5,
    'restart-strategy.fixed-delay.delay': '10 ms',
  };
}

function expectedLines(): string[] {
  const payments = Array.from({ length: RECORDS }, (_, index) => payment(index));
  const sum = (cents: readonly number[]): number => cents.reduce((left, right) => left + right, 0);
  const lines: Line[] = payments.map(({ money }) => ({ what: 'answer', key: money.cents + 1 }));
  const windows = new Map<string, { key: number; window: number; cents: number }>();
  const byKey = new Map<number, number[]>();
  for (const { key, at, money } of payments) {
    const window = Math.floor(at / 5_000);
    const { cents = 0 } = windows.get(`${window} ${key}`) ?? {};
    windows.set(`${window} ${key}`, { key, window, cents: cents + money.cents });
    byKey.set(key, [...(byKey.get(key) ?? []), money.cents]);
  }
  for (const window of windows.values()) lines.push({ what: 'window', ...window });
  for (const [key, cents] of byKey) {
    lines.push({
      what: 'account',
      key,
      count: cents.length,
      total: sum(cents),
      sum: sum(cents),
      smallest: cents
        .sort((left, right) => left - right)
        .slice(0, KEPT)
        .join(),
      even: sum(cents.filter((each) => each % 2 === 0)),
      odd: sum(cents.filter((each) => each % 2 === 1)),
      fees: (FEE_COUNT * (FEE_COUNT - 1)) / 2,
    });
  }
  return lines.map((line) => JSON.stringify(line)).sort();
}

function foundLines(): string[] {
  return readLines<Line>(join(directory, 'results'))
    .map((line) => JSON.stringify(line))
    .sort();
}

describe('instances of a registered class', () => {
  it.each([
    ['one slot', 1, {}],
    ['two slots', 2, {}],
    ['two slots without generated code', 2, { codegen: false }],
    ['two slots in checked mode', 2, { checked: true }],
  ] as const)('travel and are kept: %s', async (_, parallelism, run) => {
    const outcome = await runJob('registered-classes', { parameters: parameters(), options: options(parallelism), run });
    expect(outcome.type).toBe('finished');
    expect(foundLines()).toEqual(expectedLines());
  });

  it('are collected', async () => {
    const { code, stdout, stderr } = await millstream(['run', '-p', '2', 'test/jobs/collect-classes.ts']);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout.trim()).toBe('true 1,true 2,true 3');
  });

  it('survive slots that are killed', async () => {
    let run: JobRun | undefined;
    let attempts = 0;
    let completed = 0;
    const outcome = await runJob('registered-classes', {
      parameters: { ...parameters(), ...held() },
      options: options(2),
      onRun: (started) => {
        run = started;
      },
      observer: {
        attemptStarted: () => {
          attempts++;
          completed = 0;
          if (attempts === 3) writeFileSync(held().until, '');
        },
        checkpointCompleted: () => {
          if (++completed === 2 && attempts <= 2) run?.killSlot(attempts % 2);
        },
      },
    });
    expect(outcome.type).toBe('finished');
    expect(attempts).toBe(3);
    expect(foundLines()).toEqual(expectedLines());
  });

  it('survive a stop and a resume at another parallelism', async () => {
    let run: JobRun | undefined;
    let completed = 0;
    const stopped = await runJob('registered-classes', {
      parameters: { ...parameters(), ...held() },
      options: options(2),
      onRun: (started) => {
        run = started;
      },
      observer: {
        checkpointCompleted: () => {
          if (++completed === 3) run?.stop();
        },
      },
    });
    if (stopped.type !== 'stopped') throw new Error(`the job ended as ${stopped.type}`);
    const outcome = await runJob('registered-classes', {
      parameters: parameters(),
      options: options(3),
      run: { from: stopped.checkpoint },
    });
    expect(outcome.type).toBe('finished');
    expect(foundLines()).toEqual(expectedLines());
  });
});

describe('instances of a class that is not registered', () => {
  it.each([1, 2])('are refused, and the message says how to register it, in %i slots', async (parallelism) => {
    const settings = { 'parallelism.default': parallelism };
    await expect(runJob('registered-classes', { parameters: { ...parameters(), register: 'no' }, options: settings })).rejects.toEqual(
      expect.objectContaining({
        code: 'UNSUPPORTED_VALUE',
        message: expect.stringMatching(/it is a Money.*register its class: env\.registerClass\(name, class, \{ encode, decode \}\)/),
      }),
    );
  });
});
