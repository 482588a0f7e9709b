/** Connected streams: two streams as the inputs of one operator. */

import type { Key } from '../common/key.js';
import {
  type CoFlatMapFunction,
  type CoMapFunction,
  type CoProcessFunction,
  createCoFlatMapOperator,
  createCoMapOperator,
  createCoProcessOperator,
  createKeyedCoProcessOperator,
  KeyedCoProcessFunction,
} from '../operators/co-process.js';
import type { Operator, OperatorContext } from '../operators/operator.js';
import type { UserFunction } from '../operators/user-function.js';
import type { KeyField, KeyResult } from './compile-error.js';
import type { JobBuilder } from './job-builder.js';
import { keySelectorFrom } from './key-selectors.js';
import type { Received } from './received.js';
import type { SingleOutputStreamOperator } from './single-output-stream-operator.js';
import { edgesOf, partitioned, type Tap } from './tap.js';
import { refuseUnkeyed } from './user-functions.js';

/** A stream of `L` and a stream of `R`. */
export class ConnectedStreams<L, R> {
  /** Internal. */
  protected readonly job: JobBuilder;
  readonly #left: readonly Tap[];
  readonly #right: readonly Tap[];

  /** Internal: use `stream.connect(other)`. */
  constructor(job: JobBuilder, left: readonly Tap[], right: readonly Tap[]) {
    this.job = job;
    this.#left = left;
    this.#right = right;
  }

  /** Partitions both streams by key, so that equal keys of both meet in one subtask and share state and timers. */
  keyBy<FL extends KeyField<L>, FR extends KeyField<R>>(left: FL, right: FR): KeyedConnectedStreams<L, R, L[FL] & Key>;
  keyBy<const K extends Key>(left: (value: Received<L>) => K, right: (value: Received<R>) => K): KeyedConnectedStreams<L, R, K>;
  keyBy<const K>(left: (value: Received<L>) => KeyResult<K>, right: (value: Received<R>) => KeyResult<K>): KeyedConnectedStreams<L, R, K>;
  keyBy(left: unknown, right: unknown): KeyedConnectedStreams<L, R, unknown> {
    return new KeyedConnectedStreams(
      this.job,
      partitioned(this.#left, 'hash', { keySelector: keySelectorFrom(left) }),
      partitioned(this.#right, 'hash', { keySelector: keySelectorFrom(right) }),
    );
  }

  /** One result for each record of either stream. */
  map<O>(fn: UserFunction<CoMapFunction<L, R, O>>): SingleOutputStreamOperator<O> {
    return this.transform('co-map', createCoMapOperator(fn));
  }

  /** Any number of results for each record of either stream. */
  flatMap<O>(fn: UserFunction<CoFlatMapFunction<L, R, O>>): SingleOutputStreamOperator<O> {
    return this.transform('co-flatMap', createCoFlatMapOperator(fn));
  }

  /** Runs a process function over both streams. */
  process<O>(fn: UserFunction<CoProcessFunction<L, R, O>>): SingleOutputStreamOperator<O> {
    if (fn instanceof KeyedCoProcessFunction) refuseUnkeyed('KeyedCoProcessFunction');
    return this.transform('co-process', createCoProcessOperator(fn));
  }

  /** Internal: adds an operator that reads both streams. */
  protected transform<O>(kind: string, create: (context: OperatorContext) => Operator): SingleOutputStreamOperator<O> {
    const inputs = [...edgesOf(this.#left, 0), ...edgesOf(this.#right, 1)];
    const keyed = inputs.every((edge) => edge.partitioning === 'hash');
    const node = this.job.add({ kind, inputs, keyed, stateful: keyed, implementation: { type: 'operator', create } });
    return this.job.streams.operator<O>(this.job, node);
  }
}

/** Two streams with keys of the same type, which share state and timers per key. */
export class KeyedConnectedStreams<L, R, K> extends ConnectedStreams<L, R> {
  /** Never set: carries the type of the key. */
  declare readonly key?: K;

  /** Runs a process function over both streams, with state and timers per key. */
  override process<O>(fn: UserFunction<KeyedCoProcessFunction<K, L, R, O>>): SingleOutputStreamOperator<O> {
    return this.transform('keyed-co-process', createKeyedCoProcessOperator(fn));
  }
}
