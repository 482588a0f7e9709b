/** What the options of a process mean for its connections to others. */
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Network, type NetworkListener, resolveConfiguration } from 'millstream/cluster';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createCertificates } from '../certificates.js';
import { openClusterNetwork } from './cluster-network.js';

const SILENT = { onMessage: () => undefined, onDrain: () => undefined, onClose: () => undefined };

let directory: string;
let listener: NetworkListener | undefined;
let mute: Server | undefined;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-network-'));
  const elsewhere = { name: 'elsewhere', hosts: ['elsewhere.example'] };
  await createCertificates({ directory, certificates: [{ name: 'one' }, { name: 'two' }, elsewhere] });
});
afterEach(async () => {
  await listener?.close();
  mute?.close();
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

async function networkOf(set: Readonly<Record<string, string>>): Promise<Network> {
  const origin = { layer: 'file', file: 'config.yaml', line: 1, column: 1 } as const;
  const { options } = resolveConfiguration(Object.entries(set).map(([key, input]) => ({ key, input, origin })));
  return await openClusterNetwork(options, { role: 'test', name: 'test' }, () => undefined);
}

function withCertificate(name: string): Record<string, string> {
  return { 'security.ssl.internal.cert-dir': join(directory, name) };
}

/** Rejects as a connection does that `client` makes to `server`. */
async function meet(server: Readonly<Record<string, string>>, client: Readonly<Record<string, string>>): Promise<void> {
  listener = await (await networkOf(server)).listen({ host: 'localhost', port: 0 }, () => SILENT);
  const connection = await (await networkOf(client)).connect(listener.address, SILENT);
  connection.destroy();
}

it('the fingerprint admits one certificate of all those that are signed', async () => {
  const { fingerprint256 } = new X509Certificate(readFileSync(join(directory, 'one', 'cert.pem')));
  const pinned = { ...withCertificate('one'), 'security.ssl.internal.cert.fingerprint': fingerprint256 };
  await meet(pinned, pinned);
  const refused = { code: 'AUTHENTICATION_FAILED', message: expect.stringContaining('security.ssl.internal.cert.fingerprint') };
  await expect(meet(pinned, withCertificate('two'))).rejects.toMatchObject(refused);
  await expect(meet(withCertificate('two'), pinned)).rejects.toMatchObject(refused);
});

it('the host of a certificate is looked at, unless the option says otherwise', async () => {
  const client = withCertificate('one');
  await expect(meet(withCertificate('elsewhere'), client)).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
  await meet(withCertificate('elsewhere'), { ...client, 'security.ssl.verify-hostname': 'false' });
});

it('who does not answer is waited for as long as the option says', async () => {
  mute = createServer(() => undefined);
  await new Promise<void>((resolve) => mute?.listen(0, '127.0.0.1', resolve));
  const network = await networkOf({ 'security.ssl.internal.handshake-timeout': '120 ms' });
  const address = { host: '127.0.0.1', port: (mute.address() as AddressInfo).port };
  await expect(network.connect(address, SILENT)).rejects.toMatchObject({
    code: 'CONNECTION_FAILED',
    message: expect.stringContaining('no answer in 120 ms (security.ssl.internal.handshake-timeout)'),
  });
});
