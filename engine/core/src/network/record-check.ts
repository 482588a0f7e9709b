/**
 * The record model on edges whose records are passed by reference, where no codec looks at them: the first records of an edge are
 * checked whole, then one of each batch. Measured: a look at every record's prototype costs 3 to 12 ns of the 250 that a record of a
 * keyed count has, one record of a batch about 1 (checked mode checks all).
 */
import type { ClassRegistry } from '../codec/class-registry.js';
import { checkValue } from '../codec/value-check.js';
import type { RecordBatch } from './element.js';

/** So many are checked before sampling begins: most programs that emit what they must not do so from the start. */
const CHECKED_RECORDS = 100;
/** Deeper values are left to `checkValue`. */
const PLAIN_DEPTH_MAX = 8;

export class RecordCheck {
  private readonly registry: ClassRegistry | undefined;
  private left = CHECKED_RECORDS;
  private next = 0;

  constructor(registry?: ClassRegistry) {
    this.registry = registry;
  }

  /** Throws UNSUPPORTED_VALUE. */
  check(batch: RecordBatch): void {
    const { values, count } = batch;
    if (count === 0) return;
    const whole = Math.min(this.left, count);
    for (let at = 0; at < whole; at++) checkValue(values[at], this.registry);
    this.left -= whole;
    if (whole === count) return;
    // Another place in each batch, so that no pattern of records hides from it.
    this.next = (this.next + 37) % count;
    if (!isPlain(values[this.next], 0)) checkValue(values[this.next], this.registry);
  }
}

/** Made of primitives, plain objects and arrays, without any of the care that a message needs. False where that is not sure. */
function isPlain(value: unknown, depth: number): boolean {
  if (typeof value !== 'object') return typeof value !== 'function' && typeof value !== 'symbol';
  if (value === null) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (depth > PLAIN_DEPTH_MAX || (prototype !== Object.prototype && prototype !== Array.prototype)) return false;
  for (const name in value) if (!isPlain((value as Record<string, unknown>)[name], depth + 1)) return false;
  return true;
}
