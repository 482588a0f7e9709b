/** How many records a task runs before it asks the clock again: fewer where user functions are slow, so that a turn stays near its time. */
import type { Clock } from '../common/clock.js';

const RECORDS_MAX = 256;
/** Once a turn was too long. */
const RECORDS_SLOW = 16;

export class RecordStride {
  records: number = RECORDS_MAX;
  private readonly clock: Clock;
  private begunAt = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Before records are run. The clock is asked only where they have been slow. */
  begin(): void {
    this.begunAt = this.records < RECORDS_MAX ? this.clock.monotonic() : 0;
  }

  /** `deadline`: of the turn. */
  ended(deadline: number): void {
    const now = this.clock.monotonic();
    if (this.begunAt === 0) {
      if (now >= deadline) this.records = RECORDS_SLOW;
      return;
    }
    const elapsed = now - this.begunAt;
    if (elapsed > 2 && this.records > 1) this.records >>>= 1;
    else if (elapsed < 0.2) this.records = Math.min(RECORDS_MAX, this.records * 2);
  }
}
