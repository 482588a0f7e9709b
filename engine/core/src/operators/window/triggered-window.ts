/** What the triggered window operator keeps of a key's window, and the context that triggers get for it. */
import { copyAllowedValue } from '../../codec/copy-value.js';
import type { Clock } from '../../common/clock.js';
import type { KeyedStateBackend } from '../../state/backend.js';
import type { ReducingStateDescriptor, ValueStateDescriptor } from '../../state/descriptors.js';
import type { ReducingState, ValueState } from '../../state/state.js';
import type { ValueKeeper } from '../../state/undo-log.js';
import type { OperatorContext } from '../operator.js';
import type { KeyedTimeService } from '../time-service.js';
import type { OnMergeContext } from './triggers.js';
import { GlobalWindow, TimeWindow, type Window } from './window.js';

/** One window of a key; plain data, kept in keyed state. The global window lasts from -Infinity to Infinity. */
export interface TriggeredWindow {
  start: number;
  end: number;
  /** False before the first element and after a purge. */
  filled: boolean;
  contents: unknown;
  /** The trigger's state by name. */
  trigger: Record<string, unknown>;
  eventTimers: number[];
  processingTimers: number[];
}

export function newTriggeredWindow(window: Window): TriggeredWindow {
  const start = window instanceof TimeWindow ? window.start : Number.NEGATIVE_INFINITY;
  const end = window instanceof TimeWindow ? window.end : Number.POSITIVE_INFINITY;
  return { start, end, filled: false, contents: undefined, trigger: {}, eventTimers: [], processingTimers: [] };
}

export function windowOf(record: TriggeredWindow): Window {
  return record.end === Number.POSITIVE_INFINITY ? GlobalWindow.instance : new TimeWindow(record.start, record.end);
}

/** Removes a time from a list; false if it was not there. */
export function removeTime(times: number[], time: number): boolean {
  const at = times.indexOf(time);
  if (at < 0) return false;
  times.splice(at, 1);
  return true;
}

/** State of a trigger for one (key, window): a field of the window's record. */
class TriggerState<S> implements ReducingState<S>, ValueState<S> {
  private readonly fields: Record<string, unknown>;
  private readonly descriptor: ReducingStateDescriptor<S> | ValueStateDescriptor<S>;

  constructor(fields: Record<string, unknown>, descriptor: ReducingStateDescriptor<S> | ValueStateDescriptor<S>) {
    this.fields = fields;
    this.descriptor = descriptor;
  }

  get(): S | undefined {
    return this.fields[this.descriptor.name] as S | undefined;
  }

  value(): S | undefined {
    return this.get();
  }

  add(value: S): void {
    const before = this.get();
    const { descriptor } = this;
    this.update(before === undefined || descriptor.kind === 'value' ? value : descriptor.reduce(before, value));
  }

  update(value: S): void {
    this.fields[this.descriptor.name] = value;
  }

  clear(): void {
    delete this.fields[this.descriptor.name];
  }
}

interface KeptWindow {
  readonly record: TriggeredWindow;
  readonly before: TriggeredWindow;
}

/** Keeps the windows of a key, whose contents are kept by `contents`. */
export function windowsKeeper(contents: ValueKeeper<unknown>, context: OperatorContext): ValueKeeper<TriggeredWindow[]> {
  const keepOne = (record: TriggeredWindow): KeptWindow => ({
    record,
    before: {
      ...record,
      contents: record.filled ? contents.keep(record.contents) : undefined,
      trigger: copyAllowedValue(record.trigger, context.classes),
      eventTimers: record.eventTimers.slice(),
      processingTimers: record.processingTimers.slice(),
    },
  });
  const restoreOne = ({ record, before }: KeptWindow): TriggeredWindow =>
    Object.assign(record, before, { contents: before.filled ? contents.restore(before.contents) : undefined });
  return {
    keep: (windows) => windows.map(keepOne),
    restore: (kept) => (kept as KeptWindow[]).map(restoreOne),
  };
}

/** The context of triggers: `enter` before each call. Timers are of the current key and, by the record, of one window. */
export class TriggeredWindowContext implements OnMergeContext {
  private readonly clock: Clock;
  private readonly time: KeyedTimeService;
  /** All windows of the current key. */
  private windows: readonly TriggeredWindow[] = [];
  private current: TriggeredWindow | undefined;
  private merged: readonly TriggeredWindow[] = [];

  constructor(clock: Clock, time: KeyedTimeService) {
    this.clock = clock;
    this.time = time;
  }

  /** `merged`: the windows that became `current`, in `onMerge`. */
  enter(windows: readonly TriggeredWindow[], current: TriggeredWindow, merged: readonly TriggeredWindow[] = []): this {
    this.windows = windows;
    this.current = current;
    this.merged = merged;
    return this;
  }

  private get record(): TriggeredWindow {
    return this.current as TriggeredWindow;
  }

  currentWatermark(): number {
    return this.time.currentWatermark();
  }

  currentProcessingTime(): number {
    return this.clock.now();
  }

  registerEventTimeTimer(time: number): void {
    if (!this.record.eventTimers.includes(time)) this.record.eventTimers.push(time);
    this.time.registerEventTimeTimer(time);
  }

  registerProcessingTimeTimer(time: number): void {
    if (!this.record.processingTimers.includes(time)) this.record.processingTimers.push(time);
    this.time.registerProcessingTimeTimer(time);
  }

  deleteEventTimeTimer(time: number): void {
    if (!removeTime(this.record.eventTimers, time)) return;
    if (!this.windows.some((window) => window.eventTimers.includes(time))) this.time.deleteEventTimeTimer(time);
  }

  deleteProcessingTimeTimer(time: number): void {
    if (!removeTime(this.record.processingTimers, time)) return;
    if (!this.windows.some((window) => window.processingTimers.includes(time))) this.time.deleteProcessingTimeTimer(time);
  }

  getPartitionedState<S>(descriptor: ReducingStateDescriptor<S> | ValueStateDescriptor<S>): ReducingState<S> & ValueState<S> {
    return new TriggerState(this.record.trigger, descriptor);
  }

  mergePartitionedState<S>(descriptor: ReducingStateDescriptor<S>): void {
    const target = new TriggerState(this.record.trigger, descriptor);
    for (const window of this.merged) {
      const source = new TriggerState(window.trigger, descriptor);
      const value = source.get();
      if (value === undefined) continue;
      target.add(value);
      source.clear();
    }
  }

  /** Removes all timers of a window that is gone; `windows` are those that stay. */
  forgetTimers(windows: readonly TriggeredWindow[], gone: TriggeredWindow): void {
    this.enter(windows, gone);
    for (const time of gone.eventTimers.slice()) this.deleteEventTimeTimer(time);
    for (const time of gone.processingTimers.slice()) this.deleteProcessingTimeTimer(time);
  }
}

/** The state name under which a key's windows lie; user states cannot have it. */
export const TRIGGERED_WINDOWS_STATE = '$windows';

/** A firing whose results have not all been emitted. */
export interface PendingFiring {
  readonly key: ReturnType<KeyedStateBackend['currentKey']>;
  readonly window: Window;
  readonly contents: unknown;
  readonly timestamp: number;
  readonly keep: boolean;
}
