/**
 * A TaskManager: offers the slots of its machine to the leading JobManager, runs the share of attempts that it is given, and relays
 * between their slots and the JobManager. Logic only: network, clock and slots come from outside.
 *
 *     searching ─▶ connecting ─▶ registered ─▶ … connection lost or silent ─▶ all attempts end ─▶ searching
 *
 * Invariants: 1. an attempt is run for the leader whose connection brought it, and ends with that connection; 2. messages of attempts
 * that are not open are dropped and counted; 3. `stop` closes user functions before it leaves.
 */
import type { Clock, ScheduledCall } from '../common/clock.js';
import { asMillstreamError, MillstreamError } from '../common/errors.js';
import type { Connection, Network, NetworkAddress } from '../common/transport.js';
import { attemptKey } from '../network/exchange-frames.js';
import { serializeError } from '../runtime/serialize-error.js';
import { AttemptShare, type AttemptShareOptions } from './attempt-share.js';
import {
  type AttemptKey,
  decodeControl,
  encodeControl,
  type FromTaskManager,
  type TaskManagerDescription,
  type ToTaskManager,
} from './control-messages.js';
import { Heartbeat } from './heartbeat.js';
import { HostedSlotsLog } from './hosted-slots.js';
import type { ProcessFigures } from './process-figures.js';
import type { ProgramStore } from './program-modules.js';

/** Until the JobManager has said how often it wants to hear. */
const REGISTRATION_TIMEOUT_MS = 10_000;
const RECONNECT_MIN_MS = 100;
/** A new leader waits for its TaskManagers, and its jobs with it. */
const RECONNECT_MAX_MS = 1_000;

/** Hears what happens to a TaskManager; for its log. */
export interface TaskManagerObserver {
  registered(jobManager: NetworkAddress, term: number): void;
  /** It searches for the leader again. */
  disconnected(error: MillstreamError): void;
  attemptOpened(key: AttemptKey, slots: number): void;
  attemptEnded(key: AttemptKey, reason: string): void;
  /** A message that no attempt here wants. */
  stale(type: string, key: AttemptKey): void;
}

/** Where a TaskManager keeps copies of state files. */
export interface LocalStateDirectories {
  pathOf(run: string): string;
  /** The run is over. Never throws. */
  remove(run: string): void;
}

/** What a {@link TaskManager} needs. */
export interface TaskManagerOptions {
  readonly description: TaskManagerDescription;
  readonly network: Network;
  readonly clock: Clock;
  readonly modules: ProgramStore;
  /** Where the leader is now; asked before every attempt to connect. */
  readonly findLeader: () => Promise<NetworkAddress>;
  readonly startSlot: AttemptShareOptions['startSlot'];
  readonly exchange: AttemptShareOptions['exchange'];
  /** Heap of slots that do not say it themselves. Default: Node's limit. */
  readonly slotHeapBytes?: number | undefined;
  /** Copies of state files on this machine. Default: none are made. */
  readonly localState?: LocalStateDirectories | undefined;
  readonly observer: TaskManagerObserver;
  /** Measures its process. Default: nothing is known of it. */
  readonly measure?: () => Promise<ProcessFigures>;
}

/** A TaskManager; see the head of this file. */
export class TaskManager {
  /** Messages that were dropped because their attempt is not open here. */
  staleMessages = 0;
  private readonly options: TaskManagerOptions;
  private readonly shares = new Map<string, AttemptShare>();
  private readonly ending = new Set<Promise<void>>();
  private readonly hosted = new HostedSlotsLog();
  private connection: Connection | undefined;
  private heartbeat: Heartbeat | undefined;
  private retry: ScheduledCall | undefined;
  private retryMs = RECONNECT_MIN_MS;
  private stopped = false;

  constructor(options: TaskManagerOptions) {
    this.options = options;
  }

  start(): void {
    void this.connect();
  }

  /** Closes what runs here, and leaves. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.retry?.cancel();
    this.heartbeat?.stop();
    // First: a job that restarts now must not get slots here again.
    this.send({ type: 'leave' });
    await this.endShares('the TaskManager stops', true);
    this.connection?.close();
  }

  // ---- the connection

  private async connect(): Promise<void> {
    const { network, findLeader, description } = this.options;
    try {
      const leader = await findLeader();
      const connection = await network.connect(leader, {
        onMessage: (bytes) => this.receive(connection, leader, bytes),
        onDrain: () => undefined,
        onClose: (error) => this.disconnected(connection, error ?? lostError(leader, 'it closed the connection')),
      });
      if (this.stopped) {
        connection.destroy();
        return;
      }
      this.connection = connection;
      this.watch(connection, leader, REGISTRATION_TIMEOUT_MS, REGISTRATION_TIMEOUT_MS);
      this.send({ type: 'register', taskManager: description, hosted: this.hosted.all() });
    } catch (error) {
      this.options.observer.disconnected(asMillstreamError(error));
      this.connectLater();
    }
  }

  private connectLater(): void {
    if (this.stopped) return;
    this.retry = this.options.clock.schedule(this.retryMs, () => void this.connect());
    this.retryMs = Math.min(RECONNECT_MAX_MS, this.retryMs * 2);
  }

  private watch(connection: Connection, leader: NetworkAddress, intervalMs: number, timeoutMs: number): void {
    this.heartbeat?.stop();
    this.heartbeat = new Heartbeat({
      clock: this.options.clock,
      intervalMs,
      timeoutMs,
      beat: () => this.beat(),
      onSilence: () => {
        connection.destroy();
        this.disconnected(connection, lostError(leader, `nothing was heard of it for ${timeoutMs / 1000} s`));
      },
    });
  }

  private beat(): void {
    this.send({ type: 'heartbeat', figures: this.figures });
    // For the next one: a heartbeat waits for nothing.
    this.options.measure?.().then(
      (figures) => {
        this.figures = figures;
      },
      () => undefined,
    );
  }

  private figures: ProcessFigures | undefined;

  private disconnected(connection: Connection, error: MillstreamError): void {
    if (this.connection !== connection) return;
    this.connection = undefined;
    this.heartbeat?.stop();
    if (this.stopped) return;
    this.options.observer.disconnected(error);
    void this.endShares('its JobManager is gone', false);
    this.connectLater();
  }

  private send(message: FromTaskManager): void {
    this.connection?.send(encodeControl(message));
  }

  private receive(connection: Connection, leader: NetworkAddress, bytes: Uint8Array): void {
    if (this.connection !== connection) return;
    try {
      this.heartbeat?.heard();
      this.handle(decodeControl<ToTaskManager>(bytes), connection, leader);
    } catch (error) {
      connection.destroy();
      this.disconnected(connection, asMillstreamError(error));
    }
  }

  private handle(message: ToTaskManager, connection: Connection, leader: NetworkAddress): void {
    switch (message.type) {
      case 'registered':
        this.retryMs = RECONNECT_MIN_MS;
        this.watch(connection, leader, message.heartbeatIntervalMs, message.heartbeatTimeoutMs);
        this.options.observer.registered(leader, message.term);
        break;
      case 'heartbeat':
        break;
      case 'artifact':
        this.options.modules.add(message.module);
        break;
      case 'open':
        this.open(message.deployment);
        break;
      case 'slot':
        this.share(message)?.send(message.slot, message.message);
        break;
      case 'broadcast':
        this.share(message)?.broadcast(message.message);
        break;
      case 'killSlot':
        this.share(message)?.killSlot(message.slot);
        break;
      case 'close':
        void this.close(message.key);
        break;
      case 'forget':
        void this.forget(message.run);
        break;
      case 'kill':
        void this.end(message.key, 'it was ended');
        break;
    }
  }

  private share(message: { readonly type: string; readonly key: AttemptKey }): AttemptShare | undefined {
    const share = this.shares.get(attemptKey(message.key));
    if (share === undefined) {
      this.staleMessages++;
      this.options.observer.stale(message.type, message.key);
    }
    return share;
  }

  // ---- attempts

  private open(deployment: AttemptShareOptions['deployment']): void {
    const { key } = deployment;
    const { options } = this;
    const lost = (error: MillstreamError): void => this.send({ type: 'lost', key, error: serializeError(error) });
    try {
      const share = new AttemptShare({
        deployment,
        url: this.moduleUrl(deployment.artifact.hash),
        clock: options.clock,
        startSlot: options.startSlot,
        exchange: options.exchange,
        slotHeapBytes: options.slotHeapBytes,
        localStateDirectory: options.localState?.pathOf,
        listener: {
          message: (slot, message) => {
            try {
              this.send({ type: 'report', key, slot, message });
            } catch (error) {
              lost(asMillstreamError(error));
            }
          },
          lost,
          closeFailed: (error) => this.send({ type: 'closeFailed', key, error: serializeError(error) }),
        },
      });
      this.shares.set(attemptKey(key), share);
      options.observer.attemptOpened(key, deployment.plans.length);
      if (options.localState !== undefined) this.hosted.opened(deployment);
      share.start();
    } catch (error) {
      lost(asMillstreamError(error));
    }
  }

  private moduleUrl(hash: string): string {
    const url = this.options.modules.urlOf(hash);
    if (url !== undefined) return url;
    throw new MillstreamError(
      'INTERNAL',
      `Program ${hash} did not come before its tasks. This is a defect of Millstream; please report it.`,
    );
  }

  private async close(key: AttemptKey): Promise<void> {
    await this.shares.get(attemptKey(key))?.close();
    this.send({ type: 'closed', key });
  }

  private async end(key: AttemptKey, reason: string): Promise<void> {
    const name = attemptKey(key);
    const share = this.shares.get(name);
    if (share === undefined) return;
    this.shares.delete(name);
    const ended = share.kill();
    this.ending.add(ended);
    try {
      await ended;
    } finally {
      this.ending.delete(ended);
    }
    this.options.observer.attemptEnded(key, reason);
  }

  /** Not while slots that are being ended may still write there. */
  private async forget(run: string): Promise<void> {
    await Promise.allSettled(this.ending);
    this.hosted.forget(run);
    this.options.localState?.remove(run);
  }

  private async endShares(reason: string, gracefully: boolean): Promise<void> {
    const shares = [...this.shares.values()];
    if (gracefully) await Promise.all(shares.map((share) => share.close()));
    await Promise.all(shares.map((share) => this.end(share.key, reason)));
  }
}

function lostError({ host, port }: NetworkAddress, reason: string): MillstreamError {
  return new MillstreamError('CONNECTION_LOST', `The connection to the JobManager at ${host}:${port} is lost: ${reason}.`, {
    retryable: true,
  });
}
