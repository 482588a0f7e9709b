/**
 * A JobManager's end of a TaskManager: its connection, its slots, and the attempts that it runs a share of.
 * Invariant: after `lost` no attempt hears of it any more.
 */
import type { Clock } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import type { Connection } from '../common/transport.js';
import { deserializeError } from '../runtime/serialize-error.js';
import {
  type ArtifactModule,
  type AttemptKey,
  attemptName,
  encodeControl,
  type FromTaskManager,
  type TaskManagerDescription,
  type ToTaskManager,
} from './control-messages.js';
import { Heartbeat } from './heartbeat.js';
import type { ProcessFigures } from './process-figures.js';
import type { SlotReport } from './slot-set.js';

/** What an attempt hears from one of its TaskManagers. */
export interface AttemptShareListener {
  report(slot: number, message: SlotReport): void;
  lost(error: MillstreamError): void;
  closeFailed(error: MillstreamError): void;
  closed(): void;
}

export interface RegisteredTaskManagerOptions {
  readonly description: TaskManagerDescription;
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
  /** The job that has each taken slot. */
  readonly jobs: string[] = [];
  /** Ms since 1970. */
  lastHeardAt: number;
  isLost = false;
  /** What it last said of its process. */
  figures: ProcessFigures = {};
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

  /** Slots that no attempt has. */
  get freeSlots(): number {
    return this.description.slots - this.jobs.length;
  }

  /** Gives a slot to a job. */
  take(job: string): void {
    this.jobs.push(job);
  }

  release(job: string): void {
    this.jobs.splice(this.jobs.indexOf(job), 1);
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
    this.attempts.set(attemptName(key), listener);
  }

  leave(key: AttemptKey): void {
    this.attempts.delete(attemptName(key));
  }

  receive(message: FromTaskManager): void {
    this.heartbeat.heard();
    this.lastHeardAt = this.options.clock.now();
    if (message.type === 'heartbeat' && message.figures !== undefined) this.figures = message.figures;
    if (message.type === 'heartbeat' || message.type === 'register' || message.type === 'leave') return;
    const listener = this.attempts.get(attemptName(message.key));
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
    this.heartbeat.stop();
    this.options.connection.destroy();
    const listeners = [...this.attempts.values()];
    this.attempts.clear();
    const { id, host } = this.description;
    for (const listener of listeners) {
      listener.lost(
        new MillstreamError(
          'TASK_MANAGER_LOST',
          `TaskManager ${id} on ${host} is lost: ${reason}. Its tasks are deployed again elsewhere.`,
          {
            retryable: true,
            details: { taskManager: id, host },
          },
        ),
      );
      listener.closed();
    }
  }
}
