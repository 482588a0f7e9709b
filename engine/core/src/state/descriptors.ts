/** State descriptors: a name, a kind and optionally a schema. State belongs to (operator uid, name); both must stay to be restored. */
import type { Schema } from '../codec/schema.js';

export type StateKind = 'value' | 'list' | 'map' | 'reducing' | 'aggregating' | 'broadcast';

/** Combines two values into one; must be associative. May change and return the first. */
export type ReduceFunction<T> = (left: T, right: T) => T;

/** Flink's AggregateFunction. `add` and `merge` may change and return the accumulator they are given. */
export interface AggregateFunction<IN, ACC, OUT> {
  createAccumulator(): ACC;
  add(value: IN, accumulator: ACC): ACC;
  getResult(accumulator: ACC): OUT;
  /** Needed by merging (session) windows only. */
  merge?(left: ACC, right: ACC): ACC;
  /** The accumulator's fields, where it has just numbers: its state then lives in typed columns off the heap. */
  readonly accumulatorSchema?: Schema<ACC>;
}

/** Settings of a state's values. */
export interface StateOptions<T> {
  /** The value's fields; see {@link Schema}. Without it values are encoded self-describing. */
  readonly schema?: Schema<T>;
}

abstract class StateDescriptor<T> {
  abstract readonly kind: StateKind;
  readonly name: string;
  readonly schema: Schema<T> | undefined;

  constructor(name: string, options: StateOptions<T> = {}) {
    this.name = name;
    this.schema = options.schema;
  }
}

/** Declares one value per key. */
export class ValueStateDescriptor<T> extends StateDescriptor<T> {
  readonly kind = 'value';
}

/** Declares a list per key. */
export class ListStateDescriptor<T> extends StateDescriptor<T> {
  readonly kind = 'list';
}

/** Declares a map per key, or a broadcast state. */
export class MapStateDescriptor<K, V> extends StateDescriptor<V> {
  readonly kind = 'map';
  /** Never set: carries the type of the map's own keys. */
  readonly mapKey?: K;
}

/** Declares a state that reduces what is added to one value per key. */
export class ReducingStateDescriptor<T> extends StateDescriptor<T> {
  readonly kind = 'reducing';
  readonly reduce: ReduceFunction<T>;

  constructor(name: string, reduce: ReduceFunction<T>, options: StateOptions<T> = {}) {
    super(name, options);
    this.reduce = reduce;
  }
}

/** Declares a state that aggregates: the key's accumulator, read as its result. */
export class AggregatingStateDescriptor<IN, ACC, OUT> extends StateDescriptor<ACC> {
  readonly kind = 'aggregating';
  readonly aggregate: AggregateFunction<IN, ACC, OUT>;

  constructor(name: string, aggregate: AggregateFunction<IN, ACC, OUT>) {
    super(name, aggregate.accumulatorSchema === undefined ? {} : { schema: aggregate.accumulatorSchema });
    this.aggregate = aggregate;
  }
}

export type AnyStateDescriptor =
  | ValueStateDescriptor<unknown>
  | ListStateDescriptor<unknown>
  | MapStateDescriptor<unknown, unknown>
  | ReducingStateDescriptor<unknown>
  | AggregatingStateDescriptor<unknown, unknown, unknown>;
