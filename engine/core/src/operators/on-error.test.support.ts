/** For tests of `onError`: functions of all kinds that throw in many places, after they have changed state and emitted. */
import { schema } from '../codec/schema.js';
import type { Key } from '../common/key.js';
import {
  type AggregateFunction,
  AggregatingStateDescriptor,
  ListStateDescriptor,
  MapStateDescriptor,
  ReducingStateDescriptor,
  ValueStateDescriptor,
} from '../state/descriptors.js';
import type { AggregatingState, ListState, MapState, ReducingState, ValueState } from '../state/state.js';
import {
  type BroadcastContext,
  type KeyedBroadcastContext,
  KeyedBroadcastProcessFunction,
  type KeyedReadOnlyBroadcastContext,
} from './broadcast.js';
import { CoFlatMapFunction, KeyedCoProcessFunction } from './co-process.js';
import type { Collector } from './operator.js';
import { OutputTag } from './output-tag.js';
import { type KeyedProcessContext, KeyedProcessFunction, type OnTimerContext } from './process.js';
import type { RuntimeContext } from './runtime-context.js';
import { type ProcessWindowContext, ProcessWindowFunction, type Window } from './window/window.js';

export interface Element {
  readonly key: Key;
  readonly id: number;
}

/** Chances that are left before one is taken. */
let chances = 0;

/** `chance`: the number of the chance to throw that is taken; 0: none. */
export function throwAt(chance: number): void {
  chances = chance;
}

/** Where a user's function may throw: what it did before has to be taken back. */
export function mayThrow(): void {
  if (--chances === 0) throw new Error('thrown');
}

interface Counter {
  count: number;
  sum: number;
}

const counterSchema = schema({ count: 'int32', sum: 'float64' });
export const side: OutputTag<string> = new OutputTag<string>('side');
export const late: OutputTag<Element> = new OutputTag<Element>('late');

/** Changes its accumulator in place. */
export const ids: AggregateFunction<Element, { ids: number[] }, string> = {
  createAccumulator: () => ({ ids: [] }),
  add(element, accumulator) {
    accumulator.ids.push(element.id);
    mayThrow();
    return accumulator;
  },
  getResult(accumulator) {
    mayThrow();
    return accumulator.ids.join();
  },
  merge(left, right) {
    left.ids.push(...right.ids);
    mayThrow();
    return left;
  },
};
export const counting: AggregateFunction<Element, Counter, Counter> = {
  accumulatorSchema: counterSchema,
  createAccumulator: () => ({ count: 0, sum: 0 }),
  add(element, accumulator) {
    accumulator.count++;
    mayThrow();
    accumulator.sum += element.id / 3;
    return accumulator;
  },
  getResult: (accumulator) => ({ ...accumulator }),
};

/** All kinds of state, both kinds of output, timers. */
class States {
  private readonly box: ValueState<{ ids: number[] }>;
  private readonly plain: ValueState<number>;
  private readonly counter: ValueState<Counter>;
  private readonly list: ListState<{ id: number }>;
  private readonly map: MapState<Key, { ids: number[] } | number>;
  private readonly sum: ReducingState<number>;
  private readonly all: AggregatingState<Element, string>;

  constructor(context: RuntimeContext) {
    this.box = context.getState(new ValueStateDescriptor('box'));
    this.plain = context.getState(new ValueStateDescriptor('plain'));
    this.counter = context.getState(new ValueStateDescriptor<Counter>('counter', { schema: counterSchema }));
    this.list = context.getListState(new ListStateDescriptor('list'));
    this.map = context.getMapState(new MapStateDescriptor('map'));
    this.sum = context.getReducingState(new ReducingStateDescriptor<number>('sum', (a, b) => a + b));
    this.all = context.getAggregatingState(new AggregatingStateDescriptor('all', ids));
  }

  process(element: Element, ctx: KeyedProcessContext<Key>, out: Collector<string>): void {
    const { id } = element;
    const box = this.box.value() ?? { ids: [] };
    box.ids.push(id);
    mayThrow();
    this.box.update(box);
    this.plain.update(id);
    this.sum.add(id);
    this.all.add(element);
    const counter = this.counter.value() ?? { count: 0, sum: 0 };
    counter.count++;
    this.counter.update({ ...counter, sum: counter.sum + id });
    out.collect(`before ${id}`);
    mayThrow();
    this.lists(id);
    mayThrow();
    this.maps(id);
    mayThrow();
    this.timers(id, ctx);
    ctx.output(side, `side ${id}`);
    mayThrow();
    out.collect(this.describe(`after ${id}`));
  }

  private lists(id: number): void {
    if (id % 7 === 0) this.list.clear();
    if (id % 5 === 0) this.list.update([{ id }, { id: -id }]);
    if (id % 3 === 0) for (const element of this.list.get()) (element as { id: number }).id += 1000;
    this.list.add({ id });
  }

  private maps(id: number): void {
    if (id % 11 === 0) this.map.clear();
    for (const value of this.map.values()) if (typeof value === 'object') value.ids.push(id);
    const found = this.map.get(id % 3);
    if (typeof found === 'object') found.ids.push(-id);
    this.map.put(id % 3, id % 2 === 0 ? { ids: [id] } : id);
    this.map.put(['tuple', id % 2], id);
    this.map.remove((id + 1) % 3);
  }

  private timers(id: number, ctx: KeyedProcessContext<Key>): void {
    const timers = ctx.timerService();
    timers.registerEventTimeTimer(id * 3);
    timers.registerEventTimeTimer(id + 40);
    timers.deleteEventTimeTimer(id + 39);
  }

  describe(what: string): string {
    const entries = [...this.map.entries()].map(([key, value]) => JSON.stringify([key, value])).sort();
    const { counter, list, sum } = this;
    const state = [this.box.value(), this.plain.value(), counter.value(), list.get(), entries, sum.get(), this.all.get()];
    return `${what}: ${JSON.stringify(state)}`;
  }
}

export class StatefulProcess extends KeyedProcessFunction<Key, Element, string> {
  private states!: States;

  override open(context: RuntimeContext): void {
    this.states = new States(context);
  }

  processElement(element: Element, ctx: KeyedProcessContext<Key>, out: Collector<string>): void {
    this.states.process(element, ctx, out);
  }

  override onTimer(timestamp: number, ctx: OnTimerContext<Key>, out: Collector<string>): void {
    out.collect(`${String(ctx.getCurrentKey())} ${this.states.describe(`timer ${timestamp}`)}`);
  }
}

export class StatefulCoProcess extends KeyedCoProcessFunction<Key, Element, Element, string> {
  private states!: States;

  override open(context: RuntimeContext): void {
    this.states = new States(context);
  }

  processElement1(element: Element, ctx: KeyedProcessContext<Key>, out: Collector<string>): void {
    this.states.process(element, ctx, out);
  }

  processElement2(element: Element, ctx: KeyedProcessContext<Key>, out: Collector<string>): void {
    this.states.process({ ...element, id: element.id * 2 }, ctx, out);
  }
}

export class Twice extends CoFlatMapFunction<Element, Element, number> {
  flatMap1(element: Element, out: Collector<number>): void {
    out.collect(element.id);
    mayThrow();
    out.collect(-element.id);
  }
  flatMap2(element: Element, out: Collector<number>): void {
    this.flatMap1(element, out);
    mayThrow();
  }
}

const RULES = new MapStateDescriptor<number, number>('rules');
const TOTAL = new ValueStateDescriptor<number>('total');

/** Changes broadcast state and, from the broadcast side, the state of all keys. */
export class Rules extends KeyedBroadcastProcessFunction<Key, Element, Element, string> {
  private total!: ValueState<number>;

  override open(context: RuntimeContext): void {
    this.total = context.getState(TOTAL);
  }

  processElement(element: Element, ctx: KeyedReadOnlyBroadcastContext<Key>, out: Collector<string>): void {
    this.total.update((this.total.value() ?? 0) + element.id);
    mayThrow();
    const rules = [...ctx.getBroadcastState(RULES).entries()].sort(([left], [right]) => left - right);
    out.collect(`${element.id}: ${this.total.value()} ${JSON.stringify(rules)}`);
  }

  processBroadcastElement({ id }: Element, ctx: KeyedBroadcastContext<Key>): void {
    const rules = (ctx as BroadcastContext).getBroadcastState(RULES);
    if (id % 7 === 0) rules.clear();
    rules.put(id % 3, id);
    rules.remove((id + 1) % 3);
    mayThrow();
    ctx.applyToKeyedState(TOTAL, (key, state) => {
      if (id % 4 === 0 && typeof key === 'string') state.clear();
      else state.update((state.value() ?? 0) * 2);
      mayThrow();
    });
  }
}

export class DescribeWindow extends ProcessWindowFunction<Element | string, string, Key, Window> {
  private firings!: ValueState<number>;

  override open(context: RuntimeContext): void {
    this.firings = context.getState(new ValueStateDescriptor('firings'));
  }

  process(_key: Key, ctx: ProcessWindowContext<Window>, elements: readonly (Element | string)[], out: Collector<string>): void {
    this.firings.update((this.firings.value() ?? 0) + 1);
    out.collect(`${ctx.window().maxTimestamp()}`);
    mayThrow();
    out.collect(`${this.firings.value()}: ${elements.map((element) => (typeof element === 'string' ? element : element.id)).join()}`);
  }
}
