/** Commands that ask a running cluster: list, info, cancel, stop, savepoint, and `run --jobmanager`. */
import { basename } from 'node:path';
import { type ErrorCode, MillstreamError } from 'millstream';
import {
  type ClusterClient,
  ENDED_JOB_STATES,
  type ExceptionInfo,
  type JobState,
  SIGNAL_EXIT_CODES,
  systemClock,
} from 'millstream/cluster';
import { bundleForCluster } from './bundle.js';
import { type ConnectionFlags, clusterClient } from './client-configuration.js';
import { onInterrupt } from './interrupts.js';
import { WrongUsage } from './report-error.js';

/** Options that all these commands have. */
export interface ClusterFlags extends ConnectionFlags {
  readonly json?: true;
}

const POLL_MS = 200;

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export async function listCommand(flags: ClusterFlags): Promise<void> {
  const jobs = await (await clusterClient(flags)).jobsOverview();
  if (flags.json === true) return print(jobs);
  if (jobs.length === 0) process.stdout.write('No jobs.\n');
  for (const job of jobs) {
    process.stdout.write(`${job.jid}  ${job.state.padEnd(11)} ${new Date(job['start-time']).toISOString()}  ${job.name}\n`);
  }
}

export async function infoCommand(job: string, flags: ClusterFlags): Promise<void> {
  const client = await clusterClient(flags);
  const details = await client.job(job);
  if (flags.json === true) return print(details);
  process.stdout.write(`${details.name}  ${details.state}  ${(details.duration / 1000).toFixed(1)} s\n`);
  for (const vertex of details.vertices) {
    process.stdout.write(`  ${vertex.name}  ${vertex.parallelism} subtasks  ${vertex.status}  ${vertex.metrics['read-records']} records\n`);
  }
  const newest = (await client.jobExceptions(job, 1)).exceptionHistory.entries[0];
  if (newest !== undefined) process.stdout.write(`  ${newest.exceptionName}: ${newest.stacktrace.split('\n')[0] ?? ''}\n`);
}

export async function cancelCommand(job: string, flags: ClusterFlags): Promise<void> {
  const client = await clusterClient(flags);
  await client.cancelJob(job);
  report(flags, { job, state: await endOf(client, job) });
}

export async function disposeCommand(path: string, job: string | undefined, flags: ClusterFlags): Promise<void> {
  if (job !== undefined) throw new WrongUsage('Cannot take a savepoint and dispose of one at once: leave out the job, or --dispose.');
  const client = await clusterClient(flags);
  const trigger = await client.triggerSavepointDisposal({ 'savepoint-path': path });
  await client.completed(async () => await client.savepointDisposalOperation(trigger));
  report(flags, { disposed: path });
}

export async function savepointCommand(job: string | undefined, directory: string | undefined, flags: ClusterFlags): Promise<void> {
  if (job === undefined)
    throw new WrongUsage('Cannot take a savepoint: name the job to take it of, or one to remove with --dispose <path>.');
  const client = await clusterClient(flags);
  const trigger = await client.triggerSavepoint(job, directory === undefined ? {} : { 'target-directory': directory });
  const { location } = await client.completed(async () => await client.savepointOperation(job, trigger));
  report(flags, { job, savepoint: location });
}

export async function stopCommand(
  job: string,
  flags: ClusterFlags & { readonly savepointPath?: string; readonly drain?: true },
): Promise<void> {
  const client = await clusterClient(flags);
  const trigger = await client.stopWithSavepoint(job, {
    ...(flags.savepointPath !== undefined && { targetDirectory: flags.savepointPath }),
    drain: flags.drain === true,
  });
  const { location } = await client.completed(async () => await client.savepointOperation(job, trigger));
  report(flags, { job, savepoint: location });
}

export async function scaleCommand(job: string, flags: ClusterFlags & { readonly parallelism: number }): Promise<void> {
  const client = await clusterClient(flags);
  const [requirements, config] = await Promise.all([client.resourceRequirements(job), client.jobConfig(job)]);
  const before = Math.max(...Object.values(requirements).map(({ parallelism }) => parallelism.upperBound));
  const following = Object.entries(requirements).map(([id, { parallelism }]) => {
    const wanted = parallelism.upperBound === before ? flags.parallelism : parallelism.upperBound;
    return [id, { parallelism: { lowerBound: 1, upperBound: wanted } }] as const;
  });
  await client.updateResourceRequirements(job, Object.fromEntries(following));
  report(flags, { job, name: config.name, parallelism: `${flags.parallelism}` });
}

/** What `run --jobmanager` needs of the flags of `run`. */
export interface SubmitFlags extends ClusterFlags {
  readonly parallelism?: number;
  readonly from?: string;
  readonly allowNonRestoredState?: true;
  readonly detached?: true;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Bundles a program, uploads it and starts its job; unless detached, waits for the job's end. */
export async function submitCommand(path: string, argv: readonly string[], flags: SubmitFlags): Promise<void> {
  const client = await clusterClient(flags);
  const content = new TextEncoder().encode(await bundleForCluster(path));
  const name = `${basename(path)
    .replace(/\.[cm]?[jt]sx?$/, '')
    .replace(/[^A-Za-z0-9._-]/g, '_')}.mjs`;
  const artifact = await client.uploadArtifact({ name, content: chunksOf(content) });
  const job = await client.runArtifact(artifact.id, {
    programArgsList: [...argv],
    configuration: Object.fromEntries(Object.entries(flags.options).map(([key, value]) => [key, String(value)])),
    ...(flags.parallelism !== undefined && { parallelism: flags.parallelism }),
    ...(flags.from !== undefined && { savepointPath: flags.from }),
    ...(flags.allowNonRestoredState === true && { allowNonRestoredState: true }),
  });
  process.stderr.write(`Job ${job} is submitted.\n`);
  if (flags.detached === true) return report(flags, { job });
  onInterrupt(
    () => {
      process.stderr.write(`Job ${job} goes on. To end it: millstream cancel ${job}\n`);
      process.exit(SIGNAL_EXIT_CODES.SIGINT);
    },
    () => undefined,
  );
  const state = await endOf(client, job);
  report(flags, { job, state });
  if (state === 'FINISHED') return;
  const newest = (await client.jobExceptions(job, 1)).exceptionHistory.entries[0];
  if (state !== 'FAILED' || newest === undefined) throw new MillstreamError('JOB_STOPPED', `Job ${job} is ${state}.`);
  throw jobFailure(job, newest);
}

/** What a job failed with, as if it had been thrown here: its code, and of its stack the lines that are the user's. */
function jobFailure(job: string, { exceptionName, stacktrace }: ExceptionInfo): MillstreamError {
  const [head = ''] = stacktrace.split(/\n\s+at /, 1);
  const code = /^[A-Z][A-Z_]+$/.test(exceptionName) ? (exceptionName as ErrorCode) : 'INTERNAL';
  const error = new MillstreamError(code, `Job ${job} has failed: ${head.replace(/^\w*Error: /, '')}`);
  error.stack = stacktrace;
  return error;
}

async function* chunksOf(content: Uint8Array): AsyncIterable<Uint8Array> {
  yield content;
}

async function endOf(client: ClusterClient, job: string): Promise<JobState> {
  for (;;) {
    const state = await client.jobStatus(job);
    if (ENDED_JOB_STATES.has(state)) return state;
    await pause();
  }
}

async function pause(): Promise<void> {
  await new Promise<void>((resolve) => systemClock.schedule(POLL_MS, resolve));
}

function report(flags: ClusterFlags, facts: Readonly<Record<string, string>>): void {
  if (flags.json === true) print(facts);
  else
    process.stdout.write(
      `${Object.entries(facts)
        .map(([name, value]) => `${name} ${value}`)
        .join('  ')}\n`,
    );
}
