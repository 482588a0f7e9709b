/** High availability and checkpoints in S3, with real processes: nothing of a job lies on a machine. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ClusterHarness, type ClusterProcess } from '../e2e/cluster-harness.js';
import { expectCountsOnce } from '../e2e/expect-counts.js';
import { readLines } from '../e2e/run-job.js';
import type { RunningCount } from '../jobs/running-counts.js';
import { requireTools } from './required-tools.js';
import { S3_CREDENTIALS, S3Server } from './s3-server.js';

const BUCKET = 'millstream';
const RECORDS = 200_000;
/** The bucket is reached by options alone: whatever the AWS SDK would find by itself leads nowhere. */
const SECRETS = { MILLSTREAM_S3__ACCESS_KEY: S3_CREDENTIALS.accessKey, MILLSTREAM_S3__SECRET_KEY: S3_CREDENTIALS.secretKey };
const WRONG = { AWS_ACCESS_KEY_ID: 'nobody', AWS_SECRET_ACCESS_KEY: 'nothing', AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9' };

// On a laptop without Python it is skipped, and says so; with CI=true it fails.
describe.skipIf(requireTools('a cluster on S3', process.env.S3_SERVER_BINARY === undefined ? ['python3'] : []) === 'missing')(
  'a cluster on S3',
  () => {
    let server: S3Server;
    let cluster: ClusterHarness;

    beforeAll(async () => {
      server = await S3Server.start();
      await server.createBucket(BUCKET);
    });
    afterAll(async () => {
      await server.stop();
    });
    beforeEach(() => {
      for (const [name, value] of Object.entries({ ...SECRETS, ...WRONG })) vi.stubEnv(name, value);
      cluster = new ClusterHarness();
    });
    afterEach(async () => {
      await cluster.stop();
      vi.unstubAllEnvs();
    });

    function logOf(processes: readonly ClusterProcess[]): string {
      return JSON.stringify(processes.map(({ log }) => log));
    }

    it('goes on under a standby when its leader was killed: each record counts once, and no secret is told', async () => {
      const options = {
        's3.endpoint': server.endpoint,
        'high-availability.type': 's3',
        'high-availability.storageDir': `s3://${BUCKET}/ha`,
        'high-availability.leader-election.lease-duration': '2 s',
        'high-availability.leader-election.retry-period': '300 ms',
        'execution.checkpointing.dir': `s3://${BUCKET}/checkpoints`,
        'execution.checkpointing.interval': '200 ms',
      };
      await cluster.start(2, options);
      const standby = await cluster.addJobManager(options);
      const results = join(cluster.directory, 'results');
      // Most of each attempt's records wait for a file: the job cannot end before its leader does.
      const until = join(cluster.directory, 'until');
      const words = ['--', '--records', `${RECORDS}`, '--keys', '100', '--results', results, '--until', until, '--free', '20000'];
      const id = await cluster.run('running-counts', { 'parallelism.default': 2 }, ...words);
      await cluster.completedCheckpoints(id, 3);
      await cluster.jobManager.kill();
      await standby.logged('leading');
      await cluster.completedCheckpoints(id, 2);
      await cluster.millstream('savepoint', id, `s3://${BUCKET}/savepoints`);
      const { location } = await stopped(id);
      expect(location).toMatch(/^s3:\/\/millstream\/savepoints\//);
      const again = await cluster.run('running-counts', { 'parallelism.default': 1 }, '--from', location, ...words.toSpliced(7, 4));
      expect(await cluster.ended(again)).toBe('FINISHED');
      expectCountsOnce(readLines<RunningCount>(join(results, 'running')), { records: RECORDS, keys: 100 });
      const told = [
        logOf([cluster.jobManager, standby, ...cluster.taskManagers]),
        JSON.stringify(await cluster.client.clusterConfiguration()),
      ];
      expect(told.filter((text) => text.includes(S3_CREDENTIALS.secretKey))).toEqual([]);
      expect(told[1]).toContain('s3.secret-key');
    });

    async function stopped(id: string): Promise<{ location: string }> {
      const printed = await cluster.millstream('stop', '--json', '-p', `s3://${BUCKET}/savepoints`, id);
      return { location: (JSON.parse(printed) as { savepoint: string }).savepoint };
    }

    it('names the option that is wrong before it offers anything', async () => {
      const wrong = { 'jobmanager.rpc.port': 0, 'rest.port': 0, 's3.endpoint': server.endpoint, 'high-availability.type': 's3' };
      await expect(cluster.start(0, { ...wrong, 'high-availability.storageDir': join(cluster.directory, 'ha') })).rejects.toThrow(
        /ended with 2.*high-availability\.storageDir.*s3:\/\//,
      );
      await expect(cluster.start(0, { ...wrong, 'high-availability.storageDir': 's3://no-such-bucket/ha' })).rejects.toThrow(
        /STORAGE_BUCKET_MISSING.*no-such-bucket/,
      );
    });
  },
);
