/** Every operator in one job: the same results at every parallelism, in every execution mode, and with a slot killed in mid-run. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobRun } from 'millstream/cluster';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Line } from '../jobs/every-operator.js';
import { type RunJobOptions, readLines, runJob } from './run-job.js';

const RECORDS = 12_000;
let directory: string;
let reference: Map<string, number>;

async function run(
  name: string,
  parallelism: number,
  options: Omit<RunJobOptions, 'parameters'> = {},
  held: { readonly until?: string } = {},
): Promise<Map<string, number>> {
  const results = join(directory, name);
  const outcome = await runJob('every-operator', {
    ...options,
    parameters: { records: `${RECORDS}`, results, ...held },
    options: { 'parallelism.default': parallelism, ...options.options },
  });
  expect(outcome.type).toBe('finished');
  return counted(readLines<Line>(join(results, 'lines')));
}

function counted(lines: readonly Line[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of lines) {
    const text = JSON.stringify(line);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return counts;
}

/** How two multisets differ, a few lines of it. */
function difference(expected: ReadonlyMap<string, number>, found: ReadonlyMap<string, number>): string[] {
  const lines: string[] = [];
  for (const [text, count] of expected)
    if (found.get(text) !== count) lines.push(`${text}: ${count} expected, ${found.get(text) ?? 0} found`);
  for (const [text, count] of found) if (!expected.has(text)) lines.push(`${text}: ${count} too many`);
  return lines.slice(0, 10);
}

describe('every operator', () => {
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'millstream-e2e-'));
    reference = await run('reference', 1);
  });
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  it('yields what can be told from the input alone', () => {
    const branches = new Map<string, number>();
    for (const [text, count] of reference) {
      const { branch } = JSON.parse(text) as Line;
      branches.set(branch, (branches.get(branch) ?? 0) + count);
    }
    const odd = Array.from({ length: RECORDS }, (_, index) => (index * 7919) % 1000).filter((value) => value % 2 === 1).length;
    const failed = Math.ceil(RECORDS / 97);
    expect(Object.fromEntries(branches)).toMatchObject({
      odd,
      async: RECORDS,
      'async-ordered': RECORDS,
      broadcast: odd,
      'co-map': RECORDS - odd,
      'co-process': RECORDS,
      'count-window': 10 * Math.floor(RECORDS / 10 / 7),
      failed,
      parsed: RECORDS - failed,
      running: RECORDS,
    });
    for (const branch of ['join', 'co-group', 'session', 'sliding', 'states', 'global', 'flat-map', 'rebalance']) {
      expect(branches.get(branch), branch).toBeGreaterThan(0);
    }
  });

  it.each([
    ['interpreted chains and codecs', 2, { run: { codegen: false } }],
    ['keyed edges through the codec', 1, { run: { forceCodec: true } }],
    ['three slots', 3, {}],
    ['no chaining', 2, { options: { 'pipeline.operator-chaining.enabled': false } }],
    ['checked mode', 2, { run: { checked: true } }],
  ] as const)('yields the same with %s', async (name, parallelism, options) => {
    expect(difference(reference, await run(name.replaceAll(' ', '-'), parallelism, options))).toEqual([]);
  });

  it('yields the same with a slot killed in mid-run', async () => {
    let running: JobRun | undefined;
    let completed = 0;
    let attempts = 0;
    const until = join(directory, 'go on');
    const found = await run(
      'killed',
      2,
      {
        options: {
          'execution.checkpointing.interval': '100 ms',
          'execution.checkpointing.dir': join(directory, 'checkpoints'),
          'restart-strategy.type': 'fixed-delay',
          'restart-strategy.fixed-delay.delay': '10 ms',
        },
        onRun: (started) => {
          running = started;
        },
        observer: {
          attemptStarted: () => {
            attempts++;
            if (attempts === 2) writeFileSync(until, '');
          },
          checkpointCompleted: () => {
            completed++;
            if (completed === 1) running?.killSlot(1);
          },
        },
      },
      { until },
    );
    expect(attempts).toBe(2);
    expect(difference(reference, found)).toEqual([]);
  });
});
