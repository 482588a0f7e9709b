/** Windowed streams: a keyed stream cut into windows, waiting for the function that evaluates them. */

import type { OutputTag } from '../operators/output-tag.js';
import { createCountWindowOperator } from '../operators/window/count-window.js';
import type { Trigger } from '../operators/window/triggers.js';
import type { GlobalWindow, Window } from '../operators/window/window.js';
import { createWindowOperator, type WindowFunction, type WindowTiming } from '../operators/window/window-operator.js';
import { type AddWindowOperator, WindowEvaluation, type WindowOperatorPlan } from './window-evaluation.js';

/** What the plan says of a window's timing. */
export function timingConfig<T, W extends Window>(timing: WindowTiming<T, W>): WindowOperatorPlan['config'] {
  return {
    assigner: timing.assigner.constructor.name,
    ...timing.assigner.config,
    trigger: timing.trigger?.constructor.name,
    allowedLatenessMs: timing.allowedLatenessMs,
    lateData: timing.lateDataTag?.id,
  };
}

/** Windows by an assigner. Immutable: each setting returns a new one. */
export class WindowedStream<T, K, W extends Window> extends WindowEvaluation<T, K, W> {
  readonly #timing: WindowTiming<T, W>;

  /** Internal: use `keyedStream.window(assigner)`. */
  constructor(add: AddWindowOperator, timing: WindowTiming<T, W>) {
    super(add, (fn: WindowFunction<T, unknown, unknown, unknown, K, W>) => ({
      create: createWindowOperator({ ...timing, function: fn }),
      config: timingConfig(timing),
    }));
    this.#timing = timing;
  }

  /** Decides when windows fire; default: the assigner's trigger. */
  trigger(trigger: Trigger<T, W>): WindowedStream<T, K, W> {
    return new WindowedStream(this.add, { ...this.#timing, trigger });
  }

  /** How long after its end a window still takes late records, in event time, ms. Each of them fires it again. Default 0. */
  allowedLateness(allowedLatenessMs: number): WindowedStream<T, K, W> {
    return new WindowedStream(this.add, { ...this.#timing, allowedLatenessMs });
  }

  /** Sends records that are too late to a side output of the result; by default they are dropped and counted. */
  sideOutputLateData(lateDataTag: OutputTag<T>): WindowedStream<T, K, W> {
    return new WindowedStream(this.add, { ...this.#timing, lateDataTag });
  }
}

/** Windows by number of records. */
export class CountWindowedStream<T, K> extends WindowEvaluation<T, K, GlobalWindow> {
  /** Internal: use `keyedStream.countWindow(size)`. */
  constructor(add: AddWindowOperator, size: number, slide: number | undefined) {
    super(add, (fn: WindowFunction<T, unknown, unknown, unknown, K, GlobalWindow>) => ({
      create: createCountWindowOperator({ size, slide, function: fn }),
      config: { size, slide },
    }));
  }
}
