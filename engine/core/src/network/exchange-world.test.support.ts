/**
 * TaskManagers with their slots' ends of rings, in one thread and on a network in memory: each step lets one of them do one thing, in
 * an order that a seed decides. Slots and pumps sleep as real ones do: only a wake-up that the protocol owes them makes them look again.
 */
import type { MillstreamError } from '../common/errors.js';
import { type Random, seededRandom } from '../common/random.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import type { Exchange } from './exchange.js';
import type { ExchangeAttempt } from './exchange-frames.js';
import { ExchangeService } from './exchange-service.js';
import { MemoryNetwork, promisesRun } from './memory-network.test.support.js';
import { allocateRing, FRAME_CONTROL, FRAME_LAST, FRAME_MORE, type RingLayout, RingReader, RingWriter } from './ring.js';

export const ATTEMPT: ExchangeAttempt = { job: 'job', run: 'run', attempt: 1, region: 0, term: 1 };

interface Frame {
  readonly kind: number;
  readonly length: number;
  readonly fill: number;
}

/** A channel with the slots' ends of its two rings. Every so many frames there is a barrier: a control frame. */
export class WorldChannel {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly sentRing: SharedArrayBuffer;
  readonly receivedRing: SharedArrayBuffer;
  readonly frames: readonly Frame[];
  sent = 0;
  received = 0;
  producerAsleep = false;
  consumerAsleep = false;
  /** Waits for the barriers of the consumer's other channels. */
  aligning = false;
  /** Its consumer never reads. */
  stuck = false;
  private readonly writer: RingWriter;
  private readonly reader: RingReader;

  constructor(name: string, from: number, to: number, layout: RingLayout, frames: readonly Frame[]) {
    this.name = name;
    this.from = from;
    this.to = to;
    this.frames = frames;
    this.sentRing = allocateRing(layout);
    this.receivedRing = allocateRing(layout);
    this.writer = new RingWriter(this.sentRing, layout);
    this.reader = new RingReader(this.receivedRing, layout);
  }

  /** True if the pump must be woken. */
  produce(): boolean {
    const frame = this.frames[this.sent] as Frame;
    if (this.writer.room() === 0) {
      this.producerAsleep = true;
      return false;
    }
    this.sent++;
    this.writer.next().fill(frame.fill, 0, frame.length);
    return this.writer.publish(frame.kind, frame.length);
  }

  /** True if the pump must be woken. Throws if the frame is not the next one. */
  consume(): boolean {
    const payload = this.reader.peek();
    if (payload === undefined) {
      this.consumerAsleep = true;
      return false;
    }
    const frame = this.frames[this.received] as Frame;
    const { kind, length } = this.reader;
    const found = payload.subarray(0, length).find((byte) => byte !== frame.fill) ?? frame.fill;
    if (kind !== frame.kind || length !== frame.length || found !== frame.fill) {
      throw new Error(
        `Frame ${this.received} of ${this.name} is ${JSON.stringify(frame)}; kind ${kind}, length ${length}, byte ${found} came`,
      );
    }
    this.received++;
    if (kind === FRAME_CONTROL) this.aligning = true;
    return this.reader.release();
  }

  get isDone(): boolean {
    return this.received === this.frames.length;
  }
}

export interface WorldOptions {
  readonly seed: number;
  readonly taskManagers: number;
  /** Of every ordered pair of TaskManagers. */
  readonly channelsPerPair: number;
  readonly frames: number;
  readonly layout: RingLayout;
  readonly creditBytes: number;
  readonly pendingBytesMax: number;
  /** A barrier after so many frames. */
  readonly barrierEvery: number;
}

export class World {
  readonly network: MemoryNetwork;
  readonly clock: VirtualClock = new VirtualClock();
  readonly random: Random;
  readonly channels: readonly WorldChannel[];
  readonly services: readonly ExchangeService[];
  readonly exchanges: (Exchange | undefined)[];
  readonly failures: MillstreamError[][];
  steps = 0;
  private readonly options: WorldOptions;
  /** Which pumps have something to look at. */
  private readonly awake: boolean[];

  constructor(options: WorldOptions) {
    this.options = options;
    this.random = seededRandom(options.seed);
    this.network = new MemoryNetwork(options.pendingBytesMax);
    const managers = Array.from({ length: options.taskManagers }, (_, index) => index);
    this.awake = managers.map(() => true);
    this.failures = managers.map(() => []);
    this.exchanges = managers.map(() => undefined);
    this.services = managers.map(
      (index) =>
        new ExchangeService({
          taskManager: `tm-${index}`,
          network: this.network,
          clock: this.clock,
          creditBytes: options.creditBytes,
          pendingBytesMax: options.pendingBytesMax,
          requestPump: () => {
            this.awake[index] = true;
          },
        }),
    );
    this.channels = managers.flatMap((from) => managers.filter((to) => to !== from).flatMap((to) => this.channelsBetween(from, to)));
  }

  private channelsBetween(from: number, to: number): WorldChannel[] {
    const { layout, barrierEvery } = this.options;
    return Array.from({ length: this.options.channelsPerPair }, (_, number) => {
      const frames = Array.from({ length: this.options.frames }, (_, index): Frame => {
        const fill = index % 251;
        if (index % barrierEvery === barrierEvery - 1) return { kind: FRAME_CONTROL, length: 24, fill };
        const kind = this.random.below(4) === 0 ? FRAME_MORE : FRAME_LAST;
        return { kind, length: this.random.below(layout.slotBytes + 1), fill };
      });
      return new WorldChannel(`${from}>${to}:${number}`, from, to, layout, frames);
    });
  }

  async start(): Promise<void> {
    for (const [index, service] of this.services.entries()) await service.listen({ host: `tm-${index}`, port: 1 });
  }

  /** Opens the attempt on one TaskManager. */
  async open(index: number, attempt: ExchangeAttempt = ATTEMPT): Promise<void> {
    const service = this.services[index] as ExchangeService;
    this.exchanges[index] = service.open({
      attempt,
      token: 'token',
      layout: this.options.layout,
      outgoing: this.channels
        .filter(({ from }) => from === index)
        .map((channel) => ({
          name: channel.name,
          ring: channel.sentRing,
          taskManager: `tm-${channel.to}`,
          wake: () => {
            channel.producerAsleep = false;
          },
        })),
      incoming: this.channels
        .filter(({ to }) => to === index)
        .map((channel) => ({
          name: channel.name,
          ring: channel.receivedRing,
          taskManager: `tm-${channel.from}`,
          address: { host: `tm-${channel.from}`, port: 1 },
          wake: () => {
            channel.consumerAsleep = false;
          },
        })),
      onFailure: (error) => this.failures[index]?.push(error),
    });
    await promisesRun();
  }

  /** All that somebody could do now. */
  private possible(): (() => void | Promise<void>)[] {
    const result: (() => void | Promise<void>)[] = this.network.movable().map((connection) => () => connection.move());
    for (const [index, exchange] of this.exchanges.entries()) {
      if (exchange === undefined) result.push(() => this.open(index));
      if (this.awake[index]) result.push(() => this.pump(index));
    }
    for (const channel of this.channels) {
      if (channel.sent < channel.frames.length && !channel.producerAsleep) {
        result.push(() => {
          if (channel.produce()) this.awake[channel.from] = true;
        });
      }
      if (!channel.consumerAsleep && !channel.aligning && !channel.stuck && !channel.isDone) result.push(() => this.consume(channel));
    }
    return result;
  }

  private pump(index: number): void {
    this.awake[index] = false;
    if (this.services[index]?.pump()) this.awake[index] = true;
  }

  private consume(channel: WorldChannel): void {
    if (channel.consume()) this.awake[channel.to] = true;
    const siblings = this.channels.filter(({ to, stuck }) => to === channel.to && !stuck);
    if (!siblings.every(({ aligning }) => aligning)) return;
    for (const sibling of siblings) sibling.aligning = false;
  }

  /** One step of anybody; false if nobody can do anything. */
  async step(): Promise<boolean> {
    const possible = this.possible();
    if (possible.length === 0) return false;
    this.steps++;
    await possible[this.random.below(possible.length)]?.();
    return true;
  }

  /** Steps until nobody can do anything, or `until` says so. */
  async run(until: () => boolean = () => false): Promise<void> {
    while (!until() && (await this.step()));
  }
}
