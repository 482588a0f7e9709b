/**
 * Timers of an operator, Flink's semantics. Keyed: (time, key) pairs in the state backend, unique, fired in order of time with their
 * key set. Event-time timers fire when the watermark reaches their time; processing-time timers once their millisecond is over.
 *
 * Invariants: 1. no timer fires twice; 2. `onTimer` may register and delete timers, due ones fire in the same advance;
 * 3. after `advance…` returned false the next call goes on where it stopped.
 */
import type { Clock } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import type { KeyedStateBackend, TimerTable } from '../state/backend.js';
import { KeyedWatermark } from './keyed-watermark.js';
import type { Budget, OperatorContext, OperatorCounters } from './operator.js';

/** Event time follows the watermark, processing time the wall clock. */
export type TimeDomain = 'event-time' | 'processing-time';

/** What user functions see of time. Times are ms since 1970. */
export interface TimerService {
  currentProcessingTime(): number;
  /** -Infinity before the first watermark, Infinity at the end of the input. */
  currentWatermark(): number;
  /** Calls `onTimer` when the watermark reaches `time`; once for each (time, key). Infinity: at the end of the input. */
  registerEventTimeTimer(time: number): void;
  registerProcessingTimeTimer(time: number): void;
  /** Without effect if there is no such timer. */
  deleteEventTimeTimer(time: number): void;
  deleteProcessingTimeTimer(time: number): void;
}

/** What is called for a timer that is due. The timer's key is the current key. */
export interface TimerHandler {
  onTimer(time: number, domain: TimeDomain): void;
}

/** Timer tables hold finite numbers. */
const END_OF_TIME: number = Number.MAX_VALUE;

function storedTime(time: number): number {
  if (time === Number.POSITIVE_INFINITY) return END_OF_TIME;
  if (typeof time === 'number' && Number.isFinite(time)) return time;
  throw new MillstreamError(
    'INVALID_TIMER',
    `Cannot use a timer for time '${String(time)}': it must be a number of ms since 1970. In onTimer and for records with a timestamp, compute it from ctx.timestamp().`,
  );
}

function userTime(time: number): number {
  return time === END_OF_TIME ? Number.POSITIVE_INFINITY : time;
}

export class KeyedTimeService implements TimerService {
  readonly watermark: KeyedWatermark;
  /** When `advanceProcessingTime` has to be called next; may be too early, never too late. */
  nextProcessingTime: number = Number.POSITIVE_INFINITY;
  private readonly backend: KeyedStateBackend;
  private readonly clock: Clock;
  private readonly counters: OperatorCounters;
  private readonly eventTimers: TimerTable;
  private readonly processingTimers: TimerTable;
  private readonly handler: TimerHandler;

  constructor(context: OperatorContext, handler: TimerHandler) {
    this.watermark = new KeyedWatermark(context);
    this.backend = context.keyed;
    this.clock = context.clock;
    this.counters = context.counters;
    this.eventTimers = context.keyed.timers('event-time');
    this.processingTimers = context.keyed.timers('processing-time');
    this.handler = handler;
  }

  /** To be called in the operator's `open`, when state has been restored. */
  open(): void {
    this.watermark.open();
    this.nextProcessingTime = this.processingTimers.nextTime() + 1;
  }

  currentProcessingTime(): number {
    return this.clock.now();
  }

  currentWatermark(): number {
    return this.watermark.isUniform ? this.watermark.live : this.watermark.of(this.backend.currentKey());
  }

  registerEventTimeTimer(time: number): void {
    this.eventTimers.register(storedTime(time), this.backend.currentKey());
  }

  registerProcessingTimeTimer(time: number): void {
    const stored = storedTime(time);
    this.processingTimers.register(stored, this.backend.currentKey());
    if (stored < this.nextProcessingTime) this.nextProcessingTime = stored + 1;
  }

  deleteEventTimeTimer(time: number): void {
    this.eventTimers.delete(storedTime(time), this.backend.currentKey());
  }

  deleteProcessingTimeTimer(time: number): void {
    this.processingTimers.delete(storedTime(time), this.backend.currentKey());
  }

  advanceEventTime(watermark: number, budget: Budget): boolean {
    this.watermark.live = watermark;
    if (!this.fire(this.eventTimers, watermark, 'event-time', budget)) return false;
    this.watermark.settle();
    return true;
  }

  advanceProcessingTime(now: number, budget: Budget): boolean {
    // A timer's millisecond must be over, as in Flink: else a record of the same millisecond would open again a window that has fired.
    if (!this.fire(this.processingTimers, now - 1, 'processing-time', budget)) return false;
    this.nextProcessingTime = this.processingTimers.nextTime() + 1;
    return true;
  }

  private fire(timers: TimerTable, limit: number, domain: TimeDomain, budget: Budget): boolean {
    for (let key = timers.poll(limit); key !== undefined; key = timers.poll(limit)) {
      const time = userTime(timers.polledTime);
      this.backend.setCurrentKey(key);
      this.counters.numFiredTimers++;
      this.handler.onTimer(time, domain);
      if (budget.exhausted()) return false;
    }
    return true;
  }
}

/** The time of an operator without keyed input: it can be read, but timers need a key. */
export class UnkeyedTimeService implements TimerService {
  watermark: number = Number.NEGATIVE_INFINITY;
  private readonly context: OperatorContext;

  constructor(context: OperatorContext) {
    this.context = context;
  }

  currentProcessingTime(): number {
    return this.context.clock.now();
  }

  currentWatermark(): number {
    return this.watermark;
  }

  registerEventTimeTimer(_time: number): void {
    this.refuse('register');
  }

  registerProcessingTimeTimer(_time: number): void {
    this.refuse('register');
  }

  deleteEventTimeTimer(_time: number): void {
    this.refuse('delete');
  }

  deleteProcessingTimeTimer(_time: number): void {
    this.refuse('delete');
  }

  private refuse(action: string): never {
    throw new MillstreamError(
      'NO_KEYED_STATE',
      `Cannot ${action} a timer in operator '${this.context.name}': its input is not keyed. Call keyBy(…) before process(…).`,
    );
  }
}
