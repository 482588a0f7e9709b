/** A network in memory that moves only when a test says so, one message at a time, so that a test can choose any order. */
import { MillstreamError } from '../common/errors.js';
import type { Connection, ConnectionListener, Network, NetworkAddress, NetworkListener } from '../common/transport.js';

/** What one end has sent: messages, then perhaps the end. */
class Pipe {
  readonly messages: Uint8Array[] = [];
  closed = false;
}

export class MemoryConnection implements Connection {
  readonly remote: string;
  readonly out: Pipe = new Pipe();
  peer: MemoryConnection | undefined;
  pendingBytes = 0;
  isClosed = false;
  private readonly network: MemoryNetwork;
  private readonly listener: ConnectionListener;
  private refusedMore = false;

  constructor(network: MemoryNetwork, remote: string, listener: ConnectionListener) {
    this.network = network;
    this.remote = remote;
    this.listener = listener;
  }

  send(message: Uint8Array): boolean {
    if (this.isClosed || this.out.closed) return true;
    this.out.messages.push(Uint8Array.from(message));
    this.pendingBytes += message.length;
    if (this.pendingBytes <= this.network.pendingBytesMax) return true;
    this.refusedMore = true;
    return false;
  }

  close(): void {
    this.out.closed = true;
  }

  destroy(): void {
    this.breakOff(undefined);
  }

  /** Ends here and there, and loses what is on its way. */
  breakOff(error: MillstreamError | undefined): void {
    for (const end of [this, this.peer]) {
      if (end === undefined || end.isClosed) continue;
      end.isClosed = true;
      end.out.messages.length = 0;
      end.listener.onClose(error);
    }
  }

  get canMove(): boolean {
    return !this.isClosed && (this.out.messages.length > 0 || this.out.closed);
  }

  /** Brings the oldest message to the other end, or the end of all. */
  move(): void {
    const message = this.out.messages.shift();
    if (message === undefined) {
      this.breakOff(undefined);
      return;
    }
    this.pendingBytes -= message.length;
    this.peer?.listener.onMessage(message);
    // It is valid until then.
    message.fill(0xee);
    if (this.pendingBytes > 0 || !this.refusedMore || this.isClosed) return;
    this.refusedMore = false;
    this.listener.onDrain();
  }
}

export class MemoryNetwork implements Network {
  readonly connections: MemoryConnection[] = [];
  readonly pendingBytesMax: number;
  private readonly listeners = new Map<string, (connection: Connection) => ConnectionListener>();

  /** `pendingBytesMax`: of a connection, before it says that it has enough. */
  constructor(pendingBytesMax: number) {
    this.pendingBytesMax = pendingBytesMax;
  }

  async connect(address: NetworkAddress, listener: ConnectionListener): Promise<Connection> {
    const accept = this.listeners.get(`${address.host}:${address.port}`);
    if (accept === undefined) throw new MillstreamError('CONNECTION_FAILED', `Cannot connect to '${address.host}': nobody listens.`);
    const here = new MemoryConnection(this, address.host, listener);
    const there: MemoryConnection = new MemoryConnection(this, 'producer', {
      onMessage: (message) => hears.onMessage(message),
      onDrain: () => hears.onDrain(),
      onClose: (error) => hears.onClose(error),
    });
    const hears = accept(there);
    here.peer = there;
    there.peer = here;
    this.connections.push(here, there);
    return here;
  }

  async listen(address: NetworkAddress, accept: (connection: Connection) => ConnectionListener): Promise<NetworkListener> {
    const name = `${address.host}:${address.port}`;
    this.listeners.set(name, accept);
    return { address, close: async () => void this.listeners.delete(name) };
  }

  /** Those that have something to deliver. */
  movable(): MemoryConnection[] {
    return this.connections.filter((connection) => connection.canMove);
  }

  /** Delivers until nothing is left. */
  settle(): void {
    for (let movable = this.movable(); movable.length > 0; movable = this.movable()) movable[0]?.move();
  }
}

/** Lets promises run. */
export async function promisesRun(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}
