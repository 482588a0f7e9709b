/**
 * Runs the main job on all flights and compares every row of every query with what DuckDB computes: at parallelism 1, 2 and 4, with a
 * slot that is killed, and stopped and resumed at another parallelism.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ProgramEnd, type ProgramRun, runProgram } from '@millstream/cli';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareResults } from './compare.js';
import { computeExpected } from './expected.js';
import type { FlightResults } from './rows.js';

const data = new URL('../data/', import.meta.resolve('vega-datasets'));
const flights = fileURLToPath(new URL('flights-3m.parquet', data));
const airports = fileURLToPath(new URL('airports.csv', data));
const job = fileURLToPath(new URL('./job.js', import.meta.resolve('@millstream/example-flights')));

let directory: string;
let expected: FlightResults;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-flights-'));
  expected = await computeExpected({ flights, airports });
});

afterAll(() => rmSync(directory, { recursive: true }));

interface RunOptions {
  readonly parallelism: number;
  readonly from?: string;
  /** Called after the nth checkpoint of the run. */
  readonly atCheckpoint?: (count: number, run: ProgramRun) => void;
  readonly atRestart?: () => void;
}

function run(name: string, { parallelism, from, atCheckpoint, atRestart }: RunOptions): Promise<ProgramEnd> {
  let handle: ProgramRun | undefined;
  let checkpoints = 0;
  return runProgram(job, {
    argv: ['--flights', flights, '--airports', airports, '--results', join(directory, name)],
    options: { 'parallelism.default': parallelism, 'execution.checkpointing.dir': join(directory, 'checkpoints') },
    run: from === undefined ? {} : { from },
    progress: 'none',
    onRun: (started) => {
      handle = started;
    },
    observer: {
      checkpointCompleted: () => atCheckpoint?.(++checkpoints, handle as ProgramRun),
      restarting: () => atRestart?.(),
    },
  });
}

describe('the flights job', () => {
  it.each([1, 2, 4])('is exact at parallelism %i', async (parallelism) => {
    const name = `parallelism-${parallelism}`;
    expect((await run(name, { parallelism })).outcome?.type).toBe('finished');
    expect(compareResults(expected, join(directory, name))).toEqual({});
  });

  it('is exact when a slot is killed in mid-run', async () => {
    let restarts = 0;
    const end = await run('crash', {
      parallelism: 2,
      atCheckpoint: (count, handle) => {
        if (count === 2) handle.killSlot(0);
      },
      atRestart: () => restarts++,
    });
    expect(end.outcome?.type).toBe('finished');
    expect(restarts).toBe(1);
    expect(compareResults(expected, join(directory, 'crash'))).toEqual({});
  });

  it.each([
    [2, 3],
    [4, 1],
  ])('is exact when stopped at parallelism %i and resumed at %i', async (before, after) => {
    const name = `resume-${before}-${after}`;
    const stopped = await run(name, {
      parallelism: before,
      atCheckpoint: (count, handle) => {
        if (count === 2) handle.stop();
      },
    });
    if (stopped.outcome?.type !== 'stopped') throw new Error(`Expected a stopped run, got ${stopped.outcome?.type}`);
    expect(compareResults(expected, join(directory, name))).not.toEqual({});
    const resumed = await run(name, { parallelism: after, from: stopped.outcome.checkpoint });
    expect(resumed.outcome?.type).toBe('finished');
    expect(compareResults(expected, join(directory, name))).toEqual({});
  });
});
