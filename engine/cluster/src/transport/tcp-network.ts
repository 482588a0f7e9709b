/**
 * `Network` over TCP and TLS: what the processes of a cluster talk through.
 *
 * Without TLS and a token it stays on this machine: other addresses are refused, for listening and for connecting. With TLS both ends
 * must present a certificate of the cluster's own authority, the server for the host by which it was called.
 *
 * Invariants: 1. nobody hears of a connection before the other end has proven who it is; until then it has `handshakeTimeoutMs` in all,
 * 4 KiB, and a place among `strangersMax`; 2. nothing that a peer sends or omits ends the process.
 */
import { connect as connectSocket, isIP, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { MillstreamError } from 'millstream';
import {
  type Clock,
  type Connection,
  type ConnectionListener,
  type Network,
  type NetworkAddress,
  type NetworkListener,
  systemClock,
} from 'millstream/cluster';
import { ENGINE_VERSION } from '../engine-version.js';
import { framed } from './frame.js';
import { encodeHello, HANDSHAKE_BYTES_MAX, isProperText, judgeAnswer, type PeerIdentity } from './handshake.js';
import { readFirstFrame } from './handshake-reader.js';
import { resolveLoopback } from './loopback.js';
import { HANDSHAKE_OPTION, TOKEN_OPTION } from './option-keys.js';
import { ReusedChunks, type SocketChunks } from './socket-chunks.js';
import { SocketConnection } from './socket-connection.js';
import { certificateError, connectError, connectionFailed, FINGERPRINT_MISMATCH } from './socket-errors.js';
import { listenOnSocket } from './tcp-listener.js';
import { isSecured, KEEP_ALIVE_MS, type TcpSettings, tlsOptionsOf } from './tcp-settings.js';
import { matchesFingerprint, type TlsIdentity, type TlsPolicy } from './tls-identity.js';

/** How a {@link TcpNetwork} works. */
export interface TcpNetworkOptions {
  /** Who this process is, for the logs of others. */
  readonly identity: PeerIdentity;
  /** The cluster's shared secret. Without it, and `tls`, only addresses of this machine are allowed. */
  readonly token?: string;
  readonly tls?: TlsIdentity;
  readonly tlsPolicy?: TlsPolicy;
  /** Default: 64 MiB. The same on all ends of a cluster. */
  readonly messageBytesMax?: number;
  /** From how many pending bytes on `send` returns false. Default: 1 MiB. */
  readonly pendingBytesMax?: number;
  /** For the whole way to an established connection. Default: 10 s. */
  readonly connectTimeoutMs?: number;
  /** How long somebody unknown may take to say who they are. Default: 5 s. */
  readonly handshakeTimeoutMs?: number;
  /** How long `close` waits for the other end. Default: 10 s. */
  readonly closeTimeoutMs?: number;
  /** How many accepted sockets may be unknown at a time; further ones are closed at once. Default: 1024. */
  readonly strangersMax?: number;
  /** Hears of every socket that was accepted and then refused, and why; for logs. */
  readonly onRefusal?: (error: MillstreamError, remote: string) => void;
  readonly clock?: Clock;
  /** Default: that of this package. Both ends must have the same. */
  readonly engineVersion?: string;
}

/** The greatest length of a message that one buffer may have on every platform. */
const MESSAGE_BYTES_LIMIT = 0x7fff_ffff;

/** A network of real sockets. */
export class TcpNetwork implements Network {
  private readonly settings: TcpSettings;

  /** Throws INVALID_OPTION. */
  constructor(options: TcpNetworkOptions) {
    this.settings = settingsOf(options);
  }

  /** Rejects with CONNECTION_FAILED, PROTOCOL_MISMATCH, AUTHENTICATION_FAILED or INSECURE_ADDRESS. */
  async connect(address: NetworkAddress, listener: ConnectionListener): Promise<Connection> {
    try {
      const host = isSecured(this.settings) ? address.host : await resolveLoopback('connect to', address);
      const chunks = new ReusedChunks();
      return await introduce(openSocket(address, host, chunks, this.settings), chunks, address, listener, this.settings);
    } catch (error) {
      throw connectError(address, error);
    }
  }

  /** Rejects with ADDRESS_IN_USE, ADDRESS_UNAVAILABLE or INSECURE_ADDRESS. */
  listen(address: NetworkAddress, accept: (connection: Connection) => ConnectionListener): Promise<NetworkListener> {
    return listenOnSocket(address, accept, this.settings);
  }
}

/** `host`: the address's host, or the IP address that it was resolved to. */
function openSocket(address: NetworkAddress, host: string, { onread }: ReusedChunks, { tls, tlsPolicy }: TcpSettings): Socket {
  const { port } = address;
  if (tls === undefined) return connectSocket({ host, port, onread });
  const servername = isIP(address.host) === 0 ? { servername: address.host } : {};
  const anyHost = tlsPolicy.verifyHost === false ? { checkServerIdentity: () => undefined } : {};
  const reading = { onread };
  return connectTls({ host, port, ...reading, ...tlsOptionsOf(tls, tlsPolicy), ...servername, ...anyHost, rejectUnauthorized: true });
}

/** What is wrong with the certificate of the server, after TLS itself has accepted it. */
function fingerprintFault(socket: Socket, remote: string, { tlsPolicy }: TcpSettings): MillstreamError | undefined {
  if (!(socket instanceof TLSSocket) || matchesFingerprint(tlsPolicy, socket.getPeerCertificate().fingerprint256)) return undefined;
  return certificateError(FINGERPRINT_MISMATCH, remote);
}

/** Says who this end is and hears who the other one is. */
function introduce(
  socket: Socket,
  chunks: SocketChunks,
  address: NetworkAddress,
  listener: ConnectionListener,
  settings: TcpSettings,
): Promise<Connection> {
  const { own, token, tls, clock, connectTimeoutMs } = settings;
  const remote = `${address.host}:${address.port}`;
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return new Promise((resolve, reject) => {
    const timer = clock.schedule(connectTimeoutMs, () => {
      socket.destroy(
        connectionFailed(
          address,
          `no answer in ${connectTimeoutMs} ms (${HANDSHAKE_OPTION}). Check that the process there runs and is not blocked`,
        ),
      );
    });
    readFirstFrame(socket, chunks, remote, {
      onFirstFrame(frame, rest) {
        timer.cancel();
        try {
          const { role, name } = judgeAnswer(frame, own, remote);
          const connection = new SocketConnection(socket, chunks, `${role} ${name} (${remote})`, settings);
          connection.start(listener, rest);
          resolve(connection);
        } catch (error) {
          socket.destroy();
          reject(error);
        }
      },
      onFailure(error) {
        timer.cancel();
        reject(error);
      },
    });
    // Not earlier: until then it is not known to whom the token would go.
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      const fault = fingerprintFault(socket, remote, settings);
      if (fault === undefined) socket.write(framed(encodeHello(own, token)));
      else socket.destroy(fault);
    });
  });
}

function settingsOf(options: TcpNetworkOptions): TcpSettings {
  const { identity, token = '', messageBytesMax = 64 << 20 } = options;
  const own = { role: identity.role, name: identity.name, engineVersion: options.engineVersion ?? ENGINE_VERSION };
  if (!isProperText(own.role) || !isProperText(own.name)) {
    const found = `'${own.role} ${own.name}' has more than 256 characters or control characters`;
    throw new MillstreamError('INVALID_OPTION', `Cannot name this process: ${found}. Choose a shorter, printable name.`);
  }
  if (!isProperText(token)) {
    const found = 'it has more than 256 characters or control characters';
    throw new MillstreamError('INVALID_OPTION', `Cannot use the token of '${TOKEN_OPTION}': ${found}. Choose a shorter, printable one.`);
  }
  if (!Number.isInteger(messageBytesMax) || messageBytesMax < HANDSHAKE_BYTES_MAX || messageBytesMax > MESSAGE_BYTES_LIMIT) {
    const allowed = `it must be an integer between ${HANDSHAKE_BYTES_MAX} and ${MESSAGE_BYTES_LIMIT}`;
    throw new MillstreamError('INVALID_OPTION', `Cannot use '${messageBytesMax}' as the largest size of messages: ${allowed}.`);
  }
  return {
    own,
    token,
    tls: options.tls,
    tlsPolicy: options.tlsPolicy ?? {},
    messageBytesMax,
    pendingBytesMax: options.pendingBytesMax ?? 1 << 20,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    handshakeTimeoutMs: options.handshakeTimeoutMs ?? 5_000,
    closeTimeoutMs: options.closeTimeoutMs ?? 10_000,
    strangersMax: options.strangersMax ?? 1024,
    onRefusal: options.onRefusal ?? (() => undefined),
    clock: options.clock ?? systemClock,
  };
}
