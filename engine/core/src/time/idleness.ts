/**
 * The clock of idleness: a split without records for some time does not hold others back. The time is active time: the clock stands still
 * while the task cannot read (back pressure, alignment), as in Flink since 2.0, so that a split is not idle just because nobody reads it.
 */

/** A clock for durations only. */
export interface RelativeClock {
  /** Fractional ms from an arbitrary origin; never goes back. */
  monotonic(): number;
}

/** A relative clock that can be stopped. Pauses count: as many resumes as pauses. */
export class PausableClock implements RelativeClock {
  private readonly clock: RelativeClock;
  private pauses = 0;
  private pausedSince = 0;
  private pausedMs = 0;

  constructor(clock: RelativeClock) {
    this.clock = clock;
  }

  monotonic(): number {
    return (this.pauses > 0 ? this.pausedSince : this.clock.monotonic()) - this.pausedMs;
  }

  pause(): void {
    if (this.pauses++ === 0) this.pausedSince = this.clock.monotonic();
  }

  resume(): void {
    if (this.pauses === 0) return;
    if (--this.pauses === 0) this.pausedMs += this.clock.monotonic() - this.pausedSince;
  }
}
