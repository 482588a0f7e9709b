/**
 * Connections between processes come only through this interface, so that a whole cluster runs on a simulated network. A connection
 * carries messages: whole, in order, each once, until it closes; what was in flight then may be lost, on both sides.
 */
import type { MillstreamError } from './errors.js';

/** Where a process listens. */
export interface NetworkAddress {
  readonly host: string;
  readonly port: number;
}

/** Hears what a connection brings. Nothing is called after `onClose`, nor `onMessage` and `onDrain` after the own `close` or `destroy`. */
export interface ConnectionListener {
  /** The bytes are valid until this returns. An error that it throws destroys the connection and comes back in `onClose`. */
  onMessage(message: Uint8Array): void;
  /** `pendingBytes` has fallen to 0 after `send` returned false. */
  onDrain(): void;
  /** Once, also after the own `close`, never from within it; `error`: why it did not end in good order (CONNECTION_LOST and others). */
  onClose(error: MillstreamError | undefined): void;
}

/** A connection that is established. */
export interface Connection {
  /** Where the other end is, for logs. */
  readonly remote: string;
  /** Bytes handed over and not yet taken by the network. */
  readonly pendingBytes: number;
  /**
   * Sends a message, whose bytes are copied. False: enough is pending, wait for `onDrain` (a later `send` works all the same), or the
   * connection is closed. Throws MESSAGE_TOO_LARGE, and then nothing was sent.
   */
  send(message: Uint8Array): boolean;
  /** Sends what is pending, then closes. Harmless if it is closed. */
  close(): void;
  /** Closes at once and drops what is pending. */
  destroy(): void;
}

/** A port that is listened on. */
export interface NetworkListener {
  /** The port is the real one, also where 0 was asked for. */
  readonly address: NetworkAddress;
  /** Accepts nothing more; connections that exist stay. */
  close(): Promise<void>;
}

/** How a process reaches others. */
export interface Network {
  /** Rejects with CONNECTION_FAILED and others. The listener hears nothing before the promise has resolved. */
  connect(address: NetworkAddress, listener: ConnectionListener): Promise<Connection>;
  /** Rejects with ADDRESS_IN_USE and others. `accept` returns who hears the new connection. */
  listen(address: NetworkAddress, accept: (connection: Connection) => ConnectionListener): Promise<NetworkListener>;
}
