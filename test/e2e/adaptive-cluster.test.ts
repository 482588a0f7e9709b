/** Jobs that run with the slots that there are: the adaptive scheduler and reactive mode, on a cluster in this process. */
import type { AdaptiveSchedulerConfig, JobMaster, SchedulerSettings } from 'millstream/cluster';
import { describe, expect, it } from 'vitest';
import { submitHeldJob } from './held-job.js';
import { startCluster } from './memory-cluster.js';

function adaptive(config: Partial<AdaptiveSchedulerConfig> = {}, reactive = false): SchedulerSettings {
  return {
    type: 'Adaptive',
    reactive,
    preferMinimalTaskManagers: true,
    waitTimeoutMs: 20_000,
    submissionStabilizationMs: 20,
    executingStabilizationMs: 20,
    cooldownMs: 0,
    minParallelismIncrease: 1,
    maxCheckpointFailures: 2,
    maxTriggerDelayMs: undefined,
    ...config,
  };
}

/** Until the job runs with so many subtasks per vertex, and has a checkpoint of that. */
async function runsAt(job: JobMaster, parallelism: number): Promise<void> {
  const state = (): unknown => [job.facts.state, ...job.facts.graph.vertices.map((vertex) => vertex.parallelism)];
  await expect.poll(state, { timeout: 20_000 }).toEqual(['RUNNING', ...job.facts.graph.vertices.map(() => parallelism)]);
  const { completed } = job.facts.checkpoints.statistics().counts;
  await expect.poll(() => job.facts.checkpoints.statistics().counts.completed, { timeout: 20_000 }).toBeGreaterThan(completed);
}

describe('the adaptive scheduler', () => {
  it('starts with fewer slots, grows with new TaskManagers, and shrinks when one is lost', async () => {
    const cluster = await startCluster([2], { scheduler: adaptive() });
    const { job, release, expectExactlyOnce } = await submitHeldJob(cluster, 4);
    await runsAt(job, 2);
    await cluster.addTaskManager(1);
    await runsAt(job, 3);
    await cluster.addTaskManager(1);
    await runsAt(job, 4);
    expect(job.facts.restarts).toBe(0);
    await cluster.taskManagers[0]?.stop();
    await runsAt(job, 2);
    expect(job.facts.restarts).toBe(1);
    release();
    await job.ended;
    expect(job.facts.state).toBe('FINISHED');
    expectExactlyOnce();
    expect(cluster.jobManager.pool.freeSlots).toBe(2);
  });

  it('keeps to the bounds that are asked for, up and down', async () => {
    const cluster = await startCluster([4], { scheduler: adaptive() });
    const { job, release, expectExactlyOnce } = await submitHeldJob(cluster, 3);
    await runsAt(job, 3);
    const bounds = (lowerBound: number, upperBound: number): JobMaster['requirements'] =>
      Object.fromEntries(job.facts.graph.vertices.map(({ id }) => [id, { parallelism: { lowerBound, upperBound } }]));
    await job.require(bounds(1, 1));
    await runsAt(job, 1);
    await job.require(bounds(2, 9));
    await runsAt(job, 4);
    expect(job.requirements).toEqual(bounds(2, 9));
    release();
    await job.ended;
    expect(job.facts.exceptions.latest).toBeUndefined();
    expectExactlyOnce();
  });

  it('goes on from its last checkpoint where a rescale may not wait for one', async () => {
    const cluster = await startCluster([1], { scheduler: adaptive({ maxTriggerDelayMs: 0 }) });
    const { job, release, expectExactlyOnce } = await submitHeldJob(cluster, 2);
    await runsAt(job, 1);
    await cluster.addTaskManager(1);
    await runsAt(job, 2);
    release();
    await job.ended;
    expect(job.facts.state).toBe('FINISHED');
    expect(job.facts.exceptions.latest).toBeUndefined();
    expectExactlyOnce();
  });

  it('says what is missing when there is not even the least in time', async () => {
    const cluster = await startCluster([], { scheduler: adaptive({ waitTimeoutMs: 50 }) });
    const { job } = await submitHeldJob(cluster, 2);
    await job.ended;
    expect(job.facts.state).toBe('FAILED');
    expect(job.facts.exceptions.latest?.stacktrace).toMatch(/it needs at least 1 slots, and 0 of 0 were there for it/);
  });

  it('cancels a job that waits for slots', async () => {
    const cluster = await startCluster([], { scheduler: adaptive() });
    const { job } = await submitHeldJob(cluster, 2);
    await expect.poll(() => job.facts.state).toBe('CREATED');
    job.cancel();
    await job.ended;
    expect(job.facts.state).toBe('CANCELED');
  });
});

describe('reactive mode', () => {
  it('uses all slots for its one job, whatever parallelism it was submitted with', async () => {
    const cluster = await startCluster([2], { scheduler: adaptive({ waitTimeoutMs: undefined, submissionStabilizationMs: 0 }, true) });
    const { job, release, expectExactlyOnce } = await submitHeldJob(cluster, 1);
    await runsAt(job, 2);
    await cluster.addTaskManager(3);
    await runsAt(job, 5);
    await expect(submitHeldJob(cluster, 1)).rejects.toThrow(/a cluster runs one job, and "running-counts" \(\w+\) runs/);
    await expect(job.require(job.requirements)).rejects.toThrow(/it uses all slots/);
    await cluster.taskManagers[1]?.stop();
    await runsAt(job, 2);
    release();
    await job.ended;
    expect(job.facts.state).toBe('FINISHED');
    expectExactlyOnce();
  });
});
