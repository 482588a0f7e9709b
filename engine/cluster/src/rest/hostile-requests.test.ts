/** Requests that mean harm or nothing: each is refused in shape, and the server answers the next one. */
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { systemClock } from 'millstream/cluster';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JOB_ID, memoryCluster } from './memory-cluster.test.support.js';
import type { RestServerOptions } from './rest-options.js';
import { type RestServer, startRestServer } from './rest-server.js';

let server: RestServer;
/** Does not wait long for a request; the other one waits as long as a busy machine needs. */
let impatient: RestServer;
const unexpected: unknown[] = [];

/** Hears what the server logs as its own failure. */
const logger = {
  level: 'error',
  fatal: () => undefined,
  error: (line: unknown) => void unexpected.push(line),
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  trace: () => undefined,
  silent: () => undefined,
  child: () => logger,
} as unknown as NonNullable<RestServerOptions['logger']>;

beforeAll(async () => {
  const { gateway } = await memoryCluster();
  const start = async (limits: NonNullable<RestServerOptions['limits']>): Promise<RestServer> =>
    await startRestServer({ gateway, port: 0, submit: true, version: '0.1.0', limits, logger });
  server = await start({ requestTimeoutMs: 60_000, headersTimeoutMs: 60_000 });
  impatient = await start({ requestTimeoutMs: 1500, headersTimeoutMs: 1000 });
});

afterAll(async () => {
  await Promise.all([server.close(), impatient.close()]);
});

/** Sends bytes as they are and resolves with what came back until the server closed, or until `waitMs` are over. */
function raw(bytes: string | Uint8Array, { end = true, waitMs = 60_000, to = server } = {}): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket: Socket = connect(to.port, '127.0.0.1');
  let text = '';
  const timer = systemClock.schedule(waitMs, () => socket.destroy());
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    timer.cancel();
    resolve(text);
  });
  socket.write(bytes);
  if (end) socket.end();
  return promise;
}

function request(method: string, path: string, headers: Record<string, string> = {}, body = ''): string {
  const lines = Object.entries({ host: 'localhost', connection: 'close', ...headers }).map(([name, value]) => `${name}: ${value}`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

function json(method: string, path: string, body: string): string {
  return request(method, path, { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }, body);
}

function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
}

/** A refusal in the documented shape, without anything of the inside. */
function expectRefusal(answer: string, status: number): void {
  expect(statusOf(answer), answer).toBe(status);
  const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as { errors: string[]; code: string };
  expect(body).toEqual({ errors: [expect.any(String)], code: expect.stringMatching(/^[A-Z_]+$/) });
  expect(body.errors[0]).not.toMatch(/node_modules|\.ts:|\.js:| at /);
  expect(body.errors[0]?.length).toBeLessThan(1000);
}

async function expectAlive(): Promise<void> {
  expect(statusOf(await raw(request('GET', '/overview')))).toBe(200);
  expect(unexpected).toEqual([]);
}

const STOP = `/jobs/${JOB_ID}/stop`;

describe('a request', () => {
  it.each<[string, () => string, number]>([
    ['no HTTP', () => 'hello\r\n\r\n', 400],
    ['TLS', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['without Host', () => 'GET /overview HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['for another host (DNS rebinding)', () => request('GET', '/overview', { host: 'evil.example' }), 403],
    ['bad percent-encoding', () => request('GET', '/jobs/%zz'), 400],
    ['half a character', () => request('GET', '/jobs/%c3'), 400],
    ['a zero byte', () => request('GET', '/jobs/%00'), 404],
    ['a path out of the tree', () => request('GET', '/jars/..%2f..%2fetc%2fpasswd'), 404],
    ['deleting out of the tree', () => request('DELETE', '/jars/..%2f..%2fetc%2fpasswd'), 404],
    ['dots', () => request('GET', '/../../etc/passwd'), 404],
    ['a name of Object', () => request('GET', '/jobs/__proto__'), 404],
    ['a TaskManager named constructor', () => request('GET', '/taskmanagers/constructor'), 404],
    ['a metric named constructor', () => request('GET', '/jobmanager/metrics?get=__proto__,constructor'), 200],
    ['a very long id', () => request('GET', `/jobs/${'a'.repeat(500)}`), 400],
    ['a longer one', () => request('GET', `/jobs/${'a'.repeat(5000)}`), 414],
    ['large headers', () => request('GET', '/overview', { x: 'a'.repeat(20_000) }), 431],
    [
      'many headers',
      () => request('GET', '/overview', Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`a${i}`, 'bbbbbb']))),
      431,
    ],
    ['a wrong content type', () => request('POST', STOP, { 'content-type': 'text/plain', 'content-length': '2' }, '{}'), 415],
    ['a form', () => request('POST', STOP, { 'content-type': 'application/x-www-form-urlencoded', 'content-length': '3' }, 'a=b'), 415],
    ['no JSON', () => json('POST', STOP, '{"drain": tru'), 400],
    ['a prototype', () => json('POST', STOP, '{"__proto__": {"drain": true}}'), 400],
    ['a constructor', () => json('POST', STOP, '{"constructor": {"prototype": {"drain": true}}}'), 400],
    ['a number for an object', () => json('POST', STOP, '7'), 400],
    ['deep JSON', () => json('POST', STOP, '['.repeat(200_000) + ']'.repeat(200_000)), 400],
    ['deep objects', () => json('POST', STOP, `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`), 400],
    ['huge JSON', () => json('POST', STOP, `{"targetDirectory":"${'a'.repeat(2_000_000)}"}`), 413],
    ['a length that lies', () => request('POST', STOP, { 'content-type': 'application/json', 'content-length': '99999999999' }, '{}'), 413],
    ['two lengths', () => `POST ${STOP} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, 400],
    [
      'a length and chunks (smuggling)',
      () => request('POST', STOP, { 'content-length': '5', 'transfer-encoding': 'chunked' }, '0\r\n\r\n'),
      400,
    ],
    ['a broken chunk', () => request('POST', STOP, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }, 'zz\r\n'), 400],
    ['a method nobody knows', () => request('FROB', '/overview'), 400],
    ['a method that the path has not', () => request('DELETE', '/overview'), 404],
    [
      'compressed JSON',
      () => request('POST', STOP, { 'content-type': 'application/json', 'content-encoding': 'gzip', 'content-length': '2' }, '{}'),
      400,
    ],
    ['JSON in UTF-16', () => json('POST', STOP, '\xff\xfe{\0}\0'), 400],
    ['numbers without end', () => json('POST', STOP, '{"drain": 1e999}'), 400],
    ['a string for a flag', () => json('POST', STOP, '{"drain": {"valueOf": true}}'), 400],
    [
      'an array for a text',
      () => json('POST', STOP, `{"targetDirectory": ${JSON.stringify(Array.from({ length: 1000 }, () => '/a'))}}`),
      400,
    ],
    ['an empty text', () => json('POST', STOP, '{"targetDirectory": ""}'), 400],
    ['a zero byte in a path', () => json('POST', '/savepoint-disposal', '{"savepoint-path": "/a\\u0000b"}'), 400],
    ['half a surrogate', () => json('POST', '/savepoint-disposal', '{"savepoint-path": "/\\ud800"}'), 400],
    ['a trigger id with dots', () => json('POST', STOP, '{"triggerId": "../../../../../../../../../../.."}'), 400],
    ['a checkpoint number that is none', () => request('GET', `/jobs/${JOB_ID}/checkpoints/details/1e400`), 404],
    ['a number beyond all', () => request('GET', `/jobs/${JOB_ID}/checkpoints/details/${'9'.repeat(400)}`), 404],
    ['a subtask below zero', () => request('GET', `/jobs/${JOB_ID}/vertices/x/subtasks/-1`), 400],
    ['an upgrade', () => request('GET', '/overview', { connection: 'Upgrade, close', upgrade: 'websocket' }), 200],
    ['HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['a header that is folded', () => 'GET /overview HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\nConnection: close\r\n\r\n', 400],
    ['an upload without a type', () => request('POST', '/jars/upload?name=a.js'), 400],
    ['an upload of JSON', () => json('POST', '/jars/upload?name=a.js', '{}'), 415],
  ])('%s', async (_what, bytes, status) => {
    const answer = await raw(bytes(), { end: false });
    if (status === 200) expect(statusOf(answer)).toBe(200);
    else expectRefusal(answer, status);
    await expectAlive();
  });

  it('that never ends is not waited for', async () => {
    const open = { end: false, to: impatient };
    const [headers, body, upload] = await Promise.all([
      raw('GET /overview HTTP/1.1\r\nHost: loc', open),
      raw(request('POST', STOP, { 'content-type': 'application/json', 'content-length': '100' }, '{"a'), open),
      raw(request('POST', '/jars/upload?name=a.js', { 'content-type': 'text/javascript', 'content-length': '100' }, 'x'), open),
    ]);
    expectRefusal(headers, 408);
    expectRefusal(body, 408);
    expect(statusOf(upload)).toBe(408);
    await expectAlive();
  });

  it('for what is no service of it is refused by HTTP itself', async () => {
    expect(await raw('CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n', { end: false })).toBe('');
    expect(statusOf(await raw(request('POST', STOP, { expect: 'the moon', 'content-length': '0' })))).toBe(417);
    await expectAlive();
  });

  it('that drips is not waited for', async () => {
    const head = request('POST', STOP, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' });
    const { promise, resolve } = Promise.withResolvers<string>();
    const socket = connect(impatient.port, '127.0.0.1');
    let text = '';
    let drips = 0;
    const drip = (): void => {
      if (socket.writable && drips++ < 1000) systemClock.schedule(20, () => socket.write('1\r\n \r\n', drip));
    };
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
    socket.write(head, drip);
    expect(statusOf(await promise)).toBe(408);
    expect(drips).toBeLessThan(1000);
    await expectAlive();
  });

  it('among a thousand on one connection is answered', async () => {
    const answer = await raw(`GET /overview HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(999) + request('GET', '/overview'), { end: false });
    expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(1000);
    await expectAlive();
  });

  it('that is cut off leaves nothing', async () => {
    const sent = request(
      'POST',
      '/jars/upload?name=a.js',
      { 'content-type': 'text/javascript', 'content-length': '4000' },
      'x'.repeat(100),
    );
    await raw(sent, { waitMs: 50, end: false });
    const answer = await raw(request('GET', '/jars'));
    expect(answer).toContain('"files":[]');
    await expectAlive();
  });

  it('of any form is answered or refused, never with a failure of the server', async () => {
    const paths = fc.oneof(
      fc.constantFrom(
        '/overview',
        '/jobs',
        `/jobs/${JOB_ID}`,
        STOP,
        '/jars/upload',
        '/savepoint-disposal',
        '/openapi.json',
        '/v1//jobs',
        '/taskmanagers/metrics',
      ),
      fc.webPath().map((path) => `/${path.replace(/^\/+/, '')}`),
      fc
        .string({ unit: fc.constantFrom('/', '%', '.', 'a', '?', '&', '=', '2', 'f', '[', '*', ':', ';', '~'), maxLength: 40 })
        .map((text) => `/${text}`),
    );
    const methods = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE');
    const types = fc.constantFrom('application/json', 'text/javascript', 'application/json; charset=x', 'a/b', 'multipart/form-data', '');
    const bodies = fc.oneof(fc.json({ maxDepth: 6 }), fc.string({ maxLength: 200 }), fc.constant(''));
    const property = fc.asyncProperty(methods, paths, types, bodies, fc.webQueryParameters(), async (method, path, type, body, query) => {
      const length = String(Buffer.byteLength(body));
      const headers = { 'content-length': length, ...(type !== '' && { 'content-type': type }) };
      const answer = await raw(request(method, `${path}${path.includes('?') ? '&' : '?'}${query}`, headers, body), { end: false });
      const status = statusOf(answer);
      expect(status).toBeGreaterThanOrEqual(200);
      expect(status, answer).toBeLessThan(500);
      if (status >= 400 && method !== 'HEAD') expectRefusal(answer, status);
    });
    await fc.assert(property, { numRuns: 400, seed: 4 });
    await expectAlive();
  });

  it('of any bytes harms nobody', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .uint8Array({ maxLength: 100 })
        .map((noise) => Buffer.concat([Buffer.from('GET /overview HTTP/1.1\r\nHost: localhost\r\n'), noise, Buffer.from('\r\n\r\n')])),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (noise) => {
        const answer = await raw(noise);
        expect(answer).not.toMatch(/^HTTP\/1\.1 5/);
      }),
      { numRuns: 200, seed: 7 },
    );
    await expectAlive();
  });
});
