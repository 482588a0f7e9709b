/**
 * Incoming connections until an attempt has taken them: each says for which attempt it comes, and waits for it if need be.
 *
 *     accepted ─HELLO─▶ attempt is open ─────────────▶ its sender
 *        │                │ not yet: held ─ it opens ──▶
 *        │                │   └ it doesn't in time ──▶ refused (stale)
 *        │                └ closed, or of an older leader ─▶ refused (stale)
 *        └ no HELLO in time, malformed, wrong token, other channels ─▶ refused (rejected)
 *
 * Invariants: 1. what strangers send costs bounded memory and never throws; 2. a connection reaches a ring only with the token of an
 * open attempt; 3. a timer runs only for a connection that is held or closes.
 */
import type { ScheduledCall } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import { rawBufferOver } from '../common/raw-buffer.js';
import type { Connection, ConnectionListener } from '../common/transport.js';
import type { Exchange } from './exchange.js';
import {
  attemptKey,
  countFrames,
  decodeHello,
  EXCHANGE_VERSION,
  type ExchangeAttempt,
  encodeRefused,
  type Hello,
} from './exchange-frames.js';
import { closeInTime, type ExchangeEnvironment } from './exchange-link.js';
import type { ExchangeSender } from './exchange-sender.js';

/** Connections without an attempt. */
const HELD_MAX = 1024;
/** Closed attempts, and jobs with their leaders' terms. */
const REMEMBERED_MAX = 1024;
const HELLO_BYTES_MAX = 4 * 1024 * 1024;

/** Which attempts are over. */
class PastAttempts {
  private readonly closed = new Set<string>();
  private readonly terms = new Map<string, number>();

  opened({ job, term }: ExchangeAttempt): void {
    const newest = Math.max(term, this.terms.get(job) ?? term);
    this.terms.delete(job);
    this.terms.set(job, newest);
    forgetOldest(this.terms);
  }

  close(key: string): void {
    this.closed.add(key);
    forgetOldest(this.closed);
  }

  includes(attempt: ExchangeAttempt): boolean {
    return attempt.term < (this.terms.get(attempt.job) ?? 0) || this.closed.has(attemptKey(attempt));
  }
}

function forgetOldest(memory: Set<string> | Map<string, unknown>): void {
  if (memory.size <= REMEMBERED_MAX) return;
  const [oldest] = memory.keys();
  memory.delete(oldest as string);
}

class IncomingConnection implements ConnectionListener {
  readonly connection: Connection;
  hello: Hello | undefined;
  sender: ExchangeSender | undefined;
  /** Runs while it is held, or closes. */
  timer: ScheduledCall | undefined;
  private readonly acceptor: ExchangeAcceptor;

  constructor(acceptor: ExchangeAcceptor, connection: Connection) {
    this.acceptor = acceptor;
    this.connection = connection;
  }

  onMessage(message: Uint8Array): void {
    if (this.sender === undefined) this.acceptor.hear(this, message);
    else this.sender.onMessage(message);
  }

  onDrain(): void {
    this.sender?.onDrain();
  }

  onClose(error: MillstreamError | undefined): void {
    if (this.sender === undefined) this.acceptor.forget(this);
    else this.sender.onClose(error);
  }
}

export class ExchangeAcceptor {
  private readonly environment: ExchangeEnvironment;
  private readonly exchanges: ReadonlyMap<string, Exchange>;
  private readonly past = new PastAttempts();
  private readonly held = new Set<IncomingConnection>();

  /** `exchanges`: the open ones by the key of their attempt. */
  constructor(environment: ExchangeEnvironment, exchanges: ReadonlyMap<string, Exchange>) {
    this.environment = environment;
    this.exchanges = exchanges;
  }

  /** Who hears a new connection. */
  accept(connection: Connection): ConnectionListener {
    const incoming = new IncomingConnection(this, connection);
    this.held.add(incoming);
    if (this.held.size > HELD_MAX) {
      this.refuse(incoming, 'rejected', 'too many connections wait for their attempt');
      return incoming;
    }
    const { clock, attemptTimeoutMs } = this.environment;
    incoming.timer = clock.schedule(attemptTimeoutMs, () => this.expire(incoming), false);
    return incoming;
  }

  private expire(incoming: IncomingConnection): void {
    const { attemptTimeoutMs } = this.environment;
    if (incoming.hello === undefined) this.refuse(incoming, 'rejected', `it has said nothing for ${attemptTimeoutMs} ms`);
    else this.refuse(incoming, 'stale', `the attempt is not deployed here, also after ${attemptTimeoutMs} ms`);
  }

  hear(incoming: IncomingConnection, message: Uint8Array): void {
    if (!this.held.has(incoming)) {
      this.environment.counters.lateFrames += countFrames(rawBufferOver(message));
      return;
    }
    // Nothing is to be said before the acceptance, except goodbye.
    if (incoming.hello !== undefined) {
      this.release(incoming);
      incoming.timer = closeInTime(incoming.connection, this.environment.clock);
      return;
    }
    try {
      if (message.length > HELLO_BYTES_MAX)
        throw new MillstreamError('CORRUPT_DATA', `Cannot take ${message.length} bytes as a first message.`);
      incoming.hello = decodeHello(message);
    } catch (error) {
      if (!(error instanceof MillstreamError)) throw error;
      this.refuse(incoming, 'rejected', error.message);
      return;
    }
    this.assign(incoming, incoming.hello);
  }

  private assign(incoming: IncomingConnection, hello: Hello): void {
    const { taskManager } = this.environment;
    if (hello.version !== EXCHANGE_VERSION) {
      this.refuse(incoming, 'rejected', `it speaks version ${hello.version} of the exchange, this TaskManager ${EXCHANGE_VERSION}`);
    } else if (hello.producer !== taskManager) {
      this.refuse(incoming, 'rejected', `it looks for TaskManager '${hello.producer}', this is '${taskManager}'`);
    } else if (this.past.includes(hello.attempt)) {
      this.refuse(incoming, 'stale', 'the attempt is over here');
    } else {
      const exchange = this.exchanges.get(attemptKey(hello.attempt));
      if (exchange !== undefined) this.join(incoming, hello, exchange);
    }
  }

  private join(incoming: IncomingConnection, hello: Hello, exchange: Exchange): void {
    const sender = exchange.accept(incoming.connection, hello);
    if (typeof sender === 'string') {
      this.refuse(incoming, 'rejected', sender);
      return;
    }
    this.release(incoming);
    incoming.sender = sender;
  }

  private refuse(incoming: IncomingConnection, kind: 'stale' | 'rejected', reason: string): void {
    const { counters, clock } = this.environment;
    if (kind === 'stale') counters.staleConnections++;
    else counters.rejectedConnections++;
    this.release(incoming);
    incoming.connection.send(encodeRefused(reason));
    incoming.timer = closeInTime(incoming.connection, clock);
  }

  /** A connection has closed that no sender has. */
  forget(incoming: IncomingConnection): void {
    this.release(incoming);
  }

  private release(incoming: IncomingConnection): void {
    this.held.delete(incoming);
    incoming.timer?.cancel();
  }

  /** Connections that wait for this attempt get it; those of older leaders are refused. */
  opened(exchange: Exchange): void {
    this.past.opened(exchange.attempt);
    for (const incoming of [...this.held]) {
      if (incoming.hello !== undefined) this.assign(incoming, incoming.hello);
    }
  }

  ended(exchange: Exchange): void {
    this.past.close(exchange.key);
  }

  close(): void {
    for (const incoming of [...this.held]) {
      this.release(incoming);
      incoming.connection.destroy();
    }
  }
}
