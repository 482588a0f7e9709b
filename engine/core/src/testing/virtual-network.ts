/**
 * A network of named hosts on virtual time, for a whole cluster in one process: latency, bandwidth, partitions, broken connections,
 * refusals and dying hosts, all from one clock and one source of randomness.
 *
 *     const network = new VirtualNetwork({ clock, random: seededRandom(7) });
 *     const jobManager = new JobManager({ network: network.host('jobmanager'), … });
 *     network.partition('jobmanager', 'taskmanager-1');
 *     await runVirtualTime(clock, 10_000);
 *     network.heal('jobmanager', 'taskmanager-1');
 *
 * Invariants: 1. the same seed and the same calls give the same events in the same order; 2. the messages of a connection arrive in
 * order, each once, until it ends; 3. a host that is dead hears nothing, and what its code still calls has no effect.
 */
import type { Clock } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import type { Random } from '../common/random.js';
import type { Connection, ConnectionListener, Network, NetworkAddress, NetworkListener } from '../common/transport.js';
import type { VirtualClock } from './virtual-clock.js';
import { VirtualConnection } from './virtual-connection.js';

/** How a {@link VirtualNetwork} behaves. */
export interface VirtualNetworkOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Time from one host to another, drawn evenly for each message. Default: 0.1 to 1 ms. */
  readonly latencyMs?: readonly [least: number, most: number];
  /** Of each direction of each connection. Default: 125,000 (1 Gbit/s). */
  readonly bytesPerMs?: number;
  /** From how many pending bytes on `send` returns false. Default: 1 MiB. */
  readonly pendingBytesMax?: number;
  /** Default: 64 MiB. */
  readonly messageBytesMax?: number;
  /** Default: 10 s. */
  readonly connectTimeoutMs?: number;
  /** How long `close` waits for the other end. Default: 10 s. */
  readonly closeTimeoutMs?: number;
}

type Accept = (connection: Connection) => ConnectionListener;

/** One life of a host: from its start to its death. */
interface Life {
  readonly name: string;
  readonly listeners: Map<number, Accept>;
  alive: boolean;
  /** Dead without a word: nobody answers in its place. */
  silent: boolean;
}

const FIRST_FREE_PORT = 40_000;
/** A host that hears nothing asks again, as TCP does. */
const CONNECT_RETRY_MS = 1_000;

/** A network that exists only in the process of a test. */
export class VirtualNetwork {
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly options: Required<Omit<VirtualNetworkOptions, 'clock' | 'random'>>;
  private readonly lives = new Map<string, Life>();
  private readonly connections = new Set<VirtualConnection>();
  /** Both ends of those whose `connect` has not resolved. */
  private readonly opening = new Set<VirtualConnection>();
  private readonly refusing = new Set<string>();
  private readonly blocked = new Set<string>();
  private readonly slow = new Map<string, readonly [number, number]>();
  /** Ends whose other end died without a word, by the dead host. */
  private readonly orphaned = new Map<string, VirtualConnection[]>();
  private nextPort = FIRST_FREE_PORT;

  constructor(options: VirtualNetworkOptions) {
    this.clock = options.clock;
    this.random = options.random;
    this.options = {
      latencyMs: options.latencyMs ?? [0.1, 1],
      bytesPerMs: options.bytesPerMs ?? 125_000,
      pendingBytesMax: options.pendingBytesMax ?? 1 << 20,
      messageBytesMax: options.messageBytesMax ?? 64 << 20,
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
      closeTimeoutMs: options.closeTimeoutMs ?? 10_000,
    };
  }

  /** The network as the host sees it. After its death the host starts again with this call; handles of its earlier life stay dead. */
  host(name: string): Network {
    let life = this.lives.get(name);
    if (life === undefined || !life.alive) {
      life = { name, listeners: new Map(), alive: true, silent: false };
      this.lives.set(name, life);
      for (const end of this.orphaned.get(name) ?? []) end.refuseAfterRestart();
      this.orphaned.delete(name);
      this.unblockAll();
    }
    const own = life;
    return {
      connect: (address, listener) => this.connect(own, address, listener),
      listen: (address, accept) => this.listen(own, address, accept),
    };
  }

  /** Nothing arrives any more from `from` at `to`, or (both ways) between them, until `heal`. What was sent arrives after that. */
  partition(from: string, to: string, direction: 'both' | 'one-way' = 'both'): void {
    this.blocked.add(pairOf(from, to));
    if (direction === 'both') this.blocked.add(pairOf(to, from));
  }

  /** Ends partitions between two hosts, in both directions; without hosts, all of them. */
  heal(one?: string, other?: string): void {
    if (one === undefined || other === undefined) this.blocked.clear();
    else for (const pair of [pairOf(one, other), pairOf(other, one)]) this.blocked.delete(pair);
    this.unblockAll();
  }

  /** Another latency from `from` to `to`; undefined: as everywhere. */
  setLatency(from: string, to: string, latencyMs: readonly [least: number, most: number] | undefined): void {
    if (latencyMs === undefined) this.slow.delete(pairOf(from, to));
    else this.slow.set(pairOf(from, to), latencyMs);
  }

  /** Whether connections to the host are refused. */
  refuseConnections(host: string, refused: boolean): void {
    if (refused) this.refusing.add(host);
    else this.refusing.delete(host);
  }

  /** Breaks the connections of a host, or those between two; not those that are being made. Both ends hear it at once. Returns how many there were. */
  breakConnections(host: string, other?: string): number {
    const ends = [...this.connections].filter(
      ({ localHost, remoteHost }) =>
        (localHost === host && (other === undefined || remoteHost === other)) ||
        (remoteHost === host && (other === undefined || localHost === other)),
    );
    const open = ends.filter((end) => !this.opening.has(end));
    for (const end of open) end.break('it broke on its way');
    return Math.ceil(open.length / 2);
  }

  /** The host's process ends. Others hear their connections break; from a silent death (the machine is gone) they hear nothing. */
  kill(host: string, silent = false): void {
    const life = this.lives.get(host);
    if (life === undefined || !life.alive) return;
    life.alive = false;
    life.silent = silent;
    life.listeners.clear();
    const ends = [...this.connections].filter(({ localHost }) => localHost === host);
    for (const end of ends) end.die(!silent);
    if (silent) this.orphaned.set(host, ends);
  }

  /** Ends of connections that are open. */
  get openEnds(): number {
    return this.connections.size;
  }

  private listen(life: Life, address: NetworkAddress, accept: Accept): Promise<NetworkListener> {
    if (!life.alive) return neverSettled();
    if (address.host !== life.name && !EVERY_ADDRESS.has(address.host)) {
      const message = `Cannot listen on '${address.host}:${address.port}': this host is '${life.name}'. Listen on its own name.`;
      return Promise.reject(new MillstreamError('ADDRESS_UNAVAILABLE', message));
    }
    const port = address.port === 0 ? this.nextPort++ : address.port;
    if (life.listeners.has(port)) {
      const message = `Cannot listen on '${life.name}:${port}': another listener has the port. Choose another port, or 0 for a free one.`;
      return Promise.reject(new MillstreamError('ADDRESS_IN_USE', message));
    }
    life.listeners.set(port, accept);
    return Promise.resolve({
      address: { host: life.name, port },
      close: () => {
        if (life.listeners.get(port) === accept) life.listeners.delete(port);
        return Promise.resolve();
      },
    });
  }

  private connect(life: Life, address: NetworkAddress, listener: ConnectionListener): Promise<Connection> {
    if (!life.alive) return neverSettled();
    const deadline = this.clock.monotonic() + this.options.connectTimeoutMs;
    return new Promise((resolve, reject) => {
      const settle = (action: () => void): void => {
        this.clock.schedule(this.latencyMs(address.host, life.name), () => {
          if (life.alive) action();
        });
      };
      const ask = (): void => {
        if (!life.alive) return;
        if (this.isUnreachable(life.name, address.host)) {
          if (this.clock.monotonic() >= deadline) reject(connectError(address, `no answer in ${this.options.connectTimeoutMs} ms`));
          else this.clock.schedule(Math.min(CONNECT_RETRY_MS, Math.max(0, deadline - this.clock.monotonic())), ask);
          return;
        }
        const target = this.lives.get(address.host);
        const accept = this.refusing.has(address.host) ? undefined : target?.listeners.get(address.port);
        if (target === undefined) settle(() => reject(connectError(address, 'there is no such host')));
        else if (accept === undefined) settle(() => reject(connectError(address, 'nothing listens there')));
        else this.establish(life, address, listener, accept, resolve);
      };
      this.clock.schedule(this.latencyMs(life.name, address.host), ask);
    });
  }

  private establish(
    life: Life,
    address: NetworkAddress,
    listener: ConnectionListener,
    accept: Accept,
    resolve: (connection: Connection) => void,
  ): void {
    const now = this.clock.monotonic();
    const openAt = now + this.latencyMs(address.host, life.name);
    const ends = {
      ...this.options,
      clock: this.clock,
      latencyMs: (from: string, to: string) => this.latencyMs(from, to),
      isBlocked: (from: string, to: string) => this.isBlocked(from, to),
      onClosed: (connection: VirtualConnection) => void this.connections.delete(connection),
    };
    const near = new VirtualConnection(ends, life.name, address.host, address.port, now);
    const far = new VirtualConnection(ends, address.host, life.name, this.nextPort++, openAt);
    near.join(far);
    near.listen(listener);
    this.connections.add(near).add(far);
    this.opening.add(near).add(far);
    // Before anything that the far end sends now.
    this.clock.schedule(openAt - now, () => {
      this.opening.delete(near);
      this.opening.delete(far);
      if (life.alive) resolve(near);
    });
    far.listen(accept(far));
  }

  /** A handshake needs both ways. */
  private isUnreachable(from: string, to: string): boolean {
    return this.isBlocked(from, to) || this.isBlocked(to, from);
  }

  /** Also where one of the two died without a word. */
  private isBlocked(from: string, to: string): boolean {
    return this.blocked.has(pairOf(from, to)) || this.isSilent(from) || this.isSilent(to);
  }

  private isSilent(host: string): boolean {
    return this.lives.get(host)?.silent === true;
  }

  private unblockAll(): void {
    for (const connection of this.connections) connection.unblock();
  }

  private latencyMs(from: string, to: string): number {
    if (from === to) return 0;
    const [least, most] = this.slow.get(pairOf(from, to)) ?? this.options.latencyMs;
    return least + this.random.unit() * (most - least);
  }
}

const EVERY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

function pairOf(from: string, to: string): string {
  return `${from} > ${to}`;
}

/** What the code of a dead host waits for. */
function neverSettled<T>(): Promise<T> {
  return new Promise(() => undefined);
}

function connectError({ host, port }: NetworkAddress, reason: string): MillstreamError {
  return new MillstreamError('CONNECTION_FAILED', `Cannot connect to '${host}:${port}': ${reason}.`, {
    retryable: true,
    details: { host, port },
  });
}

/**
 * Runs what is scheduled up to a time, one call after the other; between two calls everything that awaits a promise goes on. Resolves
 * early once `until` holds (asked after each call).
 */
export async function runVirtualTime(clock: VirtualClock, time: number, until?: () => boolean): Promise<void> {
  await settled();
  while (until?.() !== true && clock.nextTime <= time) {
    clock.runNext();
    await settled();
  }
  if (until?.() !== true) clock.advanceTo(time);
}

/** After all promises that can be settled without time. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
