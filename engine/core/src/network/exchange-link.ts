/**
 * What both ends of a connection between two TaskManagers have in common: how it ends.
 *
 * Invariants: 1. a link ends once: by its own attempt (`end`), by the peer's goodbye, or by a failure; 2. only a failure is reported,
 * once; 3. a link that has ended holds no ring and moves nothing: frames that still come are counted and dropped; 4. when its connection
 * has closed too, no timer holds it.
 */
import type { Clock, ScheduledCall } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import { rawBufferOver } from '../common/raw-buffer.js';
import type { Connection, Network } from '../common/transport.js';
import { countFrames, decodeGoodbye, type ExchangeAttempt, encodeGoodbye, GOODBYE, type Goodbye } from './exchange-frames.js';
import type { ChunkPool } from './frame-queue.js';

/** How long a connection may take to say its last words and to hear the peer's. */
const CLOSE_MS = 2000;

/** What the exchange of a TaskManager has seen since it began; for metrics. */
export interface ExchangeCounters {
  framesOut: number;
  bytesOut: number;
  messagesOut: number;
  framesIn: number;
  bytesIn: number;
  /** Frames that found no room in their ring. */
  framesQueued: number;
  /** Frames that came for an attempt that is closed. */
  lateFrames: number;
  /** Connections for an attempt that is closed, of an older leader, or that never came. */
  staleConnections: number;
  /** Connections with a wrong token, other channels, another version, or no exchange at all. */
  rejectedConnections: number;
}

export function newCounters(): ExchangeCounters {
  return {
    framesOut: 0,
    bytesOut: 0,
    messagesOut: 0,
    framesIn: 0,
    bytesIn: 0,
    framesQueued: 0,
    lateFrames: 0,
    staleConnections: 0,
    rejectedConnections: 0,
  };
}

/** What all links of a TaskManager share. */
export interface ExchangeEnvironment {
  /** This TaskManager. */
  readonly taskManager: string;
  readonly network: Network;
  readonly clock: Clock;
  readonly pool: ChunkPool;
  readonly counters: ExchangeCounters;
  /** The most frames that one ring had at once since it was last asked; Infinity: there is more to move than was moved. */
  readonly depth: { frames: number };
  /** Per channel: what a producer may have sent and the consumer's slot has not got. */
  readonly creditBytes: number;
  /** Beyond this nothing more is given to a connection that says that it has enough. */
  readonly pendingBytesMax: number;
  /** How long a connection waits for the attempt that it names. */
  readonly attemptTimeoutMs: number;
  /** There is more to move than was moved in a callback of the network. */
  readonly requestPump: () => void;
}

/** Why an exchange failed; in the error's details. */
export type ExchangeFailure = 'unreachable' | 'refused' | 'lost' | 'protocol' | 'peer failed';

/** Sends what is pending and closes; a peer that reads no more doesn't hold it up for long. To be cancelled when it has closed. */
export function closeInTime(connection: Connection, clock: Clock): ScheduledCall {
  connection.close();
  return clock.schedule(CLOSE_MS, () => connection.destroy(), false);
}

export interface LinkOptions {
  readonly environment: ExchangeEnvironment;
  readonly attempt: ExchangeAttempt;
  /** The other TaskManager. */
  readonly peer: string;
  readonly onFailure: (error: MillstreamError) => void;
}

export abstract class ExchangeLink {
  readonly peer: string;
  protected readonly environment: ExchangeEnvironment;
  protected connection: Connection | undefined;
  protected state: 'waiting' | 'open' | 'ended' = 'waiting';
  private readonly attempt: ExchangeAttempt;
  private readonly onFailure: (error: MillstreamError) => void;
  /** Runs only while the connection closes. */
  private closing: ScheduledCall | undefined;

  constructor(options: LinkOptions) {
    this.environment = options.environment;
    this.attempt = options.attempt;
    this.peer = options.peer;
    this.onFailure = options.onFailure;
  }

  /** Drops rings and queues. */
  protected abstract releaseMemory(): void;

  /** One message of the peer. Throws CORRUPT_DATA. */
  protected abstract handle(message: Uint8Array): void;

  get isOpen(): boolean {
    return this.state === 'open';
  }

  onMessage(message: Uint8Array): void {
    if (this.state === 'ended') {
      this.environment.counters.lateFrames += countFrames(rawBufferOver(message));
      // Both sides have said it.
      if (message[0] === GOODBYE) this.connection?.close();
      return;
    }
    try {
      this.handle(message);
    } catch (error) {
      if (!(error instanceof MillstreamError) || error.code !== 'CORRUPT_DATA') throw error;
      this.fail('protocol', `sent what cannot be right. ${error.message}`, error);
    }
  }

  onClose(error: MillstreamError | undefined): void {
    this.connection = undefined;
    this.closing?.cancel();
    this.fail('lost', `is not connected any more${error === undefined ? '' : `. ${error.message}`}`, error);
  }

  /** The attempt is over on this side. */
  end(goodbye: Goodbye): void {
    if (this.state === 'ended') return;
    this.finish();
    const { connection } = this;
    if (connection === undefined) return;
    this.say(connection, goodbye);
  }

  /** Whoever hears goodbye closes: until then frames that are on their way come, and are counted. */
  private say(connection: Connection, goodbye: Goodbye): void {
    connection.send(encodeGoodbye(goodbye));
    this.closing = this.environment.clock.schedule(CLOSE_MS, () => connection.destroy(), false);
  }

  /** The peer's attempt is over: by its leader's word, which reaches this side too, or because it failed. */
  protected hearGoodbye(message: Uint8Array): void {
    const { failed, reason } = decodeGoodbye(message);
    if (failed) {
      this.fail('peer failed', `has failed: ${reason}`);
      return;
    }
    this.finish();
    if (this.connection !== undefined) this.closing = closeInTime(this.connection, this.environment.clock);
  }

  protected fail(failure: ExchangeFailure, what: string, cause?: unknown): void {
    if (this.state === 'ended') return;
    const { job, run, attempt, region, term } = this.attempt;
    const sentence = what.endsWith('.') ? what : `${what}.`;
    const { taskManager } = this.environment;
    const error = new MillstreamError(
      'EXCHANGE_FAILED',
      `Cannot exchange records between TaskManagers '${taskManager}' and '${this.peer}' in attempt ${attempt} of job '${job}': '${this.peer}' ${sentence} The attempt fails, and the restart strategy decides what follows; see the log of '${this.peer}' if this comes again.`,
      { retryable: true, cause, details: { failure, taskManager: this.peer, reportedBy: taskManager, job, run, attempt, region, term } },
    );
    this.finish();
    const { connection } = this;
    if (connection !== undefined) {
      // A peer that has failed or refused knows.
      if (failure === 'protocol') this.say(connection, { failed: true, reason: error.message });
      else this.closing = closeInTime(connection, this.environment.clock);
    }
    this.onFailure(error);
  }

  private finish(): void {
    this.state = 'ended';
    this.releaseMemory();
  }
}
