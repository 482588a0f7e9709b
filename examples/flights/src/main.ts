/**
 * `npm start`: runs the flights job in this process, with progress, and says at the end what is in the results.
 *
 *     npm start -- [--parallelism N] [--results DIRECTORY] [--crash]
 *
 * With --crash a slot is killed in mid-run; the job recovers from its last checkpoint and ends with the same results.
 */
import { rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type ProgramRun, runProgram } from '@millstream/cli';
import { summarize } from './summary.js';

const { values } = parseArgs({
  options: {
    parallelism: { type: 'string', short: 'p', default: '2' },
    results: { type: 'string', default: 'results/flights' },
    crash: { type: 'boolean', default: false },
  },
});

/** Flights to read before --crash kills a slot. */
const CRASH_AT = 1_000_000;

const data = new URL('../data/', import.meta.resolve('vega-datasets'));
const results = values.results;
const job = fileURLToPath(new URL('./job.js', import.meta.url));

console.log(`3,000,000 flights in the US, January to June 2001, by event time, at parallelism ${values.parallelism}:
  (a) delays per origin and hour       (b) the ten worst origins of every day
  (c) disruptions within three hours   (d) silences of six hours and more   (e) late records`);

rmSync(results, { recursive: true, force: true });
const started = performance.now();
let run: ProgramRun | undefined;
let checkpoints = 0;
let killed = false;
/** Flights read, by subtask of the source. */
const read = new Map<number, number>();

const { outcome } = await runProgram(job, {
  argv: ['--flights', path('flights-3m.parquet'), '--airports', path('airports.csv'), '--results', results],
  options: { 'parallelism.default': Number(values.parallelism), 'execution.checkpointing.dir': join(results, '.checkpoints') },
  onRun: (started) => {
    run = started;
  },
  observer: {
    checkpointCompleted() {
      checkpoints++;
      if (checkpoints === 1) console.log(`First results after ${seconds()} s.`);
      if (values.crash && !killed && flightsRead() >= CRASH_AT) {
        killed = true;
        console.log(`--crash: killing slot 0 after ${seconds()} s and ${flightsRead().toLocaleString('en-US')} flights.`);
        run?.killSlot(0);
      }
    },
    metrics(_slot, tasks) {
      for (const { vertexId, subtask, recordsIn } of tasks) {
        if (vertexId === 'uid:flights') read.set(subtask, recordsIn[0] ?? 0);
      }
    },
    attemptStarted(attempt, _graph, restoredFrom) {
      if (attempt > 1) console.log(`Recovering: attempt ${attempt} goes on from ${restoredFrom ?? 'the beginning'}.`);
    },
  },
});

if (outcome?.type === 'finished') {
  console.log(
    `\nDone in ${seconds()} s, ${checkpoints} checkpoints.\n\n${await summarize(results)}\n\nResults: ${relative('.', results)}/`,
  );
}

function flightsRead(): number {
  let sum = 0;
  for (const count of read.values()) sum += count;
  return sum;
}

function path(file: string): string {
  return fileURLToPath(new URL(file, data));
}

function seconds(): string {
  return ((performance.now() - started) / 1000).toFixed(1);
}
