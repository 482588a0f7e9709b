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
import { MillstreamError } from '../common/errors.js';
import { type RawBuffer, rawBufferOver } from '../common/raw-buffer.js';
import type { Connection } from '../common/transport.js';
import { CreditWriter, encodeAccepted, frameCost, GOODBYE, isFrameKind } from './exchange-frames.js';
import { ExchangeLink, type LinkOptions } from './exchange-link.js';
import { CONTROL_RESERVE_BYTES } from './exchange-sender.js';
import { type ChunkPool, FrameQueue } from './frame-queue.js';
import { type RingLayout, RingWriter, SLOT_HEADER_BYTES } from './ring.js';

/** Credit goes back when it has become this part of the whole. */
const CREDIT_PART = 4;

/** A channel from a subtask of another TaskManager. */
export interface IncomingChannel {
  readonly name: string;
  /** The ring that the local slot's RingReceiver reads. */
  readonly ring: SharedArrayBuffer;
  /** The producer's TaskManager. */
  readonly taskManager: string;
  /** Wakes the local slot: its ring was empty, and has a frame. */
  readonly wake: () => void;
}

class ReceiverChannel {
  readonly name: string;
  readonly ring: RingWriter;
  readonly queue: FrameQueue;
  readonly wake: () => void;
  number = -1;
  /** Credit that can go back. */
  owed = 0;

  constructor(channel: IncomingChannel, layout: RingLayout, pool: ChunkPool) {
    this.name = channel.name;
    this.ring = new RingWriter(channel.ring, layout);
    this.queue = new FrameQueue(pool);
    this.wake = channel.wake;
  }
}

export interface ExchangeReceiverOptions extends LinkOptions {
  readonly layout: RingLayout;
  readonly channels: readonly IncomingChannel[];
}

export class ExchangeReceiver extends ExchangeLink {
  private readonly slotBytes: number;
  private readonly queueBytesMax: number;
  private readonly owedBytesMin: number;
  private readonly credit = new CreditWriter();
  private channels: ReceiverChannel[];
  /** Those with a queue. */
  private waiting: ReceiverChannel[] = [];

  constructor(options: ExchangeReceiverOptions) {
    super(options);
    const { creditBytes, pool } = this.environment;
    this.slotBytes = options.layout.slotBytes;
    this.queueBytesMax = creditBytes + CONTROL_RESERVE_BYTES;
    // Invariant 5: with less than this held back, the largest frame still finds credit.
    const spare = creditBytes - frameCost(this.slotBytes);
    this.owedBytesMin = Math.max(1, Math.min(Math.ceil(creditBytes / CREDIT_PART), spare));
    this.channels = options.channels.map((channel) => new ReceiverChannel(channel, options.layout, pool));
  }

  /** Why a producer with these channels cannot be accepted; undefined if it can. */
  objection(names: readonly string[]): string | undefined {
    if (this.state !== 'waiting') return 'there is such a connection already';
    const expected = new Set(this.channels.map(({ name }) => name));
    const stranger = names.find((name) => !expected.delete(name));
    if (stranger !== undefined) return `channel '${stranger}' is not expected here`;
    const [missing] = expected;
    return missing === undefined ? undefined : `channel '${missing}' is missing`;
  }

  /** Only without objection. */
  accept(connection: Connection, names: readonly string[]): void {
    const places = new Map(names.map((name, number) => [name, number]));
    for (const channel of this.channels) channel.number = places.get(channel.name) as number;
    this.channels.sort((a, b) => a.number - b.number);
    this.connection = connection;
    this.state = 'open';
    connection.send(encodeAccepted(this.environment.creditBytes));
  }

  protected handle(message: Uint8Array): void {
    if (message[0] === GOODBYE) {
      this.hearGoodbye(message);
      return;
    }
    this.receive(rawBufferOver(message));
    this.sendCredit();
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
      this.waiting = this.waiting.filter(({ queue }) => queue.bytes > 0);
      this.sendCredit();
    }
    return moved;
  }

  protected releaseMemory(): void {
    this.channels = [];
    this.waiting = [];
  }
}

function wrong(what: string): MillstreamError {
  return new MillstreamError('CORRUPT_DATA', `Cannot take ${what}.`);
}
