/** The process of one measurement: a warm-up, then the measured runs, a line of JSON each. Its argument is a {@link RunOneRequest}. */
import { type BenchCluster, openClusterExecutor } from './cluster-executor.js';
import { openExecutor } from './executor.js';
import { dumpWorkload, type RunOptions, runWithRestore, runWorkload } from './run-workload.js';

export interface RunOneRequest {
  readonly run: RunOptions;
  readonly mode: 'measure' | 'restore' | 'dump';
  readonly warmUpRecords: number;
  readonly runs: number;
  /** Not set: in this process. */
  readonly cluster?: BenchCluster;
}

async function main(request: RunOneRequest): Promise<void> {
  const { run, mode, warmUpRecords, runs } = request;
  const executor = request.cluster === undefined ? openExecutor() : await openClusterExecutor(request.cluster);
  try {
    if (mode === 'dump') {
      for (const line of await dumpWorkload(executor, run)) process.stdout.write(`${line}\n`);
      return;
    }
    if (warmUpRecords > 0) await runWorkload(executor, { ...run, records: warmUpRecords });
    for (let i = 0; i < runs; i++) {
      process.stdout.write(`${JSON.stringify(await runWorkload(executor, run))}\n`);
      if (mode === 'restore') process.stdout.write(`${JSON.stringify(await runWithRestore(executor, run))}\n`);
    }
  } finally {
    await executor.close();
  }
}

await main(JSON.parse(process.argv[2] ?? '{}') as RunOneRequest);
