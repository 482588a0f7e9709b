/** The result of one measured run: a line of JSON, the same fields for both engines. METHOD.md says what each counts. */
import type { Workload } from './workload-parameters.js';

export interface LatencyMs {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface Measurement {
  readonly engine: 'millstream' | 'flink';
  readonly workload: Workload;
  readonly parallelism: number;
  readonly records: number;
  /** From the first record read to the last one at a sink. */
  readonly seconds: number;
  readonly recordsPerSecond: number;
  /** From the first record read to the job's end, the final checkpoint included. */
  readonly secondsToJobEnd: number;
  /** All threads of the process, from the first record read to the job's end. */
  readonly cpuSeconds: number;
  readonly recordsPerCpuSecond: number;
  readonly gcSeconds?: number;
  readonly out: number;
  readonly checksum: number;
  readonly checkpointIntervalMs: number;
  /** Completed before the first source subtask had no more input. */
  readonly checkpoints: number;
  readonly checkpointBytes: number;
  readonly lastCheckpointBytes: number;
  readonly forceCodec?: boolean;
  /** On a cluster of so many; else in one process. */
  readonly taskManagers?: number;
  readonly tls?: boolean;
  readonly longestPauseMs?: number;
  readonly rate?: number;
  readonly bufferTimeoutMs?: number;
  readonly latencyMs?: LatencyMs;
  readonly restoredFrom?: string;
}

/** The lines of JSON in a program's output. */
export function parseMeasurements(output: string): Measurement[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Measurement);
}

const millions = (value: number): string => (value / 1e6).toFixed(2);

/** For people. */
export function describeMeasurement(m: Measurement): string {
  const cluster = m.taskManagers === undefined ? '' : ` on ${m.taskManagers} TaskManagers${m.tls === true ? ' with TLS' : ''}`;
  const parts = [
    `${m.workload} P=${m.parallelism} ${m.engine}${cluster}`,
    `${millions(m.recordsPerSecond)} M records/s`,
    `${millions(m.recordsPerCpuSecond)} M per CPU second`,
    `${m.records} records in ${m.seconds} s (CPU ${m.cpuSeconds} s)`,
    `out ${m.out}, checksum ${m.checksum}`,
  ];
  if (m.checkpointIntervalMs > 0) parts.push(`${m.checkpoints} checkpoints, ${millions(m.checkpointBytes)} MB`);
  if (m.latencyMs !== undefined)
    parts.push(`latency ms p50 ${m.latencyMs.p50}, p95 ${m.latencyMs.p95}, p99 ${m.latencyMs.p99}, max ${m.latencyMs.max}`);
  if (m.longestPauseMs !== undefined) parts.push(`longest pause ${m.longestPauseMs} ms`);
  if (m.restoredFrom !== undefined) parts.push('restored from a checkpoint');
  return parts.join('; ');
}
