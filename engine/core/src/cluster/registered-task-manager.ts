/**
 * A JobManager's end of a TaskManager: its connection, its slots, and the attempts that it runs a share of.
 * Invariant: after `lost` no attempt hears of it any more.
 */
import type { Clock } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import type { Connection } from '../common/transport.js';
import { attemptKey } from '../network/exchange-frames.js';
import { deserializeError } from '../runtime/serialize-error.js';
import {
  type ArtifactModule,
  type AttemptKey,
  encodeControl,
  type FromTaskManager,
  type TaskManagerDescription,
  type ToTaskManager,
} from './control-messages.js';
import { Heartbeat } from './heartbeat.js';
import type { HostedSlots } from './hosted-slots.js';
import type { ProcessFigures } from './process-figures.js';
import type { SlotOffer } from './scheduling/match-slots.js';
import { type ResourceProfile, shareOf, without } from './scheduling/resource-profile.js';
import type { SlotReport } from './slot-set.js';

/** A slot that a job has. */
export interface SlotUse {
  readonly job: string;
  /** What it takes; undefined: an even share. */
  readonly profile: ResourceProfile | undefined;
}

/** What an attempt hears from one of its TaskManagers. */
export interface AttemptShareListener {
  report(slot: number, message: SlotReport): void;
  lost(error: MillstreamError): void;
  closeFailed(error: MillstreamError): void;
  closed(): void;
}

export interface RegisteredTaskManagerOptions {
  readonly description: TaskManagerDescription;
  /** What it ran for earlier leaders. Default: nothing. */
  readonly hosted?: readonly HostedSlots[];
  readonly connection: Connection;
  readonly term: number;
  readonly clock: Clock;
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  /** It is silent, and has been given up. */
  readonly onSilence: () => void;
  /** A message about an attempt that is over. */
  readonly onStale: () => void;
}

export class RegisteredTaskManager {
  readonly description: TaskManagerDescription;
  /** Each taken slot, and what it takes. */
  readonly uses: Set<SlotUse> = new Set();
  /** Ms since 1970. */
  lastHeardAt: number;
  isLost = false;
  /** What it last said of its process. */
  figures: ProcessFigures = {};
  private lostReason = '';
  private readonly options: RegisteredTaskManagerOptions;
  private readonly attempts = new Map<string, AttemptShareListener>();
  private readonly artifacts = new Set<string>();
  private readonly heartbeat: Heartbeat;

  constructor(options: RegisteredTaskManagerOptions) {
    this.options = options;
    this.description = options.description;
    this.lastHeardAt = options.clock.now();
    const { term, heartbeatIntervalMs, heartbeatTimeoutMs } = options;
    this.send({ type: 'registered', term, heartbeatIntervalMs, heartbeatTimeoutMs });
    this.heartbeat = new Heartbeat({
      clock: options.clock,
      intervalMs: heartbeatIntervalMs,
      timeoutMs: heartbeatTimeoutMs,
      beat: () => this.send({ type: 'heartbeat' }),
      onSilence: options.onSilence,
    });
  }

  /** Slots that no job has. */
  get freeSlots(): number {
    return this.description.slots - this.uses.size;
  }

  /** The job that has each taken slot. */
  get jobs(): readonly string[] {
    return [...this.uses].map(({ job }) => job);
  }

  /** What its slots share. */
  get resources(): ResourceProfile {
    const { resources, hardware } = this.description;
    return resources ?? { cpuCores: hardware.cpuCores, heapBytes: Number.MAX_SAFE_INTEGER };
  }

  /** What it has free; `except`: as if these slots were free, too. */
  offer(except: (use: SlotUse) => boolean): SlotOffer {
    const { id, slots } = this.description;
    const total = this.resources;
    const taken = [...this.uses].filter((use) => !except(use));
    const free = taken.reduce((left, { profile }) => without(left, profile ?? shareOf(total, slots)), total);
    return { id, slots, total, freeSlots: slots - taken.length, free };
  }

  /** What it ran for earlier leaders. */
  get hosted(): readonly HostedSlots[] {
    return this.options.hosted ?? [];
  }

  get id(): string {
    return this.description.id;
  }

  send(message: ToTaskManager): void {
    if (!this.isLost) this.options.connection.send(encodeControl(message));
  }

  /** Sends a program's module unless it is there already. */
  ship(module: ArtifactModule): void {
    if (this.artifacts.has(module.hash)) return;
    this.artifacts.add(module.hash);
    this.send({ type: 'artifact', module });
  }

  /** From now on the listener hears of the attempt. */
  join(key: AttemptKey, listener: AttemptShareListener): void {
    this.attempts.set(attemptKey(key), listener);
  }

  leave(key: AttemptKey): void {
    this.attempts.delete(attemptKey(key));
  }

  receive(message: FromTaskManager): void {
    this.heartbeat.heard();
    this.lastHeardAt = this.options.clock.now();
    if (message.type === 'heartbeat' && message.figures !== undefined) this.figures = message.figures;
    if (message.type === 'heartbeat' || message.type === 'register' || message.type === 'leave') return;
    const listener = this.attempts.get(attemptKey(message.key));
    if (listener === undefined) {
      this.options.onStale();
      return;
    }
    switch (message.type) {
      case 'report':
        listener.report(message.slot, message.message);
        break;
      case 'lost':
        listener.lost(deserializeError(message.error));
        break;
      case 'closeFailed':
        listener.closeFailed(deserializeError(message.error));
        break;
      case 'closed':
        listener.closed();
        break;
    }
  }

  /** The process is gone, or given up. */
  lost(reason: string): void {
    if (this.isLost) return;
    this.isLost = true;
    this.lostReason = reason;
    this.heartbeat.stop();
    this.options.connection.destroy();
    const listeners = [...this.attempts.values()];
    this.attempts.clear();
    for (const listener of listeners) {
      listener.lost(this.lostError());
      listener.closed();
    }
  }

  /** What attempts hear that it has a share of. */
  lostError(): MillstreamError {
    const { id, host } = this.description;
    return new MillstreamError(
      'TASK_MANAGER_LOST',
      `TaskManager ${id} on ${host} is lost: ${this.lostReason}. Its tasks are deployed again elsewhere.`,
      { retryable: true, details: { taskManager: id, host } },
    );
  }
}
