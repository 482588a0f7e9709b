/**
 * Count windows of a keyed stream: every `size` elements (tumbling), or the last `size` elements every `slide` ones (sliding).
 * In Flink these are global windows with triggers and evictors; here one state entry per key does it. Results have the timestamp of
 * the element that completed the window (Flink gives them the end of time).
 */
import { MillstreamError } from '../../common/errors.js';
import type { KeyedStateBackend } from '../../state/backend.js';
import { ValueStateDescriptor } from '../../state/descriptors.js';
import type { ValueState } from '../../state/state.js';
import type { ValueKeeper } from '../../state/undo-log.js';
import { keySelectorOf } from '../key-selector.js';
import { KeyedWatermark } from '../keyed-watermark.js';
import type { KeySelector, Operator, OperatorContext } from '../operator.js';
import { UNLIMITED, type WindowContents } from './contents.js';
import { GlobalWindow } from './window.js';
import { type WindowFunction, windowContents } from './window-operator.js';

export interface CountWindowOptions<IN, ACC, R, OUT, K> {
  readonly size: number;
  /** Default: `size`. */
  readonly slide?: number | undefined;
  readonly function: WindowFunction<IN, ACC, R, OUT, K, GlobalWindow>;
}

/** A key's open window: elements since the last firing, and what is kept of the elements. */
interface CountWindow {
  count: number;
  contents: unknown;
}

const STATE_NAME = '$count-window';

interface KeptWindow {
  readonly window: CountWindow;
  readonly count: number;
  readonly contents: unknown;
}

/** Keeps windows whose contents are kept by `contents`. */
function windowKeeper(contents: ValueKeeper<unknown>): ValueKeeper<CountWindow> {
  return {
    keep: (window): KeptWindow => ({ window, count: window.count, contents: contents.keep(window.contents) }),
    restore(kept) {
      const { window, count, contents: keptContents } = kept as KeptWindow;
      window.count = count;
      window.contents = contents.restore(keptContents);
      return window;
    },
  };
}

/** The last elements are taken from at the front, too. */
const LAST_ELEMENTS: ValueKeeper<unknown> = {
  keep: (elements) => (elements as unknown[]).slice(),
  restore: (kept) => kept,
};

abstract class CountWindowOperator implements Operator {
  protected readonly contents: WindowContents;
  protected readonly state: ValueState<CountWindow>;
  protected readonly backend: KeyedStateBackend;
  private readonly selector: KeySelector;
  private readonly watermark: KeyedWatermark;

  /** `keeper`: of what a window keeps. Default: its contents. */
  constructor(
    context: OperatorContext,
    createContents: (context: OperatorContext, watermark: KeyedWatermark) => WindowContents,
    keeper?: ValueKeeper<unknown>,
  ) {
    this.watermark = new KeyedWatermark(context);
    this.contents = createContents(context, this.watermark);
    this.backend = context.keyed;
    this.selector = keySelectorOf(context, 0);
    this.state = context.keyed.value(new ValueStateDescriptor<CountWindow>(STATE_NAME), windowKeeper(keeper ?? this.contents));
  }

  open(): Promise<void> | void {
    this.watermark.open();
    return this.contents.open?.();
  }

  close(): Promise<void> | void {
    return this.contents.close?.();
  }

  processElement(value: unknown, timestamp: number): void {
    this.backend.setCurrentKey(this.selector(value));
    this.add(this.state.value(), value, timestamp);
  }

  advanceEventTime(watermark: number): boolean {
    this.watermark.live = watermark;
    this.watermark.settle();
    return true;
  }

  protected abstract add(window: CountWindow | undefined, value: unknown, timestamp: number): void;

  protected fire(contents: unknown, timestamp: number): void {
    this.contents.fire(this.backend.currentKey(), GlobalWindow.instance, contents, timestamp, false, UNLIMITED);
  }
}

/** Keeps the reduced contents; they are gone when the window fires. */
class TumblingCountOperator extends CountWindowOperator {
  private readonly size: number;

  constructor(
    context: OperatorContext,
    size: number,
    createContents: (context: OperatorContext, watermark: KeyedWatermark) => WindowContents,
  ) {
    super(context, createContents);
    this.size = size;
  }

  protected add(window: CountWindow | undefined, value: unknown, timestamp: number): void {
    const next = window ?? { count: 0, contents: undefined };
    next.contents = window === undefined ? this.contents.first(value, 0) : this.contents.add(next.contents, value, 0);
    next.count++;
    if (next.count < this.size) {
      this.state.update(next);
      return;
    }
    this.state.clear();
    this.fire(next.contents, timestamp);
  }
}

/** Keeps the last elements themselves: each is in several windows. */
class SlidingCountOperator extends CountWindowOperator {
  private readonly size: number;
  private readonly slide: number;

  constructor(
    context: OperatorContext,
    size: number,
    slide: number,
    createContents: (context: OperatorContext, watermark: KeyedWatermark) => WindowContents,
  ) {
    super(context, createContents, LAST_ELEMENTS);
    this.size = size;
    this.slide = slide;
  }

  protected add(window: CountWindow | undefined, value: unknown, timestamp: number): void {
    const next = window ?? { count: 0, contents: [] };
    const elements = next.contents as unknown[];
    elements.push(value);
    next.count++;
    if (next.count < this.slide) {
      this.state.update(next);
      return;
    }
    next.count = 0;
    if (elements.length > this.size) elements.splice(0, elements.length - this.size);
    let contents = this.contents.first(elements[0], 0);
    for (let index = 1; index < elements.length; index++) contents = this.contents.add(contents, elements[index], 0);
    this.state.update(next);
    this.fire(contents, timestamp);
  }
}

function positiveCount(value: number, what: string): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new MillstreamError('INVALID_OPTION', `Cannot use '${value}' as a count window's ${what}: it must be a whole number above 0.`);
}

/** Count windows; what is incomplete at the end of the input is dropped, as in Flink. */
export function createCountWindowOperator<IN, ACC, R, OUT, K>(
  options: CountWindowOptions<IN, ACC, R, OUT, K>,
): (context: OperatorContext) => Operator {
  const size = positiveCount(options.size, 'size');
  const slide = positiveCount(options.slide ?? size, 'slide');
  const createContents = windowContents(options.function);
  if (slide === size) return (context) => new TumblingCountOperator(context, size, createContents);
  return (context) => new SlidingCountOperator(context, size, slide, createContents);
}
