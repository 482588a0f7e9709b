/** The list for the next leader has the jobs that run here, and none that its user takes for refused or ended. */
import { setImmediate as eventLoop } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defineJob, type JobDefinition } from '../api/define-job.js';
import { DiskCheckpointFiles } from '../checkpoint/disk-checkpoint-files.js';
import { MemoryDisk } from '../common/memory-disk.js';
import type { Sink } from '../connector/sink.js';
import { type StepFault, withFaults } from '../testing/faults.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { JobManager } from './job-manager.js';
import type { ProgramStore } from './program-modules.js';
import { SubmittedJobs } from './submitted-jobs.js';

const ID = '0123456789abcdef0123456789abcdef';
const SUBMISSION = { content: new TextEncoder().encode('job'), argv: ['job.mjs'], options: {}, run: {}, id: ID };

const sink: Sink<number, never> = {
  target: '/results',
  createWriter: () => ({ write: () => undefined, prepareCommit: async () => [], close: () => undefined }),
};
const sound = defineJob((env) => {
  env.fromElements(1).sinkTo(sink);
});
/** It is found only when the job is made. */
const doubled = defineJob((env) => {
  env.fromElements(1).sinkTo(sink);
  env.fromElements(2).sinkTo(sink);
});

let disk: MemoryDisk;
let clock: VirtualClock;
let program: JobDefinition;
/** Of the writes of the list that follow. */
let faults: (StepFault | undefined)[];
let jobManager: JobManager;

function listFor(writer: string, term: number): SubmittedJobs {
  return new SubmittedJobs(new DiskCheckpointFiles(disk), '/cluster', writer, term);
}

async function listed(): Promise<string[]> {
  return (await listFor('looking', 9).load()).map(({ id }) => id);
}

/** What can happen without time has happened. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await eventLoop();
}

beforeEach(async () => {
  disk = new MemoryDisk();
  await disk.makeDirectory('/cluster');
  clock = new VirtualClock(1_000_000);
  program = sound;
  faults = [];
  const faulty = withFaults(disk, (_step, operation) => (operation === 'link' ? faults.shift() : undefined));
  const modules: ProgramStore = { add: () => undefined, urlOf: () => 'memory:job', load: async () => ({ default: program }) };
  jobManager = new JobManager({
    clock,
    disk,
    modules,
    term: 1,
    heartbeatIntervalMs: 1000,
    heartbeatTimeoutMs: 10_000,
    scheduler: { type: 'Default', slotRequestTimeoutMs: 1_000_000, failover: 'region' },
    spread: 'fill',
    submitted: new SubmittedJobs(new DiskCheckpointFiles(faulty), '/cluster', 'leader', 1),
    observer: {
      taskManagerRegistered: () => undefined,
      taskManagerLost: () => undefined,
      jobSubmitted: () => undefined,
      jobEnded: () => undefined,
      recoveryFailed: () => undefined,
      refused: () => undefined,
    },
  });
  await jobManager.recover();
});
afterEach(async () => {
  await jobManager.abandon();
});

describe('the list for the next leader', () => {
  it('has a job from before its submission is answered until it has ended', async () => {
    const job = await jobManager.submit(SUBMISSION);
    expect(await listed()).toEqual([ID]);
    job.cancel();
    await job.ended;
    expect([job.facts.state, await listed()]).toEqual(['CANCELED', []]);
  });

  it('does not have a job that cannot be run', async () => {
    program = doubled;
    await expect(jobManager.submit(SUBMISSION)).rejects.toMatchObject({ code: 'INVALID_PLAN' });
    await quiet();
    expect(await listed()).toEqual([]);
  });

  it('loses a job whose submission has failed, though it was written', async () => {
    faults = ['loseAnswer', 'fail', 'fail'];
    await expect(jobManager.submit(SUBMISSION)).rejects.toThrow(/answer was lost/);
    await quiet();
    expect(await listed()).toEqual([ID]);
    clock.advanceBy(1000);
    await quiet();
    clock.advanceBy(1000);
    await quiet();
    expect([await listed(), jobManager.jobs.size]).toEqual([[], 0]);
  });

  it('keeps such a job if its client asks again', async () => {
    faults = ['loseAnswer', 'fail'];
    await expect(jobManager.submit(SUBMISSION)).rejects.toThrow(/answer was lost/);
    await quiet();
    await jobManager.submit(SUBMISSION);
    clock.advanceBy(1000);
    await quiet();
    expect([await listed(), [...jobManager.jobs.keys()]]).toEqual([[ID], [ID]]);
  });

  it('has a job that another leader goes on with, which has not ended then', async () => {
    const job = await jobManager.submit(SUBMISSION);
    await listFor('next', 2).takeOver();
    job.cancel();
    await job.ended;
    expect([job.facts.state, await listed()]).toEqual(['SUSPENDED', [ID]]);
  });
});
