/** A part of a job restarts while the rest goes on: in this process, on a cluster in it, and with real processes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JobMaster, JobRun, SubtaskId } from 'millstream/cluster';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Line } from '../jobs/file-copies.js';
import { expectedLines } from '../jobs/regions.js';
import { ClusterHarness } from './cluster-harness.js';
import { directory, startCluster } from './memory-cluster.js';
import { readLines, runJob } from './run-job.js';

const RECORDS = 4_000;
const PROGRAM = new URL('../dist/jobs/regions.js', import.meta.url).href;
/** The slot of the first copies; both of their subtasks are regions of their own. */
const COPIES_SLOT = 2;

interface Job {
  readonly parameters: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string | number>>;
  release(): void;
  expectExactlyOnce(): void;
}

/** Half of the records wait for the release. */
function held(parameters: Readonly<Record<string, string>> = {}): Job {
  const results = directory();
  const until = join(directory(), 'until');
  return {
    parameters: { records: `${RECORDS}`, rate: '100000', results, until, ...parameters },
    options: {
      'execution.checkpointing.interval': '50 ms',
      'execution.checkpointing.dir': directory(),
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': 1,
      'restart-strategy.fixed-delay.delay': '10 ms',
    },
    release: () => writeFileSync(until, ''),
    expectExactlyOnce: () => {
      const lines = ['counts', 'copies', 'sums']
        .flatMap((name) => readLines<object>(join(results, name)))
        .map((line) => JSON.stringify(line));
      expect(lines.sort()).toEqual([...expectedLines(RECORDS)].sort());
    },
  };
}

const nameOf = ({ vertexId, subtaskIndex }: SubtaskId): string => `${vertexId} ${subtaskIndex}`;

/** Runs the job in this process; `harm`: what to do to it after its second checkpoint. Resolves with what restarted, and what ran. */
async function runEmbedded({ parameters, options, release }: Job, harm: (run: JobRun) => void): Promise<string[]> {
  const told: string[] = [];
  let run: JobRun | undefined;
  let completed = 0;
  const outcome = await runJob('regions', {
    parameters,
    options,
    onRun: (started) => {
      run = started;
    },
    observer: {
      attemptStarted: (attempt) => told.push(`attempt ${attempt}`),
      running: (subtasks) => told.push(`running ${subtasks?.map(nameOf).join() ?? 'all'}`),
      restarting: ({ code }) => told.push(`restarting all, ${code}`),
      regionsRestarting: (subtasks, { code }) => told.push(`restarting ${subtasks.map(nameOf).join()}, ${code}`),
      regionsDeploying: (subtasks, attempt) => told.push(`deploying ${subtasks.map(nameOf).join()} as ${attempt}`),
      checkpointCompleted: () => {
        completed++;
        if (completed === 2) harm(run as JobRun);
        // Not before a checkpoint has all of it again.
        if (completed === 4) release();
      },
    },
  });
  expect(outcome.type).toBe('finished');
  return told;
}

describe('a job in this process', () => {
  it('restarts what is connected with a lost slot, and nothing else', async () => {
    const job = held();
    const told = await runEmbedded(job, (run) => run.killSlot(COPIES_SLOT));
    expect(told).toEqual([
      'attempt 1',
      'running all',
      'restarting uid:copies 0, SLOT_LOST',
      'deploying uid:copies 0 as 2',
      'running uid:copies 0',
    ]);
    job.expectExactlyOnce();
  });

  it('restarts both slots of what records cross', async () => {
    const job = held();
    const told = await runEmbedded(job, (run) => run.killSlot(0));
    const counts = 'uid:counts 0,uid:counts 1,uid:count 0,uid:count 1';
    expect(told.slice(2)).toEqual([`restarting ${counts}, SLOT_LOST`, `deploying ${counts} as 2`, `running ${counts}`]);
    job.expectExactlyOnce();
  });

  it('restarts what a user function fails in', async () => {
    const job = held({ failure: join(directory(), 'failed') });
    const told = await runEmbedded(job, () => undefined);
    expect(told.slice(2)).toEqual([
      expect.stringMatching(/^restarting uid:copies [01], OPERATOR_FAILED$/),
      expect.stringMatching(/^deploying uid:copies [01] as 2$/),
      expect.stringMatching(/^running uid:copies [01]$/),
    ]);
    job.expectExactlyOnce();
  });

  it('reads on in a file where the restored checkpoint was in it, and each file once', async () => {
    const [input, results, checkpoints] = [directory(), directory(), directory()];
    const until = join(input, 'until');
    const lines = Array.from({ length: 10 }, (_, file) => Array.from({ length: 500 }, (__, line) => ({ file, line })));
    const files = lines.map((content, file) => {
      const path = join(input, `${file}.jsonl`);
      writeFileSync(path, content.map((line) => JSON.stringify(line)).join('\n'));
      return path;
    });
    let run: JobRun | undefined;
    let completed = 0;
    let restarts = 0;
    const outcome = await runJob('file-copies', {
      // Each reader is in the middle of its second file.
      parameters: { input: files.join(), results, until, free: '1500' },
      options: {
        'parallelism.default': 2,
        'execution.checkpointing.interval': '20 ms',
        'execution.checkpointing.dir': checkpoints,
        'restart-strategy.type': 'fixed-delay',
        'restart-strategy.fixed-delay.attempts': 1,
        'restart-strategy.fixed-delay.delay': '1 ms',
      },
      onRun: (started) => {
        run = started;
      },
      observer: {
        regionsRestarting: () => restarts++,
        checkpointCompleted: () => {
          completed++;
          if (completed === 20) run?.killSlot(1);
          if (completed === 25) writeFileSync(until, '');
        },
      },
    });
    expect(outcome.type).toBe('finished');
    expect(restarts).toBe(1);
    const inOrder = (copies: readonly Line[]): readonly Line[] => [...copies].sort((a, b) => a.file - b.file || a.line - b.line);
    expect(inOrder(readLines<Line>(results))).toEqual(lines.flat());
  });

  it('fails when its restart strategy has had enough', async () => {
    const job = held();
    const harmed = runEmbedded({ ...job, options: { ...job.options, 'restart-strategy.type': 'none' } }, (run) =>
      run.killSlot(COPIES_SLOT),
    );
    await expect(harmed).rejects.toMatchObject({ code: 'SLOT_LOST' });
  });
});

async function submit(cluster: Awaited<ReturnType<typeof startCluster>>, { parameters, options }: Job): Promise<JobMaster> {
  const job = await cluster.jobManager.submit({
    content: new TextEncoder().encode(`export { default } from ${JSON.stringify(PROGRAM)};`),
    argv: ['regions.js', ...Object.entries(parameters).flatMap(([name, value]) => [`--${name}`, value])],
    options,
    run: {},
  });
  await checkpoints(job, 2);
  return job;
}

async function checkpoints(job: JobMaster, count: number): Promise<void> {
  const completed = (): number => job.facts.checkpoints.statistics().counts.completed;
  const before = completed();
  await expect.poll(completed, { timeout: 20_000 }).toBeGreaterThanOrEqual(before + count);
}

const attempts = (job: JobMaster): string[] =>
  job.facts.subtasks.map(({ vertexId, subtask, attempt }) => `${vertexId} ${subtask}: ${attempt}`);

describe('a cluster', () => {
  it('puts what was lost with a TaskManager on another one, while the others go on', async () => {
    const cluster = await startCluster([1, 1, 1, 1, 1, 1]);
    const heldJob = held();
    const job = await submit(cluster, heldJob);
    const placeOf = (): string | undefined =>
      job.facts.subtasks.find(({ vertexId, subtask }) => vertexId === 'uid:copies' && subtask === 1)?.place?.taskManagerId;
    const lost = Number(placeOf()?.slice('tm-'.length));
    await cluster.taskManagers[lost]?.stop();
    await expect.poll(() => job.facts.restarts, { timeout: 20_000 }).toBe(1);
    await checkpoints(job, 2);
    expect(placeOf()).not.toBe(`tm-${lost}`);
    expect(attempts(job)).toEqual([
      'uid:counts 0: 1',
      'uid:counts 1: 1',
      'uid:count 0: 1',
      'uid:count 1: 1',
      'uid:copies 0: 1',
      'uid:copies 1: 2',
      'uid:sums 0: 1',
      'uid:sum 0: 1',
    ]);
    expect(job.facts.state).toBe('RUNNING');
    heldJob.release();
    await job.ended;
    expect(job.facts.state).toBe('FINISHED');
    heldJob.expectExactlyOnce();
  });

  it('restarts all of a job where it is told to', async () => {
    const cluster = await startCluster([5], { scheduler: { type: 'Default', slotRequestTimeoutMs: 2000, failover: 'full' } });
    const heldJob = held();
    const job = await submit(cluster, heldJob);
    job.killSlot(COPIES_SLOT);
    await expect.poll(() => job.facts.restarts, { timeout: 20_000 }).toBe(1);
    await checkpoints(job, 2);
    expect(new Set(job.facts.subtasks.map(({ attempt }) => attempt))).toEqual(new Set([2]));
    heldJob.release();
    await job.ended;
    heldJob.expectExactlyOnce();
  });
});

describe('a cluster of processes', () => {
  let cluster: ClusterHarness;
  beforeEach(() => {
    cluster = new ClusterHarness();
  });
  afterEach(async () => await cluster.stop());

  it('goes on with the regions that a killed TaskManager has no part in', async () => {
    await cluster.start(3, { 'taskmanager.numberOfTaskSlots': 2 });
    const heldJob = held();
    const words = Object.entries(heldJob.parameters).flatMap(([name, value]) => [`--${name}`, value]);
    const id = await cluster.run('regions', heldJob.options, '--', ...words);
    await cluster.completedCheckpoints(id, 2);
    const { vertices } = await cluster.client.job(id);
    const placesOf = async (index: number): Promise<string[]> => {
      const { taskmanagers } = await cluster.client.vertexTaskManagers({ jobId: id, vertexId: vertices[index]?.id as string });
      return taskmanagers.map((each) => String(each['taskmanager-id']));
    };
    const names = vertices.map(({ name }) => name);
    const copies = names.findIndex((name) => name.includes('copies'));
    const sums = names.findIndex((name) => name.includes('sums'));
    const [victim] = (await placesOf(copies)).filter((place) => place !== 'unassigned');
    const survivors = await placesOf(sums);
    const startedAt = vertices[sums]?.['start-time'];
    const { counts } = await cluster.client.checkpoints(id);
    await cluster.taskManager(victim).kill();
    await cluster.addTaskManager({ 'taskmanager.numberOfTaskSlots': 2 });
    await cluster.completedCheckpoints(id, counts.completed + 3);
    const after = await cluster.client.job(id);
    expect(await placesOf(sums)).toEqual(survivors);
    expect(after.vertices[sums]?.['start-time']).toBe(startedAt);
    expect(await placesOf(copies)).not.toContain(victim);
    // Both copies were lost at once: one failure, and more are not allowed.
    expect((await cluster.client.jobExceptions(id)).exceptionHistory.entries[0]?.exceptionName).toContain('TASK_MANAGER_LOST');
    heldJob.release();
    expect(await cluster.ended(id)).toBe('FINISHED');
    heldJob.expectExactlyOnce();
  });
});
