/** `millstream jobmanager` and `millstream taskmanager`: processes of a cluster. */
import { MillstreamError } from 'millstream';
import { SIGNAL_EXIT_CODES, systemClock } from 'millstream/cluster';
import { FAILURE_EXIT_CODE } from './exit-codes.js';
import { onInterrupt } from './interrupts.js';
import { loadOptionalPackage } from './load-optional-package.js';
import { asWrongUsage } from './report-error.js';

/** The commands' options, as they were written. */
export interface ProcessFlags {
  readonly config?: string;
  readonly define?: Record<string, string>;
}

/** What a JobManager tells the process that has started it, once it listens. */
export interface StartedProcess {
  /** For TaskManagers. */
  readonly port: number;
  readonly rest: string;
}

type ClusterPackage = typeof import('@millstream/cluster');
type ConfigurationPackage = typeof import('@millstream/cluster/configuration');
type Loaded = Awaited<ReturnType<ConfigurationPackage['loadConfiguration']>>['configuration'];

async function load(flags: ProcessFlags, purpose: string): Promise<{ readonly cluster: ClusterPackage; readonly configuration: Loaded }> {
  const cluster = await loadOptionalPackage('@millstream/cluster', purpose, async () => await import('@millstream/cluster'));
  const { loadConfiguration } = await import('@millstream/cluster/configuration');
  const sources = { file: flags.config, environment: process.env, definitions: flags.define };
  const { configuration } = await loadConfiguration(sources).catch(cannotStart);
  return { cluster, configuration };
}

/** What a process cannot start with as it is configured: a port that is taken, a certificate that is none. */
function cannotStart(error: unknown): never {
  throw error instanceof MillstreamError && error.retryable ? error : asWrongUsage(error);
}

/**
 * Resolves with the first signal to stop, or when `cluster start`, which has started this process, is gone. Called first of all: the first
 * process of a container gets no signal that it does not listen to. Further SIGTERMs change nothing, since service managers send them to each
 * process of a group; a second SIGINT ends the process at once.
 */
async function stopSignal(): Promise<string> {
  return await new Promise((resolve) => {
    process.on('SIGTERM', () => resolve('SIGTERM'));
    onInterrupt(
      () => resolve('SIGINT'),
      () => process.exit(SIGNAL_EXIT_CODES.SIGINT),
    );
    process.once('disconnect', () => resolve('the end of cluster start'));
    // To listen to the channel must not keep the process.
    process.channel?.unref();
  });
}

/** Runs until a signal, or until somebody asks for the end through REST. */
export async function jobManagerCommand(flags: ProcessFlags): Promise<void> {
  const stopped = stopSignal();
  const { cluster, configuration } = await load(flags, 'run a JobManager');
  const log = cluster.createLog(configuration.options, 'jobmanager');
  const jobManager = await cluster.startJobManager(configuration, log).catch(cannotStart);
  const started: StartedProcess = { port: jobManager.address.port, rest: jobManager.restUrl };
  process.send?.(started);
  const reason = await Promise.race([stopped, jobManager.shutDownAsked.then(() => 'a request')]);
  log.info({ reason }, 'JobManager stops');
  await inTime(configuration, log, jobManager.stop());
}

/** Runs until a signal, or until no JobManager has been found for too long, which throws. */
export async function taskManagerCommand(flags: ProcessFlags): Promise<void> {
  const stopped = stopSignal();
  const { cluster, configuration } = await load(flags, 'run a TaskManager');
  const log = cluster.createLog(configuration.options, 'taskmanager');
  const taskManager = await cluster.startTaskManager(configuration.options, log).catch(cannotStart);
  const reason = await Promise.race([stopped, taskManager.unwanted]);
  if (typeof reason === 'string') log.info({ reason }, 'TaskManager stops');
  await inTime(configuration, log, taskManager.stop());
  if (typeof reason !== 'string') throw reason;
}

/** A function that does not return, or a checkpoint that does not complete, keeps no process for ever. */
async function inTime({ options }: Loaded, log: ReturnType<ClusterPackage['createLog']>, stopped: Promise<void>): Promise<void> {
  const timeoutMs = options['cluster.services.shutdown-timeout'];
  const timer = systemClock.schedule(timeoutMs, () => {
    log.error({ timeoutMs }, 'not everything could be closed in time (cluster.services.shutdown-timeout): the process ends all the same');
    process.exit(FAILURE_EXIT_CODE);
  });
  await stopped;
  timer.cancel();
}
