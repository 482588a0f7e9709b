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

/** Does something to each state file; there are some. */
function damageAll(directory: string, damage: (file: string) => void): void {
  const files = stateFiles(directory);
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) damage(file);
}

const remove = (file: string): void => rmSync(file, { force: true });

async function checkpoints(job: JobMaster, count: number): Promise<void> {
  await expect.poll(() => job.facts.state).toBe('RUNNING');
  for (let taken = 0; taken < count; taken++) await job.checkpoint();
}

const BOTH = {
  'execution.checkpointing.local-backup.enabled': true,
  'execution.state-recovery.from-local': true,
  // Only those that are asked for: a later one would not need the files that are gone.
  'execution.checkpointing.interval': '1 h',
};

describe('a job that keeps its state on its TaskManagers, too', () => {
  it('restarts without the files of the store', async () => {
    const cluster = await startCluster([1, 1]);
    const { job, checkpoints: store, release, expectExactlyOnce } = await submitHeldJob(cluster, 2, BOTH);
    await checkpoints(job, 3);
    expect(stateFiles(join(cluster.localState, 'tm-0')).length).toBeGreaterThan(0);
    expect(stateFiles(join(cluster.localState, 'tm-1')).length).toBeGreaterThan(0);
    damageAll(store, remove);
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
    ['are gone', remove],
  ])(
    'restarts from the store where the copies %s',
    async (_name, damage) => {
      const cluster = await startCluster([2]);
      const { job, release, expectExactlyOnce } = await submitHeldJob(cluster, 2, BOTH);
      await checkpoints(job, 3);
      damageAll(cluster.localState, damage);
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
    damageAll(store, remove);
    job.killSlot(0);
    await job.ended;
    expect(job.facts.state).toBe('FAILED');
    expect(job.facts.exceptions.latest?.stacktrace).toMatch(/Cannot restore from the checkpoint file .* found no such file/);
  });
});
