/** Two TaskManagers' exchanges with one channel from 'producer' to 'consumer', on a network in memory, and peers that a test speaks for. */
import type { MillstreamError } from '../common/errors.js';
import { rawBufferOver } from '../common/raw-buffer.js';
import type { Connection, Network, NetworkAddress } from '../common/transport.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import type { Exchange, ExchangeDeployment } from './exchange.js';
import { EXCHANGE_VERSION, type ExchangeAttempt, encodeAccepted, encodeHello, type Hello } from './exchange-frames.js';
import { ExchangeService } from './exchange-service.js';
import { MemoryNetwork, promisesRun } from './memory-network.test.support.js';
import { allocateRing, FRAME_LAST, type PlacedAnnouncement, type RingLayout, RingReader, RingWriter } from './ring.js';

export const LAYOUT: RingLayout = { slots: 2, slotBytes: 64 };
export const ATTEMPT: ExchangeAttempt = { job: 'job', run: 'run', attempt: 2, region: 0, term: 5 };
export const PRODUCER: NetworkAddress = { host: 'producer', port: 1 };
/** How long a connection waits for its attempt. */
export const TIMEOUT_MS = 1000;

/** What a peer has heard, and with what its connection was closed. */
export interface Peer {
  readonly connection: Connection;
  readonly heard: Uint8Array[];
  readonly closed: unknown[];
}

export class ExchangePair {
  readonly network: MemoryNetwork = new MemoryNetwork(100_000);
  readonly clock: VirtualClock = new VirtualClock();
  readonly producer: ExchangeService;
  readonly consumer: ExchangeService;
  readonly failures: { readonly producer: MillstreamError[]; readonly consumer: MillstreamError[] } = { producer: [], consumer: [] };
  readonly rings: { readonly sent: SharedArrayBuffer; readonly received: SharedArrayBuffer } = {
    sent: allocateRing(LAYOUT),
    received: allocateRing(LAYOUT),
  };
  private readonly sent: RingWriter = new RingWriter(this.rings.sent, LAYOUT);
  private readonly received: RingReader = new RingReader(this.rings.received, LAYOUT);

  constructor(options: { network?: Network; creditBytes?: number; requestPump?: () => void } = {}) {
    const common = {
      network: options.network ?? this.network,
      clock: this.clock,
      attemptTimeoutMs: TIMEOUT_MS,
      creditBytes: options.creditBytes ?? 200,
      requestPump: options.requestPump ?? (() => undefined),
    };
    this.producer = new ExchangeService({ ...common, taskManager: 'producer' });
    this.consumer = new ExchangeService({ ...common, taskManager: 'consumer' });
  }

  async start(): Promise<void> {
    await this.producer.listen(PRODUCER);
  }

  openProducer(changes: Partial<ExchangeDeployment> = {}): Exchange {
    return this.producer.open({
      attempt: ATTEMPT,
      token: 'token',
      layout: LAYOUT,
      outgoing: [{ name: 'channel', ring: this.rings.sent, taskManager: 'consumer', wake: () => undefined }],
      incoming: [],
      onFailure: (error) => this.failures.producer.push(error),
      ...changes,
    });
  }

  async openConsumer(changes: Partial<ExchangeDeployment> = {}): Promise<Exchange> {
    const exchange = this.consumer.open({
      attempt: ATTEMPT,
      token: 'token',
      layout: LAYOUT,
      outgoing: [],
      incoming: [{ name: 'channel', ring: this.rings.received, taskManager: 'producer', address: PRODUCER, wake: () => undefined }],
      onFailure: (error) => this.failures.consumer.push(error),
      ...changes,
    });
    await promisesRun();
    return exchange;
  }

  /** Opens the consumer's attempt with a producer for which the test speaks. */
  async openConsumerOfPeer(): Promise<Peer> {
    const heard: Uint8Array[] = [];
    const closed: unknown[] = [];
    const connections: Connection[] = [];
    const address = { host: 'peer', port: 1 };
    await this.network.listen(address, (connection) => {
      connections.push(connection);
      return {
        onMessage: (message) => heard.push(Uint8Array.from(message)),
        onDrain: () => undefined,
        onClose: (error) => closed.push(error),
      };
    });
    await this.openConsumer({
      incoming: [{ name: 'channel', ring: this.rings.received, taskManager: 'peer', address, wake: () => undefined }],
    });
    const connection = connections[0] as Connection;
    connection.send(encodeAccepted());
    return { connection, heard, closed };
  }

  /** A frame of the producer's slot. */
  publish(fill: number): void {
    this.sent.next().fill(fill, 0, 8);
    this.sent.publish(FRAME_LAST, 8);
  }

  /** Free slots of the producer's ring. */
  roomToSend(): number {
    return this.sent.room();
  }

  /** The producer's slot announces a barrier in front of its next frame. */
  announce(epoch: number): void {
    this.sent.announce({ epoch, completed: epoch - 1, overtakeInMs: 0 });
  }

  /** What the consumer's slot hears of barriers. */
  heardBarrier(): PlacedAnnouncement | undefined {
    return this.received.news();
  }

  /** The first bytes of the frames that the consumer's slot finds. */
  takeReceived(): number[] {
    const bytes: number[] = [];
    for (let payload = this.received.peek(); payload !== undefined; payload = this.received.peek()) {
      bytes.push(payload[0] as number);
      this.received.release();
    }
    return bytes;
  }

  /** Connects to the producer; the test says what is sent. */
  async connectAsPeer(): Promise<Peer> {
    const heard: Uint8Array[] = [];
    const closed: unknown[] = [];
    const connection = await this.network.connect(PRODUCER, {
      onMessage: (message) => heard.push(Uint8Array.from(message)),
      onDrain: () => undefined,
      onClose: (error) => closed.push(error),
    });
    return { connection, heard, closed };
  }
}

/** The right first message, but for `changes`. */
export function hello(changes: Partial<Hello> = {}): Uint8Array {
  return encodeHello({
    version: EXCHANGE_VERSION,
    attempt: ATTEMPT,
    token: 'token',
    producer: 'producer',
    consumer: 'consumer',
    channels: ['channel'],
    creditBytes: 200,
    ...changes,
  });
}

/** A frame that says that it has `length` bytes, and has `bytes`. */
export function frame(tag: number, length: number, bytes: number = length): Uint8Array {
  const message = rawBufferOver(new Uint8Array(8 + bytes));
  message.writeInt32LE(tag, 0);
  message.writeInt32LE(length, 4);
  return message;
}
