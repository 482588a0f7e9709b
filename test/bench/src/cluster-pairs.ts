/** The same parallelism in one process and on a cluster, in alternation; fresh processes for each measurement. */
import type { BenchCluster } from './cluster-executor.js';
import { type Spread, spreadOf } from './compare.js';
import { measureCluster, measureMillstream } from './engines.js';
import { CLUSTER_GOAL } from './goals.js';
import type { Measurement } from './measurement.js';
import type { RunOptions } from './run-workload.js';

export interface ClusterPair {
  readonly oneProcess: Measurement;
  readonly cluster: Measurement;
}

/** The cluster against one process, of each pair. */
export interface ClusterRow {
  readonly workload: Measurement['workload'];
  readonly parallelism: number;
  readonly records: number;
  readonly taskManagers: number;
  readonly tls: boolean;
  readonly pairs: number;
  readonly wallRatio: Spread;
  readonly cpuRatio: Spread;
  /** What is wrong; empty if nothing is. */
  readonly flags: readonly string[];
}

export interface ClusterPairsOptions {
  readonly run: RunOptions;
  readonly cluster: BenchCluster;
  readonly pairs: number;
  readonly onMeasurement: (measurement: Measurement) => void;
}

export async function compareWithCluster({ run, cluster, pairs, onMeasurement }: ClusterPairsOptions): Promise<ClusterRow> {
  const measured: ClusterPair[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const [oneProcess] = await measureMillstream(run, 1);
    if (oneProcess === undefined) throw new Error(`Cannot measure ${run.workload} in one process: it printed no measurement.`);
    onMeasurement(oneProcess);
    const onCluster = await measureCluster(run, cluster);
    onMeasurement(onCluster);
    measured.push({ oneProcess, cluster: onCluster });
  }
  return clusterRowOf(measured, cluster);
}

/** Medians and spread of the pairs. */
export function clusterRowOf(pairs: readonly ClusterPair[], { taskManagers, tls }: BenchCluster): ClusterRow {
  const { workload, parallelism, records } = pairs[0]!.cluster;
  const ratio = (figure: (measurement: Measurement) => number): Spread =>
    spreadOf(pairs.map(({ oneProcess, cluster }) => figure(cluster) / figure(oneProcess)));
  const wallRatio = ratio((measurement) => measurement.recordsPerSecond);
  const flags = pairs.flatMap(({ oneProcess, cluster }) =>
    oneProcess.out === cluster.out && oneProcess.checksum === cluster.checksum
      ? []
      : [`results differ: one process ${oneProcess.out}/${oneProcess.checksum}, cluster ${cluster.out}/${cluster.checksum}`],
  );
  if (!tls && (workload === 'w3' || workload === 'w4') && wallRatio.median < CLUSTER_GOAL) flags.push(`below the goal of ${CLUSTER_GOAL}`);
  const cpuRatio = ratio((measurement) => measurement.recordsPerCpuSecond);
  return { workload, parallelism, records, taskManagers, tls, pairs: pairs.length, wallRatio, cpuRatio, flags };
}

const text = ({ median, min, max }: Spread): string => `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;

/** For people. */
export function describeClusterRow(row: ClusterRow): string {
  const parts = [
    `${row.workload} P=${row.parallelism} N=${row.records} on ${row.taskManagers} TaskManagers${row.tls ? ' with TLS' : ''} against one process`,
    `records a second ${text(row.wallRatio)}`,
    `per CPU second ${text(row.cpuRatio)}`,
  ];
  return `${parts.join('; ')}${row.flags.map((flag) => `\n    ! ${flag}`).join('')}`;
}
