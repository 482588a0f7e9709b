/** Slot-sharing groups with slots of their own, and what those take of their TaskManagers, on a cluster in this process. */
import type { JobMaster } from 'millstream/cluster';
import { describe, expect, it } from 'vitest';
import { directory, type MemoryCluster, startCluster } from './memory-cluster.js';
import { readLines } from './run-job.js';

const MB = 2 ** 20;

/** Counts in a group of its own, whose slots take so much. `hoard`: keeps arrays until its heap is full. */
function program(cpuCores: number, heapMb: number, hoard = false): Uint8Array {
  return new TextEncoder().encode(`
    import { defineJob, FileSink, jsonLinesEncoder, SlotSharingGroup } from 'millstream';
    const kept = [];
    export default defineJob((env, params) => {
      const heavy = SlotSharingGroup.newBuilder('heavy').setCpuCores(${cpuCores}).setTaskHeapMemoryMB(${heapMb}).build();
      env.fromSequence(1, 1000).keyBy((n) => n % 10)
        .reduce((a, b) => { if (${hoard}) for (let i = 0; i < 1000; i++) kept.push(new Array(1000).fill(i + b)); return a + b; })
        .slotSharingGroup(heavy)
        .sinkTo(FileSink.forRowFormat(params.out, jsonLinesEncoder()));
    }, { name: 'groups' });
  `);
}

async function submit(cluster: MemoryCluster, content: Uint8Array): Promise<{ job: JobMaster; out: string }> {
  const out = directory();
  const options = { 'parallelism.default': 2, 'restart-strategy.type': 'none' };
  return { job: await cluster.jobManager.submit({ content, argv: ['groups.js', '--out', out], options, run: {} }), out };
}

describe('slot sharing groups', () => {
  it('have slots of their own, where there is room for what they take', async () => {
    const cluster = await startCluster([]);
    await cluster.addTaskManager(4, { cpuCores: 1, heapBytes: 400 * MB });
    await cluster.addTaskManager(4, { cpuCores: 4, heapBytes: 1000 * MB });
    const { job, out } = await submit(cluster, program(2, 400));
    await job.ended;
    expect(job.facts.exceptions.latest?.stacktrace).toBeUndefined();
    expect(readLines(out)).toHaveLength(1000);
    const placeOf = (group: string): unknown[] => {
      const ids = job.facts.graph.vertices.filter((vertex) => vertex.slotSharingGroup === group).map(({ id }) => id);
      return job.facts.subtasks.filter(({ vertexId }) => ids.includes(vertexId)).map(({ place }) => place?.taskManagerId);
    };
    expect(placeOf('heavy')).toEqual(['tm-1', 'tm-1']);
    expect(placeOf('default')).toEqual(['tm-0', 'tm-0']);
    expect(cluster.jobManager.pool.freeSlots).toBe(8);
  });

  it('are refused where no TaskManager is large enough, with what is missing', async () => {
    const cluster = await startCluster([]);
    await cluster.addTaskManager(8, { cpuCores: 4, heapBytes: 1000 * MB });
    const { job } = await submit(cluster, program(1, 2000));
    await job.ended;
    expect(job.facts.state).toBe('FAILED');
    expect(job.facts.exceptions.latest?.stacktrace).toMatch(
      /needs 4 slots, some with 1 cores and 2000 MB of heap \(the largest TaskManager has 4 cores and 1000 MB of heap\), and 8 of 8 were free/,
    );
  });

  it('fail with their job when a slot needs more heap than it was given', async () => {
    const cluster = await startCluster([]);
    await cluster.addTaskManager(4, { cpuCores: 4, heapBytes: 1000 * MB });
    const { job } = await submit(cluster, program(1, 48, true));
    await job.ended;
    expect(job.facts.state).toBe('FAILED');
    expect(job.facts.exceptions.latest?.stacktrace).toMatch(/Slot \d ended unexpectedly: out of memory/);
  });

  it('cannot say what they take under the adaptive scheduler', async () => {
    const cluster = await startCluster([4], {
      scheduler: {
        type: 'Adaptive',
        reactive: true,
        preferMinimalTaskManagers: true,
        waitTimeoutMs: undefined,
        submissionStabilizationMs: 0,
        executingStabilizationMs: 0,
        cooldownMs: 0,
        minParallelismIncrease: 1,
        maxCheckpointFailures: 2,
        maxTriggerDelayMs: undefined,
      },
    });
    await expect(submit(cluster, program(1, 100))).rejects.toThrow(/the adaptive scheduler counts equal slots/);
  });
});
