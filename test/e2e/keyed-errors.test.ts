/** Records that keyed operators refuse leave nothing behind: results, state and timers are those of the other records, exactly once. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobRun } from 'millstream/cluster';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fails, type Line } from '../jobs/keyed-errors.js';
import { type RunJobOptions, readLines, runJob } from './run-job.js';

const RECORDS = 30_000;
const KEYS = 20;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-errors-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function run(
  parallelism: number,
  held: { readonly until?: string },
  settings: Omit<RunJobOptions, 'parameters' | 'options'>,
): Promise<string[]> {
  const results = join(directory, 'results');
  const outcome = await runJob('keyed-errors', {
    parameters: { records: `${RECORDS}`, keys: `${KEYS}`, results, ...held },
    options: {
      'parallelism.default': parallelism,
      'execution.checkpointing.interval': '50 ms',
      'execution.checkpointing.dir': join(directory, 'checkpoints'),
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': 5,
      'restart-strategy.fixed-delay.delay': '10 ms',
    },
    ...settings,
  });
  expect(outcome.type).toBe('finished');
  return readLines<Line>(results)
    .map((line) => JSON.stringify(line))
    .sort();
}

function expectedLines(): string[] {
  const lines: Line[] = [];
  const totals = Array.from({ length: KEYS }, () => ({ count: 0, sum: 0 }));
  const windows = new Map<string, { key: number; count: number; sum: number }>();
  for (let id = 0; id < RECORDS; id++) {
    const key = id % KEYS;
    if (fails(id)) {
      for (const of of ['running', 'window']) lines.push({ what: `failed ${of}`, id, error: `event ${id} is refused` });
      continue;
    }
    const total = totals[key] as { count: number; sum: number };
    total.count++;
    total.sum += id;
    lines.push({ what: 'running', key, count: total.count });
    const window = `${Math.floor(id / 1000)} ${key}`;
    const { count = 0, sum = 0 } = windows.get(window) ?? {};
    windows.set(window, { key, count: count + 1, sum: sum + id });
  }
  totals.forEach(({ count, sum }, key) => {
    lines.push({ what: 'total', key, time: 'Infinity', count, sum, listed: count, ids: sum });
  });
  for (const window of windows.values()) lines.push({ what: 'window', ...window });
  return lines.map((line) => JSON.stringify(line)).sort();
}

describe('keyed operators with onError', () => {
  it.each([
    [1, {}],
    [2, {}],
    [2, { codegen: false }],
    [1, { checked: true }],
  ] as const)('yield what the other records yield, at parallelism %i with %j', async (parallelism, settings) => {
    expect(await run(parallelism, {}, { run: settings })).toEqual(expectedLines());
  });

  it('do so with slots killed in mid-run', async () => {
    let started: JobRun | undefined;
    let attempts = 0;
    let completed = 0;
    const until = join(directory, 'go on');
    // However slow checkpoints are, the input has not ended before the second kill.
    const lines = await run(
      2,
      { until },
      {
        onRun: (jobRun) => {
          started = jobRun;
        },
        observer: {
          attemptStarted: () => {
            attempts++;
            completed = 0;
            if (attempts === 3) writeFileSync(until, '');
          },
          checkpointCompleted: () => {
            if (++completed === 2 && attempts <= 2) started?.killSlot(attempts % 2);
          },
        },
      },
    );
    expect(attempts).toBe(3);
    expect(lines).toEqual(expectedLines());
  });
});
