/** Certificates and tokens of a process, from the files that its configuration names. */
import { readFile } from 'node:fs/promises';
import { MillstreamError } from 'millstream';
import { type ResolvedOptions, readFingerprint } from 'millstream/cluster';
import type { AccessToken, Role } from '../rest/access.js';
import type { RestTls } from '../rest/rest-options.js';
import { loadTlsIdentity, type TlsFiles, type TlsIdentity, type TlsPolicy, tlsFilesIn } from '../transport/tls-identity.js';

/** What the configuration says of one part's certificates. */
interface CertificateSettings {
  /** The part's keys begin so. */
  readonly prefix: string;
  /** Undefined: where there are certificates. */
  readonly enabled: boolean | undefined;
  readonly directory: string | undefined;
  readonly files: { readonly [F in keyof TlsFiles]: string | undefined };
}

const FILE_OPTIONS: { readonly [F in keyof TlsFiles]: string } = { cert: 'certificate-file', key: 'private-key-file', ca: 'ca-file' };

/** For connections inside of the cluster; undefined: without TLS. Throws INVALID_OPTION, CERTIFICATE_INVALID. */
export async function internalTls(options: ResolvedOptions): Promise<TlsIdentity | undefined> {
  const files = tlsFiles({
    prefix: 'security.ssl.internal',
    enabled: options['security.ssl.internal.enabled'],
    directory: options['security.ssl.internal.cert-dir'],
    files: {
      cert: options['security.ssl.internal.certificate-file'],
      key: options['security.ssl.internal.private-key-file'],
      ca: options['security.ssl.internal.ca-file'],
    },
  });
  return files === undefined ? undefined : await loadTlsIdentity(files, options['security.ssl.internal.key-password']);
}

/** What else the ends of connections inside of the cluster demand of each other. Throws INVALID_OPTION. */
export function internalTlsPolicy(options: ResolvedOptions, tls: TlsIdentity | undefined): TlsPolicy {
  const peerFingerprint = pinned('security.ssl.internal.cert.fingerprint', options['security.ssl.internal.cert.fingerprint'], tls);
  const versionMin = options['security.ssl.protocol'];
  return {
    verifyHost: options['security.ssl.verify-hostname'],
    ...(versionMin !== undefined && { versionMin }),
    ...(peerFingerprint !== undefined && { peerFingerprint }),
  };
}

/** A fingerprint that nobody would compare is none that anybody has asked for. */
function pinned(option: string, fingerprint: string | undefined, tls: object | undefined): string | undefined {
  if (fingerprint === undefined) return undefined;
  if (tls !== undefined) return readFingerprint(option, fingerprint);
  throw new MillstreamError(
    'INVALID_OPTION',
    `Cannot hold the other side to the fingerprint of ${option}: without TLS nobody shows a certificate. Set the certificates, or remove it.`,
  );
}

/** For REST; undefined: plain HTTP. Throws INVALID_OPTION, CERTIFICATE_INVALID. */
export async function restTls(options: ResolvedOptions): Promise<RestTls | undefined> {
  const files = tlsFiles({
    prefix: 'security.ssl.rest',
    enabled: options['security.ssl.rest.enabled'],
    directory: options['security.ssl.rest.cert-dir'],
    files: {
      cert: options['security.ssl.rest.certificate-file'],
      key: options['security.ssl.rest.private-key-file'],
      ca: options['security.ssl.rest.ca-file'],
    },
  });
  if (files === undefined) return undefined;
  const { ca, ...identity } = await loadTlsIdentity(files, options['security.ssl.rest.key-password']);
  const minVersion = options['security.ssl.protocol'];
  const own = { ...identity, ...(minVersion !== undefined && { minVersion }) };
  if (!options['security.ssl.rest.authentication-enabled']) return own;
  const fingerprint = pinned('security.ssl.rest.cert.fingerprint', options['security.ssl.rest.cert.fingerprint'], files);
  return { ...own, ca, ...(fingerprint !== undefined && { clientFingerprint: fingerprint }) };
}

function tlsFiles({ prefix, enabled, directory, files }: CertificateSettings): TlsFiles | undefined {
  const standard = directory === undefined ? undefined : tlsFilesIn(directory);
  const given = { cert: files.cert ?? standard?.cert, key: files.key ?? standard?.key, ca: files.ca ?? standard?.ca };
  const { cert, key, ca } = given;
  // The authority alone is what a client has.
  if (!(enabled ?? (cert !== undefined || key !== undefined))) return undefined;
  if (cert !== undefined && key !== undefined && ca !== undefined) return { cert, key, ca };
  const names = (['cert', 'key', 'ca'] as const)
    .filter((name) => given[name] === undefined)
    .map((name) => `${prefix}.${FILE_OPTIONS[name]}`);
  throw new MillstreamError(
    'INVALID_OPTION',
    `Cannot use TLS as ${prefix}.* says: there is no ${names.join(' and no ')}. Set it, or ${prefix}.cert-dir to a directory that 'millstream certs' has made.`,
  );
}

/** The token that all processes of a cluster have in common. */
export async function internalToken(options: ResolvedOptions): Promise<string | undefined> {
  const path = options['security.internal.token-file'];
  return options['security.internal.token'] ?? (path === undefined ? undefined : (await readText(path)).trim());
}

/** Who may use REST, from options and file. Throws INVALID_OPTION. */
export async function restTokens(options: ResolvedOptions): Promise<AccessToken[]> {
  const path = options['security.rest.token-file'];
  const listed = path === undefined ? [] : tokenLines(path, await readText(path));
  const single = [
    { token: options['security.rest.token.read'], role: 'read' },
    { token: options['security.rest.token.submit'], role: 'submit' },
    { token: options['security.rest.token.admin'], role: 'admin' },
  ] as const;
  return [...single.flatMap(({ token, role }) => (token === undefined ? [] : [{ token, role }])), ...listed];
}

/** A role, a space, a token per line; empty lines and those that begin with # say nothing. */
function tokenLines(path: string, text: string): AccessToken[] {
  return text.split('\n').flatMap((line, index): AccessToken[] => {
    if (line.trim() === '' || line.startsWith('#')) return [];
    const [, role, token] = /^(read|submit|admin)\s+(\S+)\s*$/.exec(line) ?? [];
    if (role !== undefined && token !== undefined) return [{ role: role as Role, token }];
    throw new MillstreamError(
      'INVALID_OPTION',
      `Cannot read line ${index + 1} of '${path}' (security.rest.token-file): it must be a role (read, submit or admin), a space and a token.`,
    );
  });
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new MillstreamError('INVALID_OPTION', `Cannot read '${path}', which the configuration names: ${found}.`, { cause });
  }
}
