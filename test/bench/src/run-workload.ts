/** Runs one workload and tells what it took. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CompletedCheckpoint, Executor, JobEnd } from './executor.js';
import { type RunFigures, readFigures } from './figures.js';
import { readLines } from './line-sink.js';
import type { LatencyMs, Measurement } from './measurement.js';
import { sharedNowMs } from './shared-clock.js';
import { encodeParameters, isStateful, type Workload } from './workload-parameters.js';

const PROGRAM = fileURLToPath(new URL('./program.js', import.meta.url));

export interface RunOptions {
  readonly workload: Workload;
  readonly parallelism: number;
  readonly records: number;
  /** 0: no checkpoints. */
  readonly checkpointMs: number;
  readonly rate: number;
  readonly bufferTimeoutMs: number;
  readonly forceCodec: boolean;
  readonly pauses: boolean;
}

interface TimedCheckpoint extends CompletedCheckpoint {
  readonly atMs: number;
}

interface Execution extends JobEnd {
  readonly endMs: number;
  readonly checkpoints: readonly TimedCheckpoint[];
}

interface ExecutionOptions extends RunOptions {
  readonly dump: boolean;
  readonly figuresDirectory: string;
  readonly checkpointDirectory: string;
  readonly restoreFrom: string | undefined;
  /** Stops the job after so many checkpoints. */
  readonly stopAfterCheckpoints: number;
}

/** Calls `use` with a new directory, which is gone afterwards. */
async function withDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'millstream-bench-'));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function execute(executor: Executor, run: ExecutionOptions): Promise<Execution> {
  const checkpointing = isStateful(run.workload) && run.checkpointMs > 0;
  const checkpoints: TimedCheckpoint[] = [];
  const stop = new AbortController();
  const ended = await executor.run({
    program: PROGRAM,
    parameters: encodeParameters({ ...run, directory: run.figuresDirectory }),
    options: {
      'parallelism.default': run.parallelism,
      'execution.buffer-timeout.interval': run.bufferTimeoutMs,
      'restart-strategy.type': 'none',
      ...(checkpointing && {
        'execution.checkpointing.interval': run.checkpointMs,
        'execution.checkpointing.dir': run.checkpointDirectory,
      }),
    },
    forceCodec: run.forceCodec,
    samplePauses: run.pauses,
    restoreFrom: run.restoreFrom,
    signal: stop.signal,
    onCheckpoint: (checkpoint) => {
      checkpoints.push({ ...checkpoint, atMs: sharedNowMs() });
      if (checkpoints.length === run.stopAfterCheckpoints) stop.abort();
    },
  });
  return { ...ended, endMs: sharedNowMs(), checkpoints };
}

/** Runs the workload to its end. */
export async function runWorkload(executor: Executor, run: RunOptions): Promise<Measurement> {
  return await withDirectory(async (figuresDirectory) =>
    withDirectory(async (checkpointDirectory) => {
      const execution = await execute(executor, {
        ...run,
        dump: false,
        figuresDirectory,
        checkpointDirectory,
        restoreFrom: undefined,
        stopAfterCheckpoints: 0,
      });
      return measurementOf(run, execution, readFigures(figuresDirectory));
    }),
  );
}

/** Runs the workload, stops it after its second checkpoint, and runs it on from there to its end. */
export async function runWithRestore(executor: Executor, run: RunOptions): Promise<Measurement> {
  return await withDirectory(async (checkpointDirectory) => {
    const common = { ...run, dump: false, checkpointDirectory };
    const stopped = await withDirectory((figuresDirectory) =>
      execute(executor, { ...common, figuresDirectory, restoreFrom: undefined, stopAfterCheckpoints: 2 }),
    );
    const last = stopped.checkpoints.at(-1);
    if (stopped.end !== 'stopped' || last === undefined) {
      throw new Error(
        `Cannot restore ${run.workload}: it ended before its second checkpoint (${stopped.checkpoints.length} completed). Ask for more records or a shorter --ckpt.`,
      );
    }
    return await withDirectory(async (figuresDirectory) => {
      const execution = await execute(executor, { ...common, figuresDirectory, restoreFrom: last.path, stopAfterCheckpoints: 0 });
      return { ...measurementOf(run, execution, readFigures(figuresDirectory)), restoredFrom: last.path };
    });
  });
}

/** The results of w4 or w5 as sorted lines of JSON. */
export async function dumpWorkload(executor: Executor, run: RunOptions): Promise<string[]> {
  return await withDirectory(async (figuresDirectory) => {
    const common = { ...run, checkpointMs: 0, dump: true, figuresDirectory, checkpointDirectory: figuresDirectory };
    await execute(executor, { ...common, restoreFrom: undefined, stopAfterCheckpoints: 0 });
    return readLines(figuresDirectory);
  });
}

function latencyOf(figures: RunFigures): LatencyMs | undefined {
  const { latencies } = figures;
  if (latencies === undefined) return undefined;
  return { p50: latencies.quantile(0.5), p95: latencies.quantile(0.95), p99: latencies.quantile(0.99), max: latencies.quantile(1) };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function measurementOf(run: RunOptions, execution: Execution, figures: RunFigures): Measurement {
  const seconds = (figures.lastRecordMs - figures.firstRecordMs) / 1000;
  const cpuMs = execution.processes.map(({ pid, startMs, endMs }) => endMs - (figures.startCpuMs.get(pid) ?? startMs));
  const cpuSeconds = cpuMs.reduce((sum, ms) => sum + ms) / 1000;
  const counted = execution.checkpoints.filter((checkpoint) => checkpoint.atMs < figures.endOfInputMs);
  const latencyMs = latencyOf(figures);
  return {
    engine: 'millstream',
    workload: run.workload,
    parallelism: run.parallelism,
    records: run.records,
    seconds: round(seconds, 3),
    recordsPerSecond: Math.round(run.records / seconds),
    secondsToJobEnd: round((execution.endMs - figures.firstRecordMs) / 1000, 3),
    cpuSeconds: round(cpuSeconds, 2),
    recordsPerCpuSecond: Math.round(run.records / cpuSeconds),
    out: figures.out,
    checksum: figures.checksum,
    checkpointIntervalMs: isStateful(run.workload) ? run.checkpointMs : 0,
    checkpoints: counted.length,
    checkpointBytes: counted.reduce((sum, checkpoint) => sum + checkpoint.bytes, 0),
    lastCheckpointBytes: counted.at(-1)?.bytes ?? 0,
    ...(run.forceCodec && { forceCodec: true }),
    ...(execution.longestPauseMs !== undefined && { longestPauseMs: round(execution.longestPauseMs, 1) }),
    ...(latencyMs !== undefined && { rate: run.rate, bufferTimeoutMs: run.bufferTimeoutMs, latencyMs }),
  };
}
