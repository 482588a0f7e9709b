/** The contexts of process functions: the record's timestamp, timers, side outputs, the current key. One object per operator. */
import type { Key } from '../common/key.js';
import type { KeyedStateBackend } from '../state/backend.js';
import type { MapStateDescriptor } from '../state/descriptors.js';
import { type BroadcastState, BroadcastStates } from './broadcast-state.js';
import type { Collector, OperatorContext, Output } from './operator.js';
import type { OutputTag } from './output-tag.js';
import type { TimeDomain, TimerService } from './time-service.js';

/** What a process function can do beside collecting. Valid only during the call it was given to. */
export interface ProcessContext {
  /** Event time of the element, or the time of the timer; undefined if the element has none. */
  timestamp(): number | undefined;
  timerService(): TimerService;
  /** Emits to a side output; the record gets the timestamp that results of this call get. */
  output<X>(tag: OutputTag<X>, value: X): void;
}

/** The context of functions on keyed streams. */
export interface KeyedProcessContext<K> extends ProcessContext {
  getCurrentKey(): K;
}

/** The context of `onTimer`: its timestamp is the time of the timer. */
export interface OnTimerContext<K> extends KeyedProcessContext<K> {
  timeDomain(): TimeDomain;
}

/** Side outputs by tag, looked up once. */
export class SideOutputs {
  private readonly context: OperatorContext;
  private readonly outputs = new Map<string, Output<unknown>>();

  constructor(context: OperatorContext) {
    this.context = context;
  }

  collect(tag: string, value: unknown, timestamp: number): void {
    let output = this.outputs.get(tag);
    if (output === undefined) {
      output = this.context.side(tag);
      this.outputs.set(tag, output);
    }
    output.collect(value, timestamp);
  }
}

/** Context and collector of one operator: `begin` before each call of the user's function. */
export class FunctionContext<O> implements ProcessContext, Collector<O> {
  private time: number = Number.NaN;
  private emitTime: number = Number.NaN;
  private readonly main: Output<unknown>;
  private readonly sides: SideOutputs;
  private readonly service: TimerService;
  private readonly broadcastStates: BroadcastStates;

  /** `states`: shared where an operator has several contexts. */
  constructor(context: OperatorContext, service: TimerService, states: BroadcastStates = new BroadcastStates(context)) {
    this.main = context.output;
    this.sides = new SideOutputs(context);
    this.service = service;
    this.broadcastStates = states;
  }

  /** `time`: of the element or timer. `emitTime`: what results get. */
  begin(time: number, emitTime: number): void {
    this.time = time;
    this.emitTime = emitTime;
  }

  timestamp(): number | undefined {
    return Number.isNaN(this.time) ? undefined : this.time;
  }

  timerService(): TimerService {
    return this.service;
  }

  output<X>(tag: OutputTag<X>, value: X): void {
    this.sides.collect(tag.id, value, this.emitTime);
  }

  /** Contexts of other functions than broadcast ones don't show it. */
  getBroadcastState<K, V>(descriptor: MapStateDescriptor<K, V>): BroadcastState<K, V> {
    return this.broadcastStates.get(descriptor);
  }

  collect(value: O): void {
    this.main.collect(value, this.emitTime);
  }
}

export class KeyedFunctionContext<K, O> extends FunctionContext<O> implements OnTimerContext<K> {
  private domain: TimeDomain = 'event-time';
  private readonly backend: KeyedStateBackend;

  constructor(context: OperatorContext, service: TimerService, states?: BroadcastStates) {
    super(context, service, states);
    this.backend = context.keyed;
  }

  /** Results of event-time timers have the timer's time, those of processing-time timers none (Flink). */
  beginTimer(time: number, domain: TimeDomain): void {
    this.domain = domain;
    this.begin(time, domain === 'event-time' ? time : Number.NaN);
  }

  getCurrentKey(): K {
    return this.backend.currentKey() as Key as K;
  }

  timeDomain(): TimeDomain {
    return this.domain;
  }
}
