/** The client against a server: every method says what the gateway says, errors arrive typed, and a change of the leader is waited for. */

import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server as Listening } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClusterClient, type ClusterClientOptions, type ClusterGateway, type ModelGateway } from 'millstream/cluster';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCertificates } from '../certificates.js';
import { JOB_ID, type MemoryCluster, memoryCluster, vertexIds } from './memory-cluster.test.support.js';
import type { RestServerOptions } from './rest-options.js';
import { type RestServer, startRestServer } from './rest-server.js';

let cluster: MemoryCluster;
let gateway: ModelGateway;
let server: RestServer;
let options: RestServerOptions;
let client: ClusterClient;
const others: Listening[] = [];

beforeEach(async () => {
  ({ cluster, gateway } = await memoryCluster());
  options = { gateway, port: 0, submit: true, version: '0.1.0' };
  server = await startRestServer(options);
  client = connect();
});

afterEach(async () => {
  await server.close();
  for (const other of others.splice(0)) other.close();
});

function connect(changes: Partial<ClusterClientOptions> = {}): ClusterClient {
  return new ClusterClient({ addresses: [server.url], retriesMax: 0, retryDelayMs: 50, ...changes });
}

/** A server that is none of ours. Returns its address. */
async function otherServer(answer: (count: number) => { status: number; body: string } | 'reset'): Promise<string> {
  let count = 0;
  const other = createServer((_request, response) => {
    const what = answer(++count);
    if (what === 'reset') response.socket?.destroy();
    else response.writeHead(what.status).end(what.body);
  });
  return await listening(other);
}

async function listening(other: Listening): Promise<string> {
  others.push(other);
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
}

async function* content(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}

/** Durations go on between two answers. */
function still(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, part) => (['duration', 'now', 'end-timestamp', 'value', 'uploaded'].includes(key) ? 0 : part)),
  );
}

describe('ClusterClient', () => {
  it('reads what the gateway says', async () => {
    await cluster.takeCheckpoint(JOB_ID, 'checkpoint');
    cluster.fail(JOB_ID, new Error('x'));
    const vertex = { jobId: JOB_ID, vertexId: vertexIds(cluster).sum };
    const reads: ((from: ClusterGateway) => Promise<unknown>)[] = [
      (from) => from.ready(),
      (from) => from.overview(),
      (from) => from.dashboardConfiguration(),
      (from) => from.clusterConfiguration(),
      (from) => from.taskManagers(),
      (from) => from.taskManager('tm-1'),
      (from) => from.metrics({ type: 'jobmanager' }, ['heapUsed']),
      (from) => from.metrics({ type: 'taskmanager', taskManagerId: 'tm-2' }),
      (from) => from.metrics({ type: 'job', jobId: JOB_ID }, ['numRestarts']),
      (from) => from.metrics({ type: 'vertex', ...vertex }),
      (from) => from.metrics({ type: 'subtask', ...vertex, subtask: 1 }, ['sum.numRecordsIn']),
      (from) => from.aggregatedMetrics({ type: 'jobs', members: [JOB_ID] }, ['numRestarts'], ['max']),
      (from) => from.aggregatedMetrics({ type: 'taskmanagers' }, ['heapUsed']),
      (from) => from.aggregatedMetrics({ type: 'subtasks', ...vertex, members: ['0'] }, ['numRecordsIn'], ['avg', 'sum']),
      (from) => from.aggregatedMetrics({ type: 'subtasks', ...vertex }),
      (from) => from.jobs(),
      (from) => from.jobsOverview(),
      (from) => from.job(JOB_ID),
      (from) => from.jobStatus(JOB_ID),
      (from) => from.jobConfig(JOB_ID),
      (from) => from.jobPlan(JOB_ID),
      (from) => from.jobExceptions(JOB_ID, 1),
      (from) => from.jobExecutionResult(JOB_ID),
      (from) => from.vertex(vertex),
      (from) => from.subtaskTimes(vertex),
      (from) => from.vertexTaskManagers(vertex),
      (from) => from.watermarks(vertex),
      (from) => from.backPressure(vertex),
      (from) => from.subtask(vertex, 1),
      (from) => from.subtask(vertex, 1, 0),
      (from) => from.resourceRequirements(JOB_ID),
      (from) => from.checkpoints(JOB_ID),
      (from) => from.checkpointSettings(JOB_ID),
      (from) => from.checkpoint(JOB_ID, 1),
      (from) => from.checkpointOfVertex(vertex, 1),
      (from) => from.artifacts(),
    ];
    for (const read of reads) expect(still(await read(client)), String(read)).toEqual(still(await read(gateway)));
  });

  it('uploads, plans, runs, triggers, rescales, stops and cleans up', async () => {
    const { id } = await client.uploadArtifact({ name: 'a.mjs', content: content('export {}') });
    expect(await client.planArtifact(id, {})).toMatchObject({ name: 'sums' });
    const jobId = await client.runArtifact(id, { programArgsList: ['--x'], parallelism: 2 });
    expect(cluster.started).toEqual([expect.objectContaining({ request: { jobId, programArgsList: ['--x'], parallelism: 2 } })]);
    await client.updateResourceRequirements(jobId, await client.resourceRequirements(jobId));
    const checkpoint = await client.triggerCheckpoint(jobId, {});
    expect(await client.completed(() => client.checkpointOperation(jobId, checkpoint))).toEqual({ checkpointId: 1 });
    const savepoint = await client.triggerSavepoint(jobId, { 'target-directory': '/mine' });
    expect(await client.completed(() => client.savepointOperation(jobId, savepoint))).toEqual({ location: '/mine/savepoint-2' });
    const failing = await client.triggerSavepoint(jobId, { 'target-directory': '/full' });
    await expect(client.completed(() => client.savepointOperation(jobId, failing))).rejects.toMatchObject({ code: 'DISK_FULL' });
    const stop = await client.stopWithSavepoint(jobId, { drain: true });
    await client.completed(() => client.savepointOperation(jobId, stop));
    expect(await client.jobStatus(jobId)).toBe('FINISHED');
    const disposal = await client.triggerSavepointDisposal({ 'savepoint-path': '/mine/savepoint-2' });
    await client.completed(() => client.savepointDisposalOperation(disposal));
    expect([...cluster.savepoints]).toEqual(['/savepoints/savepoint-3']);
    await client.cancelJob(JOB_ID);
    expect(await client.jobStatus(JOB_ID)).toBe('CANCELED');
    await client.deleteArtifact(id);
    expect((await client.artifacts()).files).toEqual([]);
    await client.shutDown();
    expect(cluster.ended).toBe(true);
  });

  it("rejects with the server's errors", async () => {
    await expect(client.job('a/../b?c')).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining("job 'a/../b?c'") });
    await expect(client.uploadArtifact({ name: 'a.js', content: content('x'), sha256: '0'.repeat(64) })).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringContaining('changed on the way'),
    });
    await expect(client.uploadArtifact({ name: 'a.js', content: content('x'.repeat(5_000_000)) })).rejects.toMatchObject({
      code: 'REQUEST_TOO_LARGE',
    });
    expect(() => connect({ addresses: ['ftp:x y'] })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    expect(() => connect({ addresses: [] })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });

  it('uploads more than other bodies may have, and hears where even that ends', async () => {
    await server.close();
    server = await startRestServer({ ...options, gateway: (await memoryCluster(3_000_000)).gateway });
    expect(await connect().uploadArtifact({ name: 'a.js', content: content('x'.repeat(2_500_000)) })).toMatchObject({ size: 2_500_000 });
    const tooLarge = { name: 'a.js', content: content('x'.repeat(20_000_000)) };
    await expect(connect().uploadArtifact(tooLarge)).rejects.toMatchObject({
      code: 'REQUEST_TOO_LARGE',
      message: expect.stringContaining('3000000'),
    });
  });

  it('sends its token', async () => {
    const token = 'submit-token-0123456789';
    await server.close();
    server = await startRestServer({ ...options, tokens: [{ token, role: 'submit' }] });
    await expect(connect().overview()).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(await connect({ token }).overview()).toMatchObject({ taskmanagers: 2 });
    await expect(connect({ token }).shutDown()).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('speaks TLS, and trusts only its authority', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millstream-rest-'));
    try {
      await createCertificates({ directory, certificates: [{ name: 'rest' }, { name: 'client' }] });
      const pem = (...path: string[]): Promise<string> => readFile(join(directory, ...path), 'utf8');
      const ca = await pem('ca.pem');
      await server.close();
      server = await startRestServer({ ...options, tls: { cert: await pem('rest', 'cert.pem'), key: await pem('rest', 'key.pem') } });
      expect(await connect({ tls: { ca } }).overview()).toMatchObject({ taskmanagers: 2 });
      await expect(connect({ retriesMax: 100 }).overview()).rejects.toMatchObject({
        code: 'CLUSTER_UNAVAILABLE',
        message: expect.stringContaining('certificate authority'),
      });
      await server.close();
      server = await startRestServer({ ...options, tls: { cert: await pem('rest', 'cert.pem'), key: await pem('rest', 'key.pem'), ca } });
      await expect(connect({ tls: { ca } }).overview()).rejects.toMatchObject({ code: 'CLUSTER_UNAVAILABLE' });
      const mutual = { ca, cert: await pem('client', 'cert.pem'), key: await pem('client', 'key.pem') };
      expect(await connect({ tls: mutual }).overview()).toMatchObject({ taskmanagers: 2 });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('holds the cluster to the host, the fingerprint and the version that are asked for', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millstream-rest-'));
    try {
      const away = { name: 'rest', hosts: ['elsewhere.example'] };
      await createCertificates({ directory, certificates: [away, { name: 'client' }, { name: 'other' }] });
      const pem = (...path: string[]): Promise<string> => readFile(join(directory, ...path), 'utf8');
      const pair = async (name: string): Promise<{ ca: string; cert: string; key: string }> => ({
        ca: await pem('ca.pem'),
        cert: await pem(name, 'cert.pem'),
        key: await pem(name, 'key.pem'),
      });
      const own = await pair('client');
      const { fingerprint256 } = new X509Certificate(own.cert);
      await server.close();
      server = await startRestServer({
        ...options,
        tls: { ...(await pair('rest')), minVersion: 'TLSv1.3', clientFingerprint: fingerprint256 },
      });
      await expect(connect({ tls: own }).overview()).rejects.toMatchObject({
        code: 'CLUSTER_UNAVAILABLE',
        message: expect.stringMatching(/altnames.*security\.ssl\.verify-hostname/),
      });
      const tls = { ...own, verifyHost: false };
      expect(await connect({ tls }).overview()).toMatchObject({ taskmanagers: 2 });
      await expect(connect({ tls: { ...(await pair('other')), verifyHost: false } }).overview()).rejects.toMatchObject({
        code: 'FORBIDDEN',
        message: expect.stringContaining('security.ssl.rest.cert.fingerprint'),
      });
      const { fingerprint256: fingerprint } = new X509Certificate(await pem('rest', 'cert.pem'));
      expect(await connect({ tls: { ...tls, fingerprint } }).overview()).toMatchObject({ taskmanagers: 2 });
      await expect(connect({ tls: { ...tls, fingerprint: fingerprint256 }, retriesMax: 5 }).overview()).rejects.toMatchObject({
        code: 'CLUSTER_UNAVAILABLE',
        message: expect.stringMatching(/another one.*security\.ssl\.rest\.cert\.fingerprint/),
      });
      expect(() => connect({ tls: { ...tls, fingerprint: 'abc' } })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('and the cluster agree on a version of TLS, or say which option is about it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millstream-rest-'));
    try {
      await createCertificates({ directory, certificates: [{ name: 'rest' }] });
      const [ca, cert, key] = await Promise.all(
        ['ca', 'cert', 'key'].map((name) => readFile(join(directory, 'rest', `${name}.pem`), 'utf8')),
      );
      const old = createHttpsServer({ cert: cert as string, key: key as string, maxVersion: 'TLSv1.2' }, (_request, response) =>
        response.end('{"jobs":[]}'),
      );
      const address = (await listening(old)).replace('http', 'https');
      const tls = { ca: ca as string };
      expect(await connect({ addresses: [address], tls }).jobs()).toEqual([]);
      await expect(connect({ addresses: [address], tls: { ...tls, minVersion: 'TLSv1.3' } }).jobs()).rejects.toMatchObject({
        code: 'CLUSTER_UNAVAILABLE',
        message: expect.stringContaining('security.ssl.protocol'),
      });
      await expect(connect({ addresses: [server.url.replace('http', 'https')], tls }).jobs()).rejects.toMatchObject({
        code: 'CLUSTER_UNAVAILABLE',
        message: expect.stringContaining('There is no TLS there'),
      });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('waits for a leader, on whichever address it comes', async () => {
    const standby = (await memoryCluster()).gateway;
    const { url } = server;
    await server.close();
    const asked = connect({
      addresses: [url, await otherServer(() => ({ status: 503, body: '{"errors":["not me"],"code":"CLUSTER_UNAVAILABLE"}' }))],
    });
    const answer = asked.overview();
    server = await startRestServer({ ...options, gateway: standby, port: server.port });
    expect(await answer).toMatchObject({ taskmanagers: 2 });
  });

  it('gives up after a while', async () => {
    await server.close();
    const waits: string[] = [];
    await expect(connect({ retriesMax: 2, onWait: ({ message }) => waits.push(message) }).overview()).rejects.toMatchObject({
      code: 'CLUSTER_UNAVAILABLE',
      retryable: true,
      message: expect.stringMatching(new RegExp(`${server.url}.*Tried 3 times \\(rest\\.retry\\.max-attempts\\)`)),
    });
    expect(waits).toEqual([expect.stringContaining('ECONNREFUSED')]);
    expect(await connect().ready()).toBe(false);
    const standby = await otherServer(() => ({ status: 503, body: '{"status":"not ready"}' }));
    const leader = await otherServer(() => ({ status: 200, body: '{"status":"ok"}' }));
    expect(await connect({ addresses: [server.url, standby] }).ready()).toBe(false);
    expect(await connect({ addresses: [server.url, standby, leader] }).ready()).toBe(true);
    let asked = 0;
    const never = await otherServer((count) => {
      asked = count;
      return { status: 503, body: '{"errors":["not me."],"code":"CLUSTER_UNAVAILABLE"}' };
    });
    await expect(connect({ addresses: [never, server.url], leaderTimeoutMs: 300 }).overview()).rejects.toMatchObject({
      code: 'CLUSTER_UNAVAILABLE',
      message: 'not me. No leader came within 300 ms (rest.await-leader-timeout).',
    });
    expect(asked).toBe(2);
  });

  it('repeats what broke only where that starts nothing twice', async () => {
    let seen = 0;
    const address = await otherServer((count) => {
      seen = count;
      return count === 1 ? 'reset' : { status: 200, body: '{"jobs":[]}' };
    });
    expect(await connect({ addresses: [address], retriesMax: 5 }).jobs()).toEqual([]);
    expect(seen).toBe(2);
    const breaking = await otherServer((count) => {
      seen = count;
      return 'reset';
    });
    await expect(connect({ addresses: [breaking], retriesMax: 5 }).shutDown()).rejects.toMatchObject({ code: 'CLUSTER_UNAVAILABLE' });
    expect(seen).toBe(1);
  });

  it('is not confused by what is no cluster', async () => {
    const page = await otherServer(() => ({ status: 200, body: '<html>hello' }));
    await expect(connect({ addresses: [page], retriesMax: 5 }).jobs()).rejects.toMatchObject({
      message: expect.stringContaining('no Millstream cluster'),
    });
    const bare = await otherServer(() => ({ status: 418, body: 'null' }));
    await expect(connect({ addresses: [bare] }).jobs()).rejects.toMatchObject({ code: 'INTERNAL', message: 'HTTP 418' });
  });

  it.each([
    ['at all', 0],
    ['to the end', 10],
  ])('waits no longer than it may for a server that does not answer %s', async (_, written) => {
    const silent = createServer((_request, response) => {
      if (written > 0) response.writeHead(200, { 'content-length': 100 }).write(' '.repeat(written));
    });
    const address = await listening(silent);
    await expect(connect({ addresses: [address], idleTimeoutMs: 100, retriesMax: 5 }).jobs()).rejects.toMatchObject({
      code: 'CLUSTER_UNAVAILABLE',
      message: expect.stringContaining('nothing was heard for 100 ms (rest.idleness-timeout)'),
    });
    silent.closeAllConnections();
  });

  it('waits no longer than it may for a connection', async () => {
    // TCP connects, the TLS handshake goes unanswered.
    const mute = createTcpServer();
    const address = (await listening(mute)).replace('http', 'https');
    const reached = connect({ addresses: [address], connectTimeoutMs: 100, retriesMax: 1 }).shutDown();
    await expect(reached).rejects.toMatchObject({
      message: expect.stringMatching(/no connection within 100 ms \(rest\.connection-timeout\).*Tried 2 times/),
    });
  });

  it('reads no answer that is too large', async () => {
    const wordy = await otherServer(() => ({ status: 200, body: ' '.repeat(1001) }));
    await expect(connect({ addresses: [wordy], answerBytesMax: 1000, retriesMax: 5 }).jobs()).rejects.toMatchObject({
      code: 'CLUSTER_UNAVAILABLE',
      message: expect.stringContaining('larger than 1000 bytes (rest.client.max-content-length)'),
    });
    expect(await connect({ answerBytesMax: 1000 }).jobs()).toHaveLength(1);
  });
});
