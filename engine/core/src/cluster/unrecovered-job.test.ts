/** Jobs of an earlier leader that cannot be gone on with are seen, with the reason, and can be given up. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { DiskCheckpointFiles } from '../checkpoint/disk-checkpoint-files.js';
import { systemClock } from '../common/clock.js';
import { MemoryDisk } from '../common/memory-disk.js';
import { seededRandom } from '../common/random.js';
import { ArtifactStore } from './gateway/artifact-store.js';
import { ModelGateway } from './gateway/model-gateway.js';
import { JobManager } from './job-manager.js';
import { JobManagerModel } from './job-manager-model.js';
import { moduleHash, ProgramModules } from './program-modules.js';
import { SubmittedJobs } from './submitted-jobs.js';

const CONTENT = new TextEncoder().encode('export default 1;');
const ID = '0123456789abcdef0123456789abcdef';

let directory: string;
let disk: MemoryDisk;
let failures: string[];
let jobManager: JobManager;
let gateway: ModelGateway;

function submitted(writer: string): SubmittedJobs {
  return new SubmittedJobs(new DiskCheckpointFiles(disk), '/cluster', writer);
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-unrecovered-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(async () => {
  disk = new MemoryDisk();
  await disk.makeDirectory('/cluster');
  const job = { argv: ['job.mjs'], module: moduleHash(CONTENT), defaults: {}, from: undefined, allowNonRestoredState: false };
  const former = submitted('former');
  await former.add({ ...job, id: ID, name: 'sums', options: { 'execution.checkpointing.interval': '3 s' } }, CONTENT);
  await former.add({ ...job, id: 'nameless', options: { 'no.such.option': 1 } }, CONTENT);
  await disk.unlink(`/cluster/${moduleHash(CONTENT)}.program`);
  failures = [];
  jobManager = new JobManager({
    clock: systemClock,
    disk,
    modules: new ProgramModules(mkdtempSync(join(directory, 'modules-'))),
    term: 2,
    heartbeatIntervalMs: 1000,
    heartbeatTimeoutMs: 10_000,
    scheduler: { type: 'Default', slotRequestTimeoutMs: 1000, failover: 'region' },
    spread: 'fill',
    submitted: submitted('leader'),
    observer: {
      taskManagerRegistered: () => undefined,
      taskManagerLost: () => undefined,
      jobSubmitted: () => undefined,
      jobEnded: () => undefined,
      recoveryFailed: (job, { code }) => failures.push(`${job} ${code}`),
      refused: () => undefined,
    },
  });
  gateway = new ModelGateway({
    model: new JobManagerModel({
      jobManager: () => jobManager,
      version: 'test',
      address: '',
      configuration: [],
      clock: systemClock,
      disk,
      shutDown: async () => undefined,
    }),
    artifacts: await ArtifactStore.open({ disk, clock: systemClock, directory: '/artifacts' }),
    clock: systemClock,
    random: seededRandom(1),
    features: { submit: true, cancel: true, rescale: true },
  });
});

it('are failed jobs, with the reason', async () => {
  expect(await gateway.ready()).toBe(false);
  await jobManager.recover();
  expect(await gateway.ready()).toBe(true);
  expect(failures).toEqual([`${ID} ARTIFACT_CORRUPT`, 'nameless ARTIFACT_CORRUPT']);
  expect((await gateway.jobsOverview()).map(({ jid, name, state }) => [jid, name, state])).toEqual([
    ['nameless', 'nameless', 'FAILED'],
    [ID, 'sums', 'FAILED'],
  ]);
  expect(await gateway.overview()).toMatchObject({ 'jobs-failed': 2, 'jobs-running': 0 });
  expect((await gateway.jobExceptions(ID)).exceptionHistory.entries).toMatchObject([
    { exceptionName: 'ARTIFACT_CORRUPT', stacktrace: expect.stringContaining('it is gone') },
  ]);
  expect(await gateway.job(ID)).toMatchObject({ state: 'FAILED', maxParallelism: -1, vertices: [] });
  expect(await gateway.checkpointSettings(ID)).toMatchObject({ interval: 3000 });
  expect(await gateway.jobExecutionResult(ID)).toMatchObject({ 'job-execution-result': { 'application-status': 'FAILED' } });
  await expect(gateway.triggerSavepoint(ID, {})).rejects.toMatchObject({ code: 'REQUEST_CONFLICT' });
  expect(await gateway.checkpointSettings('nameless')).toMatchObject({ interval: -1 });
});

it('are left to the next leader, until they are cancelled', async () => {
  await jobManager.recover();
  expect((await submitted('next').load()).map(({ id }) => id)).toEqual([ID, 'nameless']);
  await gateway.cancelJob(ID);
  expect(await gateway.jobStatus(ID)).toBe('FAILED');
  expect((await submitted('next').load()).map(({ id }) => id)).toEqual(['nameless']);
});
