/** What pairs say; running them is the bench itself. */
import { expect, test } from 'vitest';
import { type ClusterPair, clusterRowOf, describeClusterRow } from './cluster-pairs.js';
import type { Measurement } from './measurement.js';

function measurement(recordsPerSecond: number, recordsPerCpuSecond: number, checksum = 7): Measurement {
  return {
    engine: 'millstream',
    workload: 'w3',
    parallelism: 2,
    records: 1000,
    seconds: 1,
    secondsToJobEnd: 1,
    cpuSeconds: 1,
    recordsPerSecond,
    recordsPerCpuSecond,
    out: 1000,
    checksum,
    checkpointIntervalMs: 400,
    checkpoints: 5,
    checkpointBytes: 1,
    lastCheckpointBytes: 1,
  };
}

const pairs: readonly ClusterPair[] = [0.7, 0.5, 0.9].map((part) => ({
  oneProcess: measurement(1000, 400),
  cluster: measurement(1000 * part, 200 * part),
}));

test('the median of the pairs counts', () => {
  const row = clusterRowOf(pairs, { taskManagers: 2, tls: false });
  expect(row.wallRatio).toEqual({ median: 0.7, min: 0.5, max: 0.9 });
  expect(row.cpuRatio.median).toBeCloseTo(0.35);
  expect(row.flags).toEqual([]);
  expect(describeClusterRow(row)).toBe(
    'w3 P=2 N=1000 on 2 TaskManagers against one process; records a second 0.70 (0.50–0.90); per CPU second 0.35 (0.25–0.45)',
  );
});

test('a ratio below the goal and results that differ are flagged; with TLS there is no goal', () => {
  const slow = [{ oneProcess: measurement(1000, 400), cluster: measurement(590, 400, 8) }];
  expect(clusterRowOf(slow, { taskManagers: 2, tls: false }).flags).toEqual([
    'results differ: one process 1000/7, cluster 1000/8',
    'below the goal of 0.6',
  ]);
  expect(clusterRowOf(slow, { taskManagers: 2, tls: true }).flags).toHaveLength(1);
});
