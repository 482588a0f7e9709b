/** A JobManager and TaskManagers in one process: real slot threads and rings, a network in memory. Ended after each test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  JobManager,
  type JobManagerOptions,
  type NetworkAddress,
  nodeDisk,
  ProgramModules,
  RelayingExchange,
  startSlot,
  systemClock,
  TaskManager,
  type TaskManagerDescription,
} from 'millstream/cluster';
import { afterEach } from 'vitest';
import { createMemoryNetwork } from './memory-network.js';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** A new one, removed after the test. */
export function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'millstream-cluster-'));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export interface MemoryCluster {
  readonly jobManager: JobManager;
  readonly taskManagers: TaskManager[];
  readonly events: string[];
  /** Has the local copies of each TaskManager's state, by its id. */
  readonly localState: string;
  /** One more, with so many slots. */
  addTaskManager(slots: number, resources?: TaskManagerDescription['resources']): Promise<TaskManager>;
}

/** Starts a JobManager, and a TaskManager for each number of slots. */
export async function startCluster(
  slots: readonly number[],
  options: Partial<Pick<JobManagerOptions, 'scheduler' | 'submitted' | 'endedJobs'>> = {},
): Promise<MemoryCluster> {
  const network = createMemoryNetwork();
  const events: string[] = [];
  const jobManager = new JobManager({
    clock: systemClock,
    disk: nodeDisk,
    modules: new ProgramModules(join(directory(), 'modules')),
    term: 1,
    heartbeatIntervalMs: 1000,
    heartbeatTimeoutMs: 10_000,
    scheduler: { type: 'Default', slotRequestTimeoutMs: 2000, failover: 'region' },
    spread: 'fill',
    ...options,
    observer: {
      taskManagerRegistered: ({ id }) => events.push(`registered ${id}`),
      taskManagerLost: ({ id }) => events.push(`lost ${id}`),
      jobSubmitted: () => undefined,
      jobEnded: () => undefined,
      recoveryFailed: () => undefined,
      refused: (_remote, error) => events.push(`refused ${error.code}`),
    },
  });
  const listener = await network.listen({ host: 'localhost', port: 0 }, (connection) => jobManager.accept(connection));
  cleanups.push(() => listener.close());
  cleanups.push(() => jobManager.stop());
  const taskManagers: TaskManager[] = [];
  const localState = directory();
  const addTaskManager: MemoryCluster['addTaskManager'] = async (count, resources) => {
    const size = { slots: count, ...(resources !== undefined && { resources }) };
    const taskManager = await startTaskManager(network, listener.address, `tm-${taskManagers.length}`, size, localState);
    taskManagers.push(taskManager);
    return taskManager;
  };
  for (const count of slots) await addTaskManager(count);
  return { jobManager, taskManagers, events, localState, addTaskManager };
}

async function startTaskManager(
  network: ReturnType<typeof createMemoryNetwork>,
  jobManager: NetworkAddress,
  id: string,
  size: Pick<TaskManagerDescription, 'slots' | 'resources'>,
  localState: string,
): Promise<TaskManager> {
  const exchange = new RelayingExchange({ taskManager: id, network, clock: systemClock });
  const data = await exchange.listen({ host: 'localhost', port: 0 });
  const hardware = { cpuCores: 1, physicalMemory: 1, freeMemory: 1 };
  const taskManager = new TaskManager({
    description: { id, host: 'localhost', data, ...size, pid: process.pid, hardware },
    network,
    clock: systemClock,
    modules: new ProgramModules(join(directory(), 'modules')),
    findLeader: async () => jobManager,
    startSlot,
    exchange,
    localState: {
      pathOf: (run) => join(localState, id, run),
      remove: (run) => rmSync(join(localState, id, run), { recursive: true, force: true }),
    },
    observer: {
      registered: () => undefined,
      disconnected: () => undefined,
      attemptOpened: () => undefined,
      attemptEnded: () => undefined,
      stale: () => undefined,
    },
  });
  taskManager.start();
  cleanups.push(async () => {
    await taskManager.stop();
    await exchange.close();
  });
  return taskManager;
}
