/** The longest delay of a thread's event loop, sampled every millisecond: what a record may have to wait. */
import type { Clock, ScheduledCall } from '../common/clock.js';

export class DelaySampler {
  private readonly clock: Clock;
  private last: number;
  private worst = 0;
  private timer: ScheduledCall;

  constructor(clock: Clock) {
    this.clock = clock;
    this.last = clock.monotonic();
    this.timer = clock.schedule(1, () => this.sample());
  }

  private sample(): void {
    const now = this.clock.monotonic();
    this.worst = Math.max(this.worst, now - this.last - 1);
    this.last = now;
    this.timer = this.clock.schedule(1, () => this.sample());
  }

  /** The longest delay since the start, ms. */
  longest(): number {
    return this.worst;
  }

  stop(): void {
    this.timer.cancel();
  }
}
