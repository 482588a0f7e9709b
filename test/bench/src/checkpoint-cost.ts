/** `bench checkpoint-cost`: w3 with checkpoints and without them, in alternation, and how many keys change from one checkpoint to the next. */
import { measureMillstream } from './engines.js';
import { bid, eventOfBid } from './generator.js';
import type { Measurement } from './measurement.js';
import type { RunOptions } from './run-workload.js';

export interface CheckpointCost {
  readonly checkpointMs: number;
  /** Of the medians: with checkpoints to without, records a second. */
  readonly throughputRatio: number;
  readonly recordsPerSecond: { readonly with: number; readonly without: number };
  /** Of the medians: records per CPU second, which other processes disturb less. */
  readonly cpuRatio: number;
  /** Keys that the whole input has. */
  readonly keys: number;
  /** Different keys between two checkpoints, in the mean, per second. */
  readonly dirtyKeysPerSecond: number;
  /** Of the last checkpoint before the end of the input. */
  readonly checkpointBytes: number;
  readonly checkpoints: number;
}

export async function measureCheckpointCost(
  records: number,
  parallelism: number,
  checkpointMs: number,
  pairs: number,
  onMeasurement: (measurement: Measurement) => void,
): Promise<CheckpointCost> {
  const run: RunOptions = {
    workload: 'w3',
    parallelism,
    records,
    checkpointMs,
    rate: 0,
    bufferTimeoutMs: 100,
    forceCodec: false,
    pauses: false,
  };
  const withThem: Measurement[] = [];
  const without: Measurement[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    for (const [list, interval] of [
      [withThem, checkpointMs],
      [without, 0],
    ] as const) {
      const [measurement] = await measureMillstream({ ...run, checkpointMs: interval }, 1);
      if (measurement === undefined) throw new Error('Cannot measure: the run printed nothing.');
      list.push(measurement);
      onMeasurement(measurement);
    }
  }
  const rates = { with: median(withThem, 'recordsPerSecond'), without: median(without, 'recordsPerSecond') };
  const last = withThem.at(-1) as Measurement;
  return {
    checkpointMs,
    throughputRatio: Number((rates.with / rates.without).toFixed(3)),
    recordsPerSecond: rates,
    cpuRatio: Number((median(withThem, 'recordsPerCpuSecond') / median(without, 'recordsPerCpuSecond')).toFixed(3)),
    ...countKeys(records, Math.max(1, Math.round((rates.with * checkpointMs) / 1000)), checkpointMs),
    checkpointBytes: last.lastCheckpointBytes,
    checkpoints: last.checkpoints,
  };
}

function median(measurements: readonly Measurement[], figure: 'recordsPerSecond' | 'recordsPerCpuSecond'): number {
  const rates = measurements.map((measurement) => measurement[figure]).sort((left, right) => left - right);
  return rates[Math.floor(rates.length / 2)] as number;
}

/** Counts the keys of the input, whole and in stretches as long as the distance between two checkpoints. */
export function countKeys(records: number, stretch: number, checkpointMs: number): Pick<CheckpointCost, 'keys' | 'dirtyKeysPerSecond'> {
  const all = new Set<number>();
  const current = new Set<number>();
  let dirty = 0;
  let stretches = 0;
  for (let index = 0; index < records; index++) {
    const { auction } = bid(eventOfBid(index));
    all.add(auction);
    current.add(auction);
    if ((index + 1) % stretch !== 0) continue;
    dirty += current.size;
    stretches++;
    current.clear();
  }
  const mean = stretches === 0 ? current.size : dirty / stretches;
  return { keys: all.size, dirtyKeysPerSecond: Math.round((mean * 1000) / checkpointMs) };
}

export function describeCheckpointCost(cost: CheckpointCost): string {
  const { throughputRatio, cpuRatio, checkpointMs, recordsPerSecond, keys, dirtyKeysPerSecond, checkpoints, checkpointBytes } = cost;
  return (
    `w3 with checkpoints every ${checkpointMs} ms has ${throughputRatio} of the throughput without ` +
    `(${recordsPerSecond.with} to ${recordsPerSecond.without} records a second; ${cpuRatio} per CPU second); ${keys} keys, ${dirtyKeysPerSecond} dirty ones a second; ` +
    `${checkpoints} checkpoints, the last of ${(checkpointBytes / 1e6).toFixed(1)} MB`
  );
}
