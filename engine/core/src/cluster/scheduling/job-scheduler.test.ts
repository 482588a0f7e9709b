/** What both schedulers give an attempt. */
import { expect, it } from 'vitest';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { RegisteredTaskManager } from '../registered-task-manager.js';
import { SlotPool } from '../slot-pool.js';
import type { AttemptAllocation } from './attempt-scheduler.js';
import { pipeline } from './job-graph-sketch.test.support.js';
import { createJobScheduler, type SchedulerSettings } from './job-scheduler.js';

const GRAPH = pipeline({ parallelism: 2 });
const ADAPTIVE: SchedulerSettings = {
  type: 'Adaptive',
  reactive: false,
  preferMinimalTaskManagers: true,
  waitTimeoutMs: 1000,
  submissionStabilizationMs: 0,
  executingStabilizationMs: 0,
  cooldownMs: 0,
  minParallelismIncrease: 1,
  maxCheckpointFailures: 2,
  maxTriggerDelayMs: undefined,
};

/** A cluster of one TaskManager with so many slots. */
async function allocate(settings: SchedulerSettings, slots: number): Promise<{ allocation: AttemptAllocation; pool: SlotPool }> {
  const clock = new VirtualClock();
  const pool = new SlotPool({ clock, spread: 'fill' });
  const address = { host: 'localhost', port: 1 };
  const hardware = { cpuCores: 1, physicalMemory: 1, freeMemory: 1 };
  const taskManager = new RegisteredTaskManager({
    description: { id: 'a', host: 'localhost', data: address, slots, pid: 1, hardware },
    connection: { remote: 'a', pendingBytes: 0, send: () => true, close: () => undefined, destroy: () => undefined },
    term: 1,
    clock,
    heartbeatIntervalMs: 1000,
    heartbeatTimeoutMs: 10_000,
    onSilence: () => undefined,
    onStale: () => undefined,
  });
  pool.add(taskManager);
  const scheduler = createJobScheduler({
    settings,
    job: { pool, job: 'job', jobName: 'job', slots: {} as never },
    graph: GRAPH,
    requirements: undefined,
    keepRequirements: async () => undefined,
    clock,
    run: () => ({ rescale: async () => undefined, restart: () => false }),
  });
  const allocation = await scheduler.allocate({ graph: GRAPH, reason: 'submitted', rescalable: true });
  return { allocation, pool };
}

it('the adaptive one gives what there is, and says that the next attempt may have another parallelism', async () => {
  const { allocation, pool } = await allocate(ADAPTIVE, 1);
  expect(allocation.graph.vertices.map(({ parallelism }) => parallelism)).toEqual([1]);
  expect(allocation.isElastic).toBe(true);
  expect(pool.freeSlots).toBe(0);
  allocation.release();
  expect(pool.freeSlots).toBe(1);
});

it('the default one gives the parallelism that was asked for, each time', async () => {
  const { allocation, pool } = await allocate({ type: 'Default', slotRequestTimeoutMs: 1000, failover: 'full' }, 3);
  expect(allocation.graph).toBe(GRAPH);
  expect([allocation.isElastic, allocation.replace]).toEqual([undefined, undefined]);
  expect(pool.freeSlots).toBe(1);
  allocation.release();
  expect(pool.freeSlots).toBe(3);
});

it('the default one gives slots to regions that restart, where they are to', async () => {
  const { allocation, pool } = await allocate({ type: 'Default', slotRequestTimeoutMs: 1000, failover: 'region' }, 3);
  // None is gone: they keep theirs.
  expect(await allocation.replace?.([1])).toBe(allocation.createSlots);
  expect(pool.freeSlots).toBe(1);
});
