/** Waits that can be cut short. */
import type { Clock } from '../common/clock.js';

export class Pauses {
  private readonly clock: Clock;
  private readonly waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Resolves after this time, or at the next `end`. */
  async wait(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.clock.schedule(ms, resolve);
    this.waiting.add(resolve);
    await promise;
    this.waiting.delete(resolve);
    timer.cancel();
  }

  /** Nobody waits any longer. */
  end(): void {
    for (const wake of this.waiting) wake();
  }
}
