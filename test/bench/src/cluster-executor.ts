/**
 * Runs the bench's jobs on a cluster of real processes on this machine, each started for it: a JobManager, and TaskManagers of one slot,
 * so that whatever goes from one slot to another crosses processes.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCertificates } from '@millstream/cluster';
import { randomToken, systemClock } from 'millstream/cluster';
import { ClusterHarness } from '../../e2e/cluster-harness.js';
import type { BenchJob, Executor, JobEnd, ProcessCpu } from './executor.js';

/** Questions to the JobManager cost its CPU time. */
const POLL_MS = 500;

export interface BenchCluster {
  readonly taskManagers: number;
  /** Between all processes, with a certificate authority of its own. */
  readonly tls: boolean;
}

/** Starts a cluster; `close` ends its processes. */
export async function openClusterExecutor({ taskManagers, tls }: BenchCluster): Promise<Executor> {
  const harness = new ClusterHarness();
  try {
    await harness.start(taskManagers, tls ? await securityOptions(join(harness.directory, 'certificates')) : {});
  } catch (error) {
    await harness.stop();
    throw error;
  }
  return {
    run: async (job) => await runOnCluster(harness, job),
    close: async () => await harness.stop(),
  };
}

async function securityOptions(directory: string): Promise<Record<string, string>> {
  await createCertificates({ directory, certificates: [{ name: 'bench' }] });
  // Processes inherit it; a secret is not taken from a command line.
  process.env.MILLSTREAM_SECURITY__INTERNAL__TOKEN = randomToken();
  return { 'security.ssl.internal.cert-dir': join(directory, 'bench') };
}

async function runOnCluster(harness: ClusterHarness, job: BenchJob): Promise<JobEnd> {
  const { client } = harness;
  const parameters = Object.entries(job.parameters).flatMap(([name, value]) => [`--${name}`, value]);
  const before = clusterCpu(harness);
  const from = job.restoreFrom === undefined ? [] : ['--from', job.restoreFrom];
  const id = await harness.submit(job.program, definitionsOf(job.options), ...from, '--', ...parameters);
  const stop = (): void => void client.cancelJob(id);
  job.signal.addEventListener('abort', stop, { once: true });
  let known = 0;
  for (;;) {
    const state = await client.jobStatus(id);
    const { history } = await client.checkpoints(id);
    const completed = history.filter(({ status, is_savepoint }) => status === 'COMPLETED' && !is_savepoint).reverse();
    for (const { id: epoch, checkpointed_size, external_path } of completed) {
      if (epoch <= known) continue;
      known = epoch;
      job.onCheckpoint({ path: external_path ?? '', bytes: checkpointed_size });
    }
    if (state === 'FINISHED' || state === 'CANCELED') {
      const processes = clusterCpu(harness).map((end, at) => ({ ...end, startMs: before[at]?.startMs ?? 0 }));
      return { end: state === 'FINISHED' ? 'finished' : 'stopped', longestPauseMs: undefined, processes };
    }
    if (state === 'FAILED') {
      const { exceptionHistory } = await client.jobExceptions(id);
      throw new Error(`The job has failed on the cluster: ${exceptionHistory.entries[0]?.stacktrace ?? 'the cluster does not say why'}`);
    }
    await new Promise<void>((resolve) => systemClock.schedule(POLL_MS, resolve));
  }
}

function definitionsOf(options: BenchJob['options']): Record<string, string | number> {
  return Object.fromEntries(Object.entries(options).map(([key, value]) => [key, typeof value === 'boolean' ? String(value) : value]));
}

function clusterCpu({ jobManager, taskManagers }: ClusterHarness): ProcessCpu[] {
  return [jobManager, ...taskManagers].map(({ child: { pid = 0 } }) => {
    const endMs = cpuMsOf(pid);
    return { pid, startMs: endMs, endMs };
  });
}

/** Of Linux's process table, which counts in hundredths of a second. */
const MS_PER_TICK = 10;

/** CPU that all threads of a process have used, ms. */
function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // Behind the name, which may have blanks: state is field 3, user and system time are 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}
