/** Both ends must have a certificate of the cluster's authority that is valid now, the server one for its host. */
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { systemClock, VirtualClock } from 'millstream/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createCertificates } from '../certificates.js';
import { HELLO, networkOf, Target } from './hostile-peer.test.support.js';
import { errorOf, RecordingListener, untilTrue } from './recording-listener.test.support.js';
import type { TcpNetworkOptions } from './tcp-network.js';
import { loadTlsIdentity, type TlsIdentity, tlsFilesIn } from './tls-identity.js';

const DAY_MS = 86_400_000;

let directory: string;
let own: TlsIdentity;
let foreign: TlsIdentity;
/** Of the own authority, valid a month ago. */
let expired: TlsIdentity;
let elsewhere: TlsIdentity;
const closers: (() => unknown)[] = [];

async function identityOf(authority: string, name: string): Promise<TlsIdentity> {
  const files = tlsFilesIn(join(directory, authority, name));
  const [ca, cert, key] = await Promise.all([files.ca, files.cert, files.key].map((path) => readFile(path, 'utf8')));
  return { ca: ca as string, cert: cert as string, key: key as string };
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millstream-tls-'));
  const past = new VirtualClock(systemClock.now() - 30 * DAY_MS);
  const certificates = [{ name: 'old' }];
  await createCertificates({ directory: join(directory, 'own'), certificates, validityDays: 1, clock: past });
  await createCertificates({
    directory: join(directory, 'own'),
    certificates: [{ name: 'node' }, { name: 'elsewhere', hosts: ['elsewhere.internal'] }],
  });
  await createCertificates({ directory: join(directory, 'foreign'), certificates: [{ name: 'node' }] });
  own = await loadTlsIdentity(tlsFilesIn(join(directory, 'own', 'node')));
  foreign = await identityOf('foreign', 'node');
  expired = await identityOf('own', 'old');
  elsewhere = await identityOf('own', 'elsewhere');
});

afterAll(() => rm(directory, { recursive: true }));

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function openTarget(options: Partial<TcpNetworkOptions> = {}): Promise<Target> {
  const target = await new Target({ tls: own, ...options }).open();
  closers.push(() => target.close());
  return target;
}

const connectFailing = (target: Target, options: Partial<TcpNetworkOptions>) =>
  errorOf(networkOf(options).connect(target.address, new RecordingListener()));

describe('TLS between parts of a cluster', () => {
  it('lets in who has the certificate and the token, and only them', async () => {
    const target = await openTarget();
    expect(await target.letsIn({ tls: own })).toBe(true);
    expect((await connectFailing(target, { tls: own, token: 'wrong' })).code).toBe('AUTHENTICATION_FAILED');
    expect(target.accepted).toHaveLength(1);
  });

  it.each([
    ['an expired one', () => ({ ...expired, ca: own.ca }), /expired.*'millstream certs' \(CERT_HAS_EXPIRED\)/, 'CERT_HAS_EXPIRED'],
    [
      'one of another authority',
      () => ({ ...foreign, ca: own.ca }),
      /of another authority.*'security\.ssl\.internal\.cert-dir'/,
      'UNABLE_TO',
    ],
  ])('refuses a client with %s, on both ends', async (_, identity, found, code) => {
    const target = await openTarget();
    const error = await connectFailing(target, { tls: identity() });
    expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED', message: expect.stringMatching(found) });
    await untilTrue(() => target.refusals.length > 0);
    expect(target.refusals).toEqual([
      expect.objectContaining({
        code: 'AUTHENTICATION_FAILED',
        details: expect.objectContaining({ reason: expect.stringContaining(code) }),
      }),
    ]);
    expect(await target.letsIn({ tls: own })).toBe(true);
  });

  it.each([
    ['an expired one', () => ({ ...expired, ca: own.ca }), /expired/],
    ['one of another authority', () => ({ ...foreign, ca: own.ca }), /of another authority/],
    ['one for another host', () => elsewhere, /is not for this host/],
  ])('refuses a server with %s, and tells it no token', async (_, identity, found) => {
    const target = await openTarget({ tls: identity() });
    const error = await connectFailing(target, { tls: own });
    expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED', message: expect.stringMatching(found) });
    await untilTrue(() => target.refusals.length > 0);
    expect(target.refusals[0]?.message).toContain('perhaps because it does not accept the certificate of this end');
    expect(target.accepted).toEqual([]);
  });

  /** A client without Millstream's code. */
  function rawTls(
    target: Target,
    options: ConnectionOptions = {},
    session?: Buffer,
  ): { socket: TLSSocket; closed: () => boolean; heard: () => string } {
    const resumed = session === undefined ? {} : { session };
    const socket = connectTls({ port: target.address.port, host: 'localhost', ca: own.ca, ...options, ...resumed });
    closers.push(() => socket.destroy());
    let closed = false;
    let heard = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
    socket.on('close', () => (closed = true));
    socket.on('secureConnect', () => socket.write(HELLO));
    return { socket, closed: () => closed, heard: () => heard };
  }

  it('refuses a client without a certificate, and does not say who it is', async () => {
    const target = await openTarget();
    const raw = rawTls(target);
    await untilTrue(raw.closed);
    expect(raw.heard()).toContain('"refused":"certificate"');
    expect(raw.heard()).not.toContain('jobmanager');
    expect(target.refusals).toEqual([expect.objectContaining({ code: 'AUTHENTICATION_FAILED' })]);
    expect(target.accepted).toEqual([]);
  });

  it('resumes no session, which would show no certificate', async () => {
    const target = await openTarget();
    const sessions: Buffer[] = [];
    const raw = rawTls(target);
    raw.socket.on('session', (session: Buffer) => sessions.push(session));
    await untilTrue(raw.closed);
    expect(sessions).not.toEqual([]);
    for (const session of sessions) {
      const again = rawTls(target, {}, session);
      let resumed = true;
      again.socket.on('secureConnect', () => (resumed = again.socket.isSessionReused()));
      await untilTrue(again.closed);
      expect(resumed).toBe(false);
      expect(again.heard()).toContain('"refused":"certificate"');
    }
    expect(target.accepted).toEqual([]);
  });

  it('tells a client without TLS that TLS is spoken', async () => {
    const target = await openTarget();
    const error = await connectFailing(target, {});
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', message: expect.stringContaining('TLS') });
    await untilTrue(() => target.refusals.length > 0);
    expect(target.refusals[0]).toMatchObject({ code: 'PROTOCOL_MISMATCH', message: expect.stringContaining('does not speak TLS') });
    expect(await target.letsIn({ tls: own })).toBe(true);
  });

  it('tells a server without TLS that the client speaks it', async () => {
    const target = await new Target().open();
    closers.push(() => target.close());
    expect((await connectFailing(target, { tls: own })).code).toBe('CONNECTION_FAILED');
    await untilTrue(() => target.refusals.length > 0);
    expect(target.refusals[0]).toMatchObject({ code: 'PROTOCOL_MISMATCH', message: expect.stringContaining('it speaks TLS') });
  });

  it('gives strangers who say nothing, before or after the TLS handshake, their time and no more', async () => {
    const target = await openTarget({ handshakeTimeoutMs: 300, strangersMax: 3 });
    const silent = await target.raw();
    const rubbish = await target.raw('GET / HTTP/1.1\r\n\r\n');
    const secure = rawTls(target, own);
    secure.socket.removeAllListeners('secureConnect');
    await untilTrue(() => silent.isClosed() && rubbish.isClosed() && secure.closed());
    await untilTrue(() => target.refusals.length === 3);
    expect(target.refusals.map(({ code }) => code).toSorted()).toEqual(['CONNECTION_LOST', 'CONNECTION_LOST', 'PROTOCOL_MISMATCH']);
    expect(await target.letsIn({ tls: own })).toBe(true);
  });

  it('accepts only the certificate with the fingerprint that is asked for, on both ends', async () => {
    const { fingerprint256 } = new X509Certificate(own.cert);
    const right = fingerprint256.replaceAll(':', '').toLowerCase();
    const wrong = new X509Certificate(elsewhere.cert).fingerprint256;
    const target = await openTarget({ tlsPolicy: { peerFingerprint: right } });
    expect(await target.letsIn({ tls: own, tlsPolicy: { peerFingerprint: fingerprint256 } })).toBe(true);
    const found = { code: 'AUTHENTICATION_FAILED', message: expect.stringContaining("'security.ssl.internal.cert.fingerprint'") };
    expect(await connectFailing(target, { tls: elsewhere })).toMatchObject(found);
    expect(await connectFailing(target, { tls: own, tlsPolicy: { peerFingerprint: wrong } })).toMatchObject(found);
    await untilTrue(() => target.refusals.length === 2);
    expect(target.refusals[0]).toMatchObject(found);
    expect(target.accepted).toHaveLength(1);
  });

  it('asks for the host of a certificate unless told otherwise', async () => {
    const target = await openTarget({ tls: elsewhere });
    expect(await target.letsIn({ tls: own, tlsPolicy: { verifyHost: false } })).toBe(true);
  });

  it('speaks older versions of TLS only where allowed', async () => {
    const strict = await openTarget();
    const raw = rawTls(strict, { ...own, maxVersion: 'TLSv1.2' });
    await untilTrue(raw.closed);
    expect(strict.accepted).toEqual([]);
    const lenient = await openTarget({ tlsPolicy: { versionMin: 'TLSv1.2' } });
    rawTls(lenient, { ...own, maxVersion: 'TLSv1.2' });
    await untilTrue(() => lenient.accepted.length === 1);
  });

  it('may listen beyond this machine with a token, and not without one', async () => {
    const beyond = { host: '0.0.0.0', port: 0 };
    const server = await networkOf({ tls: own }).listen(beyond, () => new RecordingListener());
    await server.close();
    const error = await errorOf(networkOf({ tls: own, token: '' }).listen(beyond, () => new RecordingListener()));
    expect(error.code).toBe('INSECURE_ADDRESS');
  });
});
