/**
 * Makes a certificate authority and certificates for the processes of a cluster, in PEM (ECDSA, P-256):
 *
 *     <directory>/ca.pem, ca-key.pem                    the authority; its key stays where it was made
 *     <directory>/<name>/ca.pem, cert.pem, key.pem      for one process, or for all: this directory is copied to its machine
 *
 * Invariants: 1. what exists is replaced only where the caller says so, and is found before anything is written; 2. all files can be
 * read by their owner only; 3. an authority that is there is used again, so that new certificates belong to the running cluster.
 */
import 'reflect-metadata';
import { createPrivateKey, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { MillstreamError } from 'millstream';
import { type Clock, systemClock } from 'millstream/cluster';
import { exists, type NewFile, readIfExists, writeFiles } from './certificate-files.js';
import { tlsFilesIn } from './transport/tls-identity.js';

/** One certificate, with the directory of its name. */
export interface CertificateRequest {
  /** Letters, digits, dots and dashes. */
  readonly name: string;
  /** Names and IP addresses under which others reach the process. Default: localhost, 127.0.0.1 and ::1. */
  readonly hosts?: readonly string[];
}

/** What {@link createCertificates} makes. */
export interface CertificateOptions {
  readonly directory: string;
  readonly certificates: readonly CertificateRequest[];
  /** Of the certificates; they end with their authority at the latest. Default: 365. */
  readonly validityDays?: number;
  /** Of an authority that is made. Default: 3650. */
  readonly authorityValidityDays?: number;
  /** Replaces certificates of the same names, or the authority too (then all certificates must be made again). Default: neither. */
  readonly overwrite?: 'certificates' | 'authority';
  readonly clock?: Clock;
}

/** What {@link createCertificates} has made. Times are in ms since 1970. */
export interface CreatedCertificates {
  readonly authority: { readonly path: string; readonly created: boolean; readonly expires: number };
  readonly certificates: readonly {
    readonly name: string;
    readonly directory: string;
    readonly hosts: readonly string[];
    readonly expires: number;
  }[];
}

interface Authority {
  readonly certificate: x509.X509Certificate;
  readonly key: webcrypto.CryptoKey;
  readonly created: boolean;
  readonly files: readonly NewFile[];
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const LOOPBACK_HOSTS = ['localhost', '127.0.0.1', '::1'];
const DAY_MS = 86_400_000;
const VALIDITY_DAYS_MAX = 36_500;
/** Clocks of the cluster may be behind by so much. */
const BACKDATED_MS = 5 * 60_000;
const NAME = /^[a-z0-9][a-z0-9.-]{0,63}$/i;
const DNS_NAME = /^(?=.{1,253}$)(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/i;

/**
 * Makes certificates, and an authority if there is none. Throws INVALID_OPTION, CERTIFICATE_EXISTS, CERTIFICATE_INVALID (an authority
 * that cannot be used; a directory that cannot be written).
 * @example
 * await createCertificates({ directory: 'certs', certificates: [{ name: 'jobmanager', hosts: ['jm.internal', '10.0.0.5'] }] });
 */
export async function createCertificates(options: CertificateOptions): Promise<CreatedCertificates> {
  const { directory, certificates, clock = systemClock } = options;
  const days = checkedDays('validity', options.validityDays ?? 365);
  const authorityDays = checkedDays('validity of the authority', options.authorityValidityDays ?? 3650);
  checkRequests(certificates);
  if (options.overwrite === undefined) await refuseExisting(directory, certificates);
  const now = clock.now();
  const authority =
    (options.overwrite === 'authority' ? undefined : await readAuthority(directory, now)) ??
    (await makeAuthority(now, authorityDays, directory));
  const expires = Math.min(now + days * DAY_MS, authority.certificate.notAfter.getTime());
  const made = certificates.map(({ name, hosts = LOOPBACK_HOSTS }) => ({ name, hosts, directory: join(directory, name), expires }));
  const files = await Promise.all(made.map((request) => certificateFiles(request, authority, now)));
  await writeFiles([...authority.files, ...files.flat()], options.overwrite !== undefined);
  const path = authorityFiles(directory).cert;
  return { authority: { path, created: authority.created, expires: authority.certificate.notAfter.getTime() }, certificates: made };
}

async function makeAuthority(now: number, days: number, directory: string): Promise<Authority> {
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    // Told apart by its time: two authorities of one name would be taken for each other.
    name: `CN=Millstream cluster authority ${new Date(now).toISOString()}`,
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(now + days * DAY_MS),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const paths = authorityFiles(directory);
  const files = [
    { path: paths.key, content: await keyPem(keys.privateKey) },
    { path: paths.cert, content: `${certificate.toString('pem')}\n` },
  ];
  return { certificate, key: keys.privateKey, created: true, files };
}

/** The authority that is there; undefined if there is none. */
async function readAuthority(directory: string, now: number): Promise<Authority | undefined> {
  const paths = authorityFiles(directory);
  const [cert, key] = await Promise.all([readIfExists(paths.cert), readIfExists(paths.key)]);
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined) throw unusable(paths.cert, `it is not there, but its key '${paths.key}' is`);
  if (key === undefined) throw unusable(paths.key, `it is not there, but its certificate '${paths.cert}' is`);
  try {
    const certificate = new x509.X509Certificate(cert);
    const der = createPrivateKey(key).export({ format: 'der', type: 'pkcs8' });
    const signingKey = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, true, ['sign']);
    if (certificate.notAfter.getTime() <= now) throw unusable(paths.cert, `it has expired on ${certificate.notAfter.toISOString()}`);
    return { certificate, key: signingKey, created: false, files: [] };
  } catch (error) {
    if (error instanceof MillstreamError) throw error;
    throw unusable(paths.cert, `it or its key is damaged or of another kind (${String(error)})`, error);
  }
}

async function certificateFiles(
  request: { readonly name: string; readonly hosts: readonly string[]; readonly directory: string; readonly expires: number },
  authority: Authority,
  now: number,
): Promise<readonly NewFile[]> {
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${request.name}`,
    issuer: authority.certificate.subjectName,
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(request.expires),
    publicKey: keys.publicKey,
    signingKey: authority.key,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      // Each process calls others and is called.
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension(request.hosts.map((value) => ({ type: isIP(value) === 0 ? x509.DNS : x509.IP, value }))),
      await x509.AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const paths = tlsFilesIn(request.directory);
  return [
    { path: paths.key, content: await keyPem(keys.privateKey) },
    { path: paths.cert, content: `${certificate.toString('pem')}\n` },
    { path: paths.ca, content: `${authority.certificate.toString('pem')}\n` },
  ];
}

function authorityFiles(directory: string): { readonly cert: string; readonly key: string } {
  return { cert: join(directory, 'ca.pem'), key: join(directory, 'ca-key.pem') };
}

function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

function checkedDays(what: string, days: number): number {
  if (Number.isInteger(days) && days >= 1 && days <= VALIDITY_DAYS_MAX) return days;
  throw new MillstreamError(
    'INVALID_OPTION',
    `Cannot use '${days}' days as the ${what}: it must be an integer from 1 to ${VALIDITY_DAYS_MAX}.`,
  );
}

function checkRequests(requests: readonly CertificateRequest[]): void {
  const names = new Set<string>();
  for (const { name, hosts = LOOPBACK_HOSTS } of requests) {
    if (!NAME.test(name) || RESERVED_NAMES.has(name.toLowerCase())) {
      const advice = 'A name has up to 64 letters, digits, dots and dashes, and is not that of a file of the authority.';
      throw new MillstreamError('INVALID_OPTION', `Cannot make a certificate with the name '${name}'. ${advice}`);
    }
    if (names.has(name))
      throw new MillstreamError('INVALID_OPTION', `Cannot make two certificates with the name '${name}'. Name each once.`);
    names.add(name);
    const wrong = hosts.find((host) => isIP(host) === 0 && !DNS_NAME.test(host));
    if (wrong !== undefined || hosts.length === 0) {
      const found = wrong === undefined ? 'it has no host' : `'${wrong}' is neither a host name nor an IP address`;
      throw new MillstreamError(
        'INVALID_OPTION',
        `Cannot make the certificate '${name}': ${found}. Name the hosts without scheme and port.`,
      );
    }
  }
  if (names.size === 0) throw new MillstreamError('INVALID_OPTION', 'Cannot make certificates: none is named. Name at least one.');
}

const RESERVED_NAMES: ReadonlySet<string> = new Set(['ca.pem', 'ca-key.pem']);

async function refuseExisting(directory: string, requests: readonly CertificateRequest[]): Promise<void> {
  const paths = requests.flatMap(({ name }) => Object.values(tlsFilesIn(join(directory, name))));
  for (const path of paths) {
    if (!(await exists(path))) continue;
    const advice = 'Choose another name or directory, or have the certificates replaced (--overwrite).';
    throw new MillstreamError('CERTIFICATE_EXISTS', `Cannot make '${path}': it exists. ${advice}`, { details: { path } });
  }
}

function unusable(path: string, found: string, cause?: unknown): MillstreamError {
  const advice = 'Restore it, choose another directory, or have the authority replaced (then every certificate must be made again).';
  return new MillstreamError('CERTIFICATE_INVALID', `Cannot use the authority '${path}': ${found}. ${advice}`, {
    details: { path },
    ...(cause === undefined ? {} : { cause }),
  });
}
