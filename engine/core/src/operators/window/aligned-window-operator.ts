/**
 * Tumbling and sliding windows that fire at their end: the fast path. All keys of a window lie in one namespace of a window table, and
 * one entry in a sorted set of starts, not a timer per key, says that it has to fire.
 *
 *     record ─▶ windows of its pane ─▶ table.entry(start, key)          `firing`: starts of windows that have not fired
 *     watermark ─▶ fire windows in order of their end, key by key       `cleaning`: starts that fired and wait for late records
 *
 * Invariants: 1. every namespace of the table is in `firing` or `cleaning`; 2. records in [paneFrom, paneTo) belong to windows that are
 * in `firing`, none of which is late: they take the short way; 3. after a restore a key whose group had seen a window's end does not
 * fire with the window again (its live watermark may be behind); late records of it fire at once, as before.
 */
import type { Clock } from '../../common/clock.js';
import { MillstreamError } from '../../common/errors.js';
import type { Key } from '../../common/key.js';
import type { KeyedEntry, WindowTable } from '../../state/backend.js';
import { keySelectorOf } from '../key-selector.js';
import type { KeyedWatermark } from '../keyed-watermark.js';
import type { Budget, KeySelector, Operator, OperatorContext } from '../operator.js';
import { type AlignedWindows, windowStart } from './assigners.js';
import { UNLIMITED, type WindowContents } from './contents.js';
import { LateElements } from './late-elements.js';
import { SortedTimes } from './sorted-times.js';
import { TimeWindow } from './window.js';

export interface AlignedWindowOptions {
  readonly assigner: AlignedWindows;
  readonly allowedLatenessMs: number;
  readonly lateDataTag: string | undefined;
}

/** Refuses records that have no place in event time. */
export function requireTimestamp(timestamp: number, operator: string): void {
  if (Number.isFinite(timestamp)) return;
  throw new MillstreamError(
    'NO_TIMESTAMP',
    `Cannot assign a record to the event-time windows of operator '${operator}': its timestamp is '${timestamp}'. Call assignTimestampsAndWatermarks(…) before the window, or give the source a watermark strategy with a timestamp assigner.`,
    { details: { operator } },
  );
}

export class AlignedWindowOperator implements Operator {
  private readonly name: string;
  private readonly clock: Clock;
  private readonly selector: KeySelector;
  private readonly selector2: KeySelector | undefined;
  private readonly contents: WindowContents;
  private readonly watermark: KeyedWatermark;
  private readonly late: LateElements;
  private readonly table: WindowTable<unknown>;
  private readonly isEventTime: boolean;
  private readonly size: number;
  private readonly slide: number;
  private readonly offset: number;
  private readonly lateness: number;
  private readonly firing = new SortedTimes();
  private readonly cleaning = new SortedTimes();
  private paneFrom: number = Number.POSITIVE_INFINITY;
  private paneTo: number = Number.NEGATIVE_INFINITY;
  /** The latest start among the pane's windows. */
  private paneStart = 0;
  private due: number = Number.POSITIVE_INFINITY;
  /** The window that is being fired, and its keys that have not been. */
  private entries: IterableIterator<KeyedEntry<unknown>> | undefined;
  private window: TimeWindow | undefined;
  /** The key whose results are being emitted, if that had to stop. */
  private stoppedKey: Key | undefined;

  constructor(context: OperatorContext, options: AlignedWindowOptions, contents: WindowContents, watermark: KeyedWatermark) {
    this.name = context.name;
    this.clock = context.clock;
    this.selector = keySelectorOf(context, 0);
    this.selector2 = context.keySelectors[1];
    this.contents = contents;
    this.watermark = watermark;
    this.late = new LateElements(context, options.lateDataTag);
    this.table = context.keyed.windows('windows', contents.schema, contents);
    this.isEventTime = options.assigner.isEventTime;
    this.size = options.assigner.sizeMs;
    this.slide = options.assigner.slideMs;
    this.offset = options.assigner.offsetMs;
    this.lateness = this.isEventTime ? options.allowedLatenessMs : 0;
  }

  open(): Promise<void> | void {
    this.watermark.open();
    for (const start of this.table.namespaces()) this.firing.add(start);
    this.updateDue();
    return this.contents.open?.();
  }

  close(): Promise<void> | void {
    return this.contents.close?.();
  }

  processElement(value: unknown, timestamp: number): void {
    this.assign(this.selector(value), value, timestamp, 0);
  }

  processElement2(value: unknown, timestamp: number): void {
    this.assign((this.selector2 as KeySelector)(value), value, timestamp, 1);
  }

  private assign(key: Key, value: unknown, timestamp: number, side: 0 | 1): void {
    const time = this.isEventTime ? timestamp : this.clock.now();
    if (time >= this.paneFrom && time < this.paneTo) {
      const before = time - this.size;
      for (let start = this.paneStart; start > before; start -= this.slide) this.add(start, key, value, side);
    } else {
      this.openWindows(key, value, time, timestamp, side);
    }
  }

  private add(start: number, key: Key, value: unknown, side: 0 | 1): void {
    const entry = this.table.entry(start, key);
    if (entry === undefined) this.table.insert(start, key, this.contents.first(value, side));
    else entry.value = this.contents.add(entry.value, value, side);
  }

  /** The long way: windows that are not open yet, have fired, or are late. */
  private openWindows(key: Key, value: unknown, time: number, timestamp: number, side: 0 | 1): void {
    if (this.isEventTime) requireTimestamp(timestamp, this.name);
    const watermark = this.isEventTime ? this.watermark.of(key) : Number.NEGATIVE_INFINITY;
    const last = windowStart(time, this.offset, this.slide);
    let accepted = false;
    let allOpen = this.watermark.isUniform;
    for (let start = last; start > time - this.size; start -= this.slide) {
      const maxTimestamp = start + this.size - 1;
      if (maxTimestamp + this.lateness <= watermark) {
        allOpen = false;
        break;
      }
      accepted = true;
      this.add(start, key, value, side);
      if (maxTimestamp > watermark) {
        this.firing.add(start);
      } else {
        allOpen = false;
        this.fireLate(start, key);
      }
    }
    if (!accepted) {
      if (time + this.lateness <= watermark) this.late.drop(value, timestamp);
      return;
    }
    this.updateDue();
    if (!allOpen) return;
    // Earlier times of the pane may belong to one more window, unless windows are whole panes.
    this.paneFrom = this.size % this.slide === 0 ? last : time;
    this.paneTo = last + this.slide;
    this.paneStart = last;
  }

  private fireLate(start: number, key: Key): void {
    const window = new TimeWindow(start, start + this.size);
    // With restored watermarks the window may be over for this key alone.
    if (window.maxTimestamp() <= this.watermark.live) this.cleaning.add(start);
    else this.firing.add(start);
    const entry = this.table.entry(start, key);
    if (entry !== undefined) this.contents.fire(key, window, entry.value, window.maxTimestamp(), true, UNLIMITED);
  }

  advanceEventTime(watermark: number, budget: Budget): boolean {
    this.watermark.live = watermark;
    if (this.isEventTime) {
      if (!this.fireUntil(watermark, budget)) return false;
      while (this.cleaning.hasUntil(watermark - this.lateness - this.size + 1)) {
        this.table.drop(this.cleaning.first);
        this.cleaning.removeFirst();
      }
    }
    this.watermark.settle();
    return true;
  }

  nextProcessingTime(): number {
    return this.due;
  }

  advanceProcessingTime(now: number, budget: Budget): boolean {
    if (this.isEventTime) return true;
    // A window's last millisecond must be over.
    return this.fireUntil(now - 1, budget);
  }

  private updateDue(): void {
    if (!this.isEventTime) this.due = this.firing.first + this.size;
  }

  private fireUntil(limit: number, budget: Budget): boolean {
    const lastStart = limit - this.size + 1;
    if (!this.firing.hasUntil(lastStart)) return true;
    this.paneFrom = Number.POSITIVE_INFINITY;
    do {
      const start = this.firing.first;
      if (!this.fireWindow(start, budget)) return false;
      this.firing.removeFirst();
      if (this.lateness > 0) this.cleaning.add(start);
      else this.table.drop(start);
    } while (this.firing.hasUntil(lastStart));
    this.updateDue();
    return true;
  }

  private fireWindow(start: number, budget: Budget): boolean {
    let entries = this.entries;
    if (entries === undefined) {
      entries = this.table.entries(start);
      this.entries = entries;
      this.window = new TimeWindow(start, start + this.size);
    }
    const window = this.window as TimeWindow;
    const maxTimestamp = window.maxTimestamp();
    const stopped = this.stoppedKey;
    if (stopped !== undefined) {
      // The entry may not be kept while other code ran.
      const entry = this.table.entry(start, stopped);
      if (entry !== undefined && !this.contents.fire(stopped, window, entry.value, maxTimestamp, this.lateness > 0, budget)) return false;
      this.stoppedKey = undefined;
    }
    for (let next = entries.next(); next.done !== true; next = entries.next()) {
      const { key, value } = next.value;
      if (!this.watermark.isUniform && this.isEventTime && this.watermark.restoredOf(key) >= maxTimestamp) continue;
      if (!this.contents.fire(key, window, value, maxTimestamp, this.lateness > 0, budget)) {
        this.stoppedKey = key;
        return false;
      }
      if (budget.exhausted()) return false;
    }
    this.entries = undefined;
    return true;
  }
}
