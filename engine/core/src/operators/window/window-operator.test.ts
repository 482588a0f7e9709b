import { describe, expect, it } from 'vitest';
import { schema } from '../../codec/schema.js';
import { ValueStateDescriptor } from '../../state/descriptors.js';
import { keyByField, OperatorHarness } from '../../testing/operator-harness.js';
import type { Collector } from '../operator.js';
import { OutputTag } from '../output-tag.js';
import {
  EventTimeSessionWindows,
  GlobalWindows,
  ProcessingTimeSessionWindows,
  SlidingEventTimeWindows,
  SlidingProcessingTimeWindows,
  TumblingEventTimeWindows,
  TumblingProcessingTimeWindows,
  windowStart,
} from './assigners.js';
import { ContinuousEventTimeTrigger, CountTrigger, EventTimeTrigger, PurgingTrigger } from './triggers.js';
import { type ProcessWindowContext, ProcessWindowFunction, type Window } from './window.js';
import { createWindowOperator } from './window-operator.js';

interface Sale {
  readonly shop: string;
  readonly n: number;
}

const byShop = { keySelectors: [keyByField('shop')] };
const sum = { type: 'reduce' as const, reduce: (left: Sale, right: Sale): Sale => ({ shop: left.shop, n: left.n + right.n }) };

describe('aligned windows', () => {
  it('starts windows as Flink does, before 1970 too', () => {
    expect(windowStart(7, 0, 5)).toBe(5);
    expect(windowStart(-1, 0, 5)).toBe(-5);
    expect(windowStart(-5, 0, 5)).toBe(-5);
    expect(windowStart(7, 3, 5)).toBe(3);
    expect(windowStart(2, 3, 5)).toBe(-2);
    expect(windowStart(1, -2, 5)).toBe(-2);
  });

  it('fires at the end with the last timestamp of the window, and forgets it', async () => {
    const harness = await OperatorHarness.open(createWindowOperator({ assigner: TumblingEventTimeWindows.of(10), function: sum }), byShop);
    harness.processElement({ shop: 'a', n: 1 }, 0);
    harness.processElement({ shop: 'a', n: 2 }, 9);
    harness.processElement({ shop: 'a', n: 4 }, 10);
    harness.advanceEventTime(8);
    expect(harness.emitted).toEqual([]);
    harness.advanceEventTime(9);
    expect(harness.emitted).toEqual([{ value: { shop: 'a', n: 3 }, timestamp: 9 }]);
    harness.processElement({ shop: 'a', n: 8 }, 5);
    expect(harness.counters.numLateRecordsDropped).toBe(1);
    harness.advanceEventTime(Number.POSITIVE_INFINITY);
    expect(harness.values()).toEqual([
      { shop: 'a', n: 3 },
      { shop: 'a', n: 4 },
    ]);
  });

  it('does not change a record that has become the result so far', async () => {
    const reduce = (left: { n: number }, right: { n: number }) => (right.n > left.n ? right : Object.assign(left, { n: left.n + right.n }));
    const harness = await OperatorHarness.open(
      createWindowOperator({
        assigner: TumblingEventTimeWindows.of(10),
        function: { type: 'reduce' as const, reduce } as unknown as typeof sum,
      }),
      byShop,
    );
    const input = [1, 5, 2].map((n) => ({ shop: 'a', n }));
    for (const sale of input) harness.processElement(sale, 0);
    harness.advanceEventTime(10);
    expect(harness.values()).toEqual([{ shop: 'a', n: 7 }]);
    expect(input.map(({ n }) => n)).toEqual([1, 5, 2]);
  });

  it('fires again for each allowed late element; what it emitted before does not change', async () => {
    const inPlace = {
      type: 'reduce' as const,
      reduce: (left: { n: number }, right: { n: number }) => Object.assign(left, { n: left.n + right.n }),
    };
    const first = { shop: 'a', n: 1 };
    const harness = await OperatorHarness.open(
      createWindowOperator({ assigner: TumblingEventTimeWindows.of(10), allowedLatenessMs: 5, function: inPlace as unknown as typeof sum }),
      byShop,
    );
    harness.processElement(first, 0);
    harness.advanceEventTime(13);
    harness.processElement({ shop: 'a', n: 2 }, 3);
    harness.processElement({ shop: 'b', n: 7 }, 3);
    harness.advanceEventTime(14);
    harness.processElement({ shop: 'a', n: 2 }, 4);
    expect(harness.values<Sale>().map(({ shop, n }) => `${shop}${n}`)).toEqual(['a1', 'a3', 'b7']);
    expect(first).toEqual({ shop: 'a', n: 1 });
    expect(harness.counters.numLateRecordsDropped).toBe(1);
  });

  it('late elements go to the side output instead', async () => {
    const late = new OutputTag<Sale>('late');
    const harness = await OperatorHarness.open(
      createWindowOperator({ assigner: SlidingEventTimeWindows.of(10, 5), lateDataTag: late, function: sum }),
      byShop,
    );
    harness.advanceEventTime(9);
    harness.processElement({ shop: 'a', n: 1 }, 4);
    harness.processElement({ shop: 'a', n: 2 }, 6);
    harness.advanceEventTime(100);
    expect(harness.side(late)).toEqual([{ value: { shop: 'a', n: 1 }, timestamp: 4 }]);
    expect(harness.emitted).toEqual([{ value: { shop: 'a', n: 2 }, timestamp: 14 }]);
    expect(harness.counters.numLateRecordsDropped).toBe(0);
  });

  it('refuses elements without a timestamp', async () => {
    for (const assigner of [TumblingEventTimeWindows.of(10), EventTimeSessionWindows.withGap(10)]) {
      const harness = await OperatorHarness.open(createWindowOperator({ assigner, function: sum }), byShop);
      expect(() => harness.processElement({ shop: 'a', n: 1 })).toThrow(
        expect.objectContaining({ code: 'NO_TIMESTAMP', message: expect.stringContaining('assignTimestampsAndWatermarks') }),
      );
    }
  });

  it.each([
    () => TumblingEventTimeWindows.of(0),
    () => TumblingEventTimeWindows.of(10, 10),
    () => SlidingEventTimeWindows.of(10, -1),
    () => TumblingProcessingTimeWindows.of(1.5),
    () => EventTimeSessionWindows.withGap(Number.NaN),
    () => CountTrigger.of(0),
    () => createWindowOperator({ assigner: TumblingEventTimeWindows.of(1), allowedLatenessMs: -1, function: sum }),
  ])('refuses impossible sizes (%#)', (make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });

  it('keeps declared accumulators and emits values of their own', async () => {
    const aggregate = {
      accumulatorSchema: schema({ count: 'int32', sum: 'float64' }),
      createAccumulator: () => ({ count: 0, sum: 0 }),
      add: (sale: Sale, total: { count: number; sum: number }) => {
        total.count++;
        total.sum += sale.n;
        return total;
      },
      getResult: (total: { count: number; sum: number }) => total,
    };
    const create = createWindowOperator({
      assigner: TumblingEventTimeWindows.of(10),
      allowedLatenessMs: 100,
      function: { type: 'aggregate', aggregate },
    });
    const harness = await OperatorHarness.open(create, byShop);
    harness.processElement({ shop: 'a', n: 0.5 }, 0);
    const restored = await OperatorHarness.open(create, { ...byShop, restore: [harness.snapshot()] });
    restored.processElement({ shop: 'a', n: 1 }, 0);
    restored.advanceEventTime(9);
    restored.processElement({ shop: 'a', n: 1 }, 0);
    expect(restored.values()).toEqual([
      { count: 2, sum: 1.5 },
      { count: 3, sum: 2.5 },
    ]);
  });

  it('processing-time windows follow the clock, whatever the timestamps', async () => {
    const create = createWindowOperator({ assigner: TumblingProcessingTimeWindows.of(10), function: sum });
    let harness = await OperatorHarness.open(create, byShop);
    harness.advanceProcessingTime(1005);
    harness.processElement({ shop: 'a', n: 1 });
    harness.advanceProcessingTime(1009);
    harness.processElement({ shop: 'a', n: 2 }, 3);
    harness.advanceEventTime(Number.POSITIVE_INFINITY);
    expect(harness.emitted).toEqual([]);
    harness = await OperatorHarness.open(create, { ...byShop, clock: harness.clock, restore: [harness.snapshot()] });
    expect(harness.operator.nextProcessingTime?.()).toBe(1010);
    harness.advanceProcessingTime(1010);
    expect(harness.emitted).toEqual([{ value: { shop: 'a', n: 3 }, timestamp: 1009 }]);
    const slidingHarness = await OperatorHarness.open(
      createWindowOperator({ assigner: SlidingProcessingTimeWindows.of(10, 5), function: sum }),
      byShop,
    );
    slidingHarness.advanceProcessingTime(7);
    slidingHarness.processElement({ shop: 'a', n: 1 });
    slidingHarness.advanceProcessingTime(100);
    expect(slidingHarness.emitted.map(({ timestamp }) => timestamp)).toEqual([9, 14]);
  });

  it('window functions see the window, state of the key, time, and side outputs', async () => {
    const big = new OutputTag<number>('big');
    class Describe extends ProcessWindowFunction<Sale, string, string> {
      private readonly total = new ValueStateDescriptor<number>('total');
      process(key: string, context: ProcessWindowContext<Window>, elements: readonly Sale[], out: Collector<string>): void {
        const [{ n }] = elements as [Sale];
        const total = context.globalState().getState(this.total);
        total.update((total.value() ?? 0) + n);
        if (n > 5) context.output(big, n);
        out.collect(`${key} ${n} ${total.value()} ${context.window().maxTimestamp()} ${context.currentWatermark()}`);
      }
    }
    const harness = await OperatorHarness.open(
      createWindowOperator({ assigner: TumblingEventTimeWindows.of(10), function: { ...sum, process: new Describe() } }),
      byShop,
    );
    harness.processElement({ shop: 'a', n: 1 }, 0);
    harness.processElement({ shop: 'a', n: 6 }, 10);
    harness.advanceEventTime(30);
    expect(harness.values()).toEqual(['a 1 1 9 30', 'a 6 7 19 30']);
    expect(harness.side(big)).toEqual([{ value: 6, timestamp: 19 }]);
  });

  it('refuses promises, wherever they are returned', async () => {
    const asynchronous = (): never => Promise.resolve() as never;
    const aggregate = { createAccumulator: () => 0, add: (_: Sale, n: number) => n + 1, getResult: (n: number) => n };
    const cases = [
      { type: 'reduce' as const, reduce: asynchronous },
      { type: 'aggregate' as const, aggregate: { ...aggregate, add: asynchronous } },
      { type: 'aggregate' as const, aggregate: { ...aggregate, getResult: asynchronous } },
    ];
    for (const fn of cases) {
      const harness = await OperatorHarness.open(createWindowOperator({ assigner: TumblingEventTimeWindows.of(10), function: fn }), byShop);
      expect(() => {
        harness.processElement({ shop: 'a', n: 1 }, 0);
        harness.processElement({ shop: 'a', n: 1 }, 0);
        harness.advanceEventTime(9);
      }).toThrow(expect.objectContaining({ code: 'PROMISE_RETURNED' }));
    }
  });
});

describe('windows with triggers', () => {
  it('sessions merge what touches, in processing time too', async () => {
    const harness = await OperatorHarness.open(
      createWindowOperator({ assigner: ProcessingTimeSessionWindows.withGap(10), function: sum }),
      byShop,
    );
    for (const time of [100, 105, 114]) {
      harness.advanceProcessingTime(time);
      harness.processElement({ shop: 'a', n: 1 });
    }
    harness.advanceProcessingTime(123);
    expect(harness.emitted).toEqual([]);
    harness.advanceProcessingTime(200);
    expect(harness.emitted).toEqual([{ value: { shop: 'a', n: 3 }, timestamp: 123 }]);
    // The timers of the windows that were merged are gone.
    expect(harness.counters.numFiredTimers).toBe(1);
  });

  it('sessions may have a gap of their own for each element', async () => {
    const assigner = EventTimeSessionWindows.withDynamicGap<Sale>((sale) => sale.n);
    const harness = await OperatorHarness.open(createWindowOperator({ assigner, function: sum }), byShop);
    harness.processElement({ shop: 'a', n: 100 }, 0);
    harness.processElement({ shop: 'a', n: 5 }, 50);
    harness.advanceEventTime(1000);
    expect(harness.emitted).toEqual([{ value: { shop: 'a', n: 105 }, timestamp: 99 }]);
  });

  it('sessions need merge and a trigger that merges', () => {
    const aggregate = { createAccumulator: () => 0, add: (_: Sale, n: number) => n + 1, getResult: (n: number) => n };
    const create = createWindowOperator({ assigner: EventTimeSessionWindows.withGap(1), function: { type: 'aggregate', aggregate } });
    return expect(OperatorHarness.open(create, byShop)).rejects.toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });

  it('count triggers fire a window early, and with purging forget what was emitted', async () => {
    const emitted = async (trigger: CountTrigger | PurgingTrigger<unknown, Window>): Promise<unknown[]> => {
      const harness = await OperatorHarness.open(
        createWindowOperator({ assigner: GlobalWindows.create(), trigger, function: sum }),
        byShop,
      );
      for (let n = 1; n <= 5; n++) harness.processElement({ shop: 'a', n }, n * 10);
      harness.advanceEventTime(Number.POSITIVE_INFINITY);
      return harness.emitted.map(({ value, timestamp }) => [(value as Sale).n, timestamp]);
    };
    expect(await emitted(CountTrigger.of(2))).toEqual([
      [3, 20],
      [10, 40],
    ]);
    expect(await emitted(PurgingTrigger.of(CountTrigger.of(2)))).toEqual([
      [3, 20],
      [7, 40],
    ]);
  });

  it('continuous triggers fire at regular times and at the end', async () => {
    const harness = await OperatorHarness.open(
      createWindowOperator({ assigner: TumblingEventTimeWindows.of(100), trigger: ContinuousEventTimeTrigger.of(30), function: sum }),
      byShop,
    );
    harness.processElement({ shop: 'a', n: 1 }, 5);
    harness.advanceEventTime(40);
    harness.processElement({ shop: 'a', n: 2 }, 50);
    harness.advanceEventTime(60);
    harness.advanceEventTime(200);
    expect(harness.values<Sale>().map(({ n }) => n)).toEqual([1, 3, 3, 3]);
    expect(harness.snapshot().subtask.keyedChain[0]?.info.rows).toBe(0);
  });

  it('a session under a count trigger keeps its count when it merges', async () => {
    const harness = await OperatorHarness.open(
      createWindowOperator({ assigner: EventTimeSessionWindows.withGap(10), trigger: CountTrigger.of(3), function: sum }),
      byShop,
    );
    harness.processElement({ shop: 'a', n: 1 }, 0);
    harness.processElement({ shop: 'a', n: 2 }, 18);
    harness.processElement({ shop: 'a', n: 4 }, 9);
    expect(harness.values<Sale>().map(({ n }) => n)).toEqual([7]);
  });

  it('the default trigger, given explicitly, takes the fast path with the same results', async () => {
    const harness = await OperatorHarness.open(
      createWindowOperator({ assigner: TumblingEventTimeWindows.of(10), trigger: EventTimeTrigger.create(), function: sum }),
      byShop,
    );
    harness.processElement({ shop: 'a', n: 1 }, 0);
    harness.advanceEventTime(9);
    expect(harness.values()).toEqual([{ shop: 'a', n: 1 }]);
  });
});
