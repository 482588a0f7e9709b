/** The virtual network, TCP and TLS do what every network does. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runVirtualTime, seededRandom, VirtualClock, VirtualNetwork } from 'millstream/testing';
import { afterAll, beforeAll, expect } from 'vitest';
import { createCertificates } from '../certificates.js';
import { describeNetwork, type NetworkRig } from './network-conformance.test.support.js';
import { untilTrue } from './recording-listener.test.support.js';
import { TcpNetwork } from './tcp-network.js';
import { loadTlsIdentity, type TlsIdentity, tlsFilesIn } from './tls-identity.js';

const MESSAGE_BYTES_MAX = 16 << 20;
const PATIENCE_MS = 60_000;

let directory: string;
let tls: TlsIdentity;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millstream-network-'));
  await createCertificates({ directory, certificates: [{ name: 'node' }] });
  tls = await loadTlsIdentity(tlsFilesIn(join(directory, 'node')));
});

afterAll(() => rm(directory, { recursive: true }));

describeNetwork('VirtualNetwork', () => {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, random: seededRandom(3), messageBytesMax: MESSAGE_BYTES_MAX });
  return Promise.resolve({
    server: network.host('server'),
    client: network.host('client'),
    address: { host: 'server', port: 0 },
    async settle<T>(promise: Promise<T>): Promise<T> {
      let settled = false;
      const outcome = promise.finally(() => (settled = true));
      outcome.catch(() => undefined);
      await runVirtualTime(clock, clock.now() + PATIENCE_MS, () => settled);
      return await outcome;
    },
    async until(condition) {
      await runVirtualTime(clock, clock.now() + PATIENCE_MS, condition);
      expect(condition()).toBe(true);
    },
    close: () => Promise.resolve(),
  });
});

describeNetwork('TcpNetwork without TLS', () => Promise.resolve(rigOfSockets(undefined)));
describeNetwork('TcpNetwork with TLS', () => Promise.resolve(rigOfSockets(tls)));

function rigOfSockets(identity: TlsIdentity | undefined): NetworkRig {
  const options = {
    messageBytesMax: MESSAGE_BYTES_MAX,
    token: 'conformance',
    // Hundreds of handshakes at once take seconds where other tests have the processors.
    connectTimeoutMs: PATIENCE_MS,
    handshakeTimeoutMs: PATIENCE_MS,
    ...(identity === undefined ? {} : { tls: identity }),
  };
  const server = new TcpNetwork({ ...options, identity: { role: 'jobmanager', name: 'jm' } });
  const closers: (() => void)[] = [];
  return {
    server: {
      connect: (address, listener) => server.connect(address, listener),
      async listen(address, accept) {
        const listener = await server.listen(address, (connection) => {
          closers.push(() => connection.destroy());
          return accept(connection);
        });
        closers.push(() => void listener.close());
        return listener;
      },
    },
    client: new TcpNetwork({ ...options, identity: { role: 'taskmanager', name: 'tm' } }),
    address: { host: 'localhost', port: 0 },
    settle: (promise) => promise,
    until: untilTrue,
    close() {
      for (const close of closers) close();
      return Promise.resolve();
    },
  };
}
