/**
 * The inputs of a task: takes turns among its channels, and aligns barriers: a channel that delivered the barrier is not read until all
 * have, so that the snapshot lies between the same records everywhere.
 *
 *     channel 0  ··· r r r ║          blocked
 *     channel 1  ··· r r r r r r ║    read on
 *
 * Invariants: 1. at most one epoch is being aligned; a barrier of a newer epoch replaces it (the older was given up); 2. every channel
 * sends each barrier once, also after its end of data.
 */
import type { InputChannel } from '../network/channel.js';
import type { StreamElement } from '../network/element.js';
import type { Barrier } from './task-options.js';

export interface GateChannel {
  readonly channel: InputChannel;
  readonly input: 0 | 1;
}

export class InputGate {
  readonly channels: readonly GateChannel[];
  /** The channel that the last element of `poll` came from. */
  polled = 0;
  private readonly blocked: boolean[];
  private aligning = 0;
  private completed = 0;
  private next = 0;

  private readonly align: boolean;
  private delivered = 0;

  /** `align` false: channels are read on while others lack the barrier (at-least-once). */
  constructor(channels: readonly GateChannel[], align = true) {
    this.channels = channels;
    this.align = align;
    this.blocked = channels.map(() => false);
  }

  /** The next element of a channel that may be read, undefined if there is none now. */
  poll(): StreamElement | undefined {
    const count = this.channels.length;
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

  /** Takes a barrier of channel `polled`; returns the barrier once all channels have delivered it. */
  barrier(barrier: Barrier): Barrier | undefined {
    const { epoch, completed, savepoint } = barrier;
    if (epoch < this.aligning) return undefined;
    if (epoch > this.aligning) {
      this.release();
      this.aligning = epoch;
    }
    this.completed = Math.max(this.completed, completed);
    this.delivered++;
    if (this.align) this.blocked[this.polled] = true;
    if (this.delivered < this.channels.length) return undefined;
    this.release();
    return { epoch, completed: this.completed, ...(savepoint === true && { savepoint }) };
  }

  private release(): void {
    this.blocked.fill(false);
    this.delivered = 0;
  }

  /** An alignment is under way: idleness clocks stand still. */
  get isAligning(): boolean {
    return this.align && this.delivered > 0;
  }
}
