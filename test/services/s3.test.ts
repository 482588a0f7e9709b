/** The conformance suites, and what a store can answer, on a real server that speaks S3. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createS3Client, openBucket, openCheckpointFiles, S3ObjectStore, type S3Options } from '@millstream/s3';
import { fileLeaseStore, type JobRun } from 'millstream/cluster';
import { IF_ABSENT, ObjectCheckpointFiles, type Register } from 'millstream/connector';
import {
  CHECKPOINT_FILES_CASES,
  type FaultPlan,
  LEASE_CASES,
  REGISTER_CASES,
  seededRandom,
  systemClock,
  withFaults,
} from 'millstream/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { readLines, runJob } from '../e2e/run-job.js';
import type { RunningCount } from '../jobs/running-counts.js';
import { requireTools } from './required-tools.js';
import { S3_CREDENTIALS, S3Server } from './s3-server.js';

/** S3's least. */
const PART_BYTES = 5 * 1024 * 1024;
const BUCKET = 'millstream';
const RECORDS = 60_000;

// On a laptop without Python it is skipped, and says so; with CI=true it fails.
describe.skipIf(requireTools('S3', process.env.S3_SERVER_BINARY === undefined ? ['python3'] : []) === 'missing')('S3', () => {
  let server: S3Server;
  let places = 0;

  const options = (more: S3Options = {}): S3Options => ({ endpoint: server.endpoint, ...S3_CREDENTIALS, ...more });

  /** A fresh prefix, and files on a store whose steps have faults. */
  function newPlace(): { directory: string; open: (faults?: FaultPlan) => ObjectCheckpointFiles } {
    const store = new S3ObjectStore(createS3Client(options()), BUCKET);
    return {
      directory: `s3://${BUCKET}/place-${++places}`,
      open: (faults) => new ObjectCheckpointFiles(faults === undefined ? store : withFaults(store, faults), { partBytes: PART_BYTES }),
    };
  }

  beforeAll(async () => {
    server = await S3Server.start();
    await server.createBucket(BUCKET);
  });
  afterAll(async () => {
    await server.stop();
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it.each(REGISTER_CASES)('a register: $name', async ({ run }) => {
    const { directory, open } = newPlace();
    await run({ open: (_, faults): Register => open(faults).register(`${directory}/job`) });
  });

  it.each(LEASE_CASES)("a leader's lease: $name", async ({ run }) => {
    const { directory, open } = newPlace();
    await run({ open: (writer, faults) => fileLeaseStore(open(faults), directory, writer) });
  });

  it.each(CHECKPOINT_FILES_CASES)('files of checkpoints: $name', async ({ run }) => {
    const { directory, open } = newPlace();
    await run({ directory, partBytes: PART_BYTES, open });
  });

  it('lists more names than one answer holds', async () => {
    const store = new S3ObjectStore(createS3Client(options()), BUCKET);
    const names = Array.from({ length: 1100 }, (_, at) => `n${String(at).padStart(4, '0')}`);
    for (let at = 0; at < names.length; at += 50) {
      await Promise.all(names.slice(at, at + 50).map((name) => store.put(`many/${name}`, Buffer.from(name))));
    }
    expect(await store.list('many/')).toEqual(names);
    expect(await store.list('many/', 3)).toEqual(names.slice(0, 3));
  });

  it('gives up uploads that their writer did not end', async () => {
    const store = new S3ObjectStore(createS3Client(options()), BUCKET);
    const upload = await store.startUpload('uploads/a');
    expect(await store.unfinishedUploads('uploads/')).toEqual([{ key: 'uploads/a', upload }]);
    await store.abortUpload('uploads/a', upload);
    await store.abortUpload('uploads/a', upload);
    expect(await store.unfinishedUploads('uploads/')).toEqual([]);
    expect(await store.get('uploads/a')).toBeUndefined();
  });

  it.each([
    ['a bucket that is not there', 'no-such-bucket', {}, 'STORAGE_BUCKET_MISSING', /'no-such-bucket'.*execution\.checkpointing\.dir/],
    ['a wrong secret', BUCKET, { secretKey: 'wrong' }, 'STORAGE_ACCESS_DENIED', /s3\.secret-key/],
    ['an unknown key', BUCKET, { accessKey: 'nobody' }, 'STORAGE_ACCESS_DENIED', /s3\.access-key/],
    ['nobody who answers', BUCKET, { endpoint: 'http://127.0.0.1:9', attempts: 2 }, 'STORAGE_UNREACHABLE', /s3\.endpoint/],
  ] as const)('names %s, and the option to change', async (_, bucket, wrong, code, message) => {
    const files = openCheckpointFiles(bucket, options(wrong), systemClock, seededRandom(1));
    const failures = [
      () => files.prepareDirectory(`s3://${bucket}/job`),
      () => files.read(`s3://${bucket}/job/file`),
      () => files.register(`s3://${bucket}/job/job`, 'w').read(),
    ];
    for (const failure of failures) {
      const error = await failure().catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
      expect(String((error as Error).message)).not.toContain(S3_CREDENTIALS.secretKey);
    }
  });

  it('holds the checkpoints of a job: killed, stopped and resumed, each record counts once', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'millstream-s3-job-'));
    vi.stubEnv('AWS_ENDPOINT_URL_S3', server.endpoint);
    vi.stubEnv('AWS_ACCESS_KEY_ID', S3_CREDENTIALS.accessKey);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', S3_CREDENTIALS.secretKey);
    const results = join(directory, 'results');
    const parameters = { records: `${RECORDS}`, keys: '500', results };
    const jobOptions = {
      'parallelism.default': 2,
      'execution.checkpointing.interval': '200 ms',
      'execution.checkpointing.dir': `s3://${BUCKET}/jobs`,
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': 3,
      'restart-strategy.fixed-delay.delay': '10 ms',
    };
    let run: JobRun | undefined;
    let attempts = 0;
    let completed = 0;
    const stopped = await runJob('running-counts', {
      // The last half waits for a file that nobody writes: the job is stopped before its end.
      parameters: { ...parameters, rate: '30000', until: join(directory, 'go on') },
      options: jobOptions,
      onRun: (started) => {
        run = started;
      },
      observer: {
        attemptStarted: () => {
          attempts++;
          completed = 0;
        },
        checkpointCompleted: () => {
          completed++;
          if (completed === 2 && attempts === 1) run?.killSlot(1);
          if (completed === 2 && attempts === 2) run?.stop();
        },
      },
    });
    if (stopped.type !== 'stopped') throw new Error(`The job ended as ${stopped.type}`);
    expect(attempts).toBe(2);
    expect(stopped.checkpoint).toMatch(/^s3:\/\/millstream\/jobs\/.*\/chk-\d+$/);
    expect(readLines(join(results, 'running')).length).toBeLessThan(RECORDS);
    const resumed = { parameters, options: { ...jobOptions, 'parallelism.default': 3 } };
    expect((await runJob('running-counts', { ...resumed, run: { from: stopped.checkpoint } })).type).toBe('finished');
    const counts = readLines<RunningCount>(join(results, 'running')).map(({ key, count }) => `${key} ${count}`);
    expect([counts.length, new Set(counts).size]).toEqual([RECORDS, RECORDS]);
    rmSync(directory, { recursive: true });
  });

  it('keeps a register through kill -9 of the server, and its writer goes on', async () => {
    const store = openBucket(BUCKET, options({ attempts: 40 }), systemClock, seededRandom(7));
    const register = new ObjectCheckpointFiles(store).register(`s3://${BUCKET}/killed/job`);
    for (let version = 0; version < 20; version++) expect(await register.compareAndSet(version, Buffer.from(`v${version + 1}`))).toBe(true);
    await server.kill();
    const next = register.compareAndSet(20, Buffer.from('v21'));
    await server.begin();
    expect(await next).toBe(true);
    const found = await new ObjectCheckpointFiles(store).register(`s3://${BUCKET}/killed/job`).read();
    expect([found?.version, Buffer.from(found?.content ?? []).toString()]).toEqual([21, 'v21']);
    expect(await store.put('killed/job', Buffer.from('x'), IF_ABSENT)).toBeUndefined();
  });
});
