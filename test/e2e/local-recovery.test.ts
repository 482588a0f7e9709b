/** Restarts from copies of state on the TaskManagers' disks, on a cluster in this process. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JobMaster } from 'millstream/cluster';
import { describe, expect, it } from 'vitest';
import { submitHeldJob } from './held-job.js';
import { startCluster } from './memory-cluster.js';

function stateFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.keyed'))
    .map((entry) => join(entry.parentPath, entry.name));
}

async function checkpoints(job: JobMaster, count: number): Promise<void> {
  const { completed } = job.facts.checkpoints.statistics().counts;
  const now = (): number => job.facts.checkpoints.statistics().counts.completed;
  await expect.poll(now, { timeout: 20_000 }).toBeGreaterThanOrEqual(completed + count);
}

const BOTH = { 'execution.checkpointing.local-backup.enabled': true, 'execution.state-recovery.from-local': true };

describe('a job that keeps its state on its TaskManagers, too', () => {
  it('restarts without the files of the store', async () => {
    const cluster = await startCluster([1, 1]);
    const { job, checkpoints: store, release, expectExactlyOnce } = await submitHeldJob(cluster, 2, BOTH);
    await checkpoints(job, 3);
    expect(stateFiles(join(cluster.localState, 'tm-0')).length).toBeGreaterThan(0);
    expect(stateFiles(join(cluster.localState, 'tm-1')).length).toBeGreaterThan(0);
    for (const file of stateFiles(store)) rmSync(file);
    job.killSlot(1);
    await expect.poll(() => job.facts.restarts, { timeout: 20_000 }).toBe(1);
    await checkpoints(job, 2);
    release();
    await job.ended;
    expect(job.facts.state).toBe('FINISHED');
    expect(job.facts.restarts).toBe(1);
    expectExactlyOnce();
    // Nothing of a job is left behind.
    await expect.poll(() => stateFiles(cluster.localState)).toEqual([]);
  });

  it.each([
    ['are damaged', (file: string) => writeFileSync(file, 'something else')],
    ['are gone', (file: string) => rmSync(file)],
  ])(
    'restarts from the store where the copies %s',
    async (_name, damage) => {
      const cluster = await startCluster([2]);
      const { job, release, expectExactlyOnce } = await submitHeldJob(cluster, 2, BOTH);
      await checkpoints(job, 3);
      for (const file of stateFiles(cluster.localState)) damage(file);
      job.killSlot(0);
      await expect.poll(() => job.facts.restarts, { timeout: 20_000 }).toBe(1);
      release();
      await job.ended;
      expect(job.facts.state).toBe('FINISHED');
      expect(job.facts.restarts).toBe(1);
      expectExactlyOnce();
    },
    60_000,
  );

  it('does not restart from copies that it is not to read', async () => {
    const cluster = await startCluster([1]);
    const { job, checkpoints: store } = await submitHeldJob(cluster, 1, { ...BOTH, 'execution.state-recovery.from-local': false });
    await checkpoints(job, 3);
    for (const file of stateFiles(store)) rmSync(file);
    job.killSlot(0);
    await job.ended;
    expect(job.facts.state).toBe('FAILED');
    expect(job.facts.exceptions.latest?.stacktrace).toMatch(/Cannot restore from the checkpoint file .* found no such file/);
  });
});
