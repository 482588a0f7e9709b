/** Collectors: what user functions emit with. One per operator; the operator sets the timestamp before each call. */
import type { Collector, Output } from './operator.js';

/** Emits with the timestamp that was set last. */
export class TimestampedCollector<T> implements Collector<T> {
  timestamp: number = Number.NaN;
  private readonly output: Output<unknown>;

  constructor(output: Output<unknown>) {
    this.output = output;
  }

  collect(value: T): void {
    this.output.collect(value, this.timestamp);
  }
}
