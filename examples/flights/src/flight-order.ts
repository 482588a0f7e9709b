/**
 * The order in which a split emits its rows: blocks of event time follow each other, the rows of a block are shuffled by the seed. So a
 * record is behind an earlier one by less than the length of a block, and a watermark with that bound makes none of them late.
 *
 * Injected records are the exception: right behind every `injectEvery`th row of the file (from `injectFrom` on) comes a copy of it that
 * is 30 to 59 days older. They are what has to end in the late output, all of them and nothing else.
 *
 * All is a function of seed and row number, so every attempt and every parallelism sees the same.
 */
import { DAY_MS, type Flight, HOUR_MS } from './flight.js';

export interface FlightOrder {
  readonly seed: number;
  /** Length of a block, ms: the bound of out-of-orderness. */
  readonly boundMs: number;
  /** One row in so many has a late copy. */
  readonly injectEvery: number;
  /** The first event time whose row may have a late copy. */
  readonly injectFrom: number;
}

/** The first 60 days are without late copies: the copies are of existing days, and the watermark has long passed them. */
export const DEFAULT_ORDER: FlightOrder = { seed: 1, boundMs: HOUR_MS, injectEvery: 997, injectFrom: Date.UTC(2001, 2, 2) };

/** Whether a late copy follows this row. */
export function hasLateCopy(order: FlightOrder, row: number, date: number): boolean {
  return date >= order.injectFrom && row % order.injectEvery === order.seed % order.injectEvery;
}

/** The late copy of a flight. */
export function lateCopyOf(flight: Flight): Flight {
  return { ...flight, row: -1 - flight.row, date: flight.date - (30 + (flight.row % 30)) * DAY_MS };
}

/** The numbers from `start` to below `end`, shuffled by the seed. */
export function shuffledRange(seed: number, start: number, end: number): Int32Array {
  const order = new Int32Array(end - start);
  for (let index = 0; index < order.length; index++) order[index] = start + index;
  for (let index = order.length - 1; index > 0; index--) {
    const other = mix(seed, start + index) % (index + 1);
    const moved = order[index] as number;
    order[index] = order[other] as number;
    order[other] = moved;
  }
  return order;
}

/** Murmur3's finaliser over both numbers: an integer in [0, 2^32). */
function mix(seed: number, number: number): number {
  let hash = Math.imul(seed, 0x9e3779b1) ^ number;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
