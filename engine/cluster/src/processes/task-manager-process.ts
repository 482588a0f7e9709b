/** A TaskManager as a process: sockets, threads and files around the logic of millstream/cluster. */
import { rm } from 'node:fs/promises';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import type { MillstreamError } from 'millstream';
import {
  leaderFinder,
  measureProcess,
  type Network,
  type NetworkAddress,
  ProgramModules,
  RelayingExchange,
  type ResolvedOptions,
  startSlot,
  storageSettings,
  systemClock,
  TaskManager,
} from 'millstream/cluster';
import { Cleanup } from './cleanup.js';
import { openClusterNetwork } from './cluster-network.js';
import { startHealthServer } from './health-server.js';
import { openHighAvailability } from './leadership.js';
import { localStateDirectory, processName, removeLeftoverCopies } from './leftover-copies.js';
import { naming } from './listen-options.js';
import type { Logger } from './process-log.js';
import { publishedHost, publishedPort } from './published-address.js';
import { RegistrationWatch } from './registration-watch.js';
import { temporaryDirectory } from './temporary-directory.js';
import { workingDirectory } from './working-directory.js';

export interface RunningTaskManager {
  readonly id: string;
  /** Resolves when no JobManager has been found for `taskmanager.registration.timeout`. */
  readonly unwanted: Promise<MillstreamError>;
  /** Closes what runs, tells the JobManager, and ends. */
  stop(): Promise<void>;
}

/** Starts a TaskManager that looks for the JobManager at `jobmanager.rpc.address`. */
export async function startTaskManager(options: ResolvedOptions, log: Logger): Promise<RunningTaskManager> {
  return await Cleanup.guard(async (cleanup) => await start(options, log, cleanup));
}

async function start(options: ResolvedOptions, log: Logger, cleanup: Cleanup): Promise<RunningTaskManager> {
  const findLeader = await leaderSearch(options);
  const id = options['taskmanager.resource-id'] ?? processName();
  const network = await openClusterNetwork(options, { role: 'taskmanager', name: id }, (error, remote) =>
    log.warn({ code: error.code, remote }, error.message),
  );
  const directory = await temporaryDirectory(options, 'taskmanager');
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  const { exchange, data, bind } = await openExchange(options, network, id);
  cleanup.add(() => exchange.close());
  let registered = false;
  let reported: string | undefined;
  const healthPort = options['process.health.port'];
  const health = healthPort === undefined ? undefined : await startHealthServer(healthPort, () => registered);
  if (health !== undefined) cleanup.add(() => health.close());
  const slots = options['taskmanager.numberOfTaskSlots'];
  const working = await workingDirectory(options, 'taskmanager', directory);
  const parent = options['execution.checkpointing.local-backup.dirs'] ?? working;
  const copies = localStateDirectory(parent, id);
  await removeLeftoverCopies(parent, directory);
  cleanup.add(() => rm(copies, { recursive: true, force: true }));
  const heapBytes = options['taskmanager.memory.task.heap.size'];
  const storage = storageSettings(options);
  const watch = new RegistrationWatch(systemClock, options['taskmanager.registration.timeout']);
  cleanup.add(() => watch.stop());
  const taskManager = new TaskManager({
    measure: measureProcess,
    description: {
      id,
      host: data.host,
      data,
      slots,
      pid: process.pid,
      hardware: { cpuCores: availableParallelism(), physicalMemory: totalmem(), freeMemory: freemem() },
      resources: { cpuCores: options['taskmanager.cpu.cores'] ?? availableParallelism(), heapBytes: heapBytes ?? totalmem() },
    },
    localState: {
      pathOf: (run) => join(copies, run),
      remove: (run) => void rm(join(copies, run), { recursive: true, force: true }).catch(() => undefined),
    },
    slotHeapBytes: heapBytes === undefined ? undefined : heapBytes / slots,
    network,
    clock: systemClock,
    modules: new ProgramModules(join(directory, 'programs')),
    findLeader,
    startSlot: (slot) => startSlot({ ...slot, storage }),
    exchange,
    observer: {
      registered: (at, term) => {
        registered = true;
        watch.registered();
        reported = undefined;
        log.info({ jobManager: `${at.host}:${at.port}`, term, slots }, 'registered with the JobManager');
      },
      disconnected: (error) => {
        registered = false;
        watch.disconnected(error);
        // It tries again at once and then each second: what is still so is no news.
        log[error.message === reported ? 'debug' : 'warn']({ code: error.code }, error.message);
        reported = error.message;
      },
      attemptOpened: ({ job, attempt }, count) => log.info({ job, attempt, slots: count }, 'tasks deployed'),
      attemptEnded: ({ job, attempt }, reason) => log.info({ job, attempt }, `tasks ended: ${reason}`),
      stale: (type, { job, attempt, term }) => log.debug({ type, job, attempt, term }, 'a message for an attempt that is over was dropped'),
    },
  });
  taskManager.start();
  cleanup.add(() => taskManager.stop());
  log.info({ id, slots, data: `${data.host}:${data.port}`, bind, health: health?.port }, 'TaskManager started');
  return {
    id,
    unwanted: watch.expired,
    stop: async () => {
      await cleanup.run();
      log.info('TaskManager stopped');
    },
  };
}

/** Finds the JobManager to register with. */
async function leaderSearch(options: ResolvedOptions): Promise<() => Promise<NetworkAddress>> {
  const highAvailability = await openHighAvailability(options);
  const fixed = { host: options['jobmanager.rpc.address'] ?? 'localhost', port: options['jobmanager.rpc.port'] };
  if (highAvailability === undefined) return async () => fixed;
  const durationMs = options['high-availability.leader-election.lease-duration'];
  return leaderFinder(highAvailability, { durationMs, clock: systemClock });
}

/** `data`: where other TaskManagers reach this one; `bind`: what is listened on. */
async function openExchange(
  options: ResolvedOptions,
  network: Network,
  id: string,
): Promise<{ readonly exchange: RelayingExchange; readonly data: NetworkAddress; readonly bind: string }> {
  const exchange = new RelayingExchange({
    taskManager: id,
    network,
    clock: systemClock,
    creditBytes: options['taskmanager.network.memory.credit-per-channel'],
    attemptTimeoutMs: options['taskmanager.network.partition-request-timeout'],
  });
  const bindHost = options['taskmanager.bind-host'];
  const bindPort = options['taskmanager.data.bind-port'];
  const dataPort = options['taskmanager.data.port'];
  const listening = await exchange
    .listen({ host: bindHost, port: bindPort ?? dataPort })
    .catch(naming(bindPort === undefined ? 'taskmanager.data.port' : 'taskmanager.data.bind-port', 'taskmanager.bind-host'));
  const data = { host: publishedHost(options['taskmanager.host'], bindHost), port: publishedPort(dataPort, bindPort, listening.port) };
  return { exchange, data, bind: `${listening.host}:${listening.port}` };
}
