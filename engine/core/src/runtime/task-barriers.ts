/**
 * The barriers of a task: answers them (snapshot, then on to the outputs), and keeps together what belongs to the snapshot of one that may
 * overtake: elements that were on their way in its channels.
 *
 *     inputs ── captured: what lies before the barrier ─┐
 *     state  ── snapshot                                ├─▶ one snapshot; acknowledged when all of it is there
 *     outputs ─ what waits for room, if overtaken ──────┘
 *
 * Invariants: 1. an element on its way is in exactly one snapshot of an epoch: its consumer's if it had been sent when the barrier passed
 * its producer, else its producer's; 2. what an epoch captures is handed over once, or given up when a newer one begins.
 */
import type { OutputChannel } from '../network/channel.js';
import type { Frame } from '../network/frame.js';
import type { ChannelCapture } from './input-gate.js';
import type { Task } from './task.js';
import type { Barrier, InFlightElements, NamedFrames, TaskOptions } from './task-options.js';

interface PendingElements {
  readonly barrier: Barrier;
  readonly captures: readonly ChannelCapture[];
  /** By index of the channel. */
  readonly outputs: Map<number, readonly Frame[]>;
  readonly handOver: PromiseWithResolvers<InFlightElements>;
}

export class TaskBarriers {
  /** The barrier to answer next: of the coordinator, or aligned. */
  triggered: Barrier | undefined;
  private readonly options: TaskOptions;
  private pending: PendingElements | undefined;
  private triedAt = Number.NEGATIVE_INFINITY;

  constructor(options: TaskOptions) {
    this.options = options;
  }

  /** When a barrier may overtake what it waits for; Infinity if none may. */
  private get overtakeAt(): number {
    return this.triggered === undefined
      ? (this.options.gate?.overtakeAt ?? Number.POSITIVE_INFINITY)
      : (this.triggered.overtakeAt ?? Number.POSITIVE_INFINITY);
  }

  /** Whether a barrier may overtake now. Asked once a turn. */
  mayOvertake(now: number): boolean {
    this.triedAt = now;
    // One that was given up: its successor has been announced.
    if (this.triggered !== undefined && this.triggered.epoch < (this.options.gate?.announcedEpoch ?? 0)) this.triggered = undefined;
    return this.overtakeAt <= now;
  }

  /** When the next barrier may overtake, ms from now; Infinity if none will, or one might already and the task could not let it. */
  overtakeIn(now: number): number {
    let at = this.overtakeAt;
    const waiting = this.pending?.barrier.overtakeAt ?? Number.POSITIVE_INFINITY;
    if (waiting < at && this.options.channels.some((channel) => channel.holdsBarrier)) at = waiting;
    return at > this.triedAt ? Math.max(0, at - now) : Number.POSITIVE_INFINITY;
  }

  /** Answers a barrier that has overtaken nothing in the inputs: of the coordinator, or aligned. */
  answerTriggered(task: Task): void {
    const barrier = this.triggered as Barrier;
    this.triggered = undefined;
    const { gate } = this.options;
    // Only a barrier that may overtake can lie between the pieces of a batch.
    this.answer(task, barrier, gate === undefined || barrier.overtakeAt === undefined ? [] : gate.piecesBefore(barrier.epoch));
  }

  /** Makes the snapshot and passes the barrier on. `captures`: what lies before it in the inputs. */
  answer(task: Task, barrier: Barrier, captures: readonly ChannelCapture[]): void {
    this.giveUp();
    if (barrier.overtakeAt === undefined) {
      this.options.onBarrier(task, barrier, undefined);
      const { epoch, completed, savepoint } = barrier;
      for (const channel of this.options.channels) {
        channel.send({ type: 'barrier', epoch, completed, ...(savepoint === true && { savepoint }) });
      }
      return;
    }
    const handOver = Promise.withResolvers<InFlightElements>();
    // An epoch that is given up rejects it, and nobody may be listening any more.
    handOver.promise.catch(() => undefined);
    this.pending = { barrier, captures, outputs: new Map(), handOver };
    this.options.onBarrier(task, barrier, handOver.promise);
    this.forward(barrier, barrier.overtakeAt - this.options.clock.monotonic());
    this.goOn(this.options.clock.monotonic());
  }

  private forward({ epoch, completed }: Barrier, overtakeInMs: number): void {
    this.options.channels.forEach((channel, index) => {
      if (overtakeInMs > 0) channel.send({ type: 'barrier', epoch, completed, overtakeInMs });
      else this.overtakeOutput(channel, index);
    });
  }

  private overtakeOutput(channel: OutputChannel, index: number): void {
    const { barrier, outputs } = this.pending as PendingElements;
    outputs.set(index, channel.overtake({ epoch: barrier.epoch, completed: barrier.completed, overtakeInMs: 0 }));
  }

  /** Goes on with what is being gathered for a snapshot; true if something came of it. */
  goOn(now: number): boolean {
    const { pending } = this;
    if (pending === undefined) return false;
    const { gate, channels } = this.options;
    let isComplete = true;
    let overtook = false;
    for (const { index, capture } of pending.captures) {
      if (!capture.isComplete) gate?.channels[index]?.channel.goOnCapturing();
      if (!capture.isComplete) isComplete = false;
    }
    const { epoch } = pending.barrier;
    const overtakeInMs = (pending.barrier.overtakeAt as number) - now;
    channels.forEach((channel, index) => {
      if (!channel.holdsBarrier) return;
      overtook = overtakeInMs <= 0;
      if (overtook) this.overtakeOutput(channel, index);
      else {
        isComplete = false;
        channel.setOvertakeIn(epoch, overtakeInMs);
      }
    });
    if (!isComplete) return overtook;
    this.pending = undefined;
    pending.handOver.resolve(this.elements(pending));
    return true;
  }

  private elements({ captures, outputs }: PendingElements): InFlightElements {
    const { gate, channels } = this.options;
    const inputs = captures.map(({ index, capture }) => ({ channel: gate?.channels[index]?.name ?? '', frames: capture.frames }));
    const sent = [...outputs].map(([index, frames]) => ({ channel: channels[index]?.name ?? '', frames }));
    const some = ({ frames }: NamedFrames): boolean => frames.length > 0;
    return { inputs: inputs.filter(some), outputs: sent.filter(some) };
  }

  private giveUp(): void {
    const { pending } = this;
    if (pending === undefined) return;
    this.pending = undefined;
    for (const { index, capture } of pending.captures) {
      if (!capture.isComplete) this.options.gate?.channels[index]?.channel.endCapture(capture.epoch);
    }
    pending.handOver.reject(new Error('a newer checkpoint has begun'));
  }
}
