/** Certificates: what is in them, who may read them, and that nothing is replaced unasked. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VirtualClock } from 'millstream/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CertificateOptions, createCertificates } from './certificates.js';
import { loadTlsIdentity, tlsFilesIn } from './transport/tls-identity.js';

const DAY_MS = 86_400_000;
const NOW = 1_800_000_000_000;

describe('createCertificates', () => {
  let parent: string;
  let directory: string;
  const clock = new VirtualClock(NOW);

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'millstream-certificates-'));
    directory = join(parent, 'certs');
  });

  afterEach(() => rm(parent, { recursive: true }));

  const make = (options: Partial<CertificateOptions> = {}): ReturnType<typeof createCertificates> =>
    createCertificates({ directory, certificates: [{ name: 'jm', hosts: ['jm.internal', '10.0.0.5', '::1'] }], clock, ...options });
  const text = (...path: string[]): Promise<string> => readFile(join(directory, ...path), 'utf8');

  it('makes certificates that name their hosts, end in time and are those of the authority', async () => {
    const result = await make({ validityDays: 30 });
    expect(result).toEqual({
      authority: { path: join(directory, 'ca.pem'), created: true, expires: NOW + 3650 * DAY_MS },
      certificates: [
        { name: 'jm', directory: join(directory, 'jm'), hosts: ['jm.internal', '10.0.0.5', '::1'], expires: NOW + 30 * DAY_MS },
      ],
    });
    const certificate = new X509Certificate(await text('jm', 'cert.pem'));
    const authority = new X509Certificate(await text('ca.pem'));
    expect(certificate.checkIssued(authority) && certificate.verify(authority.publicKey)).toBe(true);
    expect([certificate.ca, authority.ca]).toEqual([false, true]);
    expect(certificate.checkHost('jm.internal')).toBe('jm.internal');
    expect(certificate.checkHost('tm.internal')).toBeUndefined();
    expect([certificate.checkIP('10.0.0.5'), certificate.checkIP('::1'), certificate.checkIP('10.0.0.6')]).toEqual([
      '10.0.0.5',
      '::1',
      undefined,
    ]);
    expect(Date.parse(certificate.validTo)).toBe(NOW + 30 * DAY_MS);
    expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    await loadTlsIdentity(tlsFilesIn(join(directory, 'jm')), undefined, clock);
  });

  it('lets only the owner read them', async () => {
    await make();
    const modes = await Promise.all(
      ['ca.pem', 'ca-key.pem', 'jm/ca.pem', 'jm/cert.pem', 'jm/key.pem', '.', 'jm'].map(
        async (path) => (await stat(join(directory, path))).mode & 0o777,
      ),
    );
    expect(modes).toEqual([0o600, 0o600, 0o600, 0o600, 0o600, 0o700, 0o700]);
  });

  it('uses the authority again for further certificates', async () => {
    await make();
    const before = await text('ca.pem');
    const result = await make({ certificates: [{ name: 'tm' }] });
    expect(result.authority.created).toBe(false);
    expect(result.certificates[0]?.hosts).toEqual(['localhost', '127.0.0.1', '::1']);
    expect(await text('ca.pem')).toBe(before);
    expect(new X509Certificate(await text('tm', 'cert.pem')).verify(new X509Certificate(before).publicKey)).toBe(true);
  });

  it('replaces nothing unless told, and writes nothing if one of them exists', async () => {
    await make();
    const before = await text('jm', 'cert.pem');
    await expect(make({ certificates: [{ name: 'tm' }, { name: 'jm' }] })).rejects.toMatchObject({ code: 'CERTIFICATE_EXISTS' });
    await expect(text('tm', 'cert.pem')).rejects.toThrow('ENOENT');
    expect(await text('jm', 'cert.pem')).toBe(before);
  });

  it('replaces certificates, or the authority too, where told', async () => {
    await make();
    const [authority, certificate] = [await text('ca.pem'), await text('jm', 'cert.pem')];
    await make({ overwrite: 'certificates' });
    expect(await text('ca.pem')).toBe(authority);
    expect(await text('jm', 'cert.pem')).not.toBe(certificate);
    expect((await make({ overwrite: 'authority' })).authority.created).toBe(true);
    expect(await text('ca.pem')).not.toBe(authority);
    expect(await text('jm', 'ca.pem')).toBe(await text('ca.pem'));
  });

  it('makes no certificate that outlives its authority', async () => {
    const result = await make({ validityDays: 100, authorityValidityDays: 10 });
    expect(result.certificates[0]?.expires).toBe(NOW + 10 * DAY_MS);
  });

  it.each([
    ['without its key', (): Promise<void> => rm(join(directory, 'ca-key.pem'))],
    ['without its certificate', (): Promise<void> => rm(join(directory, 'ca.pem'))],
    ['with a damaged certificate', (): Promise<void> => writeFile(join(directory, 'ca.pem'), 'rubbish')],
    ['with a damaged key', (): Promise<void> => writeFile(join(directory, 'ca-key.pem'), 'rubbish')],
  ])('does not use an authority %s', async (_, damage) => {
    await make();
    await damage();
    await expect(make({ certificates: [{ name: 'tm' }] })).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
  });

  it('does not use an authority that has expired', async () => {
    await make({ authorityValidityDays: 1 });
    await expect(make({ certificates: [{ name: 'tm' }], clock: new VirtualClock(NOW + 2 * DAY_MS) })).rejects.toThrow('has expired');
  });

  it('says so where it cannot write', async () => {
    await writeFile(directory, '');
    await expect(make()).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
  });

  it.each<Partial<CertificateOptions>>([
    { certificates: [] },
    { certificates: [{ name: '../jm' }] },
    { certificates: [{ name: 'ca.pem' }] },
    { certificates: [{ name: 'jm' }, { name: 'jm' }] },
    { certificates: [{ name: 'jm', hosts: [] }] },
    { certificates: [{ name: 'jm', hosts: ['jm/8081'] }] },
    { certificates: [{ name: 'jm', hosts: ['jm:8081'] }] },
    { certificates: [{ name: 'jm', hosts: ['10.0.0.256 '] }] },
    { validityDays: 0 },
    { validityDays: 1.5 },
    { authorityValidityDays: 100_000 },
  ])('refuses %j', async (options) => {
    await expect(make(options)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    await expect(stat(directory)).rejects.toThrow('ENOENT');
  });
});

describe('loadTlsIdentity', () => {
  let directory: string;
  const clock = new VirtualClock(NOW);
  const files = (): ReturnType<typeof tlsFilesIn> => tlsFilesIn(join(directory, 'a'));

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millstream-certificates-'));
    await createCertificates({ directory, certificates: [{ name: 'a' }, { name: 'b' }], clock });
  });

  afterEach(() => rm(directory, { recursive: true }));

  it.each([
    ['cannot be read', 'key', async (): Promise<void> => rm(files().key), 'ENOENT'],
    ['is no PEM', 'cert', async (): Promise<void> => writeFile(files().cert, 'rubbish'), 'no certificate in PEM'],
    ['is no key', 'key', async (): Promise<void> => writeFile(files().key, 'rubbish'), 'is not PEM'],
    [
      'is the key of another certificate',
      'key',
      async (): Promise<void> => writeFile(files().key, await readFile(join(directory, 'b', 'key.pem'))),
      'is not the key of',
    ],
    [
      'is of another authority',
      'cert',
      async (): Promise<void> => {
        const other = join(directory, 'other');
        await createCertificates({ directory: other, certificates: [{ name: 'x' }], clock });
        await writeFile(files().ca, await readFile(join(other, 'ca.pem')));
      },
      'was not signed by',
    ],
  ] as const)('names the file that %s', async (_, file, damage, found) => {
    await damage();
    const error: unknown = await loadTlsIdentity(files(), undefined, clock).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'CERTIFICATE_INVALID', details: { path: files()[file] } });
    expect(String(error)).toContain(found);
  });

  it('reads an encrypted key with its password, and no other', async () => {
    const plain = await readFile(files().key, 'utf8');
    const passphrase = 'a password';
    await writeFile(files().key, createPrivateKey(plain).export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase }));
    expect(await loadTlsIdentity(files(), passphrase, clock)).toMatchObject({ passphrase });
    await expect(loadTlsIdentity(files(), 'another', clock)).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
    await expect(loadTlsIdentity(files(), undefined, clock)).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
  });

  it('accepts one of several authorities', async () => {
    const other = join(directory, 'other');
    await createCertificates({ directory: other, certificates: [{ name: 'x' }], clock });
    await writeFile(files().ca, `${await readFile(join(other, 'ca.pem'), 'utf8')}${await readFile(files().ca, 'utf8')}`);
    await expect(loadTlsIdentity(files(), undefined, clock)).resolves.toHaveProperty('ca');
  });

  it.each([
    [400, 'has expired'],
    [-400, 'is not valid before'],
  ])('refuses a certificate %d days later', async (days, found) => {
    await expect(loadTlsIdentity(files(), undefined, new VirtualClock(NOW + days * DAY_MS))).rejects.toThrow(found);
  });
});
