/** However an attempt ends, the functions of the slots that still live are closed. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobRun } from 'millstream/cluster';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunJobOptions, runJob } from './run-job.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-closing-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** What the functions wrote down: "open subtask 0 of attempt 1", sorted. */
function written(): string[] {
  const log = join(directory, 'log');
  return existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n').sort() : [];
}

function lines(what: 'open' | 'close', attempts: readonly number[], subtasks: readonly number[]): string[] {
  return attempts.flatMap((attempt) => subtasks.map((subtask) => `${what} subtask ${subtask} of attempt ${attempt}`)).sort();
}

async function run(
  parallelism: number,
  parameters: Record<string, string>,
  options: Partial<RunJobOptions> = {},
): Promise<{ readonly end: unknown; readonly notClosed: readonly string[] }> {
  const notClosed: string[] = [];
  const end = await runJob('closing', {
    parameters: { log: join(directory, 'log'), ...parameters },
    ...options,
    options: { 'parallelism.default': parallelism, ...options.options },
    observer: { closeFailed: (error) => notClosed.push(`${error.code}: ${error.message}`), ...options.observer },
  }).catch((error: unknown) => error);
  return { end, notClosed };
}

const SUBTASKS: { readonly [parallelism: number]: readonly number[] } = { 1: [0], 2: [0, 1] };

describe.each([1, 2])('at parallelism %i functions are closed', (parallelism) => {
  const subtasks = SUBTASKS[parallelism] as readonly number[];

  it('after a failure, in every attempt', async () => {
    const { end, notClosed } = await run(
      parallelism,
      { fail: '30' },
      {
        options: {
          'restart-strategy.type': 'fixed-delay',
          'restart-strategy.fixed-delay.attempts': 1,
          'restart-strategy.fixed-delay.delay': '1 ms',
        },
      },
    );
    expect(end).toMatchObject({ code: 'OPERATOR_FAILED', message: expect.stringContaining('number 30') });
    // Subtask 0 is a region of its own: the other one goes on.
    const both = (what: 'open' | 'close'): string[] => [...lines(what, [1], subtasks), ...lines(what, [2], [0])].sort();
    expect(written()).toEqual([...both('close'), ...both('open')]);
    expect(notClosed).toEqual([]);
  });

  it('after a cancel', async () => {
    let job: JobRun | undefined;
    const { end } = await run(
      parallelism,
      {},
      {
        onRun: (started) => {
          job = started;
        },
        observer: { running: () => job?.cancel() },
      },
    );
    expect(end).toMatchObject({ type: 'cancelled' });
    expect(written()).toEqual([...lines('close', [1], subtasks), ...lines('open', [1], subtasks)]);
  });

  it('and what close throws is reported, and hides neither the failure nor another close', async () => {
    const { end, notClosed } = await run(parallelism, { fail: '30', close: 'throws' });
    expect(end).toMatchObject({ code: 'OPERATOR_FAILED', message: expect.stringContaining('number 30') });
    expect(written()).toEqual([...lines('close', [1], subtasks), ...lines('open', [1], subtasks)]);
    expect([...notClosed].sort()).toEqual(
      subtasks.map((subtask) => expect.stringMatching(`^OPERATOR_FAILED: .*the connection of subtask ${subtask} of attempt 1 is gone`)),
    );
  });
});

describe('a slot', () => {
  it('that was killed is not waited for; the other one is closed', async () => {
    let job: JobRun | undefined;
    const { end, notClosed } = await run(
      2,
      {},
      {
        onRun: (started) => {
          job = started;
        },
        observer: { running: () => job?.killSlot(0) },
      },
    );
    expect(end).toMatchObject({ code: 'SLOT_LOST' });
    expect(written().filter((line) => line.startsWith('close'))).toEqual(['close subtask 1 of attempt 1']);
    expect(notClosed).toEqual([]);
  });

  // The timeout is 10 s.
  it('that hangs in a function is ended after a time; the other one is closed', async () => {
    // Number 30 is read by subtask 0, number 31 by subtask 1.
    const { end, notClosed } = await run(2, { block: '30', fail: '31' });
    expect(end).toMatchObject({ code: 'OPERATOR_FAILED', message: expect.stringContaining('number 31') });
    expect(written().filter((line) => line.startsWith('close'))).toEqual(['close subtask 1 of attempt 1']);
    expect(notClosed).toEqual([expect.stringMatching(/^CLOSE_TIMEOUT: Cannot close slot 0 .* within 10 s/)]);
  });
});
