/** Keyed streams: what follows `keyBy` has state and timers per key. */
import { createKeyedProcessOperator, type KeyedProcessFunction } from '../operators/process.js';
import { createKeyedAggregateOperator, createKeyedReduceOperator } from '../operators/reduce.js';
import type { UserFunction } from '../operators/user-function.js';
import type { WindowAssigner } from '../operators/window/assigners.js';
import type { Window } from '../operators/window/window.js';
import type { NodeSpecification } from '../plan/draft.js';
import type { AggregateFunction, ReduceFunction, StateOptions } from '../state/descriptors.js';
import { type BroadcastStream, KeyedBroadcastConnectedStream } from './broadcast-streams.js';
import type { AsyncSentence, CompileError, NumberField } from './compile-error.js';
import { ConnectedStreams, KeyedConnectedStreams } from './connected-streams.js';
import { DataStream } from './data-stream.js';
import { maxByOf, maxOf, minByOf, minOf, sumOf } from './field-aggregations.js';
import type { Received } from './received.js';
import type { SingleOutputStreamOperator } from './single-output-stream-operator.js';
import { requireFunction } from './user-functions.js';
import { CountWindowedStream, WindowedStream } from './windowed-stream.js';

/** A stream of records of type `T`, partitioned by a key of type `K`. */
export class KeyedStream<T, K> extends DataStream<T> {
  /** Never set: carries the type of the key. */
  declare readonly key?: K;

  /** Runs a process function with state and timers per key. */
  override process<R>(fn: UserFunction<KeyedProcessFunction<K, T, R>>): SingleOutputStreamOperator<R> {
    return this.#keyed<R>('keyed-process', createKeyedProcessOperator(fn));
  }

  /**
   * Combines each record with the result so far of its key, and emits the new result.
   * @example
   * sales.keyBy('item').reduce((total, sale) => ({ ...total, amount: total.amount + sale.amount }));
   */
  reduce(
    reduce: (left: Received<T>, right: Received<T>) => T | CompileError<AsyncSentence<'reduce'>>,
    options: StateOptions<T> = {},
  ): SingleOutputStreamOperator<T> {
    requireFunction(reduce, 'reduce');
    return this.#keyed<T>('reduce', createKeyedReduceOperator(reduce as ReduceFunction<T>, options.schema));
  }

  /** Adds each record to its key's accumulator, and emits the new result. */
  aggregate<ACC, OUT>(aggregate: AggregateFunction<T, ACC, OUT>): SingleOutputStreamOperator<OUT> {
    return this.#keyed<OUT>('aggregate', createKeyedAggregateOperator(aggregate));
  }

  /** Each key's first record with the field's sum so far. */
  sum(field: NumberField<T>): SingleOutputStreamOperator<T> {
    return this.#byField('sum', field, sumOf(field));
  }

  /** Each key's first record with the field's smallest value so far. */
  min(field: NumberField<T>): SingleOutputStreamOperator<T> {
    return this.#byField('min', field, minOf(field));
  }

  /** Each key's first record with the field's largest value so far. */
  max(field: NumberField<T>): SingleOutputStreamOperator<T> {
    return this.#byField('max', field, maxOf(field));
  }

  /** Each key's record with the field's smallest value so far; of equal ones the first, unless `first` is false. */
  minBy(field: NumberField<T>, first = true): SingleOutputStreamOperator<T> {
    return this.#byField('minBy', field, minByOf(field, first));
  }

  /** Each key's record with the field's largest value so far; of equal ones the first, unless `first` is false. */
  maxBy(field: NumberField<T>, first = true): SingleOutputStreamOperator<T> {
    return this.#byField('maxBy', field, maxByOf(field, first));
  }

  /**
   * Cuts the stream into windows per key.
   * @example
   * flights.keyBy('origin').window(TumblingEventTimeWindows.of(3_600_000)).aggregate(new DelayStatistics());
   */
  window<W extends Window>(assigner: WindowAssigner<T, W>): WindowedStream<T, K, W> {
    return new WindowedStream((node) => this.transform(node), { assigner });
  }

  /** Windows of `size` records per key; with `slide`, one of the last `size` records after every `slide` records. */
  countWindow(size: number, slide?: number): CountWindowedStream<T, K> {
    return new CountWindowedStream((node) => this.transform(node), size, slide);
  }

  /** Two streams as the inputs of one operator; with the same kind of key, they share state and timers per key. */
  override connect<R>(other: BroadcastStream<R>): KeyedBroadcastConnectedStream<T, R, K>;
  override connect<R>(other: KeyedStream<R, K>): KeyedConnectedStreams<T, R, K>;
  override connect<R>(other: DataStream<R>): ConnectedStreams<T, R>;
  override connect<R>(other: DataStream<R> | BroadcastStream<R>): object {
    if (!(other instanceof DataStream)) return new KeyedBroadcastConnectedStream<T, R, K>(this.job, this.taps, other);
    if (other instanceof KeyedStream) return new KeyedConnectedStreams<T, R, K>(this.job, this.taps, DataStream.tapsOf(other));
    return new ConnectedStreams<T, R>(this.job, this.taps, DataStream.tapsOf(other));
  }

  #byField(kind: string, field: string, reduce: ReduceFunction<T>): SingleOutputStreamOperator<T> {
    return this.#keyed<T>(kind, createKeyedReduceOperator(reduce, undefined, { changesInPlace: false }), { field });
  }

  #keyed<R>(
    kind: string,
    create: Extract<NodeSpecification['implementation'], { readonly type: 'operator' }>['create'],
    config: NonNullable<NodeSpecification['config']> = {},
  ): SingleOutputStreamOperator<R> {
    return this.transform<R>({ kind, keyed: true, stateful: true, config, implementation: { type: 'operator', create } });
  }
}
