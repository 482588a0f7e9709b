import { expect, test } from 'vitest';
import { describeRow, type Pair, rowOf, spreadOf } from './compare.js';
import type { Measurement } from './measurement.js';

function measurement(overrides: Partial<Measurement>): Measurement {
  return {
    engine: 'flink',
    workload: 'w3',
    parallelism: 1,
    records: 30_000_000,
    seconds: 30,
    recordsPerSecond: 1_000_000,
    secondsToJobEnd: 31,
    cpuSeconds: 60,
    recordsPerCpuSecond: 500_000,
    out: 30_000_000,
    checksum: 7,
    checkpointIntervalMs: 3000,
    checkpoints: 9,
    checkpointBytes: 1000,
    lastCheckpointBytes: 100,
    ...overrides,
  };
}

function pair(recordsPerCpuSecond: number, millstream: Partial<Measurement> = {}, flink: Partial<Measurement> = {}): Pair {
  const fast = { engine: 'millstream', recordsPerCpuSecond, recordsPerSecond: 7_000_000, ...millstream } as const;
  return { flink: measurement(flink), millstream: measurement(fast) };
}

test('median and spread', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
  expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
  expect(() => spreadOf([])).toThrow('no values');
});

test('ratios are per pair, and a good row has no flags', () => {
  const row = rowOf([pair(3_000_000), pair(4_000_000), pair(3_500_000, {}, { recordsPerCpuSecond: 250_000 })]);
  expect(row).toMatchObject({ workload: 'w3', parallelism: 1, pairs: 3, goal: 6, flags: [] });
  expect(row.cpuRatio).toEqual({ median: 8, min: 6, max: 14 });
  expect(row.wallRatio.median).toBe(7);
  expect(describeRow(row)).toBe(
    'w3 P=1 N=30000000; per CPU second 8.00 (6.00–14.00), goal 6; wall 7.00 (7.00–7.00); checkpoints at least Flink 9, Millstream 9',
  );
});

test('flags', () => {
  expect(rowOf([pair(2_900_000)]).flags).toEqual(['below the goal of 6']);
  expect(rowOf([pair(3_000_000, { checksum: 8 })]).flags).toEqual(['results differ: Flink 30000000/7, Millstream 30000000/8']);
  expect(rowOf([pair(3_000_000), pair(3_000_000, { checkpoints: 4 })]).flags).toEqual([
    'only 4 checkpoints of millstream before the end of input',
  ]);
  expect(rowOf([pair(3_000_000, {}, { checkpoints: 0 })]).flags).toEqual(['only 0 checkpoints of flink before the end of input']);
});

test('w1 has no checkpoints to flag', () => {
  const w1 = { workload: 'w1', checkpoints: 0 } as const;
  expect(rowOf([pair(500_000, w1, w1)]).flags).toEqual([]);
  expect(rowOf([pair(340_000, w1, w1)]).flags).toEqual(['below the goal of 0.7']);
});

test('w3lat is judged by its p99', () => {
  const latency = (p99: number) => ({ workload: 'w3lat', latencyMs: { p50: 1, p95: 2, p99, max: 9 } }) as const;
  expect(rowOf([pair(1, latency(3), latency(3))]).flags).toEqual([]);
  expect(rowOf([pair(1, latency(3.1), latency(3))]).flags).toEqual(["p99 above Flink's"]);
});

test('scaling is against one slot of the same pair', () => {
  const two = { parallelism: 2 };
  const scaled = (recordsPerSecond: number): Pair => ({ ...pair(2_000_000, two, two), oneSlot: measurement({ recordsPerSecond }) });
  const row = rowOf([scaled(4_000_000), scaled(2_000_000)]);
  expect(row.scaling).toEqual({ median: 2.625, min: 1.75, max: 3.5 });
  expect(row.flags).toEqual([]);
  expect(rowOf([scaled(5_000_000)]).flags).toEqual(['scales below 1.5']);
});
