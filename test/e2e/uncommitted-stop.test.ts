/** A job is stopped with a savepoint, and a slot dies before its sinks have committed what the savepoint covers. */
import { expect, it, vi } from 'vitest';
import { directory, startCluster } from './memory-cluster.js';

const JOB = new TextEncoder().encode(`
  import { defineJob } from 'millstream';
  const sink = {
    createWriter: () => ({ write: () => undefined, prepareCommit: async () => [1], close: () => undefined }),
    createCommitter: () => ({ commit: () => new Promise(() => undefined) }),
  };
  export default defineJob((env) => {
    env.fromSequence(1, 1e12).filter((n) => n % 1e6 === 0).sinkTo(sink);
  }, { name: 'never committed' });
`);

it('is told of the savepoint, and that results wait for a restore of it', async () => {
  const { jobManager } = await startCluster([1]);
  const options = { 'execution.checkpointing.dir': directory(), 'execution.checkpointing.interval': '1 h' };
  const job = await jobManager.submit({ content: JOB, argv: ['job.js'], options, run: {} });
  await vi.waitUntil(() => job.facts.state === 'RUNNING', 20_000);
  const stopping = job.stopWithSavepoint(directory(), false);
  const failed = expect(stopping).rejects.toMatchObject({
    code: 'CHECKPOINT_FAILED',
    message: expect.stringMatching(/is complete, but the job has ended as CANCELED/),
    details: { directory: expect.stringContaining('/savepoint-') },
  });
  await vi.waitUntil(() => job.facts.checkpoints.statistics().latest.savepoint !== undefined, 20_000);
  job.killSlot(0);
  await failed;
  expect(job.facts.state).toBe('CANCELED');
});
