/** Holds a reader to a number of records a second, by the clock: a replay as slow as one wants to watch it. */
import type { Availability, Clock } from 'millstream/connector';

/** Records are let through in steps of this time. */
const STEP_MS = 20;

export class Pace {
  readonly #clock: Clock;
  readonly #recordsPerMs: number;
  readonly #availability: Availability;
  #startedAt: number = Number.NaN;
  #taken = 0;

  /** `availability`: rung when there is room again. */
  constructor(clock: Clock, recordsPerSecond: number, availability: Availability) {
    this.#clock = clock;
    this.#recordsPerMs = recordsPerSecond / 1000;
    this.#availability = availability;
  }

  /** How many records may be emitted now. */
  room(): number {
    const now = this.#clock.monotonic();
    if (Number.isNaN(this.#startedAt)) this.#startedAt = now;
    const room = Math.floor((now - this.#startedAt) * this.#recordsPerMs) - this.#taken;
    if (room <= 0) this.#clock.schedule(STEP_MS, () => this.#availability.ring());
    return Math.max(0, room);
  }

  took(records: number): void {
    this.#taken += records;
  }
}
