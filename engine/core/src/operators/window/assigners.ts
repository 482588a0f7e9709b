/** Window assigners: which windows an element belongs to. Names and semantics are Flink's; sizes, slides, gaps and offsets are ms. */
import { MillstreamError } from '../../common/errors.js';
import type { PlainValue } from '../../plan/plan.js';
import { EventTimeTrigger, NeverTrigger, ProcessingTimeTrigger, type Trigger } from './triggers.js';
import { GlobalWindow, TimeWindow, type Window } from './window.js';

/** Assigns windows to elements. */
export interface WindowAssigner<T, W extends Window = TimeWindow> {
  /** Windows follow event time (late elements are dropped), else processing time. */
  readonly isEventTime: boolean;
  /** Windows of a key that overlap or touch become one. */
  readonly isMerging: boolean;
  /** For `explain` and the structural hash. */
  readonly config: { readonly [name: string]: PlainValue };
  assignWindows(element: T, timestamp: number, processingTime: number): readonly W[];
  defaultTrigger(): Trigger<unknown, W>;
}

/** The start of the window of `timestamp` among windows that start at `offset` plus multiples of `slide`. */
export function windowStart(timestamp: number, offset: number, slide: number): number {
  const remainder = (timestamp - offset) % slide;
  return remainder < 0 ? timestamp - (remainder + slide) : timestamp - remainder;
}

function duration(value: number, what: string): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new MillstreamError('INVALID_OPTION', `Cannot use '${value}' as a window's ${what}: it must be a whole number of ms above 0.`);
}

/** Windows of one size that start at regular times: tumbling (slide = size) and sliding. They need no bookkeeping per key. */
export abstract class AlignedWindows implements WindowAssigner<unknown> {
  abstract readonly isEventTime: boolean;
  readonly isMerging = false;
  readonly sizeMs: number;
  readonly slideMs: number;
  readonly offsetMs: number;

  protected constructor(sizeMs: number, slideMs: number, offsetMs: number) {
    this.sizeMs = duration(sizeMs, 'size');
    this.slideMs = duration(slideMs, 'slide');
    this.offsetMs = offsetMs;
    if (!Number.isSafeInteger(offsetMs) || Math.abs(offsetMs) >= slideMs) {
      throw new MillstreamError(
        'INVALID_OPTION',
        `Cannot use '${offsetMs}' as a window's offset: it must be a whole number of ms, smaller than the distance of two windows (${slideMs} ms).`,
      );
    }
  }

  get config(): { readonly [name: string]: PlainValue } {
    const { sizeMs, slideMs, offsetMs } = this;
    return { time: this.isEventTime ? 'event' : 'processing', sizeMs, slideMs, offsetMs };
  }

  assignWindows(_element: unknown, timestamp: number, processingTime: number): readonly TimeWindow[] {
    const time = this.isEventTime ? timestamp : processingTime;
    const windows: TimeWindow[] = [];
    for (let start = windowStart(time, this.offsetMs, this.slideMs); start > time - this.sizeMs; start -= this.slideMs) {
      windows.push(new TimeWindow(start, start + this.sizeMs));
    }
    return windows;
  }

  defaultTrigger(): Trigger<unknown, TimeWindow> {
    return this.isEventTime ? EventTimeTrigger.create() : ProcessingTimeTrigger.create();
  }
}

/** Windows one after another, by event time. */
export class TumblingEventTimeWindows extends AlignedWindows {
  readonly isEventTime = true;

  /** `offsetMs` moves the starts: windows of a day in UTC+8 have an offset of -8 hours. */
  static of(sizeMs: number, offsetMs = 0): TumblingEventTimeWindows {
    return new TumblingEventTimeWindows(sizeMs, sizeMs, offsetMs);
  }
}

/** Overlapping windows by event time: one of `sizeMs` starts every `slideMs`. */
export class SlidingEventTimeWindows extends AlignedWindows {
  readonly isEventTime = true;

  static of(sizeMs: number, slideMs: number, offsetMs = 0): SlidingEventTimeWindows {
    return new SlidingEventTimeWindows(sizeMs, slideMs, offsetMs);
  }
}

/** Windows one after another, by the wall clock. */
export class TumblingProcessingTimeWindows extends AlignedWindows {
  readonly isEventTime = false;

  static of(sizeMs: number, offsetMs = 0): TumblingProcessingTimeWindows {
    return new TumblingProcessingTimeWindows(sizeMs, sizeMs, offsetMs);
  }
}

/** Overlapping windows by the wall clock. */
export class SlidingProcessingTimeWindows extends AlignedWindows {
  readonly isEventTime = false;

  static of(sizeMs: number, slideMs: number, offsetMs = 0): SlidingProcessingTimeWindows {
    return new SlidingProcessingTimeWindows(sizeMs, slideMs, offsetMs);
  }
}

/** The gap after an element, ms. */
export type SessionGap<T> = (element: T) => number;

abstract class SessionWindows<T> implements WindowAssigner<T> {
  abstract readonly isEventTime: boolean;
  readonly isMerging = true;
  private readonly gap: number | SessionGap<T>;

  protected constructor(gap: number | SessionGap<T>) {
    this.gap = typeof gap === 'number' ? duration(gap, 'session gap') : gap;
  }

  get config(): { readonly [name: string]: PlainValue } {
    return { time: this.isEventTime ? 'event' : 'processing', sessionGapMs: typeof this.gap === 'number' ? this.gap : 'dynamic' };
  }

  assignWindows(element: T, timestamp: number, processingTime: number): readonly TimeWindow[] {
    const start = this.isEventTime ? timestamp : processingTime;
    const gap = typeof this.gap === 'number' ? this.gap : duration(this.gap(element), 'session gap');
    return [new TimeWindow(start, start + gap)];
  }

  defaultTrigger(): Trigger<unknown, TimeWindow> {
    return this.isEventTime ? EventTimeTrigger.create() : ProcessingTimeTrigger.create();
  }
}

/** Windows that end when a key has had no element for a gap, by event time. */
export class EventTimeSessionWindows<T = unknown> extends SessionWindows<T> {
  readonly isEventTime = true;

  static withGap(gapMs: number): EventTimeSessionWindows {
    return new EventTimeSessionWindows(gapMs);
  }

  static withDynamicGap<T>(gap: SessionGap<T>): EventTimeSessionWindows<T> {
    return new EventTimeSessionWindows(gap);
  }
}

/** Windows that end when a key has had no element for a gap, by the wall clock. */
export class ProcessingTimeSessionWindows<T = unknown> extends SessionWindows<T> {
  readonly isEventTime = false;

  static withGap(gapMs: number): ProcessingTimeSessionWindows {
    return new ProcessingTimeSessionWindows(gapMs);
  }

  static withDynamicGap<T>(gap: SessionGap<T>): ProcessingTimeSessionWindows<T> {
    return new ProcessingTimeSessionWindows(gap);
  }
}

/** One window for everything; it fires by a trigger of your own. */
export class GlobalWindows implements WindowAssigner<unknown, GlobalWindow> {
  readonly isEventTime = false;
  readonly isMerging = false;
  readonly config: { readonly [name: string]: PlainValue } = { time: 'none' };
  private readonly windows: readonly GlobalWindow[] = [GlobalWindow.instance];

  private constructor() {}

  static create(): GlobalWindows {
    return new GlobalWindows();
  }

  assignWindows(): readonly GlobalWindow[] {
    return this.windows;
  }

  defaultTrigger(): Trigger<unknown, GlobalWindow> {
    return NeverTrigger.create();
  }
}
