/**
 * The inputs of a task: takes turns among its channels, and aligns barriers: a channel that delivered the barrier is not read until all
 * have, so that the snapshot lies between the same records everywhere. A barrier that may overtake ends that waiting when its time has
 * come: what then lies before it in the channels is captured, and becomes part of the snapshot.
 *
 *     channel 0  ··· r r r ║          blocked
 *     channel 1  ··· r r r r r r ║    read on, or captured
 *
 * Invariants: 1. at most one epoch is being aligned; a barrier of a newer epoch replaces it (the older was given up); 2. every channel
 * sends each barrier once, also after its end of data; 3. once an epoch has overtaken, its barriers block nothing; 4. what was restored of
 * all channels comes before anything new.
 */
import type { Capture, InputChannel } from '../network/channel.js';
import type { ControlElement, RecordBatch, StreamElement } from '../network/element.js';
import type { Frame, FrameEncoder } from '../network/frame.js';
import type { Announcement } from '../network/ring.js';
import type { Barrier } from './task-options.js';

export interface GateChannel {
  readonly channel: InputChannel;
  readonly input: 0 | 1;
  /** Names the channel in checkpoints that hold what was on its way. */
  readonly name: string;
  /** Encodes what was taken out of the channel and not processed yet. */
  readonly frames: FrameEncoder;
}

/** What lies before a barrier in one channel, being copied. */
export interface ChannelCapture {
  /** Index of the channel. */
  readonly index: number;
  readonly capture: Capture;
}

/** A barrier that was announced. */
interface Heard {
  readonly epoch: number;
  completed: number;
  /** Monotonic, ms. */
  overtakeAt: number;
}

export class InputGate {
  readonly channels: readonly GateChannel[];
  /** The channel that the last element of `poll` came from. */
  polled = 0;
  private readonly blocked: boolean[];
  private aligning = 0;
  private completed = 0;
  private next = 0;
  /** Channels before this one have nothing left of what was restored. */
  private restoredUntil = 0;

  private readonly align: boolean;
  private delivered = 0;
  /** The newest announced barrier, until it was answered. */
  private heard: Heard | undefined;
  /** The newest epoch that was answered. */
  private answered = 0;

  /** `align` false: channels are read on while others lack the barrier (at-least-once). */
  constructor(channels: readonly GateChannel[], align = true) {
    this.channels = channels;
    this.align = align;
    this.blocked = channels.map(() => false);
  }

  /** The next element of a channel that may be read, undefined if there is none now. */
  poll(): StreamElement | undefined {
    const count = this.channels.length;
    if (this.restoredUntil < count) {
      const restored = this.pollRestored();
      if (restored !== undefined) return restored;
    }
    for (let tried = 0; tried < count; tried++) {
      const at = this.next;
      this.next = at + 1 === count ? 0 : at + 1;
      if (this.blocked[at]) continue;
      const element = (this.channels[at] as GateChannel).channel.poll();
      if (element !== undefined) {
        this.polled = at;
        return element;
      }
    }
    return undefined;
  }

  /** What was on its way comes before anything new of all channels: after a restore another subtask may read on where one had been. */
  private pollRestored(): StreamElement | undefined {
    for (; this.restoredUntil < this.channels.length; this.restoredUntil++) {
      const element = (this.channels[this.restoredUntil] as GateChannel).channel.pollRestored();
      if (element === undefined) continue;
      this.polled = this.restoredUntil;
      return element;
    }
    return undefined;
  }

  /** A barrier that is a channel's next element: for a task that takes no records now. */
  pollBarrier(): ControlElement | undefined {
    for (const [at, { channel }] of this.channels.entries()) {
      if (this.blocked[at]) continue;
      const element = channel.pollBarrier();
      if (element === undefined) continue;
      this.polled = at;
      return element;
    }
    return undefined;
  }

  /** Takes a barrier of channel `polled`; returns the barrier once all channels have delivered it. `now`: monotonic, ms. */
  barrier(barrier: ControlElement & { readonly type: 'barrier' }, now: number): Barrier | undefined {
    const { epoch, completed, savepoint, overtakeInMs } = barrier;
    if (epoch < this.aligning || epoch <= this.answered) return undefined;
    if (overtakeInMs !== undefined) this.hear({ epoch, completed, overtakeInMs }, now);
    if (epoch > this.aligning) {
      this.release();
      this.aligning = epoch;
    }
    this.completed = Math.max(this.completed, completed);
    this.delivered++;
    if (this.align) this.blocked[this.polled] = true;
    if (this.delivered < this.channels.length) return undefined;
    this.release();
    this.answered = epoch;
    const overtakeAt = overtakeInMs === undefined ? undefined : this.heard?.overtakeAt;
    return {
      epoch,
      completed: this.completed,
      ...(savepoint === true && { savepoint }),
      ...(overtakeAt !== undefined && { overtakeAt }),
    };
  }

  private release(): void {
    this.blocked.fill(false);
    this.delivered = 0;
  }

  /** An alignment is under way: idleness clocks stand still. */
  get isAligning(): boolean {
    return this.align && this.delivered > 0;
  }

  // ---- barriers that may overtake

  /** Looks for barriers that were announced. */
  listen(now: number): void {
    for (const { channel } of this.channels) {
      const announced = channel.announced();
      if (announced !== undefined) this.hear(announced, now);
    }
  }

  private hear({ epoch, completed, overtakeInMs }: Announcement, now: number): void {
    if (epoch <= this.answered || epoch < (this.heard?.epoch ?? 0)) return;
    if (this.heard?.epoch !== epoch) this.heard = { epoch, completed, overtakeAt: Number.POSITIVE_INFINITY };
    this.heard.completed = Math.max(this.heard.completed, completed);
    this.heard.overtakeAt = Math.min(this.heard.overtakeAt, now + overtakeInMs);
  }

  /** Of the newest barrier that was announced; 0: none was. */
  get announcedEpoch(): number {
    return this.heard?.epoch ?? 0;
  }

  /** When the barrier that was announced may overtake, monotonic ms; Infinity if there is none, or a newer one is being aligned. */
  get overtakeAt(): number {
    const { heard } = this;
    const isDue = this.align && heard !== undefined && heard.epoch > this.answered && heard.epoch >= this.aligning;
    return isDue ? heard.overtakeAt : Number.POSITIVE_INFINITY;
  }

  /**
   * What an aligned barrier leaves before it: where it overtook a batch that its producer had half sent, it lies between the pieces.
   * To be asked before anything else is polled.
   */
  piecesBefore(epoch: number): ChannelCapture[] {
    const captures: ChannelCapture[] = [];
    this.channels.forEach(({ channel }, index) => {
      const frames: Frame[] = [];
      channel.captureGathered(frames);
      if (frames.length > 0) captures.push({ index, capture: { epoch, frames, isComplete: true } });
    });
    return captures;
  }

  /**
   * The announced barrier overtakes what lies before it, `rest` included: records of a batch of channel `polled` that have not been
   * processed. `watermark`: the combined one, if no operator has seen it; then every channel had promised it. `captures` gets an entry for
   * each channel with something before the barrier.
   */
  overtake(
    watermark: number | undefined,
    rest: { readonly batch: RecordBatch; readonly from: number } | undefined,
    captures: ChannelCapture[],
  ): Barrier {
    const { epoch, completed, overtakeAt } = this.heard as Heard;
    this.channels.forEach(({ channel, frames: encoder }, index) => {
      const frames: Frame[] = [];
      if (watermark !== undefined) encoder.add({ type: 'watermark', watermark }, 0, frames);
      if (this.aligning === epoch && this.blocked[index] === true) {
        channel.captureGathered(frames);
        captures.push({ index, capture: { epoch, frames, isComplete: true } });
        return;
      }
      if (rest !== undefined && index === this.polled) encoder.add(rest.batch, rest.from, frames);
      captures.push({ index, capture: channel.beginCapture(epoch, frames) });
    });
    this.release();
    this.aligning = epoch;
    this.answered = epoch;
    this.completed = Math.max(this.completed, completed);
    return { epoch, completed: this.completed, overtakeAt };
  }
}
