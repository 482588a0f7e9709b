/** Broadcast streams: every subtask gets all their records, and keeps what it needs of them in broadcast state. */
import {
  type BroadcastProcessFunction,
  createBroadcastProcessOperator,
  createKeyedBroadcastProcessOperator,
  KeyedBroadcastProcessFunction,
} from '../operators/broadcast.js';
import type { Operator, OperatorContext } from '../operators/operator.js';
import type { UserFunction } from '../operators/user-function.js';
import type { MapStateDescriptor } from '../state/descriptors.js';
import type { JobBuilder } from './job-builder.js';
import type { SingleOutputStreamOperator } from './single-output-stream-operator.js';
import { edgesOf, type Tap } from './tap.js';
import { refuseUnkeyed } from './user-functions.js';

/** A stream that was broadcast with the states that its records go to; connect another stream to it. */
export class BroadcastStream<B> {
  /** Internal. */
  readonly taps: readonly Tap[];
  /** Names of the broadcast states. */
  readonly states: readonly string[];
  /** Never set: carries the type of the records. */
  declare readonly type?: B;

  /** Internal: use `stream.broadcast(descriptor)`. */
  constructor(taps: readonly Tap[], descriptors: readonly Pick<MapStateDescriptor<unknown, unknown>, 'name'>[]) {
    this.taps = taps;
    this.states = descriptors.map((descriptor) => descriptor.name);
  }
}

abstract class BroadcastConnection {
  readonly #job: JobBuilder;
  readonly #main: readonly Tap[];
  readonly #broadcast: BroadcastStream<unknown>;

  protected constructor(job: JobBuilder, main: readonly Tap[], broadcast: BroadcastStream<unknown>) {
    this.#job = job;
    this.#main = main;
    this.#broadcast = broadcast;
  }

  protected transform<O>(kind: string, keyed: boolean, create: (context: OperatorContext) => Operator): SingleOutputStreamOperator<O> {
    const inputs = [...edgesOf(this.#main, 0), ...edgesOf(this.#broadcast.taps, 1)];
    const config = { broadcastStates: this.#broadcast.states };
    const node = this.#job.add({ kind, inputs, keyed, stateful: true, config, implementation: { type: 'operator', create } });
    return this.#job.streams.operator<O>(this.#job, node);
  }
}

/** A stream of `T` connected to a broadcast stream of `B`. */
export class BroadcastConnectedStream<T, B> extends BroadcastConnection {
  /** Internal: use `stream.connect(broadcastStream)`. */
  constructor(job: JobBuilder, main: readonly Tap[], broadcast: BroadcastStream<B>) {
    super(job, main, broadcast);
  }

  /** Runs a process function over both: the broadcast side changes the broadcast state, the other reads it. */
  process<O>(fn: UserFunction<BroadcastProcessFunction<T, B, O>>): SingleOutputStreamOperator<O> {
    if (fn instanceof KeyedBroadcastProcessFunction) refuseUnkeyed('KeyedBroadcastProcessFunction');
    return this.transform('broadcast-process', false, createBroadcastProcessOperator(fn));
  }
}

/** A keyed stream of `T` connected to a broadcast stream of `B`. */
export class KeyedBroadcastConnectedStream<T, B, K> extends BroadcastConnection {
  /** Internal: use `keyedStream.connect(broadcastStream)`. */
  constructor(job: JobBuilder, main: readonly Tap[], broadcast: BroadcastStream<B>) {
    super(job, main, broadcast);
  }

  /** Runs a process function over both, with state and timers per key on the keyed side. */
  process<O>(fn: UserFunction<KeyedBroadcastProcessFunction<K, T, B, O>>): SingleOutputStreamOperator<O> {
    return this.transform('keyed-broadcast-process', true, createKeyedBroadcastProcessOperator(fn));
  }
}
