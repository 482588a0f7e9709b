/** Flink and Millstream in alternation, a fresh process for each measurement, and what the pairs say. */
import { buildFlink, measureFlink, measureMillstream } from './engines.js';
import { CHECKPOINTS_AT_LEAST, ratioGoal, scalingGoal } from './goals.js';
import type { Measurement } from './measurement.js';
import type { RunOptions } from './run-workload.js';
import { isStateful } from './workload-parameters.js';

export interface Pair {
  readonly flink: Measurement;
  readonly millstream: Measurement;
  /** Millstream at parallelism 1, where scaling has a goal. */
  readonly oneSlot?: Measurement;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** One workload at one parallelism. */
export interface Row {
  readonly workload: Measurement['workload'];
  readonly parallelism: number;
  readonly records: number;
  readonly pairs: number;
  /** Millstream to Flink, of each pair. */
  readonly cpuRatio: Spread;
  readonly wallRatio: Spread;
  /** Millstream's records a second to those of one slot. */
  readonly scaling: Spread | undefined;
  readonly recordsPerCpuSecond: { readonly flink: Spread; readonly millstream: Spread };
  readonly recordsPerSecond: { readonly flink: Spread; readonly millstream: Spread };
  readonly checkpoints: { readonly flink: Spread; readonly millstream: Spread };
  readonly latencyP99Ms: { readonly flink: Spread; readonly millstream: Spread } | undefined;
  readonly goal: number | undefined;
  /** What is wrong with the row; empty if nothing is. */
  readonly flags: readonly string[];
}

export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error('Cannot tell the median of no values.');
  const sorted = [...values].sort((left, right) => left - right);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

function flagsOf(row: Omit<Row, 'flags'>, pairs: readonly Pair[]): string[] {
  const flags: string[] = [];
  for (const { flink, millstream } of pairs) {
    if (flink.out !== millstream.out || flink.checksum !== millstream.checksum) {
      flags.push(`results differ: Flink ${flink.out}/${flink.checksum}, Millstream ${millstream.out}/${millstream.checksum}`);
    }
  }
  if (row.goal !== undefined && row.cpuRatio.median < row.goal) flags.push(`below the goal of ${row.goal}`);
  const scaling = scalingGoal(row.workload, row.parallelism);
  if (row.scaling !== undefined && scaling !== undefined && row.scaling.median < scaling.atLeast)
    flags.push(`scales below ${scaling.atLeast}`);
  if (isStateful(row.workload)) {
    for (const engine of ['flink', 'millstream'] as const) {
      const { min } = row.checkpoints[engine];
      if (min < CHECKPOINTS_AT_LEAST) flags.push(`only ${min} checkpoints of ${engine} before the end of input`);
    }
  }
  if (row.latencyP99Ms !== undefined && row.latencyP99Ms.millstream.median > row.latencyP99Ms.flink.median) flags.push("p99 above Flink's");
  return flags;
}

/** Medians and spread of the pairs of one workload at one parallelism. */
export function rowOf(pairs: readonly Pair[]): Row {
  const { workload, parallelism, records } = pairs[0]!.millstream;
  const each = (figure: (pair: Pair) => number): Spread => spreadOf(pairs.map(figure));
  const both = (figure: (measurement: Measurement) => number): { flink: Spread; millstream: Spread } => ({
    flink: each(({ flink }) => figure(flink)),
    millstream: each(({ millstream }) => figure(millstream)),
  });
  const p99 = (measurement: Measurement): number => measurement.latencyMs?.p99 ?? Number.NaN;
  const row = {
    workload,
    parallelism,
    records,
    pairs: pairs.length,
    cpuRatio: each(({ flink, millstream }) => millstream.recordsPerCpuSecond / flink.recordsPerCpuSecond),
    wallRatio: each(({ flink, millstream }) => millstream.recordsPerSecond / flink.recordsPerSecond),
    checkpoints: both((measurement) => measurement.checkpoints),
    latencyP99Ms: workload === 'w3lat' ? both(p99) : undefined,
    scaling: pairs.every(({ oneSlot }) => oneSlot !== undefined)
      ? each(({ millstream, oneSlot }) => millstream.recordsPerSecond / oneSlot!.recordsPerSecond)
      : undefined,
    recordsPerCpuSecond: both((measurement) => measurement.recordsPerCpuSecond),
    recordsPerSecond: both((measurement) => measurement.recordsPerSecond),
    goal: ratioGoal(workload, parallelism),
  };
  return { ...row, flags: flagsOf(row, pairs) };
}

const ratio = ({ median, min, max }: Spread): string => `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;

/** A line of the table that `compare` prints. */
export function describeRow(row: Row): string {
  const parts = [
    `${row.workload} P=${row.parallelism} N=${row.records}`,
    `per CPU second ${ratio(row.cpuRatio)}${row.goal === undefined ? '' : `, goal ${row.goal}`}`,
    `wall ${ratio(row.wallRatio)}`,
  ];
  if (isStateful(row.workload))
    parts.push(`checkpoints at least Flink ${row.checkpoints.flink.min}, Millstream ${row.checkpoints.millstream.min}`);
  if (row.latencyP99Ms !== undefined)
    parts.push(`p99 ms Flink ${ratio(row.latencyP99Ms.flink)}, Millstream ${ratio(row.latencyP99Ms.millstream)}`);
  if (row.scaling !== undefined) parts.push(`against one slot ${ratio(row.scaling)}`);
  return `${parts.join('; ')}${row.flags.map((flag) => `\n    ! ${flag}`).join('')}`;
}

export interface CompareOptions {
  /** One for each workload and parallelism, with Millstream's checkpoint interval. */
  readonly runs: readonly RunOptions[];
  readonly flinkCheckpointMs: number;
  readonly pairs: number;
  readonly onPair: (pair: Pair, number: number) => void;
  readonly onRow: (row: Row) => void;
}

async function measurePair(run: RunOptions, flinkCheckpointMs: number): Promise<Pair> {
  const flink = await measureFlink({ ...run, checkpointMs: flinkCheckpointMs });
  const millstream = await measureOnce(run);
  const scaling = scalingGoal(run.workload, run.parallelism);
  if (scaling === undefined) return { flink, millstream };
  return { flink, millstream, oneSlot: await measureOnce({ ...run, parallelism: 1, forceCodec: scaling.forceCodec }) };
}

async function measureOnce(run: RunOptions): Promise<Measurement> {
  const [measurement] = await measureMillstream(run, 1);
  if (measurement === undefined) throw new Error(`Cannot compare ${run.workload}: Millstream printed no measurement.`);
  return measurement;
}

export async function compare({ runs, flinkCheckpointMs, pairs, onPair, onRow }: CompareOptions): Promise<Row[]> {
  await buildFlink();
  const rows: Row[] = [];
  for (const run of runs) {
    const measured: Pair[] = [];
    for (let i = 0; i < pairs; i++) {
      const pair = await measurePair(run, flinkCheckpointMs);
      measured.push(pair);
      onPair(pair, i);
    }
    const row = rowOf(measured);
    rows.push(row);
    onRow(row);
  }
  return rows;
}
