/** A TaskManager as a process: sockets, threads and files around the logic of millstream/cluster. */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, freemem, hostname, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { MillstreamError } from 'millstream';
import {
  type NetworkAddress,
  ProgramModules,
  RelayingExchange,
  type ResolvedOptions,
  startSlot,
  systemClock,
  TaskManager,
} from 'millstream/cluster';
import { openClusterNetwork } from './cluster-network.js';
import { observeLeader, openHighAvailability, parseAddress } from './leadership.js';
import type { Logger } from './process-log.js';

export interface RunningTaskManager {
  readonly id: string;
  /** Closes what runs, tells the JobManager, and ends. */
  stop(): Promise<void>;
}

/** Starts a TaskManager that looks for the JobManager at `jobmanager.rpc.address`. */
export async function startTaskManager(options: ResolvedOptions, log: Logger): Promise<RunningTaskManager> {
  const storage = await openHighAvailability(options);
  const observer = storage === undefined ? undefined : observeLeader(storage, options);
  const fixed = { host: options['jobmanager.rpc.address'] ?? 'localhost', port: options['jobmanager.rpc.port'] };
  const findLeader = async (): Promise<NetworkAddress> => {
    if (observer === undefined) return fixed;
    const leader = await observer.leader();
    if (leader !== undefined) return parseAddress(leader.address.control);
    throw new MillstreamError('CLUSTER_UNAVAILABLE', 'No JobManager leads now. It is looked for again.', { retryable: true });
  };
  const host = options['taskmanager.host'] ?? options['taskmanager.bind-host'];
  const id = options['taskmanager.resource-id'] ?? `${hostname()}-${process.pid}`;
  const network = await openClusterNetwork(options, { role: 'taskmanager', name: id }, (error, remote) =>
    log.warn({ code: error.code, remote }, error.message),
  );
  const directory = await mkdtemp(join(options['io.tmp.dirs'] ?? tmpdir(), 'millstream-taskmanager-'));
  const exchange = new RelayingExchange({
    taskManager: id,
    network,
    clock: systemClock,
    creditBytes: options['taskmanager.network.memory.credit-per-channel'],
    attemptTimeoutMs: options['taskmanager.network.partition-request-timeout'],
  });
  const bindPort = options['taskmanager.data.bind-port'];
  const dataPort = options['taskmanager.data.port'];
  const listening = await exchange.listen({ host: options['taskmanager.bind-host'], port: bindPort ?? dataPort });
  const data = { host, port: bindPort === undefined || dataPort === 0 ? listening.port : dataPort };
  const slots = options['taskmanager.numberOfTaskSlots'];
  const taskManager = new TaskManager({
    description: {
      id,
      host,
      data,
      slots,
      pid: process.pid,
      hardware: { cpuCores: availableParallelism(), physicalMemory: totalmem(), freeMemory: freemem() },
    },
    network,
    clock: systemClock,
    modules: new ProgramModules(join(directory, 'programs')),
    findLeader,
    startSlot,
    exchange,
    observer: {
      registered: (at, term) => log.info({ jobManager: `${at.host}:${at.port}`, term, slots }, 'registered with the JobManager'),
      disconnected: (error) => log.warn({ code: error.code }, error.message),
      attemptOpened: ({ job, attempt }, count) => log.info({ job, attempt, slots: count }, 'tasks deployed'),
      attemptEnded: ({ job, attempt }, reason) => log.info({ job, attempt }, `tasks ended: ${reason}`),
      stale: (type, { job, attempt, term }) => log.debug({ type, job, attempt, term }, 'a message for an attempt that is over was dropped'),
    },
  });
  taskManager.start();
  log.info({ id, slots, data: `${data.host}:${data.port}`, bind: `${listening.host}:${listening.port}` }, 'TaskManager started');
  return {
    id,
    stop: async () => {
      await taskManager.stop();
      await exchange.close();
      await rm(directory, { recursive: true, force: true });
      log.info('TaskManager stopped');
    },
  };
}
