/** What only real sockets meet: strangers, other versions, wrong tokens, rubbish, killed processes. */
import { spawn } from 'node:child_process';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { framed, GOODBYE } from './frame.js';
import { encodeHello, PROTOCOL_VERSION } from './handshake.js';
import { HELLO, LOCALHOST, networkOf, Target, TOKEN } from './hostile-peer.test.support.js';
import { errorOf, pause, RecordingListener, untilTrue } from './recording-listener.test.support.js';
import type { TcpNetworkOptions } from './tcp-network.js';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function openTarget(options: Partial<TcpNetworkOptions> = {}): Promise<Target> {
  const target = await new Target(options).open();
  closers.push(() => target.close());
  return target;
}

/** A server that does as it is told with each socket. Returns its port. */
async function rawServer(onSocket: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => undefined);
    closers.push(() => socket.destroy());
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return (server.address() as { readonly port: number }).port;
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

describe('the handshake', () => {
  it('names the other end, on both', async () => {
    const target = await openTarget();
    const connection = await networkOf().connect(target.address, new RecordingListener());
    closers.push(() => connection.destroy());
    expect(connection.remote).toBe(`jobmanager jm (localhost:${target.address.port})`);
    expect(target.accepted[0]?.connection?.remote).toMatch(/^taskmanager tm-1 \(.*:\d+\)$/);
    expect(target.refusals).toEqual([]);
  });

  it.each(['another token', '', `${TOKEN} `])('refuses the token %j, on both ends', async (token) => {
    const target = await openTarget();
    const error = await errorOf(networkOf({ token }).connect(target.address, new RecordingListener()));
    expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED', retryable: false });
    expect(error.message).toMatch(/'jobmanager jm' .* Give all parts of the cluster the same 'security\.internal\.token'/);
    await untilTrue(() => target.refusals.length > 0);
    expect(target.refusals).toEqual([expect.objectContaining({ code: 'AUTHENTICATION_FAILED' })]);
    expect(target.refusals[0]?.message).toContain("'taskmanager tm-1'");
    expect(`${error.message} ${target.refusals[0]?.message}`).not.toContain(TOKEN);
    expect(target.accepted).toEqual([]);
  });

  it('refuses another version of the engine, on both ends', async () => {
    const target = await openTarget({ engineVersion: '2.0.0' });
    const error = await errorOf(networkOf({ engineVersion: '1.9.0' }).connect(target.address, new RecordingListener()));
    expect(error).toMatchObject({ code: 'PROTOCOL_MISMATCH', details: { theirs: '2.0.0', ours: '1.9.0' } });
    await untilTrue(() => target.refusals.length > 0);
    expect(target.refusals[0]).toMatchObject({ code: 'PROTOCOL_MISMATCH', details: { theirs: '1.9.0', ours: '2.0.0' } });
  });

  it('refuses another version of the protocol, and says its own', async () => {
    const target = await openTarget();
    const future = Buffer.from(HELLO);
    future.writeUInt16LE(PROTOCOL_VERSION + 1, 8);
    const raw = await target.raw(future);
    await untilTrue(raw.isClosed);
    expect(raw.received().slice(4, 8)).toBe('MSTR');
    expect(raw.received().charCodeAt(8)).toBe(PROTOCOL_VERSION);
    expect(target.refusals[0]).toMatchObject({ code: 'PROTOCOL_MISMATCH', details: { theirs: `protocol ${PROTOCOL_VERSION + 1}` } });
    const port = await rawServer((socket) => void socket.once('data', () => socket.write(future)));
    const error = await errorOf(networkOf().connect({ host: '127.0.0.1', port }, new RecordingListener()));
    expect(error).toMatchObject({ code: 'PROTOCOL_MISMATCH', details: { theirs: `protocol ${PROTOCOL_VERSION + 1}` } });
  });

  it('survives an owner that throws when it is offered a connection', async () => {
    const refusals: string[] = [];
    const network = networkOf({ onRefusal: ({ code, message }) => refusals.push(`${code} ${message}`) });
    const server = await network.listen(LOCALHOST, () => {
      throw new RangeError('no more room');
    });
    closers.push(() => server.close());
    const side = new RecordingListener();
    await networkOf().connect(server.address, side);
    await untilTrue(() => side.closes.length === 1);
    expect(side.closeCode).toBe('CONNECTION_LOST');
    expect(refusals).toEqual([expect.stringMatching(/^INTERNAL Cannot accept 'taskmanager tm-1 .*no more room/)]);
  });

  it.each([
    ['name', { identity: { role: 'taskmanager', name: 'a\nb' } }],
    ['role', { identity: { role: 'x'.repeat(257), name: 'a' } }],
    ['token', { token: 'x'.repeat(257) }],
    ['limit', { messageBytesMax: 100 }],
    ['limit', { messageBytesMax: 2 ** 32 }],
  ])('cannot be made with an impossible %s', (_, options) => {
    expect(() => networkOf(options)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });
});

describe('a stranger', () => {
  const hello = (fields: string): Buffer => framed(Buffer.concat([HELLO.subarray(4, 10), Buffer.from(fields)]));

  it.each([
    ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'it speaks HTTP'],
    ['TLS', Buffer.from('160301020001000001fc0303', 'hex'), 'it speaks TLS'],
    ['a length beyond all', u32(GOODBYE - 1), 'begins with the bytes 0xfeffffff'],
    ['a goodbye', u32(GOODBYE), 'begins with the bytes 0xffffffff'],
    ['an empty message', framed(Buffer.alloc(0)), 'begins with the bytes 0x,'],
    ['another magic', framed(Buffer.from('NOPE, not at all')), 'begins with the bytes 0x4e4f5045'],
    ['no JSON', hello('{"role":'), 'its first message is damaged'],
    ['null', hello('null'), 'its first message is damaged'],
    ['numbers', hello('{"role":1,"name":2,"engineVersion":3,"token":4}'), "no proper 'role'"],
    ['a name for a terminal', hello(JSON.stringify({ role: 'x', name: '\u001b[2J' })), "no proper 'name'"],
    ['4 KiB and more', framed(Buffer.alloc(4097)), 'begins with the bytes 0x01100000'],
  ])('that says %s is sent away, and others are let in', async (_, bytes, found) => {
    const target = await openTarget();
    const raw = await target.raw(bytes);
    await untilTrue(() => raw.isClosed() && target.refusals.length > 0);
    expect(target.refusals).toEqual([expect.objectContaining({ code: 'PROTOCOL_MISMATCH', message: expect.stringContaining(found) })]);
    expect(await target.letsIn()).toBe(true);
    expect(target.accepted).toHaveLength(1);
  });

  it('that says nothing, or a byte at a time, has its time and no more', async () => {
    const target = await openTarget({ handshakeTimeoutMs: 150 });
    const [idle, slow] = [await target.raw(), await target.raw()];
    let at = 0;
    while (!slow.isClosed() && at < HELLO.length) {
      slow.socket.write(HELLO.subarray(at, ++at));
      await pause(10);
    }
    expect(at).toBeLessThan(HELLO.length);
    await untilTrue(() => idle.isClosed() && slow.isClosed());
    expect(target.refusals.map(({ code, message }) => [code, message.includes('in 150 ms')])).toEqual([
      ['CONNECTION_LOST', true],
      ['CONNECTION_LOST', true],
    ]);
    expect(await target.letsIn()).toBe(true);
  });

  it('that leaves is reported and forgotten', async () => {
    const target = await openTarget({ strangersMax: 1 });
    for (let round = 1; round <= 3; round++) {
      (await target.raw(HELLO.subarray(0, 20))).socket.destroy();
      await untilTrue(() => target.refusals.length === round);
    }
    expect(target.refusals.map(({ message }) => message.includes('left before it had said who it is'))).toEqual([true, true, true]);
    expect(await target.letsIn()).toBe(true);
  });

  it('finds no room among too many, who soon make room again', async () => {
    // Long enough for all eight to come before the first is sent away.
    const target = await openTarget({ handshakeTimeoutMs: 2000, strangersMax: 5 });
    const all = await Promise.all(Array.from({ length: 8 }, () => target.raw()));
    await untilTrue(() => all.filter((raw) => raw.isClosed()).length >= 3);
    await untilTrue(() => all.every((raw) => raw.isClosed()));
    expect(target.refusals.filter(({ message }) => message.includes('5 others have not said'))).toHaveLength(3);
    expect(await target.letsIn()).toBe(true);
  });

  it('that is refused cannot stay by sending more', async () => {
    const target = await openTarget({ handshakeTimeoutMs: 200 });
    const raw = await target.raw(framed(encodeHello({ role: 'x', name: 'y', engineVersion: '0' }, 'z')));
    while (!raw.isClosed()) {
      raw.socket.write(Buffer.alloc(1000));
      await pause(5);
    }
    expect(target.refusals).toHaveLength(1);
  });
});

describe('a peer that is known', () => {
  it('and announces a message above the limit is cut off', async () => {
    const target = await openTarget({ messageBytesMax: 10_000 });
    await target.raw(HELLO, framed(Buffer.alloc(10_000)), u32(10_001));
    await untilTrue(() => target.accepted[0]?.closes.length === 1);
    expect(target.accepted[0]?.sizes).toEqual([10_000]);
    expect(target.accepted[0]?.closes[0]).toMatchObject({ code: 'MESSAGE_TOO_LARGE', details: { length: 10_001 } });
    expect(await target.letsIn()).toBe(true);
  });

  it.each([
    ['between messages', HELLO, 'without closing it'],
    ['within a message', Buffer.concat([HELLO, u32(100), Buffer.alloc(10)]), 'within a message'],
  ])('and ends %s is lost', async (_, bytes, found) => {
    const target = await openTarget();
    const raw = await target.raw(bytes);
    await untilTrue(() => raw.received() !== '');
    raw.socket.end();
    await untilTrue(() => target.accepted[0]?.closes.length === 1);
    expect(target.accepted[0]?.closes[0]).toMatchObject({ code: 'CONNECTION_LOST', message: expect.stringContaining(found) });
  });

  it('and whose process is killed is lost at once, whatever was pending', async () => {
    const target = await openTarget();
    const program = `
      const socket = require('node:net').connect(${target.address.port}, 'localhost');
      socket.write(Buffer.from('${Buffer.concat([HELLO, framed(Buffer.from('alive'))]).toString('hex')}', 'hex'));
      socket.pause();
      // A socket that is not read keeps no process alive.
      process.stdin.resume();`;
    const child = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'ignore', 'ignore'] });
    closers.push(() => child.kill('SIGKILL'));
    await untilTrue(() => target.accepted[0]?.sizes[0] === 5);
    const { connection } = target.accepted[0] as RecordingListener;
    // More than the system takes for a process that does not read.
    expect(connection?.send(Buffer.alloc(40_000_000))).toBe(false);
    child.kill('SIGKILL');
    await untilTrue(() => target.accepted[0]?.closes.length === 1);
    expect(target.accepted[0]?.closes[0]).toMatchObject({ code: 'CONNECTION_LOST', retryable: true });
    expect(target.accepted[0]?.drains).toEqual([]);
  });

  it('and does not answer a close keeps this end only for a time', async () => {
    const target = await openTarget({ closeTimeoutMs: 100 });
    const raw = await target.raw(HELLO);
    raw.socket.pause();
    await untilTrue(() => target.accepted.length > 0);
    target.accepted[0]?.connection?.close();
    await untilTrue(() => target.accepted[0]?.closes.length === 1);
    expect(target.accepted[0]?.closes[0]).toMatchObject({ code: 'CONNECTION_LOST', message: expect.stringContaining('in time') });
  });
});

describe('connecting', () => {
  it('gives up on a server that says nothing', async () => {
    const port = await rawServer(() => undefined);
    const error = await errorOf(networkOf({ connectTimeoutMs: 100 }).connect({ host: '127.0.0.1', port }, new RecordingListener()));
    expect(error).toMatchObject({
      code: 'CONNECTION_FAILED',
      retryable: true,
      message: expect.stringContaining('no answer in 100 ms (security.ssl.internal.handshake-timeout)'),
    });
  });

  it.each([
    ['closes', (socket: Socket): void => void socket.end(), 'CONNECTION_FAILED'],
    ['resets', (socket: Socket): void => void socket.resetAndDestroy(), 'CONNECTION_FAILED'],
    ['speaks HTTP', (socket: Socket): void => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), 'PROTOCOL_MISMATCH'],
    ['answers with rubbish', (socket: Socket): void => void socket.end(Buffer.alloc(100, 7)), 'PROTOCOL_MISMATCH'],
  ])('fails where the server %s', async (_, behave, code) => {
    const port = await rawServer((socket) => void socket.once('data', () => behave(socket)));
    expect((await errorOf(networkOf().connect({ host: '127.0.0.1', port }, new RecordingListener()))).code).toBe(code);
  });

  it('says that there is no such host', async () => {
    const error = await errorOf(networkOf().connect({ host: 'no-such-host.invalid', port: 1 }, new RecordingListener()));
    expect(error.code).toBe('CONNECTION_FAILED');
  });
});

describe('without TLS', () => {
  const insecure = { code: 'INSECURE_ADDRESS', details: { options: ['security.ssl.internal.cert-dir', 'security.internal.token'] } };

  it.each(['0.0.0.0', '::', '192.0.2.1', '10.0.0.1'])('does not listen on %s', async (host) => {
    const error = await errorOf(networkOf().listen({ host, port: 0 }, () => new RecordingListener()));
    expect(error).toMatchObject(insecure);
    expect(error.message).toContain("'millstream certs'");
  });

  it.each(['192.0.2.1', '::ffff:192.0.2.1'])('does not connect to %s', async (host) => {
    expect(await errorOf(networkOf().connect({ host, port: 1 }, new RecordingListener()))).toMatchObject(insecure);
  });

  it.each(['localhost', '127.0.0.1', '127.1.2.3'])('listens on %s', async (host) => {
    const server = await networkOf().listen({ ...LOCALHOST, host }, () => new RecordingListener());
    expect(server.address).toEqual({ host, port: expect.any(Number) });
    await server.close();
  });
});
