/** The network of a process as its configuration says: TLS and token, or this machine only. */
import type { MillstreamError } from 'millstream';
import type { Network, ResolvedOptions } from 'millstream/cluster';
import { TcpNetwork } from '../transport/tcp-network.js';
import { internalTls, internalTlsPolicy, internalToken } from './tls-options.js';

export async function openClusterNetwork(
  options: ResolvedOptions,
  identity: { readonly role: string; readonly name: string },
  onRefusal: (error: MillstreamError, remote: string) => void,
): Promise<Network> {
  const tls = await internalTls(options);
  const token = await internalToken(options);
  return new TcpNetwork({
    identity,
    tlsPolicy: internalTlsPolicy(options, tls),
    connectTimeoutMs: options['security.ssl.internal.handshake-timeout'],
    handshakeTimeoutMs: options['security.ssl.internal.handshake-timeout'],
    messageBytesMax: options['cluster.rpc.message-size-max'],
    onRefusal,
    ...(token !== undefined && { token }),
    ...(tls !== undefined && { tls }),
  });
}
