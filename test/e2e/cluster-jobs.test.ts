/** A JobManager and TaskManagers in this process: real slot threads and rings, records between TaskManagers, a network in memory. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileSystems, type JobManager, nodeDisk, randomToken, SubmittedJobs, seededRandom, systemClock } from 'millstream/cluster';
import { describe, expect, it } from 'vitest';
import { submitHeldJob } from './held-job.js';
import { directory, type MemoryCluster, startCluster } from './memory-cluster.js';

function program(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const SUMS = program(`
  import { defineJob, FileSink, jsonLinesEncoder } from 'millstream';
  export default defineJob((env, params) => {
    env.fromSequence(1, Number(params.count)).keyBy((n) => n % 10).reduce((a, b) => a + b).sinkTo(
      FileSink.forRowFormat(params.out, jsonLinesEncoder()));
  }, { name: 'sums' });
`);

function results(out: string): number[] {
  return readdirSync(out, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .flatMap((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8').trim().split('\n'))
    .map(Number);
}

/** The greatest running sum of the numbers 10, 20 … count. */
function greatestSum(count: number): number {
  const tens = count / 10;
  return (10 * tens * (tens + 1)) / 2;
}

async function submitSums(
  cluster: MemoryCluster,
  count: number,
  options: Record<string, unknown>,
): Promise<{ out: string; job: Awaited<ReturnType<JobManager['submit']>> }> {
  const out = directory();
  const job = await cluster.jobManager.submit({ content: SUMS, argv: ['sums.js', '--out', out, '--count', `${count}`], options, run: {} });
  return { out, job };
}

describe.each([
  ['one TaskManager', [2]],
  ['two TaskManagers', [1, 1]],
  ['three TaskManagers of different sizes', [1, 2, 1]],
])('a job on %s', (_name, slots) => {
  it('gives its results', async () => {
    const cluster = await startCluster(slots);
    const parallelism = slots.reduce((sum, count) => sum + count);
    const { job, out } = await submitSums(cluster, 100_000, { 'parallelism.default': parallelism });
    await job.ended;
    expect(job.facts.exceptions.latest?.stacktrace).toBeUndefined();
    expect(job.facts.state).toBe('FINISHED');
    const sums = results(out);
    expect(sums).toHaveLength(100_000);
    expect(Math.max(...sums.filter((sum) => sum % 100 === 0))).toBe(greatestSum(100_000));
    expect(cluster.jobManager.pool.freeSlots).toBe(parallelism);
  });
});

describe('a cluster', () => {
  it('says how many slots are missing', async () => {
    const cluster = await startCluster([1]);
    const { job } = await submitSums(cluster, 10, { 'parallelism.default': 3 });
    await job.ended;
    expect(job.facts.state).toBe('FAILED');
    expect(job.facts.exceptions.latest?.stacktrace).toMatch(/it needs 3 slots, and 1 of 1 were free \(1 TaskManagers\) for 2 s/);
  });

  it('refuses a program that throws at load, and goes on', async () => {
    const cluster = await startCluster([1]);
    const broken = { content: program('throw new Error("at load");'), argv: ['broken.js'], options: {}, run: {} };
    await expect(cluster.jobManager.submit(broken)).rejects.toThrow(/at load/);
    const { job } = await submitSums(cluster, 10, {});
    await job.ended;
    expect(job.facts.state).toBe('FINISHED');
  });

  it('forgets jobs that have ended when there are many, and none that runs', async () => {
    const cluster = await startCluster([1], { endedJobs: { max: 2, keepMs: 3_600_000 } });
    const ids: string[] = [];
    for (let count = 0; count < 4; count++) {
      const { job } = await submitSums(cluster, 10, {});
      ids.push(job.id);
      await job.ended;
    }
    const { job } = await submitSums(cluster, 10, { 'parallelism.default': 9 });
    expect([...cluster.jobManager.jobs.keys()]).toEqual([...ids.slice(2), job.id]);
    job.cancel();
    await job.ended;
  });

  it('forgets a job that has finished before its last checkpoint goes', async () => {
    const files = new FileSystems({ disk: nodeDisk, clock: systemClock, random: seededRandom(1) });
    const submitted = new SubmittedJobs(files, directory(), 'leader');
    const checkpoints = directory();
    const left = (): string[] => readdirSync(checkpoints, { recursive: true }).map(String);
    let atForgetting: string[] | undefined;
    const { remove } = submitted;
    submitted.remove = async (id) => {
      atForgetting ??= left();
      await remove.call(submitted, id);
    };
    const cluster = await startCluster([1], { submitted });
    const { job } = await submitSums(cluster, 1000, { 'execution.checkpointing.dir': checkpoints });
    await job.ended;
    expect(job.facts.state).toBe('FINISHED');
    expect(atForgetting?.filter((name) => name.endsWith('_metadata'))).toHaveLength(1);
    expect(await submitted.load()).toEqual([]);
    // Another leader may have read the record: its names stay taken.
    expect(left().filter((name) => name.includes('chk-') || name.includes('shared'))).toEqual([]);
    expect(left().some((name) => /\/job\.\d+$/.test(name))).toBe(true);
  });

  it('deploys a job again when a TaskManager is gone, from its last checkpoint', async () => {
    const cluster = await startCluster([1, 1, 1]);
    const { job, release, expectExactlyOnce } = await submitHeldJob(cluster, 2);
    await expect.poll(() => job.lastCheckpoint, { timeout: 20_000 }).toBeDefined();
    const host = job.facts.subtasks[0]?.place?.taskManagerId;
    await cluster.taskManagers[Number(host?.slice(3))]?.stop();
    release();
    await job.ended;
    expect(cluster.events).toContain(`lost ${host}`);
    expect(job.facts.exceptions.latest).toMatchObject({ exceptionName: 'TASK_MANAGER_LOST', taskManagerId: host });
    expect(job.facts.restarts, JSON.stringify(job.facts.exceptions.toInfo())).toBe(1);
    expect(job.facts.state).toBe('FINISHED');
    expectExactlyOnce();
  });
});

describe('the history of failures', () => {
  it('has each failure of a job once, with the subtask that failed and its TaskManager', async () => {
    const cluster = await startCluster([1, 1]);
    const content = program(`
      import { defineJob } from 'millstream';
      export default defineJob((env) => {
        env.fromSequence(1, 100).keyBy((n) => n % 10).map((n) => { if (n === 40) throw new Error('forty'); return n; }).filter(() => false).print();
      }, { name: 'failing' });
    `);
    const options = {
      'parallelism.default': 2,
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': 1,
      'restart-strategy.fixed-delay.delay': 10,
    };
    const job = await cluster.jobManager.submit({ content, argv: ['failing.js'], options, run: {} });
    await job.ended;
    const { entries } = job.facts.exceptions.toInfo().exceptionHistory;
    expect(entries).toHaveLength(2);
    const failed = job.facts.subtasks.filter(({ vertexId }) => vertexId === job.facts.graph.vertices[1]?.id);
    for (const entry of entries) {
      expect(entry.stacktrace).toContain('forty');
      const [, name, number] = /^(.*) \((\d)\/2\)$/.exec(entry.taskName ?? '') ?? [];
      expect(name).toBe(job.facts.graph.vertices[1]?.name);
      expect(entry.taskManagerId).toBe(failed[Number(number) - 1]?.place?.taskManagerId);
      expect(entry.failureLabels).toEqual({ domain: 'user' });
    }
  });
});

describe('a program that is being evaluated', () => {
  it('takes files and the clock from itself only, not from the jobs that run', async () => {
    const cluster = await startCluster([1, 1]);
    const options = {
      'execution.checkpointing.interval': 20,
      'execution.checkpointing.dir': directory(),
      'restart-strategy.type': 'none',
    };
    const { job } = await submitSums(cluster, 3_000_000, options);
    await expect.poll(() => job.lastCheckpoint, { timeout: 20_000 }).toBeDefined();
    const { completed } = job.facts.checkpoints.statistics().counts;
    // It is being evaluated until the running job has had its checkpoints.
    const name = `release${randomToken()}`;
    const globals = globalThis as unknown as Record<string, () => void>;
    const released = new Promise<void>((resolve) => {
      globals[name] = resolve;
    });
    globals[`${name}Wait`] = (() => released) as () => void;
    const slow = cluster.jobManager.submit({
      content: program(`await globalThis.${name}Wait(); throw new Error('evaluated');`),
      argv: ['slow.js'],
      options: {},
      run: {},
    });
    const refused = expect(slow).rejects.toThrow(/evaluated/);
    await expect
      .poll(() => job.facts.state === 'FINISHED' || job.facts.checkpoints.statistics().counts.completed > completed + 3, {
        timeout: 20_000,
      })
      .toBe(true);
    globals[name]?.();
    await refused;
    expect(job.facts.checkpoints.statistics().counts.failed).toBe(0);
    await job.ended;
    expect(job.facts.exceptions.latest).toBeUndefined();
    expect(job.facts.state).toBe('FINISHED');
  });
});
