/** The network of a process as its configuration says: TLS and token, or this machine only. */
import type { MillstreamError } from 'millstream';
import type { Network, ResolvedOptions } from 'millstream/cluster';
import { TcpNetwork } from '../transport/tcp-network.js';
import { loadTlsIdentity, type TlsFiles, tlsFilesIn } from '../transport/tls-identity.js';

export async function openClusterNetwork(
  options: ResolvedOptions,
  identity: { readonly role: string; readonly name: string },
  onRefusal: (error: MillstreamError, remote: string) => void,
): Promise<Network> {
  const files = tlsFiles(options);
  const token = options['security.internal.token'];
  return new TcpNetwork({
    identity,
    messageBytesMax: options['cluster.rpc.message-size-max'],
    onRefusal,
    ...(token !== undefined && { token }),
    ...(files !== undefined && { tls: await loadTlsIdentity(files) }),
  });
}

function tlsFiles(options: ResolvedOptions): TlsFiles | undefined {
  const directory = options['security.ssl.internal.cert-dir'];
  return directory === undefined ? undefined : tlsFilesIn(directory);
}
