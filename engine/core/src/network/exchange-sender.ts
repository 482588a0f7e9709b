/**
 * The producer's end of a connection: takes frames out of the rings of local slots as long as the consumer has given credit for them.
 *
 *     ring ─peek─▶ credit? ─▶ large: the slot itself is the message      ─▶ connection
 *                          └▶ small: gathered in one message with others ─┘
 *
 * Invariants: 1. a channel's frames go in order, each once; 2. what a channel has outstanding (sent, and not yet in the consumer's
 * ring) is at most the credit, except for one frame that went when nothing was outstanding, and for CONTROL_RESERVE_BYTES of control
 * frames; 3. a channel without credit costs the others nothing: they are served in turn, by about as many bytes each; 4. a turn is
 * bounded, so that the event loop gets its say.
 */
import { MillstreamError } from '../common/errors.js';
import { allocateRawBuffer, type RawBuffer, rawBufferOver } from '../common/raw-buffer.js';
import type { Connection, ConnectionListener } from '../common/transport.js';
import { CREDIT, encodeAccepted, encodeAnnouncement, frameCost, GOODBYE, type Hello, readCredit } from './exchange-frames.js';
import { ExchangeLink, type LinkOptions } from './exchange-link.js';
import { FRAME_CONTROL, type RingLayout, RingReader, SLOT_HEADER_BYTES } from './ring.js';

/** A message of small frames. */
const MESSAGE_BYTES = 64 * 1024;
/** From here on a frame is a message of its own, and is not copied. */
const LARGE_FRAME_BYTES = 16 * 1024;
/** Of one channel before it is the next one's turn. */
const TURN_BYTES = 16 * 1024;
/** Of all channels before the event loop gets its say. */
const PUMP_BYTES = 512 * 1024;
/** Control frames go without credit, but not without end. */
export const CONTROL_RESERVE_BYTES = 4096;

/** A channel to a subtask of another TaskManager. */
export interface OutgoingChannel {
  readonly name: string;
  /** The ring that the local slot's RingSender writes. */
  readonly ring: SharedArrayBuffer;
  /** The consumer's TaskManager. */
  readonly taskManager: string;
  /** Wakes the local slot: its ring was full, and has room again. */
  readonly wake: () => void;
}

class SenderChannel {
  readonly name: string;
  readonly ring: RingReader;
  readonly wake: () => void;
  number = -1;
  outstanding = 0;
  /** Frames of this pump. */
  taken = 0;

  constructor({ name, ring, wake }: OutgoingChannel, layout: RingLayout) {
    this.name = name;
    this.ring = new RingReader(ring, layout);
    this.wake = wake;
  }
}

export interface ExchangeSenderOptions extends LinkOptions {
  readonly layout: RingLayout;
  readonly channels: readonly OutgoingChannel[];
}

export class ExchangeSender extends ExchangeLink implements ConnectionListener {
  private channels: SenderChannel[];
  private creditBytes = 0;
  /** Whose turn it is. */
  private turn = 0;
  /** The connection has said that it has enough. */
  private congested = false;
  /** The last turn ended because it was long enough. */
  private exhausted = false;
  private pumping = false;
  private readonly message: RawBuffer = allocateRawBuffer(MESSAGE_BYTES);
  private filled = 0;

  constructor(options: ExchangeSenderOptions) {
    super(options);
    this.channels = options.channels.map((channel) => new SenderChannel(channel, options.layout));
  }

  /** Why a consumer that asks for these channels cannot be accepted; undefined if it can. */
  objection(names: readonly string[]): string | undefined {
    if (this.state !== 'waiting') return 'there is such a connection already';
    const expected = new Set(this.channels.map(({ name }) => name));
    const stranger = names.find((name) => !expected.delete(name));
    if (stranger !== undefined) return `channel '${stranger}' is not expected here`;
    const [missing] = expected;
    return missing === undefined ? undefined : `channel '${missing}' is missing`;
  }

  /** Only without objection. */
  accept(connection: Connection, { channels, creditBytes }: Hello): void {
    const places = new Map(channels.map((name, number) => [name, number]));
    for (const channel of this.channels) channel.number = places.get(channel.name) as number;
    this.channels.sort((a, b) => a.number - b.number);
    this.creditBytes = creditBytes;
    this.connection = connection;
    this.state = 'open';
    connection.send(encodeAccepted());
    this.pumpFromCallback();
  }

  protected handle(message: Uint8Array): void {
    switch (message[0]) {
      case CREDIT:
        readCredit(rawBufferOver(message), (channel, bytes) => this.credit(channel, bytes));
        this.pumpFromCallback();
        return;
      case GOODBYE:
        this.hearGoodbye(message);
        return;
      default:
        throw wrong(`a message of type ${message[0]}`);
    }
  }

  onDrain(): void {
    this.congested = false;
    this.pumpFromCallback();
  }

  private credit(number: number, bytes: number): void {
    const channel = this.channels[number];
    if (this.state !== 'open' || channel === undefined || bytes <= 0 || bytes > channel.outstanding) {
      throw wrong(`credit of ${bytes} bytes for channel ${number}`);
    }
    channel.outstanding -= bytes;
  }

  private pumpFromCallback(): void {
    this.pump();
    if (this.exhausted) this.environment.requestPump();
  }

  /** Sends what may be sent. True if anything was. */
  pump(): boolean {
    // A connection that calls back from within `send` must not make it begin anew: the frame being sent is still in its ring.
    if (this.pumping) return false;
    this.pumping = true;
    try {
      return this.serveInTurn() > 0;
    } finally {
      this.pumping = false;
    }
  }

  /** Returns what was moved, as it is counted for the credit. */
  private serveInTurn(): number {
    const { channels } = this;
    const { depth } = this.environment;
    for (const channel of channels) channel.taken = 0;
    let moved = 0;
    for (let unable = 0; this.state === 'open' && unable < channels.length && moved < PUMP_BYTES && this.hasRoom(); ) {
      const channel = channels[this.turn] as SenderChannel;
      this.turn = (this.turn + 1) % channels.length;
      const bytes = this.serve(channel);
      moved += bytes;
      unable = bytes === 0 ? unable + 1 : 0;
    }
    for (const { taken } of channels) if (taken > depth.frames) depth.frames = taken;
    this.flush();
    this.exhausted = moved >= PUMP_BYTES;
    if (this.exhausted) depth.frames = Number.POSITIVE_INFINITY;
    return moved;
  }

  private hasRoom(): boolean {
    return !this.congested || (this.connection?.pendingBytes ?? 0) < this.environment.pendingBytesMax;
  }

  /** A channel's turn. Returns what its frames took of the credit. */
  private serve(channel: SenderChannel): number {
    const { ring } = channel;
    let served = 0;
    while (served < TURN_BYTES && this.state === 'open') {
      const payload = ring.peek();
      const news = ring.news();
      // Ahead of all, without credit: there is one for each checkpoint.
      if (news !== undefined) this.send(encodeAnnouncement(channel.number, news));
      if (payload === undefined) break;
      const cost = frameCost(ring.length);
      if (!this.mayGo(channel, cost, ring.kind)) break;
      channel.outstanding += cost;
      channel.taken++;
      served += cost;
      this.put(channel, payload);
      if (ring.release()) channel.wake();
    }
    return served;
  }

  private mayGo(channel: SenderChannel, cost: number, kind: number): boolean {
    const limit = kind === FRAME_CONTROL ? this.creditBytes + CONTROL_RESERVE_BYTES : this.creditBytes;
    return channel.outstanding === 0 || channel.outstanding + cost <= limit;
  }

  private put({ ring, number }: SenderChannel, payload: RawBuffer): void {
    const { counters } = this.environment;
    const size = SLOT_HEADER_BYTES + ring.length;
    const tag = ring.kind | (number << 8);
    counters.framesOut++;
    counters.bytesOut += size;
    if (this.filled + size > MESSAGE_BYTES || size >= LARGE_FRAME_BYTES) this.flush();
    if (size >= LARGE_FRAME_BYTES) {
      this.send(ring.framed(tag));
      return;
    }
    this.message.writeInt32LE(tag, this.filled);
    this.message.writeInt32LE(ring.length, this.filled + 4);
    payload.copy(this.message, this.filled + SLOT_HEADER_BYTES, 0, ring.length);
    this.filled += size;
  }

  private flush(): void {
    const { filled } = this;
    if (filled === 0) return;
    this.filled = 0;
    this.send(this.message.subarray(0, filled));
  }

  private send(message: Uint8Array): void {
    this.environment.counters.messagesOut++;
    if (this.connection?.send(message) === false) this.congested = true;
  }

  protected releaseMemory(): void {
    this.channels = [];
    this.filled = 0;
  }
}

function wrong(what: string): MillstreamError {
  return new MillstreamError('CORRUPT_DATA', `Cannot go on after ${what}.`);
}
