/** What the configuration of a cluster means for its jobs. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ClusterHarness } from './cluster-harness.js';
import { millstream } from './command.js';

let cluster: ClusterHarness;
beforeEach(() => {
  cluster = new ClusterHarness();
});
afterEach(async () => {
  await cluster.stop();
});

describe("options of jobs in a JobManager's configuration", () => {
  it('hold for jobs that do not set them, in the JobManager and in slots', async () => {
    const own = join(cluster.directory, 'own');
    await cluster.start(1, {
      'taskmanager.numberOfTaskSlots': 2,
      'parallelism.default': 2,
      'execution.checkpointing.interval': '100 ms',
      'execution.checkpointing.externalized-checkpoint-retention': 'RETAIN_ON_CANCELLATION',
      'execution.checkpointing.dir': join(cluster.directory, 'of the cluster'),
    });
    const words = ['--', '--until', join(cluster.directory, 'until'), '--results', join(cluster.directory, 'results')];
    const id = await cluster.run('running-counts', {}, ...words);
    await cluster.completedCheckpoints(id, 1);
    // A slot that knew of other options would have built another graph, and refused it.
    expect((await cluster.client.job(id)).vertices.map(({ parallelism }) => parallelism)).toEqual([2, 2, 2]);
    expect(readdirSync(join(cluster.directory, 'of the cluster'))).toHaveLength(1);
    const completed = await millstream(['complete', '--', 'cancel', '--jobmanager', cluster.restAddress, '']);
    expect(completed.stdout).toBe(`${id}\trunning-counts (RUNNING)\n:4\n`);
    await cluster.millstream('cancel', id);
    // A job that was cancelled leaves what it can go on from.
    const left = readdirSync(join(cluster.directory, 'of the cluster'), { recursive: true }) as string[];
    expect(left.filter((path) => /chk-\d+\/_metadata$/.test(path))).toHaveLength(1);
    const other = await cluster.run('running-counts', { 'execution.checkpointing.dir': own, 'parallelism.default': 1 }, ...words);
    await cluster.completedCheckpoints(other, 1);
    expect((await cluster.client.job(other)).vertices.map(({ parallelism }) => parallelism)).toEqual([1, 1, 1]);
    expect(readdirSync(own)).toHaveLength(1);
  });
});
