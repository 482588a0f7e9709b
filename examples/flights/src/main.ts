/**
 * `npm start`: runs the flights job in this process, with progress, and says at the end what is in the results.
 *
 *     npm start -- [--parallelism N] [--results DIRECTORY] [--crash]
 *
 * With --crash a slot is killed in mid-run; the job recovers from its last checkpoint and ends with the same results.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type ProgramRun, runProgram } from '@millstream/cli';
import { MillstreamError } from 'millstream';
import { QUERIES } from './results.js';
import { summarize } from './summary.js';

/** Flights to read before --crash kills a slot. */
const CRASH_AT = 1_000_000;

/** The directory of checkpoints, among the results. */
const CHECKPOINTS = '.checkpoints';

interface Settings {
  readonly parallelism: number;
  readonly results: string;
  readonly crash: boolean;
}

/** Follows a run: when the first results are there, and when it is time to crash. Its notes are for the end: progress has the screen. */
class RunDiary {
  readonly notes: string[] = [];
  checkpoints = 0;
  run: ProgramRun | undefined;
  readonly #settings: Settings;
  readonly #started: number = performance.now();
  /** Flights read, by subtask of the source. */
  readonly #read: Map<number, number> = new Map();
  #firstResults = false;
  #crashed = false;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  seconds(): string {
    return ((performance.now() - this.#started) / 1000).toFixed(1);
  }

  flightsRead(subtask: number, count: number): void {
    this.#read.set(subtask, count);
  }

  checkpointCompleted(): void {
    this.checkpoints++;
    if (!this.#firstResults && hasFiles(join(this.#settings.results, QUERIES.delaysByHour))) {
      this.#firstResults = true;
      this.notes.push(`First results after ${this.seconds()} s.`);
    }
    const read = [...this.#read.values()].reduce((left, right) => left + right, 0);
    if (!this.#settings.crash || this.#crashed || read < CRASH_AT) return;
    this.#crashed = true;
    this.notes.push(`Slot 0 was killed after ${this.seconds()} s and ${read.toLocaleString('en-US')} flights.`);
    this.run?.killSlot(0);
  }

  recovered(from: string | undefined): void {
    this.notes.push(`Recovered after ${this.seconds()} s from ${from === undefined ? 'the beginning' : relative('.', from)}.`);
  }
}

function hasFiles(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).some((name) => name.endsWith('.jsonl'));
}

async function runFlights(settings: Settings): Promise<void> {
  const { parallelism, results } = settings;
  console.log(`3,000,000 flights in the US, January to June 2001, by event time, at parallelism ${parallelism}:
  (a) delays per origin and hour       (b) the ten worst origins of every day
  (c) disruptions within three hours   (d) silences of six hours and more   (e) late records`);
  for (const name of [...Object.values(QUERIES), CHECKPOINTS]) rmSync(join(results, name), { recursive: true, force: true });
  const diary = new RunDiary(settings);
  const { outcome } = await runProgram(fileURLToPath(new URL('./job.js', import.meta.url)), {
    argv: ['--flights', dataFile('flights-3m.parquet'), '--airports', dataFile('airports.csv'), '--results', results],
    options: { 'parallelism.default': parallelism, 'execution.checkpointing.dir': join(results, CHECKPOINTS) },
    onRun: (run) => {
      diary.run = run;
    },
    observer: {
      checkpointCompleted: () => diary.checkpointCompleted(),
      attemptStarted: (attempt, _graph, restoredFrom) => {
        if (attempt > 1) diary.recovered(restoredFrom);
      },
      metrics: (_slot, tasks) => {
        for (const { vertexId, subtask, recordsIn } of tasks) {
          if (vertexId === 'uid:flights') diary.flightsRead(subtask, recordsIn[0] ?? 0);
        }
      },
    },
  });
  if (outcome?.type !== 'finished') return;
  diary.notes.push(`Done after ${diary.seconds()} s, with ${diary.checkpoints} checkpoints.`);
  console.log(`\n${diary.notes.join('\n')}\n\n${await summarize(results)}\n\nResults: ${relative('.', results)}/`);
}

function dataFile(name: string): string {
  return fileURLToPath(new URL(`../data/${name}`, import.meta.resolve('vega-datasets')));
}

try {
  const { values } = parseArgs({
    options: {
      parallelism: { type: 'string', short: 'p', default: '2' },
      results: { type: 'string', default: 'results/flights' },
      crash: { type: 'boolean', default: false },
    },
  });
  await runFlights({ parallelism: Number(values.parallelism), results: values.results, crash: values.crash });
} catch (error) {
  const code = error instanceof MillstreamError ? `${error.code}: ` : '';
  console.error(`${code}${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
