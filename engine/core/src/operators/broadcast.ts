/**
 * Process functions on a stream connected with a broadcast stream: rules, small tables. Input 0 is the main stream, input 1 the
 * broadcast one, all of whose elements go to every subtask.
 */

import type { KeyedStateBackend } from '../state/backend.js';
import type {
  AggregatingStateDescriptor,
  AnyStateDescriptor,
  ListStateDescriptor,
  MapStateDescriptor,
  ReducingStateDescriptor,
  ValueStateDescriptor,
} from '../state/descriptors.js';
import type { AggregatingState, ListState, MapState, ReducingState, ValueState } from '../state/state.js';
import { type BroadcastState, BroadcastStates, type ReadOnlyBroadcastState } from './broadcast-state.js';
import { FunctionContext, type KeyedProcessContext, type OnTimerContext, type ProcessContext } from './function-context.js';
import { keySelectorOf } from './key-selector.js';
import { KeyedOperator } from './keyed-operator.js';
import type { Collector, KeySelector, Operator, OperatorContext } from './operator.js';
import type { OutputTag } from './output-tag.js';
import { rejectPromise } from './promise-check.js';
import type { RuntimeContext } from './runtime-context.js';
import type { TimerService } from './time-service.js';
import { UnkeyedOperator } from './unkeyed-operator.js';
import { checkUserFunction, instantiate, type UserFunction } from './user-function.js';

export type { BroadcastState, ReadOnlyBroadcastState } from './broadcast-state.js';

/** The context of the main side: broadcast state can be read. */
export interface ReadOnlyBroadcastContext extends ProcessContext {
  getBroadcastState<K, V>(descriptor: MapStateDescriptor<K, V>): ReadOnlyBroadcastState<K, V>;
}

/** The context of the broadcast side: broadcast state can be changed; there is no key. */
export interface BroadcastContext {
  timestamp(): number | undefined;
  currentProcessingTime(): number;
  currentWatermark(): number;
  output<X>(tag: OutputTag<X>, value: X): void;
  getBroadcastState<K, V>(descriptor: MapStateDescriptor<K, V>): BroadcastState<K, V>;
}

/** A function of a stream and a broadcast stream. */
export abstract class BroadcastProcessFunction<I, B, O> {
  open?(context: RuntimeContext): Promise<void> | void;
  abstract processElement(value: Readonly<I>, ctx: ReadOnlyBroadcastContext, out: Collector<O>): void;
  abstract processBroadcastElement(value: Readonly<B>, ctx: BroadcastContext, out: Collector<O>): void;
  close?(): Promise<void> | void;
}

/** The context of the keyed side of a broadcast stream: broadcast state is read-only. */
export interface KeyedReadOnlyBroadcastContext<K> extends KeyedProcessContext<K>, ReadOnlyBroadcastContext {}

/** The context of `onTimer` on the keyed side of a broadcast stream: broadcast state is read-only. */
export interface BroadcastOnTimerContext<K> extends OnTimerContext<K>, ReadOnlyBroadcastContext {}

/** The context of the broadcast side of a keyed stream: it has no key, but can visit the state of all keys of its subtask. */
export interface KeyedBroadcastContext<KS> extends BroadcastContext {
  /** Calls `apply` for every key of this subtask that has the state. It may change and clear that state. */
  applyToKeyedState<T>(descriptor: ValueStateDescriptor<T>, apply: (key: KS, state: ValueState<T>) => void): void;
  applyToKeyedState<T>(descriptor: ListStateDescriptor<T>, apply: (key: KS, state: ListState<T>) => void): void;
  applyToKeyedState<K, V>(descriptor: MapStateDescriptor<K, V>, apply: (key: KS, state: MapState<K, V>) => void): void;
  applyToKeyedState<T>(descriptor: ReducingStateDescriptor<T>, apply: (key: KS, state: ReducingState<T>) => void): void;
  applyToKeyedState<IN, ACC, OUT>(
    descriptor: AggregatingStateDescriptor<IN, ACC, OUT>,
    apply: (key: KS, state: AggregatingState<IN, OUT>) => void,
  ): void;
}

/** A function of a keyed stream and a broadcast stream, with keyed state and timers on the keyed side. */
export abstract class KeyedBroadcastProcessFunction<KS, I, B, O> {
  open?(context: RuntimeContext): Promise<void> | void;
  abstract processElement(value: Readonly<I>, ctx: KeyedReadOnlyBroadcastContext<KS>, out: Collector<O>): void;
  abstract processBroadcastElement(value: Readonly<B>, ctx: KeyedBroadcastContext<KS>, out: Collector<O>): void;
  onTimer?(timestamp: number, ctx: BroadcastOnTimerContext<KS>, out: Collector<O>): void;
  close?(): Promise<void> | void;
}

/** The context of the broadcast side, keyed or not. */
class BroadcastSide extends FunctionContext<unknown> implements KeyedBroadcastContext<unknown> {
  private readonly context: OperatorContext;
  private readonly liveWatermark: () => number;

  constructor(context: OperatorContext, service: TimerService, states: BroadcastStates, liveWatermark: () => number) {
    super(context, service, states);
    this.context = context;
    this.liveWatermark = liveWatermark;
  }

  currentProcessingTime(): number {
    return this.context.clock.now();
  }

  currentWatermark(): number {
    return this.liveWatermark();
  }

  applyToKeyedState(descriptor: unknown, apply: (key: unknown, state: never) => void): void {
    const backend = this.context.keyed;
    const state = stateOf(backend, descriptor as AnyStateDescriptor);
    // A copy, as in Flink: a key whose state is cleared and set again would come once more.
    for (const key of [...backend.keys(descriptor as AnyStateDescriptor)]) {
      backend.setCurrentKey(key);
      const result: unknown = apply(key, state as never);
      if (result !== undefined) rejectPromise(result, this.context.name, 'applyToKeyedState');
    }
  }
}

function stateOf(backend: KeyedStateBackend, descriptor: AnyStateDescriptor): unknown {
  switch (descriptor.kind) {
    case 'value':
      return backend.value(descriptor);
    case 'list':
      return backend.list(descriptor);
    case 'map':
      return backend.map(descriptor);
    case 'reducing':
      return backend.reducing(descriptor);
    case 'aggregating':
      return backend.aggregating(descriptor);
  }
}

class BroadcastProcessOperator extends UnkeyedOperator<BroadcastProcessFunction<unknown, unknown, unknown>> {
  private readonly broadcastCall: BroadcastSide;

  constructor(context: OperatorContext, fn: BroadcastProcessFunction<unknown, unknown, unknown>) {
    const states = new BroadcastStates(context);
    super(context, fn, states);
    this.broadcastCall = new BroadcastSide(context, this.time, states, () => this.time.watermark);
  }

  processElement(value: unknown, timestamp: number): void {
    this.call.begin(timestamp, timestamp);
    const result: unknown = this.fn.processElement(value as Readonly<unknown>, this.call, this.call);
    if (result !== undefined) rejectPromise(result, this.context.name, 'processElement');
  }

  processElement2(value: unknown, timestamp: number): void {
    const { broadcastCall } = this;
    broadcastCall.begin(timestamp, timestamp);
    const result: unknown = this.fn.processBroadcastElement(value as Readonly<unknown>, broadcastCall, broadcastCall);
    if (result !== undefined) rejectPromise(result, this.context.name, 'processBroadcastElement');
  }
}

type AnyKeyedBroadcastFunction = KeyedBroadcastProcessFunction<unknown, unknown, unknown, unknown>;

class KeyedBroadcastProcessOperator extends KeyedOperator<AnyKeyedBroadcastFunction> {
  private readonly selector: KeySelector;
  private readonly broadcastCall: BroadcastSide;

  constructor(context: OperatorContext, fn: AnyKeyedBroadcastFunction) {
    const states = new BroadcastStates(context);
    super(context, fn, states);
    this.selector = keySelectorOf(context, 0);
    this.broadcastCall = new BroadcastSide(context, this.time, states, () => this.time.watermark.live);
  }

  processElement(value: unknown, timestamp: number): void {
    this.backend.setCurrentKey(this.selector(value));
    this.call.begin(timestamp, timestamp);
    const result: unknown = this.fn.processElement(value as Readonly<unknown>, this.call, this.call);
    if (result !== undefined) rejectPromise(result, this.context.name, 'processElement');
  }

  processElement2(value: unknown, timestamp: number): void {
    const { broadcastCall } = this;
    broadcastCall.begin(timestamp, timestamp);
    const result: unknown = this.fn.processBroadcastElement(value as Readonly<unknown>, broadcastCall, broadcastCall);
    if (result !== undefined) rejectPromise(result, this.context.name, 'processBroadcastElement');
  }
}

/** Runs a BroadcastProcessFunction. */
export function createBroadcastProcessOperator<I, B, O>(
  fn: UserFunction<BroadcastProcessFunction<I, B, O>>,
): (context: OperatorContext) => Operator {
  const checked = checkUserFunction(fn);
  return (context) => new BroadcastProcessOperator(context, instantiate(checked) as BroadcastProcessFunction<unknown, unknown, unknown>);
}

/** Runs a KeyedBroadcastProcessFunction. */
export function createKeyedBroadcastProcessOperator<KS, I, B, O>(
  fn: UserFunction<KeyedBroadcastProcessFunction<KS, I, B, O>>,
): (context: OperatorContext) => Operator {
  const checked = checkUserFunction(fn);
  return (context) => new KeyedBroadcastProcessOperator(context, instantiate(checked) as AnyKeyedBroadcastFunction);
}
