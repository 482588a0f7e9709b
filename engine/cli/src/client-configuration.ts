/**
 * How commands reach a cluster: `--jobmanager`, else the configuration (file, environment, `-D`). Of the configuration only what says how
 * to get there is read: options of jobs are the cluster's, the program's, or on the command line.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  ClusterClient,
  type ClusterClientOptions,
  clientLimits,
  configurationRows,
  environmentEntries,
  type ResolvedOptions,
  readFingerprint,
  resolveConfiguration,
} from 'millstream/cluster';
import { loadOptionalPackage } from './load-optional-package.js';
import { ownVersion } from './own-version.js';
import { asWrongUsage, WrongUsage } from './report-error.js';

/** Options that all commands have which ask a cluster. */
export interface ConnectionFlags {
  readonly jobmanager?: string;
  readonly config?: string;
  readonly define?: Readonly<Record<string, string>>;
}

/** A cluster that can be asked. Throws WrongUsage. */
export async function clusterClient(flags: ConnectionFlags, limits: Partial<ClusterClientOptions> = {}): Promise<ClusterClient> {
  const options = await clientOptions(flags);
  checkDefinitions(flags.define);
  const tls = await clientTls(options);
  const token = process.env.MILLSTREAM_TOKEN?.trim() || (await clientToken(options));
  const addresses = addressesOf(flags, options, tls !== undefined);
  try {
    return new ClusterClient({
      addresses,
      version: ownVersion(),
      ...(token !== undefined && { token }),
      tls: { ...tls, ...tlsDemands(options) },
      ...clientLimits(options),
      onWait: (reason) => process.stderr.write(`${reason.message} Trying again (rest.retry.max-attempts, rest.await-leader-timeout).\n`),
      ...limits,
    });
  } catch (error) {
    throw asWrongUsage(error);
  }
}

/** Whether a program is to run on a cluster: somebody has said where that is. */
export async function namesCluster(flags: ConnectionFlags): Promise<boolean> {
  if (flags.jobmanager !== undefined) return true;
  const options = await clientOptions(flags);
  return options['jobmanager.rpc.address'] !== undefined || options['rest.address'] !== undefined;
}

/** The definitions that are for the job, and the client's; those of others and unknown ones are the job's, which refuses them. */
export function splitDefinitions(define: Readonly<Record<string, string>> = {}): {
  readonly job: Readonly<Record<string, string>>;
  readonly client: Readonly<Record<string, string>>;
} {
  const own = clientKeys();
  const entries = Object.entries(define);
  return {
    job: Object.fromEntries(entries.filter(([key]) => !own.has(key))),
    client: Object.fromEntries(entries.filter(([key]) => own.has(key))),
  };
}

/** Options that say how to get to a cluster, or that its clients and processes have in common. */
function clientKeys(): ReadonlySet<string> {
  const rows = configurationRows(resolveConfiguration([]));
  return new Set(rows.filter(({ scope }) => scope === 'client' || scope === 'cluster').map(({ key }) => key));
}

/** What would change nothing is not ignored. */
function checkDefinitions(define: Readonly<Record<string, string>> = {}): void {
  const own = clientKeys();
  const other = Object.keys(define).find((key) => !own.has(key));
  if (other === undefined) return;
  throw new WrongUsage(`Cannot use -D ${other} here: a command that asks a cluster does not read it. Leave it out.`);
}

/** The configuration of this process. Throws WrongUsage. */
export async function clientOptions({ config, define = {} }: ConnectionFlags): Promise<ResolvedOptions> {
  try {
    const directory = process.env.MILLSTREAM_CONF_DIR ?? '';
    if (config !== undefined || directory !== '') {
      const { loadConfiguration } = await loadOptionalPackage(
        '@millstream/cluster',
        'read the configuration file',
        async () => await import('@millstream/cluster/configuration'),
      );
      const sources = { file: config, environment: process.env, definitions: define };
      return (await loadConfiguration(sources)).configuration.options;
    }
    const definitions = Object.entries(define).map(([key, input]) => ({ key, input, origin: { layer: 'define' as const } }));
    return resolveConfiguration([...environmentEntries(process.env), ...definitions]).options;
  } catch (error) {
    throw asWrongUsage(error);
  }
}

function addressesOf({ jobmanager }: ConnectionFlags, options: ResolvedOptions, isTls: boolean): string[] {
  const host = options['rest.address'] ?? options['jobmanager.rpc.address'] ?? 'localhost';
  const given = jobmanager ?? `${host}:${options['rest.port']}`;
  return given.split(',').map((each) => (each.includes('://') ? each : `${isTls ? 'https' : 'http'}://${each}`));
}

/** Undefined where nothing is said of TLS; an address with https:// then trusts whom the machine trusts. */
async function clientTls(options: ResolvedOptions): Promise<ClusterClientOptions['tls']> {
  const directory = options['security.ssl.rest.cert-dir'];
  const pathOf = (name: string, given: string | undefined): string | undefined =>
    given ?? (directory === undefined ? undefined : join(directory, name));
  const ca = pathOf('ca.pem', options['security.ssl.rest.ca-file']);
  const wanted = options['security.ssl.rest.enabled'] ?? (ca !== undefined || options['security.ssl.rest.cert.fingerprint'] !== undefined);
  if (!wanted) return undefined;
  const own = options['security.ssl.rest.authentication-enabled'];
  const cert = own ? pathOf('cert.pem', options['security.ssl.rest.certificate-file']) : undefined;
  const key = own ? pathOf('key.pem', options['security.ssl.rest.private-key-file']) : undefined;
  const texts = Object.entries({ ca, cert, key }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(await Promise.all(texts.map(async ([name, path]) => [name, await text(path)] as const)));
}

/** What is demanded of a cluster that is reached by https://, whoever has signed its certificate. Throws INVALID_OPTION. */
function tlsDemands(options: ResolvedOptions): NonNullable<ClusterClientOptions['tls']> {
  const minVersion = options['security.ssl.protocol'];
  const fingerprint = options['security.ssl.rest.cert.fingerprint'];
  return {
    verifyHost: options['security.ssl.verify-hostname'],
    ...(minVersion !== undefined && { minVersion }),
    ...(fingerprint !== undefined && { fingerprint: readFingerprint('security.ssl.rest.cert.fingerprint', fingerprint) }),
  };
}

async function clientToken(options: ResolvedOptions): Promise<string | undefined> {
  const path = options['security.rest.client.token-file'];
  return options['security.rest.client.token'] ?? (path === undefined ? undefined : (await text(path)).trim());
}

async function text(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new WrongUsage(`Cannot read '${path}', which the configuration names: ${error instanceof Error ? error.message : String(error)}`);
  }
}
