/** Chooses how a window runs: aligned windows with the default trigger on the fast path, everything else with triggers per key. */
import type { Schema } from '../../codec/schema.js';
import { MillstreamError } from '../../common/errors.js';
import type { AggregateFunction, ReduceFunction } from '../../state/descriptors.js';
import { KeyedWatermark } from '../keyed-watermark.js';
import type { Operator, OperatorContext } from '../operator.js';
import type { OutputTag } from '../output-tag.js';
import { checkUserFunction, instantiate, type UserFunction } from '../user-function.js';
import { AlignedWindowOperator } from './aligned-window-operator.js';
import { AlignedWindows, type WindowAssigner } from './assigners.js';
import { AggregateContents, ListContents, ReduceContents, type WindowContents } from './contents.js';
import { TriggeredWindowOperator } from './triggered-window-operator.js';
import { EventTimeTrigger, ProcessingTimeTrigger, type Trigger } from './triggers.js';
import type { ProcessWindowFunction, Window } from './window.js';
import { type AnyWindowFunction, WindowCall } from './window-call.js';

/** What a window computes. With `process` the window function gets the one result, or all elements where there is nothing else. */
export type WindowFunction<IN, ACC, R, OUT, K, W extends Window> =
  | {
      readonly type: 'reduce';
      readonly reduce: ReduceFunction<IN>;
      readonly schema?: Schema<IN> | undefined;
      readonly process?: UserFunction<ProcessWindowFunction<IN, OUT, K, W>> | undefined;
    }
  | {
      readonly type: 'aggregate';
      readonly aggregate: AggregateFunction<IN, ACC, R>;
      readonly process?: UserFunction<ProcessWindowFunction<R, OUT, K, W>> | undefined;
    }
  | { readonly type: 'process'; readonly process: UserFunction<ProcessWindowFunction<IN, OUT, K, W>> };

/** The parts of a window that its function does not decide. */
export interface WindowTiming<IN, W extends Window> {
  readonly assigner: WindowAssigner<NoInfer<IN>, W>;
  /** Default: the assigner's. */
  readonly trigger?: Trigger<NoInfer<IN>, W> | undefined;
  /** How long after its end a window still takes late elements, in event time. Default 0. */
  readonly allowedLatenessMs?: number | undefined;
  /** Where elements go that are too late. Default: they are dropped and counted. */
  readonly lateDataTag?: OutputTag<NoInfer<IN>> | undefined;
}

export interface WindowOperatorOptions<IN, ACC, R, OUT, K, W extends Window> extends WindowTiming<IN, W> {
  readonly function: WindowFunction<IN, ACC, R, OUT, K, W>;
}

/** Makes a window operator over given contents: of one input here, of two in window joins. */
export function createWindows<IN, W extends Window>(
  timing: WindowTiming<IN, W>,
  createContents: (context: OperatorContext, watermark: KeyedWatermark) => WindowContents,
): (context: OperatorContext) => Operator {
  const allowedLatenessMs = timing.allowedLatenessMs ?? 0;
  if (!(allowedLatenessMs >= 0)) {
    throw new MillstreamError('INVALID_OPTION', `Cannot allow a lateness of '${allowedLatenessMs}': it must be a number of ms, 0 or more.`);
  }
  const lateDataTag = timing.lateDataTag?.id;
  const { assigner, trigger } = timing;
  if (assigner instanceof AlignedWindows && isDefaultTrigger(assigner, trigger)) {
    return (context) => {
      const watermark = new KeyedWatermark(context);
      return new AlignedWindowOperator(
        context,
        { assigner, allowedLatenessMs, lateDataTag },
        createContents(context, watermark),
        watermark,
      );
    };
  }
  const options = {
    assigner: assigner as WindowAssigner<unknown, Window>,
    trigger: (trigger ?? assigner.defaultTrigger()) as Trigger<unknown, Window>,
    allowedLatenessMs,
    lateDataTag,
  };
  return (context) => new TriggeredWindowOperator(context, options, (watermark) => createContents(context, watermark));
}

function isDefaultTrigger(assigner: AlignedWindows, trigger: unknown): boolean {
  return trigger === undefined || (assigner.isEventTime ? trigger instanceof EventTimeTrigger : trigger instanceof ProcessingTimeTrigger);
}

/**
 * Windows of a keyed stream.
 * @example
 * createWindowOperator({ assigner: TumblingEventTimeWindows.of(3_600_000), function: { type: 'aggregate', aggregate: statistics } })
 */
export function createWindowOperator<IN, ACC, R, OUT, K, W extends Window>(
  options: WindowOperatorOptions<IN, ACC, R, OUT, K, W>,
): (context: OperatorContext) => Operator {
  return createWindows(options, windowContents(options.function));
}

/** Contents for a window function, made anew for each subtask. */
export function windowContents<IN, ACC, R, OUT, K, W extends Window>(
  fn: WindowFunction<IN, ACC, R, OUT, K, W>,
): (context: OperatorContext, watermark: KeyedWatermark) => WindowContents {
  const process =
    fn.process === undefined ? undefined : checkUserFunction<AnyWindowFunction>(fn.process as UserFunction<AnyWindowFunction>);
  return (context, watermark) => {
    const call = process === undefined ? undefined : new WindowCall(instantiate(process), context, watermark);
    if (fn.type === 'reduce') {
      return new ReduceContents(fn.reduce as ReduceFunction<unknown>, fn.schema as Schema<unknown> | undefined, context, call);
    }
    if (fn.type === 'aggregate') return new AggregateContents(fn.aggregate as AggregateFunction<unknown, unknown, unknown>, context, call);
    return new ListContents(call as WindowCall);
  };
}
