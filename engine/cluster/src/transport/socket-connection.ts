/**
 * A connection over a socket, TCP or TLS alike, after the handshake.
 *
 *     open ──close()──▶ closing: goodbye and end of stream sent, waits for the other's goodbye ──▶ closed
 *     open ──goodbye──▶ closing: answers with its own ──▶ closed
 *     any  ──error, end without goodbye, destroy()──▶ closed
 *
 * Invariants: 1. only a goodbye from the other end makes the end one in good order: a stream that merely ends is what a killed process
 * leaves; 2. whatever arrives, and whatever a listener throws, ends this connection at most, never the process.
 */
import type { Socket } from 'node:net';
import { MillstreamError } from 'millstream';
import type { Clock, Connection, ConnectionListener, ScheduledCall } from 'millstream/cluster';
import { type FrameListener, FrameParser, GOODBYE } from './frame.js';
import { FrameWriter } from './frame-writer.js';
import type { SocketChunks } from './socket-chunks.js';
import { lostError } from './socket-errors.js';

export interface SocketConnectionOptions {
  readonly clock: Clock;
  readonly messageBytesMax: number;
  readonly pendingBytesMax: number;
  readonly closeTimeoutMs: number;
}

export class SocketConnection implements Connection, FrameListener {
  readonly remote: string;
  private readonly socket: Socket;
  private readonly chunks: SocketChunks;
  private readonly options: SocketConnectionOptions;
  private readonly parser: FrameParser;
  private readonly writer: FrameWriter;
  private listener: ConnectionListener | undefined;
  private state: 'open' | 'closing' | 'closed' = 'open';
  private goodbyeHeard = false;
  private destroyed = false;
  private failure: MillstreamError | undefined;
  private awaitsDrain = false;
  private isHearing = false;
  private readonly early: (() => void)[] = [];
  private closing: ScheduledCall | undefined;

  /** `socket`: paused, and without listeners of its own. */
  constructor(socket: Socket, chunks: SocketChunks, remote: string, options: SocketConnectionOptions) {
    this.socket = socket;
    this.chunks = chunks;
    this.remote = remote;
    this.options = options;
    this.parser = new FrameParser(this, options.messageBytesMax);
    this.writer = new FrameWriter((bytes, written) => {
      socket.write(bytes, () => {
        written();
        this.written();
      });
    });
    socket.on('error', (error) => this.fail(lostError(remote, error.message, error)));
    socket.on('end', () => this.inTurn(() => this.ended()));
    socket.on('close', () => this.inTurn(() => this.closed()));
  }

  /** With TLS the end may come while what was before it is still kept. */
  private inTurn(event: () => void): void {
    if (this.isHearing) event();
    else this.early.push(event);
  }

  /** Begins to read, after the caller's turn: with `rest`, what was read behind the handshake. */
  start(listener: ConnectionListener, rest: Buffer): void {
    this.listener = listener;
    setImmediate(() => {
      this.isHearing = true;
      this.parse(rest);
      this.chunks.hear((chunk) => this.parse(chunk));
      if (!this.socket.destroyed) this.socket.resume();
      for (const event of this.early.splice(0)) event();
    });
  }

  get pendingBytes(): number {
    return this.state === 'closed' ? 0 : this.writer.pendingBytes + this.socket.writableLength;
  }

  send(message: Uint8Array): boolean {
    if (this.state !== 'open') return false;
    const { messageBytesMax, pendingBytesMax } = this.options;
    if (message.length > messageBytesMax) {
      const what = `Cannot send a message of ${message.length} bytes to '${this.remote}'`;
      throw new MillstreamError('MESSAGE_TOO_LARGE', `${what}: at most ${messageBytesMax} are allowed. Send it in parts.`);
    }
    this.writer.send(message);
    if (this.pendingBytes < pendingBytesMax) return true;
    this.awaitsDrain = true;
    return false;
  }

  close(): void {
    if (this.state !== 'open') return;
    this.state = 'closing';
    this.writer.sendMark(GOODBYE);
    this.writer.flush();
    this.socket.end();
    this.closing = this.options.clock.schedule(this.options.closeTimeoutMs, () =>
      this.fail(lostError(this.remote, 'the other end did not answer the close in time, and what was pending is lost')),
    );
  }

  destroy(): void {
    this.destroyed = true;
    this.state = 'closed';
    this.socket.destroy();
  }

  onFrame(frame: Buffer): void {
    // While this end closes, messages have nobody who hears them.
    if (this.state !== 'open') return;
    try {
      this.listener?.onMessage(frame);
    } catch (error) {
      this.fail(this.listenerError(error));
    }
  }

  onGoodbye(): void {
    this.goodbyeHeard = true;
    this.close();
  }

  onTooLarge(length: number): void {
    const found = `it announces a message of ${length} bytes, more than the ${this.options.messageBytesMax} that are allowed, or is damaged`;
    this.fail(
      new MillstreamError('MESSAGE_TOO_LARGE', `The connection to '${this.remote}' was closed: ${found}. Send it in parts.`, {
        details: { remote: this.remote, length },
      }),
    );
  }

  private parse(chunk: Buffer): void {
    if (this.state !== 'closed' && !this.goodbyeHeard) this.parser.push(chunk);
  }

  private written(): void {
    if (!this.awaitsDrain || this.state !== 'open' || this.pendingBytes > 0) return;
    this.awaitsDrain = false;
    try {
      this.listener?.onDrain();
    } catch (error) {
      this.fail(this.listenerError(error));
    }
  }

  /** The other end sends nothing more. */
  private ended(): void {
    if (this.goodbyeHeard) return;
    const within = this.parser.isWithinFrame ? 'within a message' : 'without closing it';
    this.fail(lostError(this.remote, `the other end has ended ${within}; its process has probably ended`));
  }

  private fail(error: MillstreamError): void {
    if (!this.destroyed) this.failure ??= error;
    this.state = 'closed';
    this.parser.stop();
    this.socket.destroy();
  }

  private closed(): void {
    this.state = 'closed';
    this.closing?.cancel();
    const listener = this.listener;
    this.listener = undefined;
    listener?.onClose(this.goodbyeHeard || this.destroyed ? undefined : (this.failure ?? lostError(this.remote, 'the socket was closed')));
  }

  private listenerError(error: unknown): MillstreamError {
    if (error instanceof MillstreamError) return error;
    return new MillstreamError('INTERNAL', `Cannot handle a message from '${this.remote}': ${String(error)}`, { cause: error });
  }
}
