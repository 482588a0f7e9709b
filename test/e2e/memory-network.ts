/** A network within one process, without time of its own. */
import { MillstreamError } from 'millstream';
import type { Connection, ConnectionListener, Network, NetworkAddress } from 'millstream/cluster';

class End implements Connection {
  readonly remote = 'memory';
  readonly pendingBytes = 0;
  peer!: End;
  listener!: ConnectionListener;
  private isClosed = false;

  send(message: Uint8Array): boolean {
    // The sender uses the memory again, and `slice` of a Buffer copies nothing.
    const copy = new Uint8Array(message);
    setImmediate(() => {
      if (!this.peer.isClosed) this.peer.listener.onMessage(copy);
    });
    return true;
  }

  close(): void {
    // After what was sent before.
    setImmediate(() => this.destroy());
  }

  destroy(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    setImmediate(() => {
      this.listener.onClose(undefined);
      this.peer.destroy();
    });
  }
}

export function createMemoryNetwork(): Network {
  const accepting = new Map<number, (connection: Connection) => ConnectionListener>();
  let port = 1;
  return {
    async connect({ port: to }: NetworkAddress, listener: ConnectionListener) {
      const accept = accepting.get(to);
      if (accept === undefined) throw new MillstreamError('CONNECTION_FAILED', `Nobody listens on ${to}.`);
      const [near, far] = [new End(), new End()];
      near.peer = far;
      far.peer = near;
      near.listener = listener;
      far.listener = accept(far);
      return near;
    },
    async listen({ host }, accept) {
      const address = { host, port: port++ };
      accepting.set(address.port, accept);
      return { address, close: async () => void accepting.delete(address.port) };
    },
  };
}
