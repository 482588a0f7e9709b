/**
 * What a run's sources and sinks measured. They live in several threads, so each subtask leaves a small file in the run's directory:
 *
 *     source-<subtask>-first.json   at its first record       source-<subtask>-end.json   after its last one
 *     sink-<subtask>.json           when its writer is closed
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Histogram } from './histogram.js';

export interface FirstRecordFigures {
  readonly atMs: number;
  /** The source's process, and its CPU so far. */
  readonly pid: number;
  readonly cpuMs: number;
}

export interface EndOfInputFigures {
  readonly atMs: number;
}

export interface SinkFigures {
  readonly count: number;
  readonly checksum: number;
  readonly lastRecordMs: number;
  /** Of latencies; see {@link Histogram}. */
  readonly latencies: ReadonlyArray<readonly [bucket: number, count: number]> | undefined;
}

/** All subtasks together. */
export interface RunFigures {
  readonly firstRecordMs: number;
  /** By process: its CPU when a source in it read its first record. */
  readonly startCpuMs: ReadonlyMap<number, number>;
  /** When the first subtask had no more input: checkpoints that complete later do not count. */
  readonly endOfInputMs: number;
  readonly lastRecordMs: number;
  readonly out: number;
  readonly checksum: number;
  readonly latencies: Histogram | undefined;
}

export function writeFigures(directory: string, name: string, figures: FirstRecordFigures | EndOfInputFigures | SinkFigures): void {
  writeFileSync(join(directory, `${name}.json`), JSON.stringify(figures));
}

/** CPU that all threads of this process have used, ms. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function readAll<T>(directory: string, pattern: RegExp): T[] {
  const found = readdirSync(directory)
    .filter((name) => pattern.test(name))
    .map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')) as T);
  if (found.length === 0) throw new Error(`Cannot measure the run: no file like ${pattern} in '${directory}'. The job ended too early.`);
  return found;
}

/** Reads what a run that has ended left in its directory. */
export function readFigures(directory: string): RunFigures {
  const firsts = readAll<FirstRecordFigures>(directory, /^source-\d+-first\.json$/);
  const ends = readAll<EndOfInputFigures>(directory, /^source-\d+-end\.json$/);
  const sinks = readAll<SinkFigures>(directory, /^sink-\d+\.json$/);
  const latencies = new Histogram();
  for (const sink of sinks) latencies.addAll(sink.latencies ?? []);
  return {
    firstRecordMs: Math.min(...firsts.map((first) => first.atMs)),
    startCpuMs: new Map(firsts.toSorted((left, right) => right.atMs - left.atMs).map(({ pid, cpuMs }) => [pid, cpuMs])),
    endOfInputMs: Math.min(...ends.map((end) => end.atMs)),
    lastRecordMs: Math.max(...sinks.map((sink) => sink.lastRecordMs)),
    out: sinks.reduce((sum, sink) => sum + sink.count, 0),
    checksum: sinks.reduce((sum, sink) => (sum + sink.checksum) | 0, 0),
    latencies: latencies.total === 0 ? undefined : latencies,
  };
}
