/** `millstream certs`: a certificate authority for a cluster, and certificates of its processes. */
import { loadOptionalPackage } from './load-optional-package.js';
import { asWrongUsage } from './report-error.js';

/** The command's options, as they were written. */
export interface CertsFlags {
  readonly name?: readonly string[];
  readonly host?: readonly string[];
  readonly days?: number;
  readonly overwrite?: true;
}

export async function certsCommand(directory: string, flags: CertsFlags): Promise<void> {
  const { createCertificates } = await loadOptionalPackage(
    '@millstream/cluster',
    'make certificates',
    async () => await import('@millstream/cluster'),
  );
  const made = await createCertificates({
    directory,
    certificates: (flags.name ?? ['cluster']).map((name) => ({ name, ...(flags.host !== undefined && { hosts: flags.host }) })),
    ...(flags.days !== undefined && { validityDays: flags.days }),
    ...(flags.overwrite === true && { overwrite: 'certificates' as const }),
  }).catch((error: unknown) => {
    throw asWrongUsage(error);
  });
  const { authority, certificates } = made;
  process.stdout.write(`${authority.created ? 'made' : 'used'} the authority ${authority.path}, valid until ${day(authority.expires)}\n`);
  for (const each of certificates) {
    process.stdout.write(`made ${each.directory} for ${each.hosts.join(', ')}, valid until ${day(each.expires)}\n`);
  }
  process.stdout.write('Give each process its directory: security.ssl.internal.cert-dir\n');
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
