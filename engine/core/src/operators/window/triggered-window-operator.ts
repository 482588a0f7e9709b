/**
 * Windows of every other kind: sessions, global windows, own assigners and triggers. A key's windows, with their contents, their
 * trigger's state and their timers, are one value of keyed state; timers are per key, and the record says which window they are for.
 *
 *     element ─▶ assign ─▶ merge (sessions) ─▶ late? ─▶ add ─▶ trigger ─▶ fire / purge ─▶ clean-up timer
 *     timer   ─▶ windows that registered its time ─▶ trigger ─▶ fire / purge ─▶ clean up at maxTimestamp + allowed lateness
 *
 * Invariants: 1. windows of a key under a merging assigner neither overlap nor touch; 2. a timer is in the time service exactly while
 * some record of the key lists it; 3. firings are emitted in the order of their timers, and before any later element.
 */
import type { Clock } from '../../common/clock.js';
import { MillstreamError } from '../../common/errors.js';
import type { KeyedStateBackend } from '../../state/backend.js';
import { ValueStateDescriptor } from '../../state/descriptors.js';
import type { ValueState } from '../../state/state.js';
import { keySelectorOf } from '../key-selector.js';
import type { KeyedWatermark } from '../keyed-watermark.js';
import type { Budget, KeySelector, Operator, OperatorContext } from '../operator.js';
import { KeyedTimeService, type TimeDomain, type TimerHandler } from '../time-service.js';
import { requireTimestamp } from './aligned-window-operator.js';
import type { WindowAssigner } from './assigners.js';
import { UNLIMITED, type WindowContents } from './contents.js';
import { LateElements } from './late-elements.js';
import {
  newTriggeredWindow,
  type PendingFiring,
  removeTime,
  TRIGGERED_WINDOWS_STATE,
  type TriggeredWindow,
  TriggeredWindowContext,
  windowOf,
  windowsKeeper,
} from './triggered-window.js';
import type { Trigger, TriggerResult } from './triggers.js';
import { TimeWindow, type Window } from './window.js';

export interface TriggeredWindowOptions {
  readonly assigner: WindowAssigner<unknown, Window>;
  readonly trigger: Trigger<unknown, Window>;
  readonly allowedLatenessMs: number;
  readonly lateDataTag: string | undefined;
}

export class TriggeredWindowOperator implements Operator, TimerHandler {
  private readonly name: string;
  private readonly clock: Clock;
  private readonly selector: KeySelector;
  private readonly selector2: KeySelector | undefined;
  private readonly backend: KeyedStateBackend;
  private readonly assigner: WindowAssigner<unknown, Window>;
  private readonly trigger: Trigger<unknown, Window>;
  private readonly lateness: number;
  private readonly contents: WindowContents;
  private readonly late: LateElements;
  private readonly time: KeyedTimeService;
  private readonly state: ValueState<TriggeredWindow[]>;
  private readonly call: TriggeredWindowContext;
  private readonly pending: PendingFiring[] = [];
  private budget: Budget = UNLIMITED;

  constructor(context: OperatorContext, options: TriggeredWindowOptions, createContents: (watermark: KeyedWatermark) => WindowContents) {
    this.name = context.name;
    this.clock = context.clock;
    this.selector = keySelectorOf(context, 0);
    this.selector2 = context.keySelectors[1];
    this.backend = context.keyed;
    this.assigner = options.assigner;
    this.trigger = options.trigger;
    this.lateness = options.assigner.isEventTime ? options.allowedLatenessMs : 0;
    this.time = new KeyedTimeService(context, this);
    this.contents = createContents(this.time.watermark);
    this.late = new LateElements(context, options.lateDataTag);
    this.state = context.keyed.value(
      new ValueStateDescriptor<TriggeredWindow[]>(TRIGGERED_WINDOWS_STATE),
      windowsKeeper(this.contents, context),
    );
    this.call = new TriggeredWindowContext(context.clock, this.time);
    if (options.assigner.isMerging && !(options.trigger.canMerge() && this.contents.canMerge)) {
      throw new MillstreamError(
        'INVALID_OPTION',
        `Cannot run session windows in operator '${context.name}': ${options.trigger.canMerge() ? "the aggregate function has no 'merge'" : 'the trigger cannot merge windows'}. ${options.trigger.canMerge() ? 'Add merge(left, right) to it.' : 'Use another trigger, or implement canMerge() and onMerge(…).'}`,
      );
    }
  }

  open(): Promise<void> | void {
    this.time.open();
    return this.contents.open?.();
  }

  close(): Promise<void> | void {
    return this.contents.close?.();
  }

  processElement(value: unknown, timestamp: number): void {
    this.backend.setCurrentKey(this.selector(value));
    this.assign(value, timestamp, 0);
  }

  processElement2(value: unknown, timestamp: number): void {
    this.backend.setCurrentKey((this.selector2 as KeySelector)(value));
    this.assign(value, timestamp, 1);
  }

  private assign(value: unknown, timestamp: number, side: 0 | 1): void {
    if (this.assigner.isEventTime) requireTimestamp(timestamp, this.name);
    const windows = this.state.value() ?? [];
    let accepted = false;
    const fired: PendingFiring[] = [];
    for (const window of this.assigner.assignWindows(value, timestamp, this.clock.now())) {
      if (!this.assigner.isMerging && this.isLate(window.maxTimestamp())) continue;
      const record = this.assigner.isMerging ? this.mergedWindow(windows, window as TimeWindow) : this.recordOf(windows, window);
      const actual = windowOf(record);
      if (this.isLate(actual.maxTimestamp())) {
        this.forget(windows, record);
        continue;
      }
      accepted = true;
      record.contents = record.filled ? this.contents.add(record.contents, value, side) : this.contents.first(value, side);
      record.filled = true;
      const decision = this.trigger.onElement(value, timestamp, actual, this.call.enter(windows, record));
      this.apply(decision, record, actual, actual instanceof TimeWindow ? actual.maxTimestamp() : timestamp, fired);
      this.scheduleCleaning(windows, record, actual);
    }
    this.store(windows);
    if (!accepted && this.assigner.isEventTime && timestamp + this.lateness <= this.time.currentWatermark())
      this.late.drop(value, timestamp);
    for (const { key, window, contents, timestamp: time, keep } of fired) this.contents.fire(key, window, contents, time, keep, UNLIMITED);
  }

  private store(windows: TriggeredWindow[]): void {
    if (windows.length > 0) this.state.update(windows);
    else this.state.clear();
  }

  private isLate(maxTimestamp: number): boolean {
    return this.assigner.isEventTime && maxTimestamp + this.lateness <= this.time.currentWatermark();
  }

  private recordOf(windows: TriggeredWindow[], window: Window): TriggeredWindow {
    const created = newTriggeredWindow(window);
    for (const record of windows) if (record.start === created.start && record.end === created.end) return record;
    windows.push(created);
    return created;
  }

  /** The window of the key that an element's window belongs to, after merging it with those it overlaps or touches. */
  private mergedWindow(windows: TriggeredWindow[], added: TimeWindow): TriggeredWindow {
    const overlapped = windows.filter((record) => added.intersects(new TimeWindow(record.start, record.end)));
    const only = overlapped.length === 1 ? overlapped[0] : undefined;
    if (only !== undefined && only.start <= added.start && only.end >= added.end) return only;
    if (overlapped.length === 0) {
      const created = newTriggeredWindow(added);
      windows.push(created);
      return created;
    }
    overlapped.sort((left, right) => left.start - right.start);
    const start = Math.min(added.start, (overlapped[0] as TriggeredWindow).start);
    const end = Math.max(added.end, (overlapped.at(-1) as TriggeredWindow).end);
    const merged = newTriggeredWindow(new TimeWindow(start, end));
    for (const record of overlapped) {
      if (record.filled) merged.contents = merged.filled ? this.contents.merge(merged.contents, record.contents) : record.contents;
      merged.filled ||= record.filled;
      windows.splice(windows.indexOf(record), 1);
    }
    windows.push(merged);
    this.trigger.onMerge(windowOf(merged), this.call.enter(windows, merged, overlapped));
    for (const record of overlapped) this.clear(windows, record);
    return merged;
  }

  private apply(decision: TriggerResult, record: TriggeredWindow, window: Window, timestamp: number, fired: PendingFiring[]): void {
    if (decision === 'continue') return;
    const purge = decision !== 'fire';
    if (decision !== 'purge' && record.filled) {
      fired.push({ key: this.backend.currentKey(), window, contents: record.contents, timestamp, keep: !purge });
    }
    if (!purge) return;
    record.contents = undefined;
    record.filled = false;
  }

  private scheduleCleaning(windows: TriggeredWindow[], record: TriggeredWindow, window: Window): void {
    const time = window.maxTimestamp() + this.lateness;
    if (time === Number.POSITIVE_INFINITY) return;
    this.call.enter(windows, record);
    if (this.assigner.isEventTime) this.call.registerEventTimeTimer(time);
    else this.call.registerProcessingTimeTimer(time);
  }

  /** Removes a window of the current key with everything that belongs to it. */
  private forget(windows: TriggeredWindow[], record: TriggeredWindow): void {
    windows.splice(windows.indexOf(record), 1);
    this.clear(windows, record);
  }

  private clear(windows: readonly TriggeredWindow[], gone: TriggeredWindow): void {
    this.trigger.clear(windowOf(gone), this.call.enter(windows, gone));
    this.call.forgetTimers(windows, gone);
  }

  onTimer(time: number, domain: TimeDomain): void {
    const windows = this.state.value();
    if (windows === undefined) return;
    const isEvent = domain === 'event-time';
    for (const record of windows.slice()) {
      if (!removeTime(isEvent ? record.eventTimers : record.processingTimers, time)) continue;
      const window = windowOf(record);
      const context = this.call.enter(windows, record);
      const decision = isEvent ? this.trigger.onEventTime(time, window, context) : this.trigger.onProcessingTime(time, window, context);
      const timestamp = window instanceof TimeWindow ? window.maxTimestamp() : isEvent ? time : Number.NaN;
      this.apply(decision, record, window, timestamp, this.pending);
      if (isEvent === this.assigner.isEventTime && time === window.maxTimestamp() + this.lateness) this.forget(windows, record);
    }
    this.store(windows);
    this.emitPending(this.budget);
  }

  private emitPending(budget: Budget): boolean {
    for (let first = this.pending[0]; first !== undefined; first = this.pending[0]) {
      if (!this.contents.fire(first.key, first.window, first.contents, first.timestamp, first.keep, budget)) return false;
      this.pending.shift();
    }
    return true;
  }

  advanceEventTime(watermark: number, budget: Budget): boolean {
    this.budget = budget;
    return this.emitPending(budget) && this.time.advanceEventTime(watermark, budget) && this.emitPending(budget);
  }

  nextProcessingTime(): number {
    return this.time.nextProcessingTime;
  }

  advanceProcessingTime(now: number, budget: Budget): boolean {
    this.budget = budget;
    return this.emitPending(budget) && this.time.advanceProcessingTime(now, budget) && this.emitPending(budget);
  }
}
