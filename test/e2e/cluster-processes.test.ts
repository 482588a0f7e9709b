/** Real processes: a JobManager, TaskManagers, records between them over TCP, and processes that die. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningCount } from '../jobs/running-counts.js';
import { ClusterHarness, pause } from './cluster-harness.js';
import { startMillstream } from './command.js';
import { expectCountsOnce } from './expect-counts.js';
import { readLines } from './run-job.js';

const RECORDS = 400_000;
const KEYS = 100;

let cluster: ClusterHarness;
beforeEach(() => {
  cluster = new ClusterHarness();
});
afterEach(async () => {
  await cluster.stop();
});

function results(): string {
  return join(cluster.directory, 'results');
}

function job(parallelism: number): [string, Record<string, string | number>, ...string[]] {
  return [
    'running-counts',
    {
      'parallelism.default': parallelism,
      'execution.checkpointing.interval': '100 ms',
      'execution.checkpointing.dir': join(cluster.directory, 'checkpoints'),
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': 5,
      'restart-strategy.fixed-delay.delay': '100 ms',
    },
  ];
}

/** In each attempt all but an eighth of the records wait for the file `until`. */
function parameters(): string[] {
  const until = join(cluster.directory, 'until');
  return ['--', '--records', `${RECORDS}`, '--keys', `${KEYS}`, '--results', results(), '--until', until, '--free', `${RECORDS / 8}`];
}

function release(): void {
  writeFileSync(join(cluster.directory, 'until'), '');
}

function expectExactlyOnce(): void {
  expectCountsOnce(readLines<RunningCount>(join(results(), 'running')), { records: RECORDS, keys: KEYS });
}

describe('a cluster of processes', () => {
  it('runs a job over two TaskManagers, and goes on after one was killed', async () => {
    const backups = join(cluster.directory, 'backups');
    await cluster.start(3, { 'execution.checkpointing.local-backup.dirs': backups });
    const [name, options] = job(2);
    const local = { 'execution.checkpointing.local-backup.enabled': 'true', 'execution.state-recovery.from-local': 'true' };
    const id = await cluster.run(name, { ...options, ...local }, ...parameters());
    await cluster.completedCheckpoints(id, 3);
    const copies = (): string[] => readdirSync(backups, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.keyed'));
    expect(copies().length).toBeGreaterThan(0);
    await (await cluster.workingTaskManager(id)).kill();
    await cluster.completedCheckpoints(id, 6);
    release();
    expect(await cluster.ended(id)).toBe('FINISHED');
    expectExactlyOnce();
    const { exceptionHistory } = await cluster.client.jobExceptions(id);
    expect(exceptionHistory.entries.length).toBeGreaterThan(0);
  });

  it('stops a job with a savepoint and resumes it from there at another parallelism', async () => {
    await cluster.start(2, { 'taskmanager.numberOfTaskSlots': 2 });
    const [name, options] = job(3);
    const first = await cluster.run(name, options, ...parameters());
    await cluster.completedCheckpoints(first, 2);
    const target = join(cluster.directory, 'savepoints');
    const { savepoint } = JSON.parse(await cluster.millstream('stop', '--json', '-p', target, first)) as { savepoint: string };
    expect(savepoint.startsWith(target)).toBe(true);
    expect(await cluster.ended(first)).toBe('FINISHED');
    release();
    const second = await cluster.run(name, { ...options, 'parallelism.default': 2 }, '--from', savepoint, ...parameters());
    expect(await cluster.ended(second)).toBe('FINISHED');
    expectExactlyOnce();
  });

  it('rescales a running job, up and down', async () => {
    await cluster.start(2, { 'taskmanager.numberOfTaskSlots': 2 });
    const [name, options] = job(1);
    const id = await cluster.run(name, options, ...parameters());
    let completed = 0;
    for (const parallelism of [4, 2]) {
      await cluster.completedCheckpoints(id, completed + 2);
      await cluster.millstream('scale', id, '-p', `${parallelism}`);
      completed = (await cluster.client.checkpoints(id)).counts.completed;
      await cluster.completedCheckpoints(id, completed + 1);
      const { vertices } = await cluster.client.job(id);
      expect(vertices.map((vertex) => vertex.parallelism)).toEqual(vertices.map(() => parallelism));
    }
    await expect(cluster.millstream('scale', id, '-p', '9')).rejects.toThrow(/it would need 9 slots, and the cluster has 4 for it/);
    release();
    expect(await cluster.ended(id)).toBe('FINISHED');
    expectExactlyOnce();
  });

  it('grows with its TaskManagers in reactive mode', async () => {
    const reactive = {
      'scheduler-mode': 'reactive',
      'jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling': '0 s',
      'jobmanager.adaptive-scheduler.executing.resource-stabilization-timeout': '0 s',
    };
    await cluster.start(1, reactive);
    const [name, options] = job(1);
    const id = await cluster.run(name, options, ...parameters());
    await cluster.completedCheckpoints(id, 2);
    await cluster.addTaskManager({ 'taskmanager.numberOfTaskSlots': 2 });
    const parallelism = async (): Promise<number[]> => (await cluster.client.job(id)).vertices.map((vertex) => vertex.parallelism);
    while (!(await parallelism()).every((each) => each === 3)) await pause();
    await cluster.completedCheckpoints(id, (await cluster.client.checkpoints(id)).counts.completed + 1);
    await expect(cluster.millstream('scale', id, '-p', '1')).rejects.toThrow(/it uses all slots that there are/);
    release();
    expect(await cluster.ended(id)).toBe('FINISHED');
    expectExactlyOnce();
  });

  it('goes on under a standby when its JobManager was killed', async () => {
    const availability = {
      'high-availability.type': 'file',
      'high-availability.storageDir': join(cluster.directory, 'ha'),
      'high-availability.leader-election.lease-duration': '2 s',
      'high-availability.leader-election.retry-period': '200 ms',
    };
    await cluster.start(2, availability);
    const standby = await cluster.addJobManager(availability);
    const [name, options] = job(1);
    const id = await cluster.run(name, options, ...parameters());
    await cluster.completedCheckpoints(id, 3);
    await cluster.millstream('scale', id, '-p', '2');
    await cluster.completedCheckpoints(id, (await cluster.client.checkpoints(id)).counts.completed + 1);
    const pids = cluster.taskManagers.map(({ child }) => child.pid);
    await cluster.jobManager.kill();
    await standby.logged('leading');
    await cluster.completedCheckpoints(id, 2);
    // It keeps the parallelism that it was given.
    expect((await cluster.client.job(id)).vertices.map(({ parallelism }) => parallelism)).toEqual([2, 2, 2]);
    release();
    expect(await cluster.ended(id)).toBe('FINISHED');
    expectExactlyOnce();
    expect(cluster.taskManagers.map(({ child }) => (child.exitCode === null ? child.pid : undefined))).toEqual(pids);
  });

  it('lists, shows and cancels jobs', async () => {
    await cluster.start(1);
    const [name, options] = job(1);
    const id = await cluster.run(name, options, ...parameters());
    expect(await cluster.millstream('list')).toContain(id);
    await cluster.completedCheckpoints(id, 1);
    expect(await cluster.millstream('info', id)).toMatch(/running-counts {2}RUNNING/);
    expect(await cluster.millstream('cancel', id)).toContain('state CANCELED');
    const attached = startMillstream(['run', '--jobmanager', cluster.restAddress, `test/jobs/${name}.ts`, ...parameters()]);
    await attached.shows('is submitted');
    const jid = (await cluster.client.jobsOverview())[0]?.jid as string;
    attached.child.kill('SIGINT');
    expect(await attached.ended).toMatchObject({ code: 130, stderr: expect.stringContaining(`Job ${jid} goes on.`) });
    expect(await cluster.millstream('cancel', jid)).toContain('state CANCELED');
    await expect(cluster.millstream('info', 'no-such-job')).rejects.toThrow(/no-such-job/);
  });
});
