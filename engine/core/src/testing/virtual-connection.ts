/** One end of a connection on the virtual network. Its two lanes belong to the ends that send on them. */
import type { Clock, ScheduledCall } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import type { Connection, ConnectionListener } from '../common/transport.js';
import { type LaneItem, VirtualLane } from './virtual-lane.js';

/** What received bytes are overwritten with when they are not valid any more: whoever kept them notices. */
const INVALID_BYTE = 0xdd;

export interface VirtualConnectionOptions {
  readonly clock: Clock;
  readonly bytesPerMs: number;
  readonly pendingBytesMax: number;
  readonly messageBytesMax: number;
  readonly closeTimeoutMs: number;
  latencyMs(from: string, to: string): number;
  isBlocked(from: string, to: string): boolean;
  /** The end is closed. */
  onClosed(connection: VirtualConnection): void;
}

export class VirtualConnection implements Connection {
  readonly remote: string;
  readonly localHost: string;
  readonly remoteHost: string;
  private readonly outgoing: VirtualLane;
  private readonly options: VirtualConnectionOptions;
  private peer: VirtualConnection | undefined;
  private listener: ConnectionListener | undefined;
  private state: 'open' | 'closing' | 'closed' = 'open';
  private awaitsDrain = false;
  private closing: ScheduledCall | undefined;

  /** `peerOpenAt`: from when on the peer can hear messages. */
  constructor(options: VirtualConnectionOptions, localHost: string, remoteHost: string, remotePort: number, peerOpenAt: number) {
    this.options = options;
    this.localHost = localHost;
    this.remoteHost = remoteHost;
    this.remote = `${remoteHost}:${remotePort}`;
    this.outgoing = new VirtualLane(
      {
        clock: options.clock,
        bytesPerMs: options.bytesPerMs,
        latencyMs: () => options.latencyMs(localHost, remoteHost),
        isBlocked: () => options.isBlocked(localHost, remoteHost),
        arrive: (item) => this.peer?.receive(item),
        onTaken: () => this.taken(),
      },
      peerOpenAt,
    );
  }

  /** Joins two ends. */
  join(peer: VirtualConnection): void {
    this.peer = peer;
    peer.peer = this;
  }

  /** Who hears this end; set before the first message arrives. */
  listen(listener: ConnectionListener): void {
    this.listener = listener;
  }

  get pendingBytes(): number {
    return this.outgoing.pendingBytes;
  }

  send(message: Uint8Array): boolean {
    if (this.state !== 'open') return false;
    const { messageBytesMax, pendingBytesMax } = this.options;
    if (message.length > messageBytesMax) {
      throw new MillstreamError(
        'MESSAGE_TOO_LARGE',
        `Cannot send a message of ${message.length} bytes to '${this.remote}': at most ${messageBytesMax} are allowed. Send it in parts.`,
      );
    }
    // `slice` of a Buffer copies nothing.
    this.outgoing.put(new Uint8Array(message));
    this.awaitsDrain ||= this.outgoing.pendingBytes >= pendingBytesMax;
    return this.outgoing.pendingBytes < pendingBytesMax;
  }

  close(): void {
    if (this.state !== 'open') return;
    this.state = 'closing';
    this.outgoing.put('end');
    this.closing = this.options.clock.schedule(this.options.closeTimeoutMs, () => {
      this.outgoing.resetNow();
      this.finish(this.lost('the other end did not answer the close in time, and what was pending is lost'));
    });
  }

  destroy(): void {
    this.abort(undefined);
  }

  /** The connection breaks without being closed by anybody: this end hears it at once, what is on its way is lost. */
  break(reason: string): void {
    this.outgoing.cut();
    this.finish(this.lost(reason));
  }

  /** The process of this end is gone: it hears nothing any more. `tellPeer`: its system resets the connection. */
  die(tellPeer: boolean): void {
    this.listener = undefined;
    if (this.state === 'closed') return;
    this.end();
    this.options.onClosed(this);
    if (tellPeer) this.outgoing.resetNow();
    else this.outgoing.dropPending();
  }

  /** The system of this end, restarted, does not know the connection. */
  refuseAfterRestart(): void {
    this.outgoing.resetNow();
    this.unblock();
  }

  /** Goes on, in both directions, after a partition. The other end may be closed, and its last words on their way. */
  unblock(): void {
    this.outgoing.unblock();
    this.peer?.outgoing.unblock();
  }

  private receive(item: LaneItem): void {
    if (this.state === 'closed') return;
    if (item === 'reset') this.finish(this.lost('the other end has reset it; its process has probably ended'));
    else if (item === 'end') this.endReceived();
    else if (this.state === 'open') this.deliver(item);
  }

  private endReceived(): void {
    if (this.state === 'open') {
      this.outgoing.dropPending();
      this.outgoing.put('end');
    }
    this.finish(undefined);
  }

  private deliver(message: Uint8Array): void {
    try {
      this.listener?.onMessage(message);
    } catch (error) {
      this.abort(
        error instanceof MillstreamError
          ? error
          : new MillstreamError('INTERNAL', `Cannot handle a message from '${this.remote}': ${String(error)}`, { cause: error }),
      );
    }
    message.fill(INVALID_BYTE);
  }

  private abort(error: MillstreamError | undefined): void {
    if (this.state === 'closed') return;
    this.end();
    this.outgoing.resetNow();
    // Not from within the call, as on a real socket.
    this.options.clock.schedule(0, () => {
      this.options.onClosed(this);
      this.listener?.onClose(error);
    });
  }

  private taken(): void {
    if (!this.awaitsDrain || this.state !== 'open') return;
    this.awaitsDrain = false;
    this.listener?.onDrain();
  }

  private finish(error: MillstreamError | undefined): void {
    if (this.state === 'closed') return;
    this.end();
    this.options.onClosed(this);
    this.listener?.onClose(error);
  }

  private end(): void {
    this.state = 'closed';
    this.closing?.cancel();
  }

  private lost(reason: string): MillstreamError {
    return new MillstreamError('CONNECTION_LOST', `The connection to '${this.remote}' is lost: ${reason}. Connect again.`, {
      retryable: true,
      details: { remote: this.remote },
    });
  }
}
