/**
 * The image: both processes, a job, health checks and stops, in a root folder that is made by the Dockerfile. It cannot show that a
 * container engine reads the Dockerfile as this test does, that the base image has what debootstrap gives, nor that `npm ci` works there.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { ClusterClient } from 'millstream/cluster';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pause } from '../e2e/cluster-harness.js';
import { millstream } from '../e2e/command.js';
import { readLines } from '../e2e/run-job.js';
import type { RunningCount } from '../jobs/running-counts.js';
import { bytesOf, firstProcess, ImageRoot, mayMakeRoots } from './image-root.js';
import { requireTools } from './required-tools.js';

const RECORDS = 20_000;
const USER = 9999;
type Line = { readonly msg?: string; readonly [field: string]: unknown };

/** A process of the image, and its log. */
class Container {
  readonly child: ChildProcess;
  readonly log: Line[] = [];
  readonly ended: Promise<number | null>;

  constructor(child: ChildProcess) {
    this.child = child;
    this.ended = new Promise((resolve) => child.once('exit', resolve));
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      this.log.push(line.startsWith('{') ? (JSON.parse(line) as Line) : { msg: line });
    });
  }

  async logged(text: string): Promise<Line> {
    for (;;) {
      const line = this.log.find(({ msg }) => msg?.includes(text));
      if (line !== undefined) return line;
      if (this.child.exitCode !== null) throw new Error(`ended with ${this.child.exitCode}: ${JSON.stringify(this.log)}`);
      await pause();
    }
  }

  /** As a container engine stops a container. */
  async stop(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) process.kill(firstProcess(this.child), 'SIGTERM');
    return await this.ended;
  }
}

async function freePort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}

const tools = requireTools('the image', ['debootstrap', 'unshare', 'chroot']);

// Needs root and Linux: on a laptop it is skipped, and says so; with CI=true a tool that is missing fails.
describe.skipIf(tools === 'missing' || (process.env.CI !== 'true' && !mayMakeRoots()))('the image', () => {
  let image: ImageRoot;
  const containers: Container[] = [];
  beforeAll(async () => {
    image = await ImageRoot.build();
  });
  afterAll(async () => {
    await Promise.all(containers.map((container) => container.stop()));
    image.remove();
  });

  function start(words: readonly string[], environment: Readonly<Record<string, string>>): Container {
    const container = new Container(image.start(words, environment));
    containers.push(container);
    return container;
  }

  it('has what the processes need, the licences of all of it, and nothing to build or to install with', () => {
    const names = ['LICENSE', 'third-party-licenses.txt', 'conf/config.yaml', 'engine/core/LICENSE', 'node_modules/fastify/package.json'];
    expect(names.filter((name) => !existsSync(image.path(`/opt/millstream/${name}`)))).toEqual([]);
    const unwanted = ['node_modules/typescript', 'node_modules/vitest', 'node_modules/@biomejs', 'node_modules/node', 'engine/core/src'];
    expect(unwanted.filter((name) => existsSync(image.path(`/opt/millstream/${name}`)))).toEqual([]);
    expect(existsSync(image.path('/usr/local/bin/npm'))).toBe(false);
    expect(readFileSync(image.path('/opt/millstream/third-party-licenses.txt'), 'utf8')).toMatch(/^fastify \d.*: MIT$/m);
    expect(bytesOf(image.path('/opt/millstream'))).toBeLessThan(100 << 20);
  });

  it('runs a job with both commands as a user without rights, on a root that it cannot write to, and ends in good order', async () => {
    const [rpc, rest, health, other] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    const common = { MILLSTREAM_JOBMANAGER__RPC__PORT: rpc, MILLSTREAM_REST__PORT: rest };
    const ofJobManager = { ...common, MILLSTREAM_PROCESS__HEALTH__PORT: health };
    const ofTaskManager = { ...common, MILLSTREAM_PROCESS__HEALTH__PORT: other, MILLSTREAM_TASKMANAGER__NUMBEROFTASKSLOTS: '2' };
    expect(await image.healthCheck(ofJobManager)).toBe(1);
    const jobManager = start(['jobmanager'], ofJobManager);
    await jobManager.logged('JobManager started');
    const taskManager = start(['taskmanager'], ofTaskManager);
    await taskManager.logged('registered with the JobManager');
    expect(await Promise.all([image.healthCheck(ofJobManager), image.healthCheck(ofTaskManager)])).toEqual([0, 0]);
    const status = readFileSync(`/proc/${firstProcess(taskManager.child)}/status`, 'utf8');
    expect(status).toMatch(/^Name:\s+(?:node|MainThread)$/m);
    expect(status).toMatch(new RegExp(`^Uid:\\s+${USER}\\s+${USER}`, 'm'));
    // The first process of its own namespace.
    expect(status).toMatch(/^NSpid:\s+\d+\s+1$/m);

    const data = '/var/lib/millstream';
    expect(statSync(image.path(data)).uid).toBe(USER);
    const address = `localhost:${rest}`;
    const options = ['-D', 'execution.checkpointing.interval=100 ms', '-D', `execution.checkpointing.dir=${data}/checkpoints`, '-p', '2'];
    const words = ['--', '--records', `${RECORDS}`, '--keys', '100', '--results', `${data}/results`, '--until', `${data}/until`];
    const submitted = await millstream([
      'run',
      '--jobmanager',
      address,
      '--detached',
      '--json',
      ...options,
      'test/jobs/running-counts.ts',
      ...words,
    ]);
    expect(submitted.stderr).toContain('is submitted');
    const { job } = JSON.parse(submitted.stdout) as { job: string };
    const client = new ClusterClient({ addresses: [address] });
    while ((await client.checkpoints(job)).counts.completed < 2) await pause();
    mkdirSync(image.path(`${data}/until`));
    while ((await client.jobStatus(job)) !== 'FINISHED') await pause();
    const counts = readLines<RunningCount>(image.path(`${data}/results/running`)).map(({ key, count }) => `${key} ${count}`);
    expect([counts.length, new Set(counts).size]).toEqual([RECORDS, RECORDS]);

    expect([await taskManager.stop(), await jobManager.stop()]).toEqual([0, 0]);
    expect([taskManager.log.at(-1)?.msg, jobManager.log.at(-1)?.msg]).toEqual(['TaskManager stopped', 'JobManager stopped']);
    rmSync(image.path(`${data}/until`), { recursive: true });
  });

  it('takes its configuration from the file at its place, and says where it is wrong', async () => {
    writeFileSync(image.path('/opt/millstream/conf/config.yaml'), 'env.log.format: text\nrest.port: many\n');
    const jobManager = start(['jobmanager'], {});
    expect(await jobManager.ended).toBe(2);
    expect(jobManager.log[0]?.msg).toMatch(/INVALID_OPTION: \/opt\/millstream\/conf\/config\.yaml:2:.*"rest\.port" to "many"/);
    expect(await start(['--version'], {}).ended).toBe(0);
  });
});
