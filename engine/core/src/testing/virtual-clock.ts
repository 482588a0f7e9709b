/** Time that stands still until a test moves it. Scheduled calls run in order of their time, those of the same time in order of scheduling. */
import type { Clock, ScheduledCall } from '../common/clock.js';

interface PendingCall {
  readonly time: number;
  readonly callback: () => void;
}

/** A clock that a test moves. */
export class VirtualClock implements Clock {
  private time: number;
  private readonly pending: PendingCall[] = [];

  /** `now`: ms since 1970. */
  constructor(now = 0) {
    this.time = now;
  }

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  schedule(delayMs: number, callback: () => void): ScheduledCall {
    const call: PendingCall = { time: this.time + Math.max(0, delayMs), callback };
    let at = this.pending.length;
    while (at > 0 && (this.pending[at - 1] as PendingCall).time > call.time) at--;
    this.pending.splice(at, 0, call);
    return {
      cancel: () => {
        const index = this.pending.indexOf(call);
        if (index >= 0) this.pending.splice(index, 1);
      },
    };
  }

  /** Moves the time forward and runs what is due, each at its own time. */
  advanceTo(time: number): void {
    for (let first = this.pending[0]; first !== undefined && first.time <= time; first = this.pending[0]) {
      this.pending.shift();
      this.time = Math.max(this.time, first.time);
      first.callback();
    }
    this.time = Math.max(this.time, time);
  }

  advanceBy(ms: number): void {
    this.advanceTo(this.time + ms);
  }

  /** Moves the time to the next scheduled call and runs it alone; false if there is none. */
  runNext(): boolean {
    const first = this.pending.shift();
    if (first === undefined) return false;
    this.time = Math.max(this.time, first.time);
    first.callback();
    return true;
  }

  /** When the next scheduled call is due; Infinity if there is none. */
  get nextTime(): number {
    return this.pending[0]?.time ?? Number.POSITIVE_INFINITY;
  }
}
