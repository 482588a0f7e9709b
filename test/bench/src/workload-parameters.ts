/** What one run of a workload is given; travels to the slots as the job's parameters. */

export const WORKLOADS = ['w1', 'w2', 'w3', 'w3lat', 'w4', 'w5'] as const;
export type Workload = (typeof WORKLOADS)[number];

/** w1 and w2 have no state: they run without checkpoints, on both sides. */
export function isStateful(workload: Workload): boolean {
  return workload !== 'w1' && workload !== 'w2';
}

export interface WorkloadParameters {
  readonly workload: Workload;
  /** Bids; mixed events for w5. */
  readonly records: number;
  /** Records a second, open loop; 0: as fast as it goes. Used by w3lat only. */
  readonly rate: number;
  /** Where sources and sinks leave their figures; a new, empty directory for each run. */
  readonly directory: string;
  /** w4 and w5 write their results as lines of JSON instead of counting them. */
  readonly dump: boolean;
}

/** As a job's parameters. */
export function encodeParameters({ workload, records, rate, directory, dump }: WorkloadParameters): Record<string, string> {
  return { workload, records: String(records), rate: String(rate), directory, dump: String(dump) };
}

/** From a job's parameters. */
export function decodeParameters(encoded: Readonly<Record<string, string>>): WorkloadParameters {
  const workload = WORKLOADS.find((name) => name === encoded.workload);
  const directory = encoded.directory;
  if (workload === undefined || directory === undefined) {
    throw new Error(`Cannot build workload '${encoded.workload}' with directory '${directory}': workloads are ${WORKLOADS.join(', ')}.`);
  }
  return {
    workload,
    records: Number(encoded.records),
    rate: Number(encoded.rate),
    directory,
    dump: encoded.dump === 'true',
  };
}
