/**
 * The exchange of one attempt: its links to all TaskManagers that the attempt's channels lead to or come from.
 *
 * Invariants: 1. it fails once, with a retryable error, and never after `close`; 2. whichever link fails, all links end, and each peer
 * is told why, so that the attempt fails everywhere at once; 3. after its end it holds no ring.
 */
import { timingSafeEqual } from 'node:crypto';
import { type MillstreamError, messageOf } from '../common/errors.js';
import type { Connection } from '../common/transport.js';
import { attemptKey, type ExchangeAttempt, type Goodbye, type Hello } from './exchange-frames.js';
import type { ExchangeEnvironment } from './exchange-link.js';
import { ExchangeReceiver, type IncomingChannel } from './exchange-receiver.js';
import { ExchangeSender, type OutgoingChannel } from './exchange-sender.js';
import type { RingLayout } from './ring.js';

/** An attempt's channels that cross TaskManagers. */
export interface ExchangeDeployment {
  readonly attempt: ExchangeAttempt;
  /** A secret of the attempt that its TaskManagers got with their deployments. */
  readonly token: string;
  /** Of all rings. */
  readonly layout: RingLayout;
  readonly outgoing: readonly OutgoingChannel[];
  readonly incoming: readonly IncomingChannel[];
  /** The attempt cannot go on: EXCHANGE_FAILED. Once at most, never after `close`; the exchange is closed then. */
  readonly onFailure: (error: MillstreamError) => void;
}

export class Exchange {
  readonly attempt: ExchangeAttempt;
  readonly key: string;
  private readonly token: Buffer;
  private readonly onFailure: (error: MillstreamError) => void;
  private readonly onEnd: (exchange: Exchange) => void;
  private senders: readonly ExchangeSender[];
  private receivers: readonly ExchangeReceiver[];
  private ended = false;

  constructor(environment: ExchangeEnvironment, deployment: ExchangeDeployment, onEnd: (exchange: Exchange) => void) {
    const { attempt, token, layout, outgoing, incoming } = deployment;
    this.attempt = attempt;
    this.key = attemptKey(attempt);
    this.token = Buffer.from(token);
    this.onFailure = deployment.onFailure;
    this.onEnd = onEnd;
    const common = { environment, attempt, token, layout, onFailure: (error: MillstreamError) => this.fail(error) };
    this.senders = [...Map.groupBy(outgoing, ({ taskManager }) => taskManager)].map(
      ([peer, channels]) => new ExchangeSender({ ...common, peer, channels }),
    );
    this.receivers = [...Map.groupBy(incoming, ({ taskManager }) => taskManager)].map(
      ([peer, channels]) => new ExchangeReceiver({ ...common, peer, channels, address: (channels[0] as IncomingChannel).address }),
    );
  }

  /** All peers are connected. */
  get isConnected(): boolean {
    return !this.ended && [...this.senders, ...this.receivers].every((link) => link.isOpen);
  }

  connect(): void {
    for (const receiver of this.receivers) receiver.connect();
  }

  /** Takes the connection of a consumer of this attempt, or says why not. */
  accept(connection: Connection, hello: Hello): ExchangeSender | string {
    const token = Buffer.from(hello.token);
    if (token.length !== this.token.length || !timingSafeEqual(token, this.token)) return 'the token is not that of the attempt';
    const sender = this.senders.find(({ peer }) => peer === hello.consumer);
    if (sender === undefined) return `no channel to TaskManager '${hello.consumer}' is expected here`;
    const objection = sender.objection(hello.channels);
    if (objection !== undefined) return objection;
    sender.accept(connection, hello);
    return sender;
  }

  /** Moves what can be moved. True if anything was. */
  pump(): boolean {
    let moved = false;
    for (const receiver of this.receivers) moved = receiver.pump() || moved;
    for (const sender of this.senders) moved = sender.pump() || moved;
    return moved;
  }

  /** Ends all links at once. `failure`: why the attempt failed on this TaskManager; the peers fail then too. Harmless if it has ended. */
  close(failure?: unknown): void {
    this.end(failure === undefined ? { failed: false, reason: 'the attempt is over' } : { failed: true, reason: messageOf(failure) });
  }

  private fail(error: MillstreamError): void {
    if (!this.end({ failed: true, reason: error.message })) return;
    this.onFailure(error);
  }

  private end(goodbye: Goodbye): boolean {
    if (this.ended) return false;
    this.ended = true;
    for (const link of [...this.senders, ...this.receivers]) link.end(goodbye);
    this.senders = [];
    this.receivers = [];
    this.onEnd(this);
    return true;
  }
}
