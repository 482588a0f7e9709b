/** Raw sockets that say what they please to a listening network. */
import { connect, type Socket } from 'node:net';
import type { MillstreamError } from 'millstream';
import type { NetworkAddress } from 'millstream/cluster';
import { ENGINE_VERSION } from '../engine-version.js';
import { framed } from './frame.js';
import { encodeHello } from './handshake.js';
import { listenRecording, type RecordingListener, untilTrue } from './recording-listener.test.support.js';
import { TcpNetwork, type TcpNetworkOptions } from './tcp-network.js';

export const LOCALHOST: NetworkAddress = { host: 'localhost', port: 0 };
export const TOKEN = 'the right token';

export function networkOf(options: Partial<TcpNetworkOptions> = {}): TcpNetwork {
  return new TcpNetwork({ identity: { role: 'taskmanager', name: 'tm-1' }, token: TOKEN, ...options });
}

/** The first message of a proper client. */
export const HELLO: Buffer = framed(encodeHello({ role: 'taskmanager', name: 'raw', engineVersion: ENGINE_VERSION }, TOKEN));

export interface RawSocket {
  readonly socket: Socket;
  readonly received: () => string;
  readonly isClosed: () => boolean;
}

/** A listening network, what it accepted and refused, and sockets that connect to it. */
export class Target {
  readonly refusals: MillstreamError[] = [];
  readonly accepted: RecordingListener[] = [];
  readonly network: TcpNetwork;
  address: NetworkAddress = LOCALHOST;
  private readonly sockets: Socket[] = [];
  private closeServer: () => Promise<void> = () => Promise.resolve();

  constructor(options: Partial<TcpNetworkOptions> = {}) {
    this.network = networkOf({ identity: { role: 'jobmanager', name: 'jm' }, onRefusal: (error) => this.refusals.push(error), ...options });
  }

  async open(): Promise<this> {
    const { server, accepted } = await listenRecording(this.network, LOCALHOST);
    this.address = server.address;
    this.closeServer = () => server.close();
    // The array that grows.
    Object.assign(this, { accepted });
    return this;
  }

  async raw(...bytes: readonly (Buffer | string)[]): Promise<RawSocket> {
    const socket = connect(this.address.port, 'localhost');
    this.sockets.push(socket);
    let received = '';
    let closed = false;
    socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => (closed = true));
    await new Promise((resolve) => socket.once('connect', resolve));
    for (const piece of bytes) socket.write(piece);
    return { socket, received: () => received, isClosed: () => closed };
  }

  /** Whether a proper client still gets in. */
  async letsIn(options: Partial<TcpNetworkOptions> = {}): Promise<boolean> {
    const before = this.accepted.length;
    const connection = await networkOf(options).connect(this.address, {
      onMessage: () => undefined,
      onDrain: () => undefined,
      onClose: () => undefined,
    });
    connection.send(Buffer.from('ping'));
    await untilTrue(() => this.accepted[before]?.sizes[0] === 4);
    connection.destroy();
    return true;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    for (const { connection } of this.accepted) connection?.destroy();
    await this.closeServer();
  }
}
