import { describe, expect, it } from 'vitest';
import { MapStateDescriptor, ValueStateDescriptor } from '../state/descriptors.js';
import type { ValueState } from '../state/state.js';
import { keyByField, OperatorHarness } from '../testing/operator-harness.js';
import {
  type BroadcastContext,
  type BroadcastOnTimerContext,
  BroadcastProcessFunction,
  createBroadcastProcessOperator,
  createKeyedBroadcastProcessOperator,
  type KeyedBroadcastContext,
  KeyedBroadcastProcessFunction,
  type KeyedReadOnlyBroadcastContext,
  type ReadOnlyBroadcastContext,
} from './broadcast.js';
import type { Collector } from './operator.js';
import type { RuntimeContext } from './runtime-context.js';

const NAMES = new MapStateDescriptor<string, string>('names');
const COUNT = new ValueStateDescriptor<number>('count');

class Enrich extends BroadcastProcessFunction<string, readonly [string, string | undefined], string> {
  processElement(code: string, ctx: ReadOnlyBroadcastContext, out: Collector<string>): void {
    out.collect(ctx.getBroadcastState(NAMES).get(code) ?? 'unknown');
  }
  processBroadcastElement([code, name]: readonly [string, string | undefined], ctx: BroadcastContext): void {
    const names = ctx.getBroadcastState(NAMES);
    if (name === undefined) names.remove(code);
    else names.put(code, name);
  }
}

describe('BroadcastProcessFunction', () => {
  it('the main side sees what the broadcast side put; every subtask restores all of it', async () => {
    const create = createBroadcastProcessOperator(new Enrich());
    const harness = await OperatorHarness.open(create);
    harness.processElement('JFK');
    harness.processElement2(['JFK', 'Kennedy']);
    harness.processElement2(['LAX', 'Los Angeles']);
    harness.processElement('JFK', 5);
    harness.processElement2(['LAX', undefined]);
    harness.processElement('LAX', 6);
    expect(harness.values()).toEqual(['unknown', 'Kennedy', 'unknown']);
    const restore = [harness.snapshot()];
    for (const subtaskIndex of [0, 1, 2]) {
      const restored = await OperatorHarness.open(create, { parallelism: 3, subtaskIndex, restore });
      restored.processElement('JFK');
      expect(restored.values()).toEqual(['Kennedy']);
    }
  });
});

interface Hit {
  readonly user: string;
}

class Thresholds extends KeyedBroadcastProcessFunction<string, Hit, number, string> {
  private count!: ValueState<number>;
  private readonly limits = new MapStateDescriptor<string, number>('limits');

  override open(context: RuntimeContext): void {
    this.count = context.getState(COUNT);
  }
  processElement(_hit: Hit, ctx: KeyedReadOnlyBroadcastContext<string>, out: Collector<string>): void {
    const count = (this.count.value() ?? 0) + 1;
    this.count.update(count);
    const limit = ctx.getBroadcastState(this.limits).get('limit');
    if (limit !== undefined && count >= limit) out.collect(`${ctx.getCurrentKey()} reached ${limit}`);
    ctx.timerService().registerEventTimeTimer(1000);
  }
  processBroadcastElement(limit: number, ctx: KeyedBroadcastContext<string>, out: Collector<string>): void {
    ctx.getBroadcastState(this.limits).put('limit', limit);
    ctx.applyToKeyedState(COUNT, (user, count) => {
      if ((count.value() ?? 0) >= limit) {
        out.collect(`${user} is over ${limit} at ${ctx.currentWatermark()}`);
        count.clear();
      }
    });
  }
  override onTimer(timestamp: number, ctx: BroadcastOnTimerContext<string>, out: Collector<string>): void {
    out.collect(`${ctx.getCurrentKey()} ${this.count.value()} of ${ctx.getBroadcastState(this.limits).get('limit')} at ${timestamp}`);
  }
}

describe('KeyedBroadcastProcessFunction', () => {
  it('keyed state and timers on one side, all keys on the other', async () => {
    const harness = await OperatorHarness.open(createKeyedBroadcastProcessOperator(new Thresholds()), {
      keySelectors: [keyByField('user'), undefined],
    });
    for (const user of ['a', 'b', 'a', 'a']) harness.processElement({ user }, 1);
    harness.advanceEventTime(7);
    harness.processElement2(3, 2);
    harness.processElement({ user: 'b' }, 3);
    harness.processElement({ user: 'b' }, 4);
    harness.advanceEventTime(1000);
    expect(harness.values()).toEqual(['a is over 3 at 7', 'b reached 3', expect.any(String), expect.any(String)]);
    expect(harness.values<string>().slice(2).sort()).toEqual(['a undefined of 3 at 1000', 'b 3 of 3 at 1000']);
  });

  it('all keys are visited once, also if their state is cleared and set again', async () => {
    class Doubling extends KeyedBroadcastProcessFunction<string, { user: string }, number, string> {
      private count!: ValueState<number>;
      private visits = 0;

      override open(context: RuntimeContext): void {
        this.count = context.getState(COUNT);
      }
      processElement(): void {
        this.count.update((this.count.value() ?? 0) + 1);
      }
      processBroadcastElement(factor: number, ctx: KeyedBroadcastContext<string>, out: Collector<string>): void {
        ctx.applyToKeyedState(COUNT, (user, count) => {
          if (++this.visits > 10) throw new Error('keys come again');
          const before = count.value() ?? 0;
          count.clear();
          count.update(before * factor);
          out.collect(`${user} ${count.value()}`);
        });
      }
    }
    const harness = await OperatorHarness.open(createKeyedBroadcastProcessOperator(new Doubling()), {
      keySelectors: [keyByField('user'), undefined],
    });
    for (const user of ['a', 'b', 'a']) harness.processElement({ user });
    harness.processElement2(2);
    expect(harness.values<string>().sort()).toEqual(['a 4', 'b 2']);
  });
});
