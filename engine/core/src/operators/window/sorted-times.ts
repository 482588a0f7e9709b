/** A sorted set of times: which windows are open, soonest first. Small (one per window, not per key), mostly appended to. */

/** Removed times are cut off when there are this many of them, and as many as are left. */
const COMPACT_COUNT_MIN = 64;

export class SortedTimes {
  /** The smallest time; Infinity if empty. */
  first: number = Number.POSITIVE_INFINITY;
  private readonly times: number[] = [];
  private head = 0;

  get size(): number {
    return this.times.length - this.head;
  }

  /** True if there is a time up to `limit`; false for an empty set, also at the end of time. */
  hasUntil(limit: number): boolean {
    return this.first <= limit && this.size > 0;
  }

  /** Adds a time that may be there already. */
  add(time: number): void {
    const { times } = this;
    let low = this.head;
    let high = times.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((times[middle] as number) < time) low = middle + 1;
      else high = middle;
    }
    if (times[low] === time) return;
    if (low === times.length) times.push(time);
    else times.splice(low, 0, time);
    this.first = times[this.head] as number;
  }

  removeFirst(): void {
    if (this.head === this.times.length) return;
    this.head++;
    if (this.head >= COMPACT_COUNT_MIN && this.head * 2 >= this.times.length) {
      this.times.splice(0, this.head);
      this.head = 0;
    }
    this.first = this.times[this.head] ?? Number.POSITIVE_INFINITY;
  }
}
