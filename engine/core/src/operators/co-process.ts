/** Process functions on two connected streams: CoProcessFunction, and KeyedCoProcessFunction with shared keyed state and timers. */
import type { KeyedProcessContext, OnTimerContext, ProcessContext } from './function-context.js';
import { keySelectorOf } from './key-selector.js';
import { KeyedOperator } from './keyed-operator.js';
import type { Collector, KeySelector, Operator, OperatorContext } from './operator.js';
import { rejectPromise } from './promise-check.js';
import type { RuntimeContext } from './runtime-context.js';
import { UnkeyedOperator } from './unkeyed-operator.js';
import { checkUserFunction, instantiate, type UserFunction } from './user-function.js';

export { CoFlatMapFunction, CoMapFunction, createCoFlatMapOperator, createCoMapOperator } from './co-map.js';

/** A function of the elements of two streams. */
export abstract class CoProcessFunction<I1, I2, O> {
  open?(context: RuntimeContext): Promise<void> | void;
  abstract processElement1(value: Readonly<I1>, ctx: ProcessContext, out: Collector<O>): void;
  abstract processElement2(value: Readonly<I2>, ctx: ProcessContext, out: Collector<O>): void;
  close?(): Promise<void> | void;
}

/** A function of the elements of two streams with the same key: both share the key's state and timers. */
export abstract class KeyedCoProcessFunction<K, I1, I2, O> {
  open?(context: RuntimeContext): Promise<void> | void;
  abstract processElement1(value: Readonly<I1>, ctx: KeyedProcessContext<K>, out: Collector<O>): void;
  abstract processElement2(value: Readonly<I2>, ctx: KeyedProcessContext<K>, out: Collector<O>): void;
  onTimer?(timestamp: number, ctx: OnTimerContext<K>, out: Collector<O>): void;
  close?(): Promise<void> | void;
}

class CoProcessOperator extends UnkeyedOperator<CoProcessFunction<unknown, unknown, unknown>> {
  processElement(value: unknown, timestamp: number): void {
    this.call.begin(timestamp, timestamp);
    const result: unknown = this.fn.processElement1(value as Readonly<unknown>, this.call, this.call);
    if (result !== undefined) rejectPromise(result, this.context.name, 'processElement1');
  }

  processElement2(value: unknown, timestamp: number): void {
    this.call.begin(timestamp, timestamp);
    const result: unknown = this.fn.processElement2(value as Readonly<unknown>, this.call, this.call);
    if (result !== undefined) rejectPromise(result, this.context.name, 'processElement2');
  }
}

class KeyedCoProcessOperator extends KeyedOperator<KeyedCoProcessFunction<unknown, unknown, unknown, unknown>> {
  private readonly selector1: KeySelector;
  private readonly selector2: KeySelector;

  constructor(context: OperatorContext, fn: KeyedCoProcessFunction<unknown, unknown, unknown, unknown>) {
    super(context, fn);
    this.selector1 = keySelectorOf(context, 0);
    this.selector2 = keySelectorOf(context, 1);
  }

  processElement(value: unknown, timestamp: number): void {
    this.backend.setCurrentKey(this.selector1(value));
    this.call.begin(timestamp, timestamp);
    const result: unknown = this.fn.processElement1(value as Readonly<unknown>, this.call, this.call);
    if (result !== undefined) rejectPromise(result, this.context.name, 'processElement1');
  }

  processElement2(value: unknown, timestamp: number): void {
    this.backend.setCurrentKey(this.selector2(value));
    this.call.begin(timestamp, timestamp);
    const result: unknown = this.fn.processElement2(value as Readonly<unknown>, this.call, this.call);
    if (result !== undefined) rejectPromise(result, this.context.name, 'processElement2');
  }
}

/** Runs a CoProcessFunction. */
export function createCoProcessOperator<I1, I2, O>(fn: UserFunction<CoProcessFunction<I1, I2, O>>): (context: OperatorContext) => Operator {
  const checked = checkUserFunction(fn);
  return (context) => new CoProcessOperator(context, instantiate(checked) as CoProcessFunction<unknown, unknown, unknown>);
}

/** Runs a KeyedCoProcessFunction. */
export function createKeyedCoProcessOperator<K, I1, I2, O>(
  fn: UserFunction<KeyedCoProcessFunction<K, I1, I2, O>>,
): (context: OperatorContext) => Operator {
  const checked = checkUserFunction(fn);
  return (context) =>
    new KeyedCoProcessOperator(context, instantiate(checked) as KeyedCoProcessFunction<unknown, unknown, unknown, unknown>);
}
