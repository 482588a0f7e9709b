import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ResolvedOptions, resolveConfiguration } from 'millstream/cluster';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCertificates } from '../certificates.js';
import { internalTls, internalTlsPolicy, internalToken, restTls, restTokens } from './tls-options.js';

let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-tls-options-'));
  await createCertificates({ directory, certificates: [{ name: 'one' }] });
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

function options(set: Readonly<Record<string, string>>): ResolvedOptions {
  const origin = { layer: 'file', file: 'config.yaml', line: 1, column: 1 } as const;
  return resolveConfiguration(Object.entries(set).map(([key, input]) => ({ key, input, origin }))).options;
}

describe.each([
  ['security.ssl.internal', internalTls],
  ['security.ssl.rest', restTls],
] as const)('%s', (prefix, read) => {
  it('is off where nothing is set, or where it is switched off', async () => {
    expect(await read(options({}))).toBeUndefined();
    expect(await read(options({ [`${prefix}.cert-dir`]: join(directory, 'one'), [`${prefix}.enabled`]: 'false' }))).toBeUndefined();
    expect(await read(options({ [`${prefix}.ca-file`]: join(directory, 'one', 'ca.pem') }))).toBeUndefined();
  });

  it('takes a directory, or single files', async () => {
    const whole = await read(options({ [`${prefix}.cert-dir`]: join(directory, 'one') }));
    expect(whole?.key).toContain('PRIVATE KEY');
    const single = options({
      [`${prefix}.certificate-file`]: join(directory, 'one', 'cert.pem'),
      [`${prefix}.private-key-file`]: join(directory, 'one', 'key.pem'),
      [`${prefix}.ca-file`]: join(directory, 'one', 'ca.pem'),
    });
    expect(await read(single)).toEqual(whole);
  });

  it('says what is missing', async () => {
    await expect(read(options({ [`${prefix}.enabled`]: 'true' }))).rejects.toThrow(
      `no ${prefix}.certificate-file and no ${prefix}.private-key-file and no ${prefix}.ca-file`,
    );
    const half = options({ [`${prefix}.certificate-file`]: join(directory, 'one', 'cert.pem'), [`${prefix}.ca-file`]: 'ca.pem' });
    await expect(read(half)).rejects.toThrow(`there is no ${prefix}.private-key-file. Set it`);
  });
});

describe('what else is demanded', () => {
  const FINGERPRINT = '0123456789ABCDEF'.repeat(4);
  const PARTS = { internal: 'security.ssl.internal.cert.fingerprint', rest: 'security.ssl.rest.cert.fingerprint' } as const;

  it('inside of the cluster is what the options say, and no less than TLSv1.3 where they say nothing', async () => {
    const tls = await internalTls(options({ 'security.ssl.internal.cert-dir': join(directory, 'one') }));
    expect(internalTlsPolicy(options({}), tls)).toEqual({ verifyHost: true });
    const set = { [PARTS.internal]: FINGERPRINT, 'security.ssl.protocol': 'TLSv1.2', 'security.ssl.verify-hostname': 'false' };
    expect(internalTlsPolicy(options(set), tls)).toEqual({
      versionMin: 'TLSv1.2',
      verifyHost: false,
      peerFingerprint: FINGERPRINT.toLowerCase(),
    });
  });

  it('by REST is the version, and of clients the fingerprint', async () => {
    const set = {
      'security.ssl.rest.cert-dir': join(directory, 'one'),
      'security.ssl.rest.authentication-enabled': 'true',
      'security.ssl.protocol': 'TLSv1.3',
      [PARTS.rest]: FINGERPRINT,
    };
    expect(await restTls(options(set))).toMatchObject({ minVersion: 'TLSv1.3', clientFingerprint: FINGERPRINT.toLowerCase() });
    // For clients alone, where REST asks for no certificate.
    expect(await restTls(options({ ...set, 'security.ssl.rest.authentication-enabled': 'false' }))).not.toHaveProperty('clientFingerprint');
  });

  it('is refused by its name where nobody could hold to it', async () => {
    const tls = await internalTls(options({ 'security.ssl.internal.cert-dir': join(directory, 'one') }));
    expect(() => internalTlsPolicy(options({ [PARTS.internal]: 'abc' }), tls)).toThrow(
      /"security\.ssl\.internal\.cert\.fingerprint" to "abc"/,
    );
    expect(() => internalTlsPolicy(options({ [PARTS.internal]: FINGERPRINT }), undefined)).toThrow(
      /internal\.cert\.fingerprint: without TLS/,
    );
  });
});

it('REST wants certificates of its clients where it is told to', async () => {
  const served = { 'security.ssl.rest.cert-dir': join(directory, 'one') };
  expect((await restTls(options(served)))?.ca).toBeUndefined();
  expect((await restTls(options({ ...served, 'security.ssl.rest.authentication-enabled': 'true' })))?.ca).toContain('CERTIFICATE');
});

describe('tokens', () => {
  it('come from options and from a file', async () => {
    const file = join(directory, 'tokens');
    writeFileSync(file, '# who may what\nread  one\n\nadmin two \r\n');
    expect(await restTokens(options({ 'security.rest.token-file': file, 'security.rest.token.submit': 'three' }))).toEqual([
      { role: 'submit', token: 'three' },
      { role: 'read', token: 'one' },
      { role: 'admin', token: 'two' },
    ]);
    writeFileSync(join(directory, 'token'), 'shared\n');
    expect(await internalToken(options({ 'security.internal.token-file': join(directory, 'token') }))).toBe('shared');
  });

  it('are refused where a line says nothing, without quoting it', async () => {
    const file = join(directory, 'wrong');
    writeFileSync(file, 'read one\nsecret-without-a-role\n');
    const refused = await restTokens(options({ 'security.rest.token-file': file })).catch((error: unknown) => error as Error);
    expect(refused).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringMatching(/line 2 of '.*wrong'/) });
    expect((refused as Error).message).not.toContain('secret-without-a-role');
    await expect(restTokens(options({ 'security.rest.token-file': join(directory, 'none') }))).rejects.toThrow(/Cannot read '.*none'/);
  });
});
