/**
 * The consumer's end of a connection: frames go into the rings of local slots, or wait in their channel's queue for room there. It
 * always takes what comes: the credit has reserved the room.
 *
 *     connection ─▶ frame ─┬ ring has room, nothing waits ─────▶ ring      ─▶ credit back, in batches
 *                          └ else ─▶ the channel's queue ─pump─▶ ring ─────▶
 *
 * Invariants: 1. a channel's frames reach its ring in order, each once; 2. a queue never holds more than the credit and
 * CONTROL_RESERVE_BYTES, or one frame larger than that; 3. a full ring holds up its own channel and no other; 4. while frames wait the
 * ring was full when last seen, so the slot that frees it wakes the pump; 5. credit that is held back never keeps a frame from going.
 */
import type { ScheduledCall } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import { type RawBuffer, rawBufferOver } from '../common/raw-buffer.js';
import type { ConnectionListener, NetworkAddress } from '../common/transport.js';
import {
  ACCEPTED,
  ANNOUNCE,
  CreditWriter,
  decodeAnnouncement,
  decodeRefused,
  EXCHANGE_VERSION,
  encodeHello,
  frameCost,
  GOODBYE,
  type Hello,
  isFrameKind,
  REFUSED,
} from './exchange-frames.js';
import { ExchangeLink, type LinkOptions } from './exchange-link.js';
import { CONTROL_RESERVE_BYTES } from './exchange-sender.js';
import { type ChunkPool, FrameQueue } from './frame-queue.js';
import { type RingLayout, RingWriter, SLOT_HEADER_BYTES } from './ring.js';

/** Credit goes back when it has become this part of the whole. */
const CREDIT_PART = 2;

/** A channel from a subtask of another TaskManager. */
export interface IncomingChannel {
  readonly name: string;
  /** The ring that the local slot's RingReceiver reads. */
  readonly ring: SharedArrayBuffer;
  /** The producer's TaskManager, and where its exchange listens. */
  readonly taskManager: string;
  readonly address: NetworkAddress;
  /** Wakes the local slot: its ring was empty, and has a frame. */
  readonly wake: () => void;
}

class ReceiverChannel {
  readonly number: number;
  readonly ring: RingWriter;
  readonly queue: FrameQueue;
  readonly wake: () => void;
  /** Credit that can go back. */
  owed = 0;

  constructor(channel: IncomingChannel, number: number, layout: RingLayout, pool: ChunkPool) {
    this.number = number;
    this.ring = new RingWriter(channel.ring, layout);
    this.queue = new FrameQueue(pool);
    this.wake = channel.wake;
  }
}

export interface ExchangeReceiverOptions extends LinkOptions {
  readonly token: string;
  readonly address: NetworkAddress;
  readonly layout: RingLayout;
  readonly channels: readonly IncomingChannel[];
}

export class ExchangeReceiver extends ExchangeLink implements ConnectionListener {
  private readonly hello: Hello;
  private readonly address: NetworkAddress;
  private readonly slotBytes: number;
  private readonly queueBytesMax: number;
  private readonly owedBytesMin: number;
  private readonly credit = new CreditWriter();
  private channels: readonly ReceiverChannel[];
  /** Those with a queue. */
  private waiting: ReceiverChannel[] = [];
  /** Runs only until the producer has answered. */
  private patience: ScheduledCall | undefined;

  constructor(options: ExchangeReceiverOptions) {
    super(options);
    const { creditBytes, pool } = this.environment;
    this.slotBytes = options.layout.slotBytes;
    this.queueBytesMax = creditBytes + CONTROL_RESERVE_BYTES;
    // Invariant 5: with less than this held back, the largest frame still finds credit.
    const spare = creditBytes - frameCost(this.slotBytes);
    this.owedBytesMin = Math.max(1, Math.min(Math.ceil(creditBytes / CREDIT_PART), spare));
    this.channels = options.channels.map((channel, number) => new ReceiverChannel(channel, number, options.layout, pool));
    this.address = options.address;
    this.hello = {
      version: EXCHANGE_VERSION,
      attempt: options.attempt,
      token: options.token,
      producer: this.peer,
      consumer: this.environment.taskManager,
      channels: options.channels.map(({ name }) => name),
      creditBytes,
    };
  }

  connect(): void {
    const { network, clock, attemptTimeoutMs } = this.environment;
    network.connect(this.address, this).then(
      (connection) => {
        if (this.state === 'ended') {
          connection.destroy();
          return;
        }
        this.connection = connection;
        connection.send(encodeHello(this.hello));
      },
      (error: unknown) => this.fail('unreachable', `does not answer. ${error instanceof Error ? error.message : String(error)}`, error),
    );
    // The producer refuses first, and knows why: this is for one that says nothing.
    this.patience = clock.schedule(
      attemptTimeoutMs * 2,
      () => this.fail('unreachable', `has not answered within ${attemptTimeoutMs * 2} ms`),
      false,
    );
  }

  protected handle(message: Uint8Array): void {
    const type = message[0] as number;
    if (this.state === 'open' && isFrameKind(type)) {
      this.receive(rawBufferOver(message));
      this.sendCredit();
    } else if (this.state === 'open' && type === ANNOUNCE) {
      this.announce(rawBufferOver(message));
    } else if (type === GOODBYE) {
      this.hearGoodbye(message);
    } else if (this.state === 'waiting' && type === ACCEPTED) {
      this.state = 'open';
      this.patience?.cancel();
    } else if (this.state === 'waiting' && type === REFUSED) {
      this.fail('refused', `has refused: ${decodeRefused(message)}`);
    } else {
      throw wrong(`a message of type ${type}`);
    }
  }

  /** Credit never waits: it is little. */
  onDrain(): void {}

  private announce(message: RawBuffer): void {
    const { channel: number, place, ...announcement } = decodeAnnouncement(message);
    const channel = this.channels[number];
    if (channel === undefined) throw wrong(`an announcement for channel ${number}`);
    channel.ring.announce(announcement, place);
    channel.wake();
  }

  private receive(message: RawBuffer): void {
    const { counters } = this.environment;
    for (let at = 0; at < message.length; ) {
      if (message.length - at < SLOT_HEADER_BYTES) throw wrong('a frame that was cut');
      const tag = message.readInt32LE(at);
      const length = message.readInt32LE(at + 4);
      const channel = this.channels[tag >>> 8];
      at += SLOT_HEADER_BYTES;
      if (channel === undefined || !isFrameKind(tag & 0xff) || length < 0 || length > this.slotBytes || length > message.length - at) {
        throw wrong(`a frame with tag ${tag} of ${length} bytes`);
      }
      counters.framesIn++;
      counters.bytesIn += SLOT_HEADER_BYTES + length;
      this.take(channel, tag & 0xff, message, at, length);
      at += length;
    }
  }

  private take(channel: ReceiverChannel, kind: number, message: RawBuffer, at: number, length: number): void {
    const { ring, queue } = channel;
    const cost = frameCost(length);
    if (queue.bytes === 0 && ring.room() > 0) {
      message.copy(ring.next(), 0, at, at + length);
      if (ring.publish(kind, length)) channel.wake();
      this.owe(channel, cost);
      return;
    }
    if (queue.bytes === 0) this.waiting.push(channel);
    else if (queue.bytes + cost > this.queueBytesMax) throw wrong(`${cost} bytes without credit for channel ${channel.number}`);
    this.environment.counters.framesQueued++;
    this.environment.depth.frames = Number.POSITIVE_INFINITY;
    queue.push(kind, message, at, length);
  }

  private owe(channel: ReceiverChannel, cost: number): void {
    channel.owed += cost;
    if (channel.owed < this.owedBytesMin) return;
    this.credit.add(channel.number, channel.owed);
    channel.owed = 0;
  }

  private sendCredit(): void {
    if (!this.credit.isEmpty) this.connection?.send(this.credit.take());
  }

  /** Moves what waits into rings that have room again. True if anything was moved. */
  pump(): boolean {
    if (this.waiting.length === 0) return false;
    let moved = false;
    for (const channel of this.waiting) {
      const { ring, queue } = channel;
      while (queue.bytes > 0 && ring.room() > 0) {
        const before = queue.bytes;
        if (queue.moveTo(ring)) channel.wake();
        this.owe(channel, before - queue.bytes);
        moved = true;
      }
    }
    if (moved) {
      this.environment.depth.frames = Number.POSITIVE_INFINITY;
      this.waiting = this.waiting.filter(({ queue }) => queue.bytes > 0);
      this.sendCredit();
    }
    return moved;
  }

  protected releaseMemory(): void {
    this.patience?.cancel();
    this.channels = [];
    this.waiting = [];
  }
}

function wrong(what: string): MillstreamError {
  return new MillstreamError('CORRUPT_DATA', `Cannot take ${what}.`);
}
