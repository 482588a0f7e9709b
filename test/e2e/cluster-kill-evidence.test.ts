/** What is told from files: the step of a checkpoint that came last, and how many records are read again. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemClock } from 'millstream/cluster';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ReaderProgress } from '../jobs/progress-source.js';
import { pause } from './cluster-harness.js';
import { atStep, type JobPlaces, lastStep, PHASES, replayedRecords } from './cluster-kill-evidence.js';

let directory: string;
let places: JobPlaces;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-evidence-'));
  places = { job: join(directory, 'job'), results: join(directory, 'results'), traces: join(directory, 'traces') };
  for (const sub of ['job/shared', 'results', 'traces/barriers']) mkdirSync(join(directory, sub), { recursive: true });
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const SIGNS = ['traces/barriers/0', 'job/shared/a-1.keyed', 'job/chk-1/_metadata', 'job/job.3', 'results/part-0.jsonl'];

function leave(path: string): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), 'x');
}

it('the last step before a moment is found', async () => {
  const moments: number[] = [];
  for (const sign of SIGNS) {
    leave(sign);
    // The system notes times in steps of some milliseconds.
    await pause();
    moments.push(systemClock.now());
    await pause();
  }
  expect(moments.map((moment) => lastStep(places, moment))).toEqual(PHASES);
  leave('job/chk-1/older');
  leave('results/part-1.jsonl.pending');
  expect(lastStep(places, Number.POSITIVE_INFINITY)).toBe('committing sinks');
});

it.each(PHASES.map((phase, index) => [phase, SIGNS[index] as string] as const))('a step is waited for: %s', async (phase, sign) => {
  let seen = 0;
  const waiting = atStep(phase, places, () => ++seen === 1);
  leave(sign);
  await waiting;
  expect(seen).toBe(1);
});

it('records are counted that the next attempt reads again', () => {
  const reader = (splits: ReaderProgress['splits']): ReaderProgress => ({ subtask: 0, openedAt: 0, emittedAt: 0, splits });
  const before = [reader({ even: { first: 0, next: 100, step: 2 } }), reader({ odd: { first: 1, next: 51, step: 2 } })];
  const after = [reader({ even: { first: 80, next: 84, step: 2 } }), reader({ odd: { first: 51, next: 61, step: 2 } })];
  expect(replayedRecords(before, after)).toBe(10);
  expect(replayedRecords([], after)).toBe(0);
});
