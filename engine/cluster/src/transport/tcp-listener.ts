/**
 * Listening on TCP and TLS. Whoever connects is a stranger until the handshake is done: strangers are counted, and all of them leave
 * when their time is over, however busy they look.
 */
import { constants } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { MillstreamError } from 'millstream';
import type { Connection, ConnectionListener, NetworkAddress, NetworkListener, ScheduledCall } from 'millstream/cluster';
import { framed } from './frame.js';
import { encodeCertificateRefusal, encodeRefusal, encodeWelcome, judgeHello } from './handshake.js';
import { readFirstFrame } from './handshake-reader.js';
import { resolveLoopback } from './loopback.js';
import { HANDSHAKE_OPTION } from './option-keys.js';
import { AcceptedChunks, type SocketChunks } from './socket-chunks.js';
import { SocketConnection } from './socket-connection.js';
import { certificateError, clientTlsError, FINGERPRINT_MISMATCH, listenError, lostError } from './socket-errors.js';
import { isSecured, KEEP_ALIVE_MS, type TcpSettings, tlsOptionsOf } from './tcp-settings.js';
import { matchesFingerprint, type TlsIdentity } from './tls-identity.js';

type Accept = (connection: Connection) => ConnectionListener;

const BACKLOG = 1024;

/** `Network.listen`. */
export async function listenOnSocket(address: NetworkAddress, accept: Accept, settings: TcpSettings): Promise<NetworkListener> {
  try {
    const host = isSecured(settings) ? address.host : await resolveLoopback('listen on', address);
    const door = new Door(accept, settings);
    const server = settings.tls === undefined ? plainServer(door) : tlsServer(door, settings, settings.tls);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port: address.port, backlog: BACKLOG, exclusive: true }, resolve);
    });
    // What can fail now is accepting one socket (too many open files); the next may succeed.
    server.removeAllListeners('error').on('error', (error) => settings.onRefusal(listenError(address, error), ''));
    const bound = server.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
    return { address: { host: address.host, port }, close: () => closeServer(server, door) };
  } catch (error) {
    throw listenError(address, error);
  }
}

function plainServer(door: Door): Server {
  return createServer(SOCKET_OPTIONS, (socket) => {
    if (door.admit(socket)) door.ask(socket);
  });
}

function tlsServer(door: Door, settings: TcpSettings, identity: TlsIdentity): Server {
  const server = createTlsServer({
    ...SOCKET_OPTIONS,
    ...tlsOptionsOf(identity, settings.tlsPolicy),
    handshakeTimeout: settings.handshakeTimeoutMs,
    requestCert: true,
    // Checked below, so that the other end can be told why it is refused.
    rejectUnauthorized: false,
    // No session is resumed: every connection shows its certificate.
    secureOptions: constants.SSL_OP_NO_TICKET,
  });
  server.on('connection', (socket) => door.admit(socket));
  server.on('secureConnection', (socket) => {
    const wrong = certificateFault(socket, settings);
    if (wrong === undefined) door.ask(socket);
    else door.refuseCertificate(socket, wrong);
  });
  server.on('tlsClientError', (error, socket) => {
    door.refuse(socket, clientTlsError(error, nameOf(socket)));
    socket.destroy();
  });
  return server;
}

/** Why the other end's certificate is not accepted; undefined if it is. */
function certificateFault(socket: TLSSocket, { tlsPolicy }: TcpSettings): string | undefined {
  if (!socket.authorized) return String(socket.authorizationError);
  if (socket.isSessionReused()) return 'CERT_NOT_SHOWN';
  return matchesFingerprint(tlsPolicy, socket.getPeerCertificate().fingerprint256) ? undefined : FINGERPRINT_MISMATCH;
}

const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };

/** Resolves when the port is free; connections go on. */
function closeServer(server: Server, door: Door): Promise<void> {
  server.close();
  door.close();
  return new Promise((resolve) => setImmediate(resolve));
}

interface Stranger {
  readonly socket: Socket;
  readonly timer: ScheduledCall;
  /** Whether its end has been reported. */
  reported: boolean;
}

/** Where strangers wait until they are known. With TLS they come twice, as the socket below and as the one above: hence found by name. */
class Door {
  private readonly accept: Accept;
  private readonly settings: TcpSettings;
  private readonly strangers = new Map<string, Stranger>();

  constructor(accept: Accept, settings: TcpSettings) {
    this.accept = accept;
    this.settings = settings;
  }

  /** False: the socket was sent away. */
  admit(socket: Socket): boolean {
    const name = nameOf(socket);
    const { clock, handshakeTimeoutMs, strangersMax, onRefusal } = this.settings;
    socket.on('error', () => undefined);
    if (this.strangers.size >= strangersMax) {
      socket.destroy();
      onRefusal(lostError(name, `${strangersMax} others have not said yet who they are`), name);
      return false;
    }
    const timer = clock.schedule(handshakeTimeoutMs, () => {
      this.refuse(socket, lostError(name, `it has not said who it is in ${handshakeTimeoutMs} ms (${HANDSHAKE_OPTION})`));
      socket.destroy();
    });
    const stranger: Stranger = { socket, timer, reported: false };
    this.strangers.set(name, stranger);
    socket.once('close', () => {
      timer.cancel();
      // Later, because the socket above may know more about it.
      setImmediate(() => {
        if (this.strangers.get(name) !== stranger) return;
        this.refuse(socket, this.leftError(name));
        this.strangers.delete(name);
      });
    });
    return true;
  }

  /** Hears who it is, and lets it in or not. */
  ask(socket: Socket): void {
    const { own, token } = this.settings;
    const name = nameOf(socket);
    const chunks = new AcceptedChunks(socket);
    readFirstFrame(socket, chunks, name, {
      onFirstFrame: (frame, rest) => {
        try {
          const peer = judgeHello(frame, own, token, name);
          this.letIn(socket, chunks, `${peer.role} ${peer.name} (${name})`, rest);
        } catch (error) {
          this.sendAway(socket, encodeRefusal(own, error as MillstreamError), error as MillstreamError);
        }
      },
      onFailure: (error) => this.refuse(socket, error instanceof MillstreamError ? error : this.leftError(name, error)),
    });
  }

  refuseCertificate(socket: TLSSocket, reason: string): void {
    this.sendAway(socket, encodeCertificateRefusal(reason), certificateError(reason, nameOf(socket)));
  }

  /** Reports it once. */
  refuse(socket: Socket, error: MillstreamError): void {
    const name = nameOf(socket);
    const stranger = this.strangers.get(name);
    if (stranger === undefined || stranger.reported) return;
    stranger.reported = true;
    this.settings.onRefusal(error, name);
  }

  /** Sends all strangers away. */
  close(): void {
    for (const { socket, timer } of this.strangers.values()) {
      timer.cancel();
      socket.destroy();
    }
    this.strangers.clear();
  }

  private leftError(name: string, cause?: unknown): MillstreamError {
    const hint = this.settings.tls === undefined ? '' : ', perhaps because it does not accept the certificate of this end';
    return lostError(name, `the other end left before it had said who it is${hint}`, cause);
  }

  private letIn(socket: Socket, chunks: SocketChunks, remote: string, rest: Buffer): void {
    const name = nameOf(socket);
    const stranger = this.strangers.get(name);
    if (stranger === undefined) {
      socket.destroy();
      return;
    }
    stranger.timer.cancel();
    this.strangers.delete(name);
    socket.write(framed(encodeWelcome(this.settings.own)));
    const connection = new SocketConnection(socket, chunks, remote, this.settings);
    try {
      connection.start(this.accept(connection), rest);
    } catch (error) {
      connection.destroy();
      this.settings.onRefusal(new MillstreamError('INTERNAL', `Cannot accept '${remote}': ${String(error)}`, { cause: error }), name);
    }
  }

  /** Says why, and goes on reading, so that the answer is not lost in a reset; the stranger's time limits that. */
  private sendAway(socket: Socket, answer: Buffer, error: MillstreamError): void {
    this.refuse(socket, error);
    socket.on('error', () => undefined);
    socket.end(framed(answer));
    socket.resume();
  }
}

/** `host:port` of the other end; the name by which it is remembered after its end too. */
function nameOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}
