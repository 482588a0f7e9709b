/**
 * Slots of an attempt in threads of this process: all of them in the embedded driver, a TaskManager's share in a cluster.
 *
 *     start ─▶ send … ─▶ close (user functions, files; bounded by a timeout) ─▶ kill (threads)
 */
import type { Clock } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import type { ProgramArtifact } from '../runtime/program-artifact.js';
import { deserializeError } from '../runtime/serialize-error.js';
import type { FromSlot, SlotMemory, SlotPlan, ToSlot } from '../runtime/slot-messages.js';
import type { SlotHandle, SlotHandleOptions } from './slot-handle.js';
import type { SlotListener } from './slot-set.js';

/**
 * How long slots may take to close before their threads are ended. Flink's `task.cancellation.timeout` is 180 s, and ends a whole process;
 * here it is a thread, and a restart waits for it.
 */
const CLOSE_TIMEOUT_MS = 10_000;

export interface LocalSlotsOptions {
  readonly artifact: ProgramArtifact;
  readonly memory: SlotMemory;
  readonly youngGenerationMb: number;
  /** Of slots that do not say it themselves. Default: Node's. */
  readonly heapBytes?: number | undefined;
  /** Where copies of the run's state files lie. Default: nowhere. */
  readonly localStateDirectory?: string | undefined;
  readonly startSlot: (options: SlotHandleOptions) => SlotHandle;
  readonly listener: SlotListener;
}

export class LocalSlots {
  private readonly options: LocalSlotsOptions;
  private readonly handles = new Map<number, SlotHandle>();
  /** Slots that have something to close. */
  private readonly open = new Set<number>();
  private readonly allClosed: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  constructor(options: LocalSlotsOptions) {
    this.options = options;
  }

  /** Starts these slots and deploys their subtasks. */
  start(plans: readonly SlotPlan[]): void {
    const { options } = this;
    for (const plan of plans) {
      const { slot } = plan;
      const handle = options.startSlot({
        slot,
        artifact: options.artifact,
        onMessage: (message) => this.hear(slot, message),
        onLost: (error) => this.lose(slot, error),
        youngGenerationMb: options.youngGenerationMb,
        heapBytes: plan.heapBytes ?? options.heapBytes,
      });
      this.handles.set(slot, handle);
      this.open.add(slot);
      handle.send({ type: 'deploy', deployment: { ...plan, ...options.memory, localStateDirectory: options.localStateDirectory } });
    }
  }

  private hear(slot: number, message: FromSlot): void {
    if (message.type === 'cancelled') {
      for (const failure of message.failures) this.options.listener.closeFailed(deserializeError(failure));
      this.closed(slot);
    } else this.options.listener.message(slot, message);
  }

  private lose(slot: number, error: MillstreamError): void {
    this.closed(slot);
    this.options.listener.lost(error);
  }

  private closed(slot: number): void {
    this.open.delete(slot);
    if (this.open.size === 0) this.allClosed.resolve();
  }

  send(slot: number, message: ToSlot): void {
    this.handles.get(slot)?.send(message);
  }

  broadcast(message: ToSlot): void {
    for (const handle of this.handles.values()) handle.send(message);
  }

  /** Lets user functions, writers and readers of the slots that still live close what they have open. Never rejects. */
  async close(clock: Clock): Promise<void> {
    if (this.open.size === 0) return;
    const timeout = Promise.withResolvers<void>();
    const timer = clock.schedule(CLOSE_TIMEOUT_MS, timeout.resolve);
    for (const slot of this.open) this.send(slot, { type: 'cancel' });
    await Promise.race([this.allClosed.promise, timeout.promise]);
    timer.cancel();
    for (const slot of this.open) this.options.listener.closeFailed(closeTimeoutError(slot));
  }

  /** Ends all slots. */
  async kill(): Promise<void> {
    // Whoever still waits for them to close waits no longer: killed slots do not answer.
    this.open.clear();
    this.allClosed.resolve();
    await Promise.all([...this.handles.values()].map((handle) => handle.kill()));
  }

  /** Kills one slot as a crash would. */
  killSlot(slot: number): void {
    const handle = this.handles.get(slot);
    if (handle === undefined) return;
    const lost = new MillstreamError('SLOT_LOST', `Slot ${slot} ended unexpectedly: it was killed.`, {
      retryable: true,
      details: { slot },
    });
    void handle.kill().then(() => this.lose(slot, lost));
  }
}

function closeTimeoutError(slot: number): MillstreamError {
  return new MillstreamError(
    'CLOSE_TIMEOUT',
    `Cannot close slot ${slot} in good order: it did not answer within ${CLOSE_TIMEOUT_MS / 1000} s, so its thread was ended. A user function does not return, or its close() takes too long; functions after it were not closed.`,
    { details: { slot } },
  );
}
