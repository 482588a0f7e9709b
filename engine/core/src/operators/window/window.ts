/** Windows, and the function of a window's elements. Names are Flink's. */
import type { Collector } from '../operator.js';
import type { OutputTag } from '../output-tag.js';
import type { KeyedStateStore, RuntimeContext } from '../runtime-context.js';

/** A part of a keyed stream. */
export interface Window {
  /** The largest timestamp that belongs to the window; Infinity if it has no end. */
  maxTimestamp(): number;
}

/** The times from `start` (included) to `end` (excluded), ms since 1970. */
export class TimeWindow implements Window {
  readonly start: number;
  readonly end: number;

  constructor(start: number, end: number) {
    this.start = start;
    this.end = end;
  }

  maxTimestamp(): number {
    return this.end - 1;
  }

  /** True if both share a time or touch: such session windows merge. */
  intersects(other: TimeWindow): boolean {
    return this.start <= other.end && this.end >= other.start;
  }
}

/** The one window of a stream that is cut by its trigger alone (count windows). */
export class GlobalWindow implements Window {
  static readonly instance: GlobalWindow = new GlobalWindow();

  private constructor() {}

  maxTimestamp(): number {
    return Number.POSITIVE_INFINITY;
  }
}

/** What a window function knows of its window. Valid only during the call. */
export interface ProcessWindowContext<W extends Window> {
  window(): W;
  currentProcessingTime(): number;
  currentWatermark(): number;
  /** State of the key, shared by all its windows. */
  globalState(): KeyedStateStore;
  /** Emits to a side output, with the timestamp of the window's results. */
  output<X>(tag: OutputTag<X>, value: X): void;
}

/**
 * Evaluates a window: called once for each key when the window fires, and again for each late element that is allowed. After `reduce`
 * or `aggregate`, `elements` has their one result.
 */
export abstract class ProcessWindowFunction<IN, OUT, K, W extends Window = TimeWindow> {
  open?(context: RuntimeContext): Promise<void> | void;
  abstract process(key: K, context: ProcessWindowContext<W>, elements: readonly IN[], out: Collector<OUT>): void;
  close?(): Promise<void> | void;
}
