/** The job running-counts on a cluster in this process, held until a test has done what it does in mid-run. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JobMaster } from 'millstream/cluster';
import type { RunningCount } from '../jobs/running-counts.js';
import { expectCountsOnce } from './expect-counts.js';
import { directory, type MemoryCluster } from './memory-cluster.js';
import { readLines } from './run-job.js';

const RECORDS = 60_000;
const KEYS = 100;
const PROGRAM = new URL('../dist/jobs/running-counts.js', import.meta.url).href;

export interface HeldJob {
  readonly job: JobMaster;
  /** Of its checkpoints. */
  readonly checkpoints: string;
  /** Lets it come to its end. */
  release(): void;
  expectExactlyOnce(): void;
}

/** In each attempt most records wait for the release. */
export async function submitHeldJob(
  cluster: MemoryCluster,
  parallelism: number,
  options: Readonly<Record<string, unknown>> = {},
): Promise<HeldJob> {
  const checkpoints = directory();
  const results = directory();
  const until = join(directory(), 'until');
  const parameters = { records: RECORDS, keys: KEYS, results, until, free: RECORDS / 50 };
  const job = await cluster.jobManager.submit({
    content: new TextEncoder().encode(`export { default } from ${JSON.stringify(PROGRAM)};`),
    argv: ['running-counts.js', ...Object.entries(parameters).flatMap(([name, value]) => [`--${name}`, `${value}`])],
    options: {
      'parallelism.default': parallelism,
      'execution.checkpointing.interval': 50,
      'execution.checkpointing.dir': checkpoints,
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': 3,
      'restart-strategy.fixed-delay.delay': 10,
      ...options,
    },
    run: {},
  });
  return {
    job,
    checkpoints,
    release: () => writeFileSync(until, ''),
    expectExactlyOnce: () => expectCountsOnce(readLines<RunningCount>(join(results, 'running')), { records: RECORDS, keys: KEYS }),
  };
}
