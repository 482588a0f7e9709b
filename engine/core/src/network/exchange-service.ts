/**
 * The network exchange of a TaskManager, in its main thread: listens for consumers, connects to producers, relays between their
 * connections and the rings of local slots.
 *
 *     slot ─▶ ring ─▶ ExchangeSender ─▶ connection ┄┄▶ ExchangeReceiver ─(queue)─▶ ring ─▶ slot
 *                          ▲                                    │
 *                          └──────── credit, per channel ───────┘
 *
 * It moves in callbacks of the network, and in `pump`, which is to be called after a slot has published into an empty ring or freed a
 * full one (`ExchangeDriver` does), and again as long as it returns true. Nothing here waits or asks the time of the machine.
 */
import type { Clock } from '../common/clock.js';
import { invariant } from '../common/errors.js';
import type { Network, NetworkAddress, NetworkListener } from '../common/transport.js';
import { Exchange, type ExchangeDeployment } from './exchange.js';
import { ExchangeAcceptor } from './exchange-acceptor.js';
import { type ExchangeCounters, type ExchangeEnvironment, newCounters } from './exchange-link.js';
import { ChunkPool } from './frame-queue.js';

/** As `taskmanager.network.memory.credit-per-channel`. */
const CREDIT_BYTES = 2 * 1024 * 1024;
const PENDING_BYTES_MAX = 256 * 1024;
const ATTEMPT_TIMEOUT_MS = 10_000;

export interface ExchangeServiceOptions {
  /** This TaskManager's id, as deployments name it. */
  readonly taskManager: string;
  readonly network: Network;
  readonly clock: Clock;
  /** What may be on its way to a slot, or wait for it, per incoming channel. Default 2 MiB. */
  readonly creditBytes?: number | undefined;
  /** What may wait in a connection that has said that it has enough. Default 256 KiB. */
  readonly pendingBytesMax?: number | undefined;
  /** How long a consumer's connection waits for its attempt to be deployed here. Default 10 s. */
  readonly attemptTimeoutMs?: number | undefined;
  /** A callback of the network has left something to move: call `pump` soon. */
  readonly requestPump: () => void;
}

export class ExchangeService {
  readonly counters: Readonly<ExchangeCounters>;
  private readonly environment: ExchangeEnvironment;
  private readonly exchanges = new Map<string, Exchange>();
  private readonly acceptor: ExchangeAcceptor;
  private listener: NetworkListener | undefined;

  constructor(options: ExchangeServiceOptions) {
    this.environment = {
      taskManager: options.taskManager,
      network: options.network,
      clock: options.clock,
      pool: new ChunkPool(),
      counters: newCounters(),
      depth: { frames: 0 },
      creditBytes: options.creditBytes ?? CREDIT_BYTES,
      pendingBytesMax: options.pendingBytesMax ?? PENDING_BYTES_MAX,
      attemptTimeoutMs: options.attemptTimeoutMs ?? ATTEMPT_TIMEOUT_MS,
      requestPump: options.requestPump,
    };
    this.counters = this.environment.counters;
    this.acceptor = new ExchangeAcceptor(this.environment, this.exchanges);
  }

  /** Begins to accept consumers. Returns the real address. Rejects as `Network.listen`. */
  async listen(address: NetworkAddress): Promise<NetworkAddress> {
    this.listener = await this.environment.network.listen(address, (connection) => this.acceptor.accept(connection));
    return this.listener.address;
  }

  /** Opens the exchange of an attempt; once per attempt. It relays as soon as its peers are there. */
  open(deployment: ExchangeDeployment): Exchange {
    const exchange = new Exchange(this.environment, deployment, (ended) => {
      this.exchanges.delete(ended.key);
      this.acceptor.ended(ended);
    });
    invariant(!this.exchanges.has(exchange.key), `The exchange of attempt ${exchange.key} is open already`);
    this.exchanges.set(exchange.key, exchange);
    this.acceptor.opened(exchange);
    exchange.connect();
    return exchange;
  }

  /** Moves what can be moved, of all attempts. True if anything was: then there may be more. */
  pump(): boolean {
    let moved = false;
    for (const exchange of this.exchanges.values()) moved = exchange.pump() || moved;
    return moved;
  }

  /** The most frames that one local ring had at once since this was last asked, Infinity if more is left: whether pumps come too seldom. */
  takeDepth(): number {
    const { depth } = this.environment;
    const { frames } = depth;
    depth.frames = 0;
    return frames;
  }

  /** Closes all exchanges and accepts no more. */
  async close(): Promise<void> {
    for (const exchange of [...this.exchanges.values()]) exchange.close();
    this.acceptor.close();
    await this.listener?.close();
  }
}
