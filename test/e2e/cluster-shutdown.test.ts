/** Processes that are told to end: nothing is lost, nobody waits for a timeout, and what was open is closed. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningCount } from '../jobs/running-counts.js';
import { ClusterHarness, type ClusterProcess, pause } from './cluster-harness.js';
import { readLines } from './run-job.js';

const RECORDS = 100_000;
/** Where somebody waits for silence, the test ends before. */
const NEVER = '10 min';

let cluster: ClusterHarness;
beforeEach(() => {
  cluster = new ClusterHarness();
});
afterEach(async () => {
  await cluster.stop();
});

function restarting(): Record<string, string | number> {
  return {
    'execution.checkpointing.interval': '100 ms',
    'execution.checkpointing.dir': join(cluster.directory, 'checkpoints'),
    'restart-strategy.type': 'fixed-delay',
    'restart-strategy.fixed-delay.attempts': 3,
    'restart-strategy.fixed-delay.delay': '10 ms',
  };
}

function linesOf(file: string): readonly string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}

async function written(file: string, line: string): Promise<void> {
  while (!linesOf(file).includes(line)) await pause();
}

/** Of a job that counts, up to a file that most of its records wait for. */
function counting(): { readonly words: readonly string[]; release(): void; counts(): readonly string[] } {
  const [results, until] = [join(cluster.directory, 'results'), join(cluster.directory, 'until')];
  return {
    words: ['--', '--records', `${RECORDS}`, '--keys', '100', '--results', results, '--until', until, '--free', '10000'],
    release: () => writeFileSync(until, ''),
    counts: () => readLines<RunningCount>(join(results, 'running')).map(({ key, count }) => `${key} ${count}`),
  };
}

describe('SIGTERM', () => {
  it('of a TaskManager closes what runs there, and the job goes on elsewhere', async () => {
    await cluster.start(1, { 'heartbeat.timeout': NEVER });
    const log = join(cluster.directory, 'log');
    const id = await cluster.run('closing', restarting(), '--', '--log', log);
    await written(log, 'open subtask 0 of attempt 1');
    await cluster.completedCheckpoints(id, 1);
    await cluster.addTaskManager();
    expect(await cluster.taskManagers[0]?.stop()).toBe(0);
    expect(linesOf(log)).toContain('close subtask 0 of attempt 1');
    await written(log, 'open subtask 0 of attempt 2');
    expect((await cluster.client.jobExceptions(id)).exceptionHistory.entries[0]).toMatchObject({
      exceptionName: 'TASK_MANAGER_LOST',
      stacktrace: expect.stringMatching(/it stops/),
    });
    await cluster.millstream('cancel', id);
  });

  it('of a TaskManager whose function does not return ends it after a time', async () => {
    await cluster.start(1, { 'cluster.services.shutdown-timeout': '300 ms' });
    const log = join(cluster.directory, 'log');
    await cluster.run('closing', {}, '--', '--log', log, '--block', '3');
    await written(log, 'block');
    const taskManager = cluster.taskManagers[0] as ClusterProcess;
    // A service manager may say it to each process of a group, and so twice.
    taskManager.child.kill('SIGTERM');
    await taskManager.logged('TaskManager stops');
    expect(await taskManager.stop()).toBe(1);
    expect(taskManager.log.at(-1)?.msg).toContain('cluster.services.shutdown-timeout');
  });

  it('of the leader gives up its lease: a standby leads without waiting for it to lapse, and each record counts once', async () => {
    const options = {
      'high-availability.type': 'file',
      'high-availability.storageDir': join(cluster.directory, 'ha'),
      'high-availability.leader-election.lease-duration': NEVER,
      'high-availability.leader-election.retry-period': '200 ms',
      'heartbeat.timeout': NEVER,
    };
    await cluster.start(1, options);
    const standby = await cluster.addJobManager(options);
    const { words, release, counts } = counting();
    const id = await cluster.run('running-counts', restarting(), ...words);
    await cluster.completedCheckpoints(id, 2);
    expect(await cluster.jobManager.stop()).toBe(0);
    await standby.logged('leading');
    await cluster.completedCheckpoints(id, 1);
    release();
    expect(await cluster.ended(id)).toBe('FINISHED');
    expect([counts().length, new Set(counts()).size]).toEqual([RECORDS, RECORDS]);
  });

  it('of the only JobManager ends its jobs with a checkpoint to go on from, and leaves the TaskManagers looking for another', async () => {
    await cluster.start(1);
    const { words } = counting();
    const id = await cluster.run('running-counts', restarting(), ...words);
    await cluster.completedCheckpoints(id, 1);
    const taskManager = cluster.taskManagers[0] as ClusterProcess;
    expect(await cluster.jobManager.stop()).toBe(0);
    expect(cluster.jobManager.log.map(({ msg }) => msg)).toContain('job ended');
    await taskManager.logged('is lost');
    expect(taskManager.child.exitCode).toBeNull();
    expect(await taskManager.stop()).toBe(0);
    const { release, counts } = counting();
    release();
    const directory = join(cluster.directory, 'checkpoints', `running-counts-${id.slice(0, 16)}`);
    const resumed = new ClusterHarness();
    try {
      await resumed.start(1);
      const again = await resumed.run('running-counts', restarting(), '--from', directory, ...words);
      expect(await resumed.ended(again)).toBe('FINISHED');
      expect([counts().length, new Set(counts()).size]).toEqual([RECORDS, RECORDS]);
    } finally {
      await resumed.stop();
    }
  });
});
