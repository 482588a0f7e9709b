/** The certificate of a process, its key, and the authority whose certificates it accepts: PEM, from files. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MillstreamError } from 'millstream';
import { type Clock, normalizedFingerprint, systemClock } from 'millstream/cluster';

/** In PEM. */
export interface TlsIdentity {
  /** One or more authorities. */
  readonly ca: string;
  /** The certificate of the process, and after it those between it and the authority. */
  readonly cert: string;
  readonly key: string;
  /** Of the key, if it is encrypted. */
  readonly passphrase?: string;
}

/** Where the parts of a {@link TlsIdentity} are. */
export interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** What else is demanded of the other end. */
export interface TlsPolicy {
  /** Default: TLSv1.3. */
  readonly versionMin?: 'TLSv1.2' | 'TLSv1.3';
  /** Whether the certificate of a server must be for the host by which it was called. Default: true. */
  readonly verifyHost?: boolean;
  /** SHA-256 of the only certificate that is accepted, in hexadecimal digits with or without colons. Default: all of the authorities. */
  readonly peerFingerprint?: string;
}

/** Whether a certificate with this fingerprint (SHA-256, as Node gives it) is accepted. */
export function matchesFingerprint({ peerFingerprint }: TlsPolicy, found: string): boolean {
  return peerFingerprint === undefined || normalizedFingerprint(peerFingerprint) === normalizedFingerprint(found);
}

/** The names that `millstream certs` gives the files of one process. */
export function tlsFilesIn(directory: string): TlsFiles {
  return { ca: join(directory, 'ca.pem'), cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') };
}

/** Reads and checks them; throws CERTIFICATE_INVALID, which names the file and what is wrong with it. */
export async function loadTlsIdentity(files: TlsFiles, passphrase?: string, clock: Clock = systemClock): Promise<TlsIdentity> {
  const [ca, cert, key] = await Promise.all([readPem(files.ca), readPem(files.cert), readPem(files.key)]);
  const authorities = certificatesOf(files.ca, ca);
  const [certificate, ...between] = certificatesOf(files.cert, cert);
  const secret = passphrase === undefined ? {} : { passphrase };
  const privateKey = parse(files.key, () => createPrivateKey({ key, ...secret }));
  if (!certificate.checkPrivateKey(privateKey)) throw invalid(files.key, `it is not the key of '${files.cert}'`);
  if (![...between, ...authorities].some((issuer) => certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey))) {
    throw invalid(files.cert, `it was not signed by the authority of '${files.ca}'`);
  }
  checkTime(files.cert, certificate, clock.now());
  for (const authority of authorities) checkTime(files.ca, authority, clock.now());
  return { ca, cert, key, ...secret };
}

function checkTime(path: string, { validFrom, validTo }: X509Certificate, now: number): void {
  if (Date.parse(validTo) < now) throw invalid(path, `it has expired on ${validTo}`);
  if (Date.parse(validFrom) > now) throw invalid(path, `it is not valid before ${validFrom}`);
}

/** All certificates of a file, at least one. */
function certificatesOf(path: string, pem: string): readonly [X509Certificate, ...X509Certificate[]] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const [first, ...others] = blocks.map((block) => parse(path, () => new X509Certificate(block)));
  if (first === undefined) throw invalid(path, 'there is no certificate in PEM in it');
  return [first, ...others];
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw invalid(path, error instanceof Error ? error.message : String(error), error);
  }
}

function parse<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw invalid(path, `it is not PEM of the kind that belongs there, or its password is another (${String(error)})`, error);
  }
}

function invalid(path: string, found: string, cause?: unknown): MillstreamError {
  return new MillstreamError('CERTIFICATE_INVALID', `Cannot use '${path}': ${found}. Make new files with 'millstream certs'.`, {
    details: { path },
    ...(cause === undefined ? {} : { cause }),
  });
}
