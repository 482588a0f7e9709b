/**
 * The slots of an attempt: which subtask runs where, how each is deployed, and how all of them end.
 *
 *     start ─▶ send, broadcast … ─▶ close (user functions, files; bounded by a timeout) ─▶ kill (threads)
 */
import type { Clock } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import { allocateRings, type SubtaskRestore } from '../runtime/deployment.js';
import { deserializeError } from '../runtime/serialize-error.js';
import type { FromSlot, SlotDeployment, ToSlot } from '../runtime/slot-messages.js';
import type { AttemptOptions } from './attempt-options.js';
import { type Placement, placeSubtasks } from './placement.js';
import type { SlotHandle } from './slot-handle.js';

/**
 * How long slots may take to close before their threads are ended. Flink's `task.cancellation.timeout` is 180 s, and ends a whole process;
 * here it is a thread, and a restart waits for it.
 */
const CLOSE_TIMEOUT_MS = 10_000;

/** What a slot says while it lives. */
export type SlotReport = Exclude<FromSlot, { readonly type: 'cancelled' }>;

/** Hears what slots say. */
export interface SlotListener {
  message(slot: number, message: SlotReport): void;
  /** The slot is gone without having been asked to. */
  lost(error: MillstreamError): void;
  /** Something was not closed, or not in time. Nothing can be done about it any more. */
  closeFailed(error: MillstreamError): void;
}

export class AttemptSlots {
  readonly placement: Placement;
  private readonly options: AttemptOptions;
  private readonly listener: SlotListener;
  private readonly handles: SlotHandle[] = [];
  /** Slots that have something to close. */
  private readonly open = new Set<number>();
  private readonly allClosed: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  constructor(options: AttemptOptions, listener: SlotListener) {
    this.options = options;
    this.listener = listener;
    this.placement = placeSubtasks(options.graph);
  }

  /** Starts all slots and deploys their subtasks. */
  start(): void {
    const { options, placement } = this;
    const rings = allocateRings(options.graph, placement.slotOf, options.channels.ring);
    const wakeWords = new SharedArrayBuffer(placement.slots * 4);
    for (let slot = 0; slot < placement.slots; slot++) {
      const handle = options.startSlot({
        slot,
        artifact: options.artifact,
        onMessage: (message) => this.hear(slot, message),
        onLost: (error) => this.lose(slot, error),
        youngGenerationMb: options.youngGenerationMb,
      });
      this.handles.push(handle);
      this.open.add(slot);
      handle.send({ type: 'deploy', deployment: this.deployment(slot, rings, wakeWords) });
    }
  }

  private deployment(slot: number, rings: ReadonlyMap<string, SharedArrayBuffer>, wakeWords: SharedArrayBuffer): SlotDeployment {
    const { options, placement } = this;
    const restore: { [vertexId: string]: { [subtask: number]: SubtaskRestore } } = {};
    for (const place of placement.subtasks) {
      const share = options.restore?.subtasks.get(place.vertexId)?.[place.subtaskIndex];
      if (place.slot !== slot || share === undefined) continue;
      restore[place.vertexId] = { ...restore[place.vertexId], [place.subtaskIndex]: share };
    }
    return {
      slot,
      run: options.run,
      attempt: options.attempt,
      graph: options.graph,
      placements: placement.subtasks,
      rings,
      wakeWords,
      channels: options.channels,
      alignBarriers: options.alignBarriers,
      checked: options.checked,
      seed: options.seed + slot * 7919,
      watermarkIntervalMs: options.watermarkIntervalMs,
      checkpointDirectory: options.store.directory,
      restore,
      sampleDelays: options.sampleDelays,
    };
  }

  private hear(slot: number, message: FromSlot): void {
    if (message.type === 'cancelled') {
      for (const failure of message.failures) this.listener.closeFailed(deserializeError(failure));
      this.closed(slot);
    } else this.listener.message(slot, message);
  }

  private lose(slot: number, error: MillstreamError): void {
    this.closed(slot);
    this.listener.lost(error);
  }

  private closed(slot: number): void {
    this.open.delete(slot);
    if (this.open.size === 0) this.allClosed.resolve();
  }

  /** To the slot that runs this subtask. */
  send(vertexId: string, subtask: number, message: ToSlot): void {
    this.handles[this.placement.slotOf(vertexId, subtask)]?.send(message);
  }

  broadcast(message: ToSlot): void {
    for (const handle of this.handles) handle.send(message);
  }

  /** Lets user functions, writers and readers of the slots that still live close what they have open. Never rejects. */
  async close(clock: Clock): Promise<void> {
    if (this.open.size === 0) return;
    const timeout = Promise.withResolvers<void>();
    const timer = clock.schedule(CLOSE_TIMEOUT_MS, timeout.resolve);
    for (const slot of this.open) this.handles[slot]?.send({ type: 'cancel' });
    await Promise.race([this.allClosed.promise, timeout.promise]);
    timer.cancel();
    for (const slot of this.open) this.listener.closeFailed(closeTimeoutError(slot));
  }

  /** Ends all slots. */
  async kill(): Promise<void> {
    await Promise.all(this.handles.map((handle) => handle.kill()));
  }

  /** Kills one slot as a crash would. */
  killSlot(slot: number): void {
    const handle = this.handles[slot];
    if (handle === undefined) return;
    const lost = new MillstreamError('SLOT_LOST', `Slot ${slot} ended unexpectedly: it was killed.`, { retryable: true });
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
