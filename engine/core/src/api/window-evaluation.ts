/** What can be done with the windows of a keyed stream, however they were cut. */
import type { Operator, OperatorContext } from '../operators/operator.js';
import type { UserFunction } from '../operators/user-function.js';
import type { ProcessWindowFunction, Window } from '../operators/window/window.js';
import type { WindowFunction } from '../operators/window/window-operator.js';
import type { NodeSpecification } from '../plan/draft.js';
import type { AggregateFunction, ReduceFunction } from '../state/descriptors.js';
import type { AsyncSentence, CompileError, NumberField } from './compile-error.js';
import { maxByOf, maxOf, minByOf, minOf, sumOf } from './field-aggregations.js';
import type { Received } from './received.js';
import type { SingleOutputStreamOperator } from './single-output-stream-operator.js';
import { requireFunction } from './user-functions.js';

/** Adds a keyed operator that reads the stream that was cut into windows. */
export type AddWindowOperator = <R>(node: Omit<NodeSpecification, 'inputs'>) => SingleOutputStreamOperator<R>;

/** The operator of a window, and what the plan says of it. */
export interface WindowOperatorPlan {
  readonly create: (context: OperatorContext) => Operator;
  readonly config: NonNullable<NodeSpecification['config']>;
}

/** How windows run a function (a WindowFunction; untyped, since its types would make streams invariant). */
export type PlanWindow = (fn: never) => WindowOperatorPlan;

/** Windows of type `W` over records of type `T`, per key of type `K`. */
export abstract class WindowEvaluation<T, K, W extends Window> {
  /** Internal. */
  protected readonly add: AddWindowOperator;
  readonly #plan: PlanWindow;

  /** Internal: use `keyedStream.window(assigner)` or `keyedStream.countWindow(size)`. */
  constructor(add: AddWindowOperator, plan: PlanWindow) {
    this.add = add;
    this.#plan = plan;
  }

  /**
   * Combines the records of a window to one; `process` then sees it with the key and the window.
   * @example
   * flights.keyBy('origin').window(TumblingEventTimeWindows.of(3_600_000)).reduce((a, b) => (a.delay >= b.delay ? a : b));
   */
  reduce(reduce: (left: Received<T>, right: Received<T>) => T | CompileError<AsyncSentence<'reduce'>>): SingleOutputStreamOperator<T>;
  reduce<R>(
    reduce: (left: Received<T>, right: Received<T>) => T | CompileError<AsyncSentence<'reduce'>>,
    process: UserFunction<ProcessWindowFunction<T, R, K, W>>,
  ): SingleOutputStreamOperator<R>;
  reduce<R>(
    reduce: (left: T, right: T) => T | CompileError<AsyncSentence<'reduce'>>,
    process?: UserFunction<ProcessWindowFunction<T, R, K, W>>,
  ): SingleOutputStreamOperator<R> {
    requireFunction(reduce, 'reduce');
    return WindowEvaluation.#evaluate(this, { type: 'reduce', reduce: reduce as ReduceFunction<T>, process });
  }

  /** Gathers the records of a window in an accumulator; `process` then sees the result with the key and the window. */
  aggregate<ACC, OUT>(aggregate: AggregateFunction<T, ACC, OUT>): SingleOutputStreamOperator<OUT>;
  aggregate<ACC, OUT, R>(
    aggregate: AggregateFunction<T, ACC, OUT>,
    process: UserFunction<ProcessWindowFunction<OUT, R, K, W>>,
  ): SingleOutputStreamOperator<R>;
  aggregate<ACC, OUT, R>(
    aggregate: AggregateFunction<T, ACC, OUT>,
    process?: UserFunction<ProcessWindowFunction<OUT, R, K, W>>,
  ): SingleOutputStreamOperator<R> {
    return WindowEvaluation.#evaluate(this, { type: 'aggregate', aggregate, process });
  }

  /** Evaluates all records of a window at once; they are kept until then. */
  process<R>(process: UserFunction<ProcessWindowFunction<T, R, K, W>>): SingleOutputStreamOperator<R> {
    return WindowEvaluation.#evaluate(this, { type: 'process', process });
  }

  /** A window's first record with the field's sum. */
  sum(field: NumberField<T>): SingleOutputStreamOperator<T> {
    return WindowEvaluation.#evaluate(this, { type: 'reduce', reduce: sumOf<T>(field) });
  }

  /** A window's first record with the field's smallest value. */
  min(field: NumberField<T>): SingleOutputStreamOperator<T> {
    return WindowEvaluation.#evaluate(this, { type: 'reduce', reduce: minOf<T>(field) });
  }

  /** A window's first record with the field's largest value. */
  max(field: NumberField<T>): SingleOutputStreamOperator<T> {
    return WindowEvaluation.#evaluate(this, { type: 'reduce', reduce: maxOf<T>(field) });
  }

  /** The record of a window with the field's smallest value; of equal ones the first, unless `first` is false. */
  minBy(field: NumberField<T>, first = true): SingleOutputStreamOperator<T> {
    return WindowEvaluation.#evaluate(this, { type: 'reduce', reduce: minByOf<T>(field, first) });
  }

  /** The record of a window with the field's largest value; of equal ones the first, unless `first` is false. */
  maxBy(field: NumberField<T>, first = true): SingleOutputStreamOperator<T> {
    return WindowEvaluation.#evaluate(this, { type: 'reduce', reduce: maxByOf<T>(field, first) });
  }

  // Static: as a method it would make streams invariant in their type.
  static #evaluate<T, ACC, OUT, R, K, W extends Window>(
    windows: WindowEvaluation<T, K, W>,
    fn: WindowFunction<T, ACC, OUT, R, K, W>,
  ): SingleOutputStreamOperator<R> {
    const { create, config } = windows.#plan(fn as never);
    return windows.add({ kind: `window-${fn.type}`, keyed: true, stateful: true, config, implementation: { type: 'operator', create } });
  }
}
