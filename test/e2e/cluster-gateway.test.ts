/** What REST says of real jobs is what happened: sizes of checkpoints, restores, savepoints. Real processes. */
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { CheckpointStatistics } from 'millstream/cluster';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ClusterHarness, pause } from './cluster-harness.js';

let cluster: ClusterHarness;
beforeAll(async () => {
  cluster = new ClusterHarness();
  await cluster.start(1, { 'taskmanager.numberOfTaskSlots': 2, 'heartbeat.interval': '100 ms', 'web.checkpoints.history': 3 });
});
afterAll(async () => {
  await cluster.stop();
});
/** What a test that failed has left would keep the slots. */
afterEach(async () => {
  const jobs = await cluster.client.jobs();
  await Promise.all(jobs.map(({ id }) => cluster.client.cancelJob(id)));
});

/** A job whose last half waits for a file, with a directory of its own. */
class TestJob {
  readonly directory: string;
  id = '';

  constructor(name: string) {
    this.directory = join(cluster.directory, name);
    mkdirSync(this.directory, { recursive: true });
  }

  async start(options: Readonly<Record<string, string | number>>, ...flags: readonly string[]): Promise<this> {
    this.id = await cluster.run(
      'running-counts',
      { 'parallelism.default': 2, 'execution.checkpointing.dir': join(this.directory, 'checkpoints'), ...options },
      ...flags,
      ...['--', '--records', '200000', '--keys', '5000', '--results', join(this.directory, 'results')],
      ...['--until', join(this.directory, 'until'), '--rate', '20000', '--free', '190000'],
    );
    return this;
  }

  async checkpoint(): Promise<CheckpointStatistics> {
    const { client } = cluster;
    for (;;) {
      const trigger = await client.triggerCheckpoint(this.id, {});
      const done = await client.completed(() => client.checkpointOperation(this.id, trigger)).catch(() => undefined);
      if (done !== undefined) return await client.checkpoint(this.id, done.checkpointId);
      await pause();
    }
  }

  async savepoint(): Promise<string> {
    const { client } = cluster;
    const trigger = await client.triggerSavepoint(this.id, { 'target-directory': join(this.directory, 'savepoints') });
    return (await client.completed(() => client.savepointOperation(this.id, trigger))).location;
  }

  async cancel(): Promise<void> {
    await cluster.client.cancelJob(this.id);
    await cluster.ended(this.id);
  }

  /** Bytes of the job's state files, by the epoch that they were written in. */
  written(): Map<number, number> {
    const [run] = readdirSync(join(this.directory, 'checkpoints'));
    const shared = join(this.directory, 'checkpoints', run as string, 'shared');
    const bytes = new Map<number, number>();
    for (const name of readdirSync(shared)) {
      const epoch = Number(/-(\d+)\.[a-z]+$/.exec(name)?.[1]);
      bytes.set(epoch, (bytes.get(epoch) ?? 0) + (statSync(join(shared, name), { throwIfNoEntry: false })?.size ?? 0));
    }
    return bytes;
  }
}

describe('checkpoints in REST', () => {
  it('have the sizes of what lies in the storage', async () => {
    const job = await new TestJob('sizes').start({});
    const inline = new Set<number>();
    const sizes: number[] = [];
    for (let count = 0; count < 4; count++) {
      const checkpoint = await job.checkpoint();
      // What the sinks remember lies in the metadata, and is as much each time.
      const inMetadata = checkpoint.checkpointed_size - (job.written().get(checkpoint.id) ?? 0);
      inline.add(inMetadata);
      // One is kept: when the one before is gone, what is left is this one's.
      const left = (): number => [...job.written().values()].reduce((sum, bytes) => sum + bytes, 0);
      await expect.poll(left).toBe(checkpoint.state_size - inMetadata);
      sizes.push(checkpoint.state_size);
      expect(checkpoint.num_acknowledged_subtasks).toBe(checkpoint.num_subtasks);
      expect(checkpoint.latest_ack_timestamp).toBeGreaterThanOrEqual(checkpoint.trigger_timestamp);
      const tasks = Object.entries(checkpoint.tasks ?? {});
      expect(tasks.reduce((sum, [, task]) => sum + task.checkpointed_size, 0)).toBe(checkpoint.checkpointed_size);
      for (const [vertexId, task] of tasks) {
        const vertex = await cluster.client.checkpointOfVertex({ jobId: job.id, vertexId }, checkpoint.id);
        expect(vertex.subtasks.map(({ status }) => status)).toEqual(['completed', 'completed']);
        expect(vertex.subtasks.reduce((sum, subtask) => sum + (subtask.state_size ?? 0), 0)).toBe(task.state_size);
      }
    }
    expect(inline.size).toBe(1);
    expect(Math.min(...inline)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...inline)).toBeLessThan(200);
    const { summary, counts, history } = await cluster.client.checkpoints(job.id);
    expect(counts).toMatchObject({ restored: 0, completed: 4, failed: 0 });
    expect(summary.state_size).toMatchObject({ min: Math.min(...sizes), max: Math.max(...sizes) });
    // As many as the cluster is told to remember.
    expect(history.map(({ id }) => id)).toEqual([4, 3, 2]);
    await job.cancel();
  });

  it('say what the job began with, and what was dropped since', async () => {
    const first = await new TestJob('restored').start({});
    await first.checkpoint();
    const savepoint = await first.savepoint();
    await first.cancel();
    const second = await new TestJob('restored-again').start({}, '--from', savepoint);
    const before = await second.checkpoint();
    const { counts, latest } = await cluster.client.checkpoints(second.id);
    expect(counts.restored).toBe(1);
    expect(latest.restored).toMatchObject({ is_savepoint: true, external_path: savepoint });
    await second.checkpoint();
    expect(before).toMatchObject({ discarded: false, external_path: expect.any(String) });
    expect(await cluster.client.checkpoint(second.id, before.id)).toMatchObject({ discarded: true });
    await expect.poll(() => existsSync(before.external_path as string)).toBe(false);
    await second.cancel();
  });
});

describe('a TaskManager in REST', () => {
  it('has the memory of its process, with the heaps of its slots', async () => {
    const job = await new TestJob('figures').start({});
    await job.checkpoint();
    const [info] = await cluster.client.taskManagers();
    const id = info?.id as string;
    const threads = async (): Promise<number> => {
      const [metric] = await cluster.client.metrics({ type: 'taskmanager', taskManagerId: id }, ['threads']);
      return Number(metric?.value);
    };
    await expect.poll(threads, { timeout: 10_000 }).toBe(3);
    const { metrics, freeSlots, allocatedSlots } = await cluster.client.taskManager(id);
    const { heapUsed = 0, heapCommitted = 0, heapMax = 0 } = metrics;
    expect(heapUsed).toBeGreaterThan(1_000_000);
    expect(heapCommitted).toBeGreaterThanOrEqual(heapUsed);
    expect(heapMax).toBeGreaterThan(heapCommitted);
    expect([freeSlots, allocatedSlots]).toEqual([0, [{ jobId: job.id }, { jobId: job.id }]]);
    const [rss] = await cluster.client.aggregatedMetrics({ type: 'taskmanagers' }, ['rss'], ['max']);
    expect(rss?.max).toBeGreaterThan(heapUsed);
    await job.cancel();
  });
});

describe('a savepoint', () => {
  it('is disposed of, unless a job needs it', async () => {
    const job = await new TestJob('disposed').start({});
    const { external_path: checkpoint } = await job.checkpoint();
    const savepoint = await job.savepoint();
    // The newest that the job has.
    await expect(cluster.millstream('savepoint', '--dispose', savepoint)).rejects.toThrow(
      /job "running-counts" \(\w+\) would begin with it/,
    );
    await job.checkpoint();
    await expect(cluster.millstream('savepoint', '--dispose', checkpoint as string)).rejects.toThrow(
      /there is no savepoint|it is checkpoint/,
    );
    await expect(cluster.millstream('savepoint', '--dispose', job.directory)).rejects.toThrow(/there is no savepoint/);
    await expect(cluster.millstream('savepoint')).rejects.toThrow(/name the job/);
    expect(existsSync(join(savepoint, '_metadata'))).toBe(true);
    expect(JSON.parse(await cluster.millstream('savepoint', '--json', '--dispose', savepoint))).toEqual({ disposed: savepoint });
    expect(existsSync(savepoint)).toBe(false);
    await job.cancel();
  });

  it('is claimed by the job that starts from it, and by no other', async () => {
    const first = await new TestJob('origin').start({});
    await first.checkpoint();
    const savepoint = await first.savepoint();
    const refused = await new TestJob('too-early').start({}, '--from', savepoint, '--claim-mode', 'CLAIM');
    expect(await cluster.ended(refused.id)).toBe('FAILED');
    const [root] = (await cluster.client.jobExceptions(refused.id)).exceptionHistory.entries;
    expect(root?.stacktrace).toMatch(new RegExp(`Cannot claim the checkpoint .*\\(${first.id}\\) is running and may need it`));
    await first.cancel();
    const second = await new TestJob('claiming').start({}, '--from', savepoint, '--claim-mode', 'CLAIM');
    await second.checkpoint();
    await expect.poll(() => existsSync(savepoint)).toBe(false);
    await second.cancel();
  });
});
