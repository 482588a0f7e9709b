/** What listening and connecting share. */
import type { SecureContextOptions } from 'node:tls';
import type { MillstreamError } from 'millstream';
import type { Introduction } from './handshake.js';
import type { SocketConnectionOptions } from './socket-connection.js';
import type { TlsIdentity, TlsPolicy } from './tls-identity.js';

/** The options of a network with their defaults. */
export interface TcpSettings extends SocketConnectionOptions {
  readonly own: Introduction;
  /** Empty: none. */
  readonly token: string;
  readonly tls: TlsIdentity | undefined;
  readonly tlsPolicy: TlsPolicy;
  readonly connectTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  readonly strangersMax: number;
  readonly onRefusal: (error: MillstreamError, remote: string) => void;
}

/** The operating system asks after a host that has been silent for so long. */
export const KEEP_ALIVE_MS = 15_000;

/** What sockets of both kinds are opened with. */
export function tlsOptionsOf({ ca, cert, key, passphrase }: TlsIdentity, { versionMin = 'TLSv1.3' }: TlsPolicy): SecureContextOptions {
  return { ca, cert, key, minVersion: versionMin, ...(passphrase === undefined ? {} : { passphrase }) };
}

/** Whether addresses beyond this machine are allowed. */
export function isSecured({ tls, token }: TcpSettings): boolean {
  return tls !== undefined && token !== '';
}
