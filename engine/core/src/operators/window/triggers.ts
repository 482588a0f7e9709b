/** Triggers: when a window's results are computed. Names and semantics are Flink's. */
import { MillstreamError } from '../../common/errors.js';
import { ReducingStateDescriptor, type ValueStateDescriptor } from '../../state/descriptors.js';
import type { ReducingState, ValueState } from '../../state/state.js';
import type { Window } from './window.js';

/** What a trigger decides: compute the results (fire), forget the elements (purge), both, or neither. */
export type TriggerResult = 'continue' | 'fire' | 'purge' | 'fire-and-purge';
export const TriggerResult: {
  readonly CONTINUE: 'continue';
  readonly FIRE: 'fire';
  readonly PURGE: 'purge';
  readonly FIRE_AND_PURGE: 'fire-and-purge';
} = { CONTINUE: 'continue', FIRE: 'fire', PURGE: 'purge', FIRE_AND_PURGE: 'fire-and-purge' };

/** What a trigger can do for its (key, window). */
export interface TriggerContext {
  currentWatermark(): number;
  currentProcessingTime(): number;
  registerEventTimeTimer(time: number): void;
  registerProcessingTimeTimer(time: number): void;
  deleteEventTimeTimer(time: number): void;
  deleteProcessingTimeTimer(time: number): void;
  /** State of this key and window. */
  getPartitionedState<S>(descriptor: ReducingStateDescriptor<S>): ReducingState<S>;
  getPartitionedState<S>(descriptor: ValueStateDescriptor<S>): ValueState<S>;
}

/** In `onMerge`: also takes over the state of the windows that were merged. */
export interface OnMergeContext extends TriggerContext {
  mergePartitionedState<S>(descriptor: ReducingStateDescriptor<S>): void;
}

/** Decides when a window fires. One object serves all keys and windows: state belongs into `getPartitionedState`. */
export abstract class Trigger<T, W extends Window> {
  abstract onElement(element: T, timestamp: number, window: W, context: TriggerContext): TriggerResult;
  abstract onEventTime(time: number, window: W, context: TriggerContext): TriggerResult;
  abstract onProcessingTime(time: number, window: W, context: TriggerContext): TriggerResult;
  /** True if it works with session windows. */
  canMerge(): boolean {
    return false;
  }
  onMerge(_window: W, _context: OnMergeContext): void {
    throw new MillstreamError('INTERNAL', 'Cannot merge windows: this trigger has no onMerge though canMerge() is true.');
  }
  /** The window is gone: delete timers and state. */
  abstract clear(window: W, context: TriggerContext): void;
}

/** Fires when the watermark passes the end of the window, and for each allowed late element. The default for event time. */
export class EventTimeTrigger extends Trigger<unknown, Window> {
  private constructor() {
    super();
  }

  static create(): EventTimeTrigger {
    return new EventTimeTrigger();
  }

  onElement(_element: unknown, _timestamp: number, window: Window, context: TriggerContext): TriggerResult {
    if (window.maxTimestamp() <= context.currentWatermark()) return 'fire';
    context.registerEventTimeTimer(window.maxTimestamp());
    return 'continue';
  }

  onEventTime(time: number, window: Window): TriggerResult {
    return time === window.maxTimestamp() ? 'fire' : 'continue';
  }

  onProcessingTime(): TriggerResult {
    return 'continue';
  }

  override canMerge(): boolean {
    return true;
  }

  override onMerge(window: Window, context: OnMergeContext): void {
    // An end that has passed fires with the element that caused the merge.
    if (window.maxTimestamp() > context.currentWatermark()) context.registerEventTimeTimer(window.maxTimestamp());
  }

  clear(window: Window, context: TriggerContext): void {
    context.deleteEventTimeTimer(window.maxTimestamp());
  }
}

/** Fires when the wall clock passes the end of the window. The default for processing time. */
export class ProcessingTimeTrigger extends Trigger<unknown, Window> {
  private constructor() {
    super();
  }

  static create(): ProcessingTimeTrigger {
    return new ProcessingTimeTrigger();
  }

  onElement(_element: unknown, _timestamp: number, window: Window, context: TriggerContext): TriggerResult {
    context.registerProcessingTimeTimer(window.maxTimestamp());
    return 'continue';
  }

  onEventTime(): TriggerResult {
    return 'continue';
  }

  onProcessingTime(): TriggerResult {
    return 'fire';
  }

  override canMerge(): boolean {
    return true;
  }

  override onMerge(window: Window, context: OnMergeContext): void {
    if (window.maxTimestamp() > context.currentProcessingTime()) context.registerProcessingTimeTimer(window.maxTimestamp());
  }

  clear(window: Window, context: TriggerContext): void {
    context.deleteProcessingTimeTimer(window.maxTimestamp());
  }
}

const sum = (left: number, right: number): number => left + right;

function positiveCount(value: number, what: string): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new MillstreamError('INVALID_OPTION', `Cannot use '${value}' as ${what}: it must be a whole number above 0.`);
}

/** Fires whenever a window has got another `count` elements. */
export class CountTrigger extends Trigger<unknown, Window> {
  private readonly count: number;
  private readonly descriptor: ReducingStateDescriptor<number> = new ReducingStateDescriptor('count', sum);

  private constructor(count: number) {
    super();
    this.count = positiveCount(count, "a trigger's count");
  }

  static of(count: number): CountTrigger {
    return new CountTrigger(count);
  }

  onElement(_element: unknown, _timestamp: number, _window: Window, context: TriggerContext): TriggerResult {
    const seen = context.getPartitionedState(this.descriptor);
    seen.add(1);
    if ((seen.get() ?? 0) < this.count) return 'continue';
    seen.clear();
    return 'fire';
  }

  onEventTime(): TriggerResult {
    return 'continue';
  }

  onProcessingTime(): TriggerResult {
    return 'continue';
  }

  override canMerge(): boolean {
    return true;
  }

  override onMerge(_window: Window, context: OnMergeContext): void {
    context.mergePartitionedState(this.descriptor);
  }

  clear(_window: Window, context: TriggerContext): void {
    context.getPartitionedState(this.descriptor).clear();
  }
}

/** Like another trigger, but forgets the elements whenever that fires. */
export class PurgingTrigger<T, W extends Window> extends Trigger<T, W> {
  private readonly nested: Trigger<T, W>;

  private constructor(nested: Trigger<T, W>) {
    super();
    this.nested = nested;
  }

  static of<T, W extends Window>(nested: Trigger<T, W>): PurgingTrigger<T, W> {
    return new PurgingTrigger(nested);
  }

  onElement(element: T, timestamp: number, window: W, context: TriggerContext): TriggerResult {
    return purging(this.nested.onElement(element, timestamp, window, context));
  }

  onEventTime(time: number, window: W, context: TriggerContext): TriggerResult {
    return purging(this.nested.onEventTime(time, window, context));
  }

  onProcessingTime(time: number, window: W, context: TriggerContext): TriggerResult {
    return purging(this.nested.onProcessingTime(time, window, context));
  }

  override canMerge(): boolean {
    return this.nested.canMerge();
  }

  override onMerge(window: W, context: OnMergeContext): void {
    this.nested.onMerge(window, context);
  }

  clear(window: W, context: TriggerContext): void {
    this.nested.clear(window, context);
  }
}

function purging(result: TriggerResult): TriggerResult {
  return result === 'fire' ? 'fire-and-purge' : result;
}

/** Fires every `intervalMs` of event time while the window has elements, and at its end. */
export class ContinuousEventTimeTrigger extends Trigger<unknown, Window> {
  private readonly intervalMs: number;
  private readonly descriptor: ReducingStateDescriptor<number> = new ReducingStateDescriptor('fire-time', Math.min);

  private constructor(intervalMs: number) {
    super();
    this.intervalMs = positiveCount(intervalMs, "a trigger's interval");
  }

  static of(intervalMs: number): ContinuousEventTimeTrigger {
    return new ContinuousEventTimeTrigger(intervalMs);
  }

  onElement(_element: unknown, timestamp: number, window: Window, context: TriggerContext): TriggerResult {
    if (window.maxTimestamp() <= context.currentWatermark()) return 'fire';
    context.registerEventTimeTimer(window.maxTimestamp());
    if (context.getPartitionedState(this.descriptor).get() === undefined) {
      this.schedule(timestamp - (timestamp % this.intervalMs), window, context);
    }
    return 'continue';
  }

  onEventTime(time: number, window: Window, context: TriggerContext): TriggerResult {
    if (time === window.maxTimestamp()) return 'fire';
    const next = context.getPartitionedState(this.descriptor);
    if (next.get() !== time) return 'continue';
    next.clear();
    this.schedule(time, window, context);
    return 'fire';
  }

  onProcessingTime(): TriggerResult {
    return 'continue';
  }

  override canMerge(): boolean {
    return true;
  }

  override onMerge(window: Window, context: OnMergeContext): void {
    context.mergePartitionedState(this.descriptor);
    const next = context.getPartitionedState(this.descriptor).get();
    if (next !== undefined) context.registerEventTimeTimer(next);
    if (window.maxTimestamp() > context.currentWatermark()) context.registerEventTimeTimer(window.maxTimestamp());
  }

  clear(window: Window, context: TriggerContext): void {
    const next = context.getPartitionedState(this.descriptor);
    const time = next.get();
    if (time !== undefined) context.deleteEventTimeTimer(time);
    next.clear();
    context.deleteEventTimeTimer(window.maxTimestamp());
  }

  private schedule(from: number, window: Window, context: TriggerContext): void {
    const time = Math.min(from + this.intervalMs, window.maxTimestamp());
    context.getPartitionedState(this.descriptor).add(time);
    context.registerEventTimeTimer(time);
  }
}

/** Never fires: the default of global windows. */
export class NeverTrigger extends Trigger<unknown, Window> {
  private constructor() {
    super();
  }

  static create(): NeverTrigger {
    return new NeverTrigger();
  }

  onElement(): TriggerResult {
    return 'continue';
  }

  onEventTime(): TriggerResult {
    return 'continue';
  }

  onProcessingTime(): TriggerResult {
    return 'continue';
  }

  clear(): void {
    // Has neither timers nor state.
  }
}
