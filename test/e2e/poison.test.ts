/** A record that always fails ends the job after three restarts, wherever each attempt began to read. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runJob } from './run-job.js';

const RECORDS = 4000;
const POISON = 3000;
/** Those behind them wait for the first checkpoint, so that there is one before the poison. */
const FREE = 2000;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-poison-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Restarts where the restart strategy would allow many more; `restoredFrom`: of each attempt. */
async function run(
  parallelism: number,
  parameters: Record<string, string>,
): Promise<{ readonly error: Error & { readonly details?: unknown }; readonly restoredFrom: readonly (string | undefined)[] }> {
  const restoredFrom: (string | undefined)[] = [];
  const until = join(directory, 'go on');
  const error = await runJob('poison', {
    parameters: { records: `${RECORDS}`, poison: `${POISON}`, until, free: `${FREE}`, ...parameters },
    options: {
      'parallelism.default': parallelism,
      'execution.checkpointing.interval': '20 ms',
      'execution.checkpointing.dir': join(directory, 'checkpoints'),
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': 20,
      'restart-strategy.fixed-delay.delay': '1 ms',
    },
    observer: {
      attemptStarted: (_attempt, _graph, from) => restoredFrom.push(from),
      checkpointCompleted: () => writeFileSync(until, ''),
    },
  }).then(
    () => expect.unreachable('the job finished'),
    (failure: unknown) => failure as Error,
  );
  return { error, restoredFrom };
}

describe('a record that fails in every attempt', () => {
  it.each([
    ['collection', 1, `record ${POISON} of split 'collection'`],
    ['generator', 2, `record ${POISON} of split 'index-`],
    ['file', 1, `line ${POISON + 1} of split '0:`],
  ])('of a %s at parallelism %i ends the job after three restarts', async (source, parallelism, position) => {
    const file = join(directory, 'items.jsonl');
    writeFileSync(file, Array.from({ length: RECORDS }, (_, index) => `${JSON.stringify({ index })}\n`).join(''));
    const { error, restoredFrom } = await run(parallelism, { source, file });
    expect(error).toMatchObject({ code: 'POISON_RECORD', details: { operator: 'first', position: expect.stringContaining(position) } });
    expect(error.message).toMatch(/item 3000\. Correct the program/);
    expect(restoredFrom.length).toBe(4);
    // Else it would have been counted from the same place each time.
    expect(restoredFrom[1]).toMatch(/chk-/);
  });

  it.each([1, 2])('behind a shuffle at parallelism %i ends the job after three restarts', async (parallelism) => {
    const { error, restoredFrom } = await run(parallelism, { place: 'shuffle' });
    expect(error).toMatchObject({ code: 'POISON_RECORD', details: { operator: 'behind' } });
    expect(restoredFrom.length).toBe(4);
    expect(restoredFrom[1]).toMatch(/chk-/);
  });

  it('though the source cannot even read it ends the job after three restarts', async () => {
    const file = join(directory, 'items.jsonl');
    const lines = Array.from({ length: RECORDS }, (_, index) => (index === POISON ? '{' : JSON.stringify({ index })));
    writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
    const { error, restoredFrom } = await run(1, { source: 'file', file });
    expect(error).toMatchObject({ code: 'POISON_RECORD', details: { operator: 'items', position: `${file}:${POISON + 1}` } });
    expect(error.message).toContain('The line is not valid JSON');
    expect(restoredFrom.length).toBe(4);
  });
});
