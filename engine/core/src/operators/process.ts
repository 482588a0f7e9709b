/** Process functions on one input: ProcessFunction, and KeyedProcessFunction with keyed state and timers. */
import type { KeyedProcessContext, OnTimerContext, ProcessContext } from './function-context.js';
import { keySelectorOf } from './key-selector.js';
import { KeyedOperator } from './keyed-operator.js';
import type { Collector, KeySelector, Operator, OperatorContext } from './operator.js';
import { rejectPromise } from './promise-check.js';
import type { RuntimeContext } from './runtime-context.js';
import { UnkeyedOperator } from './unkeyed-operator.js';
import { checkUserFunction, instantiate, type UserFunction } from './user-function.js';

export type { KeyedProcessContext, OnTimerContext, ProcessContext } from './function-context.js';

/** A function of one element that may emit any number of results, also to side outputs. */
export abstract class ProcessFunction<I, O> {
  /** Called once per subtask before the first element. */
  open?(context: RuntimeContext): Promise<void> | void;
  abstract processElement(value: Readonly<I>, ctx: ProcessContext, out: Collector<O>): void;
  /** Called once per subtask after the last element, also when the job fails. */
  close?(): Promise<void> | void;
}

/**
 * A function of the elements of each key, with keyed state and timers.
 * @example
 * class Silence extends KeyedProcessFunction<string, Flight, string> {
 *   private last!: ValueState<number>;
 *   override open(context: RuntimeContext) { this.last = context.getState(new ValueStateDescriptor<number>('last')); }
 *   processElement(flight: Flight, ctx: KeyedProcessContext<string>) {
 *     this.last.update(flight.date);
 *     ctx.timerService().registerEventTimeTimer(flight.date + 21_600_000);
 *   }
 *   override onTimer(timestamp: number, ctx: OnTimerContext<string>, out: Collector<string>) {
 *     if (this.last.value() === timestamp - 21_600_000) out.collect(ctx.getCurrentKey());
 *   }
 * }
 */
export abstract class KeyedProcessFunction<K, I, O> {
  open?(context: RuntimeContext): Promise<void> | void;
  abstract processElement(value: Readonly<I>, ctx: KeyedProcessContext<K>, out: Collector<O>): void;
  /** A timer that this key registered is due. Results have the timer's time as timestamp (event time) or none (processing time). */
  onTimer?(timestamp: number, ctx: OnTimerContext<K>, out: Collector<O>): void;
  close?(): Promise<void> | void;
}

class ProcessOperator extends UnkeyedOperator<ProcessFunction<unknown, unknown>> {
  processElement(value: unknown, timestamp: number): void {
    this.call.begin(timestamp, timestamp);
    const result: unknown = this.fn.processElement(value as Readonly<unknown>, this.call, this.call);
    if (result !== undefined) rejectPromise(result, this.context.name, 'processElement');
  }
}

class KeyedProcessOperator extends KeyedOperator<KeyedProcessFunction<unknown, unknown, unknown>> {
  private readonly selector: KeySelector;

  constructor(context: OperatorContext, fn: KeyedProcessFunction<unknown, unknown, unknown>) {
    super(context, fn);
    this.selector = keySelectorOf(context, 0);
  }

  processElement(value: unknown, timestamp: number): void {
    this.backend.setCurrentKey(this.selector(value));
    this.call.begin(timestamp, timestamp);
    const result: unknown = this.fn.processElement(value as Readonly<unknown>, this.call, this.call);
    if (result !== undefined) rejectPromise(result, this.context.name, 'processElement');
  }
}

/** Runs a ProcessFunction. */
export function createProcessOperator<I, O>(fn: UserFunction<ProcessFunction<I, O>>): (context: OperatorContext) => Operator {
  const checked = checkUserFunction(fn);
  return (context) => new ProcessOperator(context, instantiate(checked) as ProcessFunction<unknown, unknown>);
}

/** Runs a KeyedProcessFunction. */
export function createKeyedProcessOperator<K, I, O>(
  fn: UserFunction<KeyedProcessFunction<K, I, O>>,
): (context: OperatorContext) => Operator {
  const checked = checkUserFunction(fn);
  return (context) => new KeyedProcessOperator(context, instantiate(checked) as KeyedProcessFunction<unknown, unknown, unknown>);
}
