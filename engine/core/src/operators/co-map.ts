/** CoMapFunction and CoFlatMapFunction: one method per input of connected streams, without state or timers. */
import { TimestampedCollector } from './collector.js';
import { FunctionOperator, type RichFunction } from './function-operator.js';
import type { Collector, Operator, OperatorContext } from './operator.js';
import { checkedResult, rejectPromise } from './promise-check.js';
import type { RuntimeContext } from './runtime-context.js';
import { checkUserFunction, instantiate, type UserFunction } from './user-function.js';

/** Maps the elements of two streams to one type. */
export abstract class CoMapFunction<I1, I2, O> {
  open?(context: RuntimeContext): Promise<void> | void;
  abstract map1(value: Readonly<I1>): O;
  abstract map2(value: Readonly<I2>): O;
  close?(): Promise<void> | void;
}

/** Maps each element of two streams to any number of results. */
export abstract class CoFlatMapFunction<I1, I2, O> {
  open?(context: RuntimeContext): Promise<void> | void;
  abstract flatMap1(value: Readonly<I1>, out: Collector<O>): void;
  abstract flatMap2(value: Readonly<I2>, out: Collector<O>): void;
  close?(): Promise<void> | void;
}

/**
 * State of the current key works here too (connected keyed streams), so the key is set where there is a selector.
 */
abstract class CoOperator<F extends RichFunction> extends FunctionOperator<F> {
  protected setKey(value: unknown, input: 0 | 1): void {
    const selector = this.context.keySelectors[input];
    if (selector !== undefined) this.context.keyed.setCurrentKey(selector(value));
  }
}

class CoMapOperator extends CoOperator<CoMapFunction<unknown, unknown, unknown>> {
  processElement(value: unknown, timestamp: number): void {
    this.setKey(value, 0);
    const result = checkedResult(this.fn.map1(value as Readonly<unknown>), this.context.name, 'map1');
    this.context.output.collect(result, timestamp);
  }

  processElement2(value: unknown, timestamp: number): void {
    this.setKey(value, 1);
    const result = checkedResult(this.fn.map2(value as Readonly<unknown>), this.context.name, 'map2');
    this.context.output.collect(result, timestamp);
  }
}

class CoFlatMapOperator extends CoOperator<CoFlatMapFunction<unknown, unknown, unknown>> {
  private readonly collector: TimestampedCollector<unknown>;

  constructor(context: OperatorContext, fn: CoFlatMapFunction<unknown, unknown, unknown>) {
    super(context, fn);
    this.collector = new TimestampedCollector(context.output);
  }

  processElement(value: unknown, timestamp: number): void {
    this.setKey(value, 0);
    this.collector.timestamp = timestamp;
    const result: unknown = this.fn.flatMap1(value as Readonly<unknown>, this.collector);
    if (result !== undefined) rejectPromise(result, this.context.name, 'flatMap1');
  }

  processElement2(value: unknown, timestamp: number): void {
    this.setKey(value, 1);
    this.collector.timestamp = timestamp;
    const result: unknown = this.fn.flatMap2(value as Readonly<unknown>, this.collector);
    if (result !== undefined) rejectPromise(result, this.context.name, 'flatMap2');
  }
}

/** Runs a CoMapFunction. */
export function createCoMapOperator<I1, I2, O>(fn: UserFunction<CoMapFunction<I1, I2, O>>): (context: OperatorContext) => Operator {
  const checked = checkUserFunction(fn);
  return (context) => new CoMapOperator(context, instantiate(checked) as CoMapFunction<unknown, unknown, unknown>);
}

/** Runs a CoFlatMapFunction. */
export function createCoFlatMapOperator<I1, I2, O>(fn: UserFunction<CoFlatMapFunction<I1, I2, O>>): (context: OperatorContext) => Operator {
  const checked = checkUserFunction(fn);
  return (context) => new CoFlatMapOperator(context, instantiate(checked) as CoFlatMapFunction<unknown, unknown, unknown>);
}
