/** What can be wrong around a cluster: each has an error that says what to do, and a cluster that goes on. Real processes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TcpNetwork } from '@millstream/cluster';
import { ClusterClient } from 'millstream/cluster';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ClusterHarness, ClusterProcess, pause } from './cluster-harness.js';
import { mountTinyDisk } from './tiny-disk.js';

const OTHER_VERSION = '9.8.7';
const SILENT = { onMessage: () => undefined, onDrain: () => undefined, onClose: () => undefined };

let cluster: ClusterHarness;
let rpcPort: number;
let restPort: number;
let dataPort: number;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-bad-input-'));
  cluster = new ClusterHarness();
  await cluster.start(1, { 'taskmanager.numberOfTaskSlots': 2 });
  const port = (text: unknown): number => Number(String(text).split(':').at(-1));
  const started = await cluster.jobManager.logged('JobManager started');
  rpcPort = port(started.rpc);
  restPort = port(started.rest);
  dataPort = port((await cluster.taskManagers[0]?.logged('TaskManager started'))?.data);
});
afterAll(async () => {
  await cluster.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** The processes that were there in the beginning run another job. */
afterEach(async () => {
  const words = ['--', '--records', '100', '--results', join(directory, 'results of the next job')];
  expect(await cluster.millstream('run', 'test/jobs/running-counts.ts', ...words)).toContain('FINISHED');
  expect([cluster.jobManager, ...cluster.taskManagers].map(({ child }) => child.exitCode)).toEqual([null, null]);
});

/** What a process says that cannot start; it ends, and with the exit code of a command that cannot be carried out. */
async function refusal(command: 'jobmanager' | 'taskmanager', options: Readonly<Record<string, string | number>>): Promise<string> {
  const ports = { 'rest.port': 0, 'jobmanager.rpc.bind-port': 0, 'jobmanager.rpc.port': rpcPort };
  const child = new ClusterProcess(command, { ...ports, ...options });
  expect(await child.exited).toBe(2);
  return child.log.map(({ msg }) => msg).join('\n');
}

function history(id: string): Promise<readonly { exceptionName: string; stacktrace: string }[]> {
  return cluster.client.jobExceptions(id).then(({ exceptionHistory }) => exceptionHistory.entries);
}

async function jobNamed(name: string): Promise<{ jid: string; state: string } | undefined> {
  return (await cluster.client.jobsOverview()).find((job) => job.name === name);
}

describe('a process', () => {
  it('whose port is taken names the port and its option', async () => {
    expect(await refusal('jobmanager', { 'rest.port': restPort })).toMatch(/ADDRESS_IN_USE.*rest\.port/);
    expect(await refusal('jobmanager', { 'jobmanager.rpc.bind-port': rpcPort })).toMatch(
      new RegExp(`ADDRESS_IN_USE.*${rpcPort}.*jobmanager\\.rpc\\.bind-port`),
    );
    expect(await refusal('taskmanager', { 'taskmanager.data.port': dataPort })).toMatch(
      new RegExp(`ADDRESS_IN_USE.*${dataPort}.*taskmanager\\.data\\.port`),
    );
  });

  it.each<['jobmanager' | 'taskmanager', Readonly<Record<string, string>>, RegExp]>([
    ['jobmanager', { 'rest.prot': '1' }, /INVALID_OPTION.*Did you mean "rest\.port"/],
    ['jobmanager', { 'rest.bind-address': '0.0.0.0' }, /REST_UNPROTECTED.*token/],
    ['jobmanager', { 'jobmanager.bind-host': '0.0.0.0' }, /INSECURE_ADDRESS/],
    ['taskmanager', { 'taskmanager.bind-host': '0.0.0.0' }, /INSECURE_ADDRESS/],
    ['jobmanager', { 'security.ssl.rest.cert-dir': '/no/such/directory' }, /CERTIFICATE_INVALID.*ca\.pem/],
    ['taskmanager', { 'security.ssl.internal.enabled': 'true' }, /INVALID_OPTION.*security\.ssl\.internal\.cert-dir/],
    ['jobmanager', { 'web.access-control-allow-origin': '*' }, /INVALID_OPTION.*web\.access-control-allow-origin/],
    ['taskmanager', { 'security.ssl.internal.cert.fingerprint': 'ab' }, /INVALID_OPTION.*internal\.cert\.fingerprint: without TLS/],
    ['taskmanager', { 'io.tmp.dirs': '/no/such/directory' }, /INVALID_OPTION.*io\.tmp\.dirs/],
    ['jobmanager', { 'high-availability.type': 'file', 'high-availability.storageDir': '/dev/null/ha' }, /\/dev\/null\/ha/],
  ])(
    '%s with %j does not start',
    async (command, options, message) => {
      expect(await refusal(command, options)).toMatch(message);
    },
    60_000,
  );
});

it('a TaskManager that finds no JobManager ends after a time, and says what it looked for', async () => {
  const taskManager = new ClusterProcess('taskmanager', { 'jobmanager.rpc.port': 1, 'taskmanager.registration.timeout': '300 ms' });
  expect(await taskManager.exited).toBe(1);
  expect(taskManager.log.map(({ msg }) => msg).join('\n')).toMatch(/CONNECTION_FAILED.*taskmanager\.registration\.timeout.*localhost:1/);
});

describe('another version', () => {
  it('of a TaskManager is refused, and both ends say so', async () => {
    const network = new TcpNetwork({ identity: { role: 'taskmanager', name: 'old' }, engineVersion: OTHER_VERSION });
    const connected = network.connect({ host: 'localhost', port: rpcPort }, SILENT);
    await expect(connected).rejects.toMatchObject({ code: 'PROTOCOL_MISMATCH', message: expect.stringContaining(OTHER_VERSION) });
    expect(await cluster.jobManager.logged(OTHER_VERSION)).toMatchObject({ code: 'PROTOCOL_MISMATCH' });
  });

  it('of a JobManager is not followed: its TaskManager says so, and looks on', async () => {
    const network = new TcpNetwork({ identity: { role: 'jobmanager', name: 'old' }, engineVersion: OTHER_VERSION });
    const listener = await network.listen({ host: 'localhost', port: 0 }, () => SILENT);
    const taskManager = new ClusterProcess('taskmanager', { 'jobmanager.rpc.port': listener.address.port, 'env.log.level': 'DEBUG' });
    expect(await taskManager.logged(OTHER_VERSION)).toMatchObject({ code: 'PROTOCOL_MISMATCH' });
    const said = () => taskManager.log.filter(({ code }) => code === 'PROTOCOL_MISMATCH').map(({ level }) => level);
    while (said().length < 3) await pause();
    // What is said again is no news.
    expect(said().slice(0, 3)).toEqual([40, 20, 20]);
    expect(await taskManager.stop()).toBe(0);
    await listener.close();
  });

  it('of a client may look, and submits nothing', async () => {
    const old = new ClusterClient({ addresses: [cluster.restAddress], version: OTHER_VERSION });
    expect(await old.overview()).toMatchObject({ taskmanagers: 1 });
    async function* content(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10);
    }
    await expect(old.uploadArtifact({ name: 'old.mjs', content: content() })).rejects.toMatchObject({
      code: 'PROTOCOL_MISMATCH',
      message: expect.stringMatching(/version "9\.8\.7".*npm install @millstream\/cli@/),
    });
  });
});

describe('a job', () => {
  it('whose program throws at load is refused, with its line', async () => {
    const program = join(directory, 'throws.ts');
    writeFileSync(program, "\nthrow new Error('there is no such table');\nexport default {};\n");
    await expect(cluster.millstream('run', program)).rejects.toThrow(/PROGRAM_FAILED.*there is no such table/);
    expect(await jobNamed('throws')).toBeUndefined();
  });

  it('whose program does not fit into a message is refused before it starts', async () => {
    const program = join(directory, 'large.ts');
    writeFileSync(program, `export const text = '${'x'.repeat(11 << 20)}';\nexport default { text };\n`);
    await expect(cluster.millstream('run', program)).rejects.toThrow(/REQUEST_TOO_LARGE.*raise cluster\.rpc\.message-size-max/);
  });

  it("that is to go on from another job's savepoint fails: in the command, in REST and in its history", async () => {
    const counts = ['--', '--results', join(directory, 'results'), '--until', join(directory, 'until')];
    const id = await cluster.run('running-counts', { 'execution.checkpointing.dir': join(directory, 'checkpoints') }, ...counts);
    await cluster.running(id);
    const { savepoint } = JSON.parse(await cluster.millstream('stop', '--json', '-p', join(directory, 'savepoints'), id)) as {
      savepoint: string;
    };
    const other = ['run', '--from', savepoint, 'test/jobs/closing.ts', '--', '--log', join(directory, 'closing.log')];
    await expect(cluster.millstream(...other)).rejects.toThrow(/CHECKPOINT_OF_ANOTHER_JOB[\s\S]*running-counts/);
    const failed = await jobNamed('closing');
    expect(failed?.state).toBe('FAILED');
    expect((await history(failed?.jid as string))[0]).toMatchObject({
      exceptionName: 'CHECKPOINT_OF_ANOTHER_JOB',
      stacktrace: expect.stringMatching(/--allow-non-restored-state/),
    });
  });

  it('whose disk for checkpoints is full fails with what to do', async ({ skip }) => {
    const disk = mountTinyDisk(join(directory, 'tiny'));
    // Mounting takes the rights of an administrator.
    if (disk === undefined) return skip();
    try {
      const options = {
        'execution.checkpointing.dir': disk.path,
        'execution.checkpointing.interval': '50 ms',
        'restart-strategy.type': 'none',
      };
      const words = ['--', '--keys', '20000', '--results', join(directory, 'results of the full disk')];
      const id = await cluster.run('running-counts', options, ...words, '--until', join(directory, 'until'));
      expect(await cluster.ended(id)).toBe('FAILED');
      expect((await history(id))[0]).toMatchObject({
        exceptionName: 'CHECKPOINT_FAILED',
        stacktrace: expect.stringMatching(/the disk is full\. Free space there or choose another directory/),
      });
      expect(await cluster.millstream('info', id)).toMatch(/FAILED[\s\S]*the disk is full/);
    } finally {
      disk.unmount();
    }
  });
});
