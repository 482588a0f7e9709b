/**
 * Idleness: a split without records for some time does not hold others back. The time is active time: the clock stands still while the
 * task cannot read (back pressure, alignment), as in Flink since 2.0, so that a split is not idle just because nobody reads it.
 */
import type { WatermarkGenerator, WatermarkOutput } from './watermark-strategy.js';

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

/** Tells whether nothing happened for `idlenessMs` of a clock. The time counts from the first `check` after the last activity. */
export class IdlenessTimer {
  private readonly clock: RelativeClock;
  private readonly idlenessMs: number;
  private active = true;
  private inactiveSince = 0;

  constructor(clock: RelativeClock, idlenessMs: number) {
    this.clock = clock;
    this.idlenessMs = idlenessMs;
  }

  /** A record came. */
  activity(): void {
    this.active = true;
  }

  /** True if idle. To be called regularly. */
  check(): boolean {
    const now = this.clock.monotonic();
    if (this.active) {
      this.active = false;
      this.inactiveSince = now;
      return false;
    }
    return now - this.inactiveSince > this.idlenessMs;
  }
}

/** A generator that marks its output idle when no records came for some time, and active again with the next record. */
export class WatermarksWithIdleness<T> implements WatermarkGenerator<T> {
  private readonly generator: WatermarkGenerator<T>;
  private readonly timer: IdlenessTimer;
  private idle = false;

  constructor(generator: WatermarkGenerator<T>, idlenessMs: number, clock: RelativeClock) {
    this.generator = generator;
    this.timer = new IdlenessTimer(clock, idlenessMs);
  }

  onEvent(value: T, timestamp: number, output: WatermarkOutput): void {
    this.timer.activity();
    if (this.idle) {
      this.idle = false;
      output.markActive();
    }
    this.generator.onEvent(value, timestamp, output);
  }

  onPeriodicEmit(output: WatermarkOutput): void {
    if (!this.timer.check()) {
      this.generator.onPeriodicEmit(output);
    } else if (!this.idle) {
      this.idle = true;
      output.markIdle();
    }
  }
}
