/** Running aggregations of a keyed stream without windows: each element gives the result so far of its key. */
import { copyValue } from '../codec/copy-value.js';
import type { Schema } from '../codec/schema.js';
import type { KeyedStateBackend } from '../state/backend.js';
import { type AggregateFunction, type ReduceFunction, ValueStateDescriptor } from '../state/descriptors.js';
import type { ValueState } from '../state/state.js';
import { keySelectorOf } from './key-selector.js';
import type { KeySelector, Operator, OperatorContext } from './operator.js';
import { checkedResult } from './promise-check.js';

const STATE_NAME = '$running';

function runningState<T>(context: OperatorContext, schema: Schema<T> | undefined): ValueState<T> {
  return context.keyed.value(new ValueStateDescriptor<T>(STATE_NAME, schema === undefined ? {} : { schema }));
}

class ReduceOperator implements Operator {
  private readonly context: OperatorContext;
  private readonly backend: KeyedStateBackend;
  private readonly selector: KeySelector;
  private readonly state: ValueState<unknown>;
  private readonly reduce: ReduceFunction<unknown>;
  private readonly changesInPlace: boolean;

  constructor(context: OperatorContext, reduce: ReduceFunction<unknown>, schema: Schema<unknown> | undefined, changesInPlace: boolean) {
    this.context = context;
    this.backend = context.keyed;
    this.selector = keySelectorOf(context, 0);
    this.state = runningState(context, schema);
    this.reduce = reduce;
    this.changesInPlace = changesInPlace;
  }

  processElement(value: unknown, timestamp: number): void {
    this.backend.setCurrentKey(this.selector(value));
    const before = this.state.value();
    if (before === undefined) {
      // The state may be changed in place later, the record may not.
      this.state.update(this.changesInPlace ? copyValue(value, this.context.classes) : value);
      this.context.output.collect(value, timestamp);
      return;
    }
    const result = checkedResult(this.reduce(before, value), this.context.name, 'reduce');
    this.state.update(result === value && this.changesInPlace ? copyValue(value, this.context.classes) : result);
    this.context.output.collect(result === before && this.changesInPlace ? copyValue(result, this.context.classes) : result, timestamp);
  }
}

class AggregateOperator implements Operator {
  private readonly context: OperatorContext;
  private readonly backend: KeyedStateBackend;
  private readonly selector: KeySelector;
  private readonly state: ValueState<unknown>;
  private readonly aggregate: AggregateFunction<unknown, unknown, unknown>;

  constructor(context: OperatorContext, aggregate: AggregateFunction<unknown, unknown, unknown>) {
    this.context = context;
    this.backend = context.keyed;
    this.selector = keySelectorOf(context, 0);
    this.state = runningState(context, aggregate.accumulatorSchema);
    this.aggregate = aggregate;
  }

  processElement(value: unknown, timestamp: number): void {
    this.backend.setCurrentKey(this.selector(value));
    const before = this.state.value() ?? this.aggregate.createAccumulator();
    const accumulator = checkedResult(this.aggregate.add(value, before), this.context.name, 'add');
    this.state.update(accumulator);
    const result = checkedResult(this.aggregate.getResult(accumulator), this.context.name, 'getResult');
    this.context.output.collect(result === accumulator ? copyValue(result, this.context.classes) : result, timestamp);
  }
}

export interface ReduceOptions {
  /**
   * False if the function never changes its arguments: then results need no copy when they are the same object as the state (as `max`
   * and `min` return). Default true.
   */
  readonly changesInPlace?: boolean;
}

/**
 * Combines each element with the result so far of its key and emits the new result.
 * @example createKeyedReduceOperator<Sale>((left, right) => ({ ...left, amount: left.amount + right.amount }))
 */
export function createKeyedReduceOperator<T>(
  reduce: ReduceFunction<T>,
  schema?: Schema<T>,
  options: ReduceOptions = {},
): (context: OperatorContext) => Operator {
  return (context) =>
    new ReduceOperator(context, reduce as ReduceFunction<unknown>, schema as Schema<unknown> | undefined, options.changesInPlace ?? true);
}

/** Adds each element to the accumulator of its key and emits `getResult`. */
export function createKeyedAggregateOperator<IN, ACC, OUT>(
  aggregate: AggregateFunction<IN, ACC, OUT>,
): (context: OperatorContext) => Operator {
  return (context) => new AggregateOperator(context, aggregate as unknown as AggregateFunction<unknown, unknown, unknown>);
}
