import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyGroupOf } from '../common/hash.js';
import { ListStateDescriptor, ValueStateDescriptor } from '../state/descriptors.js';
import { keyGroupRangeOf } from '../state/key-group.js';
import type { ListState, ValueState } from '../state/state.js';
import { type HarnessSnapshot, keyByField, OperatorHarness } from '../testing/operator-harness.js';
import type { Collector, Operator, OperatorContext } from './operator.js';
import { OutputTag } from './output-tag.js';
import {
  createKeyedProcessOperator,
  createProcessOperator,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type OnTimerContext,
  type ProcessContext,
  ProcessFunction,
} from './process.js';
import type { RuntimeContext } from './runtime-context.js';

interface Click {
  readonly user: string;
  readonly n: number;
}

const byUser = { keySelectors: [keyByField('user')] };
const SEEN = new ListStateDescriptor<number>('seen');
const odd = new OutputTag<number>('odd');

/** Sums per user, emits the sum at the end of each 10 ms of event time, odd numbers to a side output. */
class SumFunction extends KeyedProcessFunction<string, Click, string> {
  private sum!: ValueState<number>;
  private seen!: ListState<number>;

  override open(context: RuntimeContext): void {
    this.sum = context.getState(new ValueStateDescriptor<number>('sum'));
    this.seen = context.getListState(SEEN);
  }

  processElement(click: Click, ctx: KeyedProcessContext<string>): void {
    this.sum.update((this.sum.value() ?? 0) + click.n);
    this.seen.add(click.n);
    if (click.n % 2 === 1) ctx.output(odd, click.n);
    ctx.timerService().registerEventTimeTimer(Math.floor((ctx.timestamp() as number) / 10) * 10 + 10);
  }

  override onTimer(timestamp: number, ctx: OnTimerContext<string>, out: Collector<string>): void {
    out.collect(
      `${ctx.getCurrentKey()} ${timestamp} ${ctx.timestamp()} ${ctx.timeDomain()} ${this.sum.value()} [${this.seen.get().join()}]`,
    );
  }
}

describe('ProcessFunction', () => {
  it('emits results and side outputs with the timestamp of the element', async () => {
    class Split extends ProcessFunction<number, string> {
      processElement(value: number, ctx: ProcessContext, out: Collector<string>): void {
        out.collect(`${value} ${ctx.timestamp()} ${ctx.timerService().currentWatermark()}`);
        if (value % 2 === 1) ctx.output(odd, value);
      }
    }
    const harness = await OperatorHarness.open(createProcessOperator(new Split()));
    harness.processElement(1, 100);
    harness.advanceEventTime(50);
    harness.processElement(2);
    expect(harness.emitted).toEqual([
      { value: '1 100 -Infinity', timestamp: 100 },
      { value: '2 undefined 50', timestamp: Number.NaN },
    ]);
    expect(harness.side(odd)).toEqual([{ value: 1, timestamp: 100 }]);
    expect(harness.watermarks()).toEqual([50]);
  });

  it('has neither timers nor keyed state', async () => {
    class Timers extends ProcessFunction<number, string> {
      processElement(_value: number, ctx: ProcessContext): void {
        ctx.timerService().registerEventTimeTimer(1);
      }
    }
    const harness = await OperatorHarness.open(createProcessOperator(new Timers()));
    expect(() => harness.processElement(1)).toThrow(expect.objectContaining({ code: 'NO_KEYED_STATE' }));
  });

  it('refuses promises, naming the operator and mapAsync', async () => {
    class Late extends ProcessFunction<number, string> {
      async processElement(): Promise<void> {
        await Promise.resolve();
      }
    }
    const harness = await OperatorHarness.open(createProcessOperator(() => new Late() as unknown as ProcessFunction<number, string>));
    expect(() => harness.processElement(1)).toThrow(
      expect.objectContaining({
        code: 'PROMISE_RETURNED',
        message: expect.stringMatching(/'processElement' of operator 'operator'.*mapAsync/),
      }),
    );
  });

  it('gives each subtask a copy of an instance, and calls a factory for each', async () => {
    class Counter extends ProcessFunction<number, number> {
      private readonly seen = new Set<number>();
      readonly step: number;
      constructor(step: number) {
        super();
        this.step = step;
      }
      processElement(value: number, _ctx: ProcessContext, out: Collector<number>): void {
        this.seen.add(value);
        out.collect(this.seen.size * this.step);
      }
    }
    for (const fn of [new Counter(10), () => new Counter(10)]) {
      const create = createProcessOperator(fn);
      const first = await OperatorHarness.open(create);
      const second = await OperatorHarness.open(create);
      first.processElement(1);
      first.processElement(2);
      second.processElement(3);
      expect(first.values()).toEqual([10, 20]);
      expect(second.values()).toEqual([10]);
    }
  });

  it('refuses instances that cannot be copied', () => {
    class Private extends ProcessFunction<number, number> {
      readonly #factor = 2;
      processElement(value: number, _ctx: ProcessContext, out: Collector<number>): void {
        out.collect(value * this.#factor);
      }
    }
    expect(() => createProcessOperator(new Private())).toThrow(expect.objectContaining({ code: 'INVALID_FUNCTION' }));
    expect(() => createProcessOperator(() => new Private())).not.toThrow();
  });
});

describe('KeyedProcessFunction', () => {
  it('keeps state and timers per key', async () => {
    const harness = await OperatorHarness.open(createKeyedProcessOperator(new SumFunction()), byUser);
    harness.processElement({ user: 'b', n: 1 }, 3);
    harness.processElement({ user: 'a', n: 2 }, 14);
    harness.processElement({ user: 'b', n: 4 }, 5);
    harness.advanceEventTime(9);
    expect(harness.emitted).toEqual([]);
    harness.advanceEventTime(10);
    expect(harness.emitted).toEqual([{ value: 'b 10 10 event-time 5 [1,4]', timestamp: 10 }]);
    harness.advanceEventTime(Number.POSITIVE_INFINITY);
    expect(harness.values()).toEqual(['b 10 10 event-time 5 [1,4]', 'a 20 20 event-time 2 [2]']);
    expect(harness.side(odd)).toEqual([{ value: 1, timestamp: 3 }]);
    expect(harness.counters.numFiredTimers).toBe(2);
  });

  it('processing-time timers fire once their millisecond is over, without a timestamp', async () => {
    class Ping extends KeyedProcessFunction<string, Click, string> {
      processElement(_click: Click, ctx: KeyedProcessContext<string>): void {
        const timers = ctx.timerService();
        timers.registerProcessingTimeTimer(timers.currentProcessingTime() + 100);
        timers.registerProcessingTimeTimer(timers.currentProcessingTime() + 50);
        timers.deleteProcessingTimeTimer(timers.currentProcessingTime() + 50);
      }
      override onTimer(timestamp: number, ctx: OnTimerContext<string>, out: Collector<string>): void {
        out.collect(`${ctx.getCurrentKey()} ${timestamp} ${ctx.timeDomain()}`);
      }
    }
    const harness = await OperatorHarness.open(
      createKeyedProcessOperator(() => new Ping()),
      byUser,
    );
    harness.advanceProcessingTime(1000);
    harness.processElement({ user: 'a', n: 1 }, 7);
    harness.advanceProcessingTime(1100);
    expect(harness.emitted).toEqual([]);
    const restored = await OperatorHarness.open(
      createKeyedProcessOperator(() => new Ping()),
      { ...byUser, restore: [harness.snapshot()] },
    );
    for (const each of [harness, restored]) {
      each.advanceProcessingTime(1101);
      expect(each.emitted).toEqual([{ value: 'a 1100 processing-time', timestamp: Number.NaN }]);
    }
  });

  it('timers at the end of time fire at the end of the input; times that are no numbers are refused', async () => {
    class AtEnd extends KeyedProcessFunction<string, Click, string> {
      processElement(click: Click, ctx: KeyedProcessContext<string>): void {
        ctx.timerService().registerEventTimeTimer(click.n);
      }
      override onTimer(timestamp: number, ctx: OnTimerContext<string>, out: Collector<string>): void {
        out.collect(`${timestamp} ${ctx.timerService().currentWatermark()}`);
      }
    }
    const harness = await OperatorHarness.open(createKeyedProcessOperator(new AtEnd()), byUser);
    harness.processElement({ user: 'a', n: Number.POSITIVE_INFINITY });
    harness.advanceEventTime(1e15);
    expect(harness.values()).toEqual([]);
    harness.advanceEventTime(Number.POSITIVE_INFINITY);
    expect(harness.values()).toEqual(['Infinity Infinity']);
    expect(() => harness.processElement({ user: 'a', n: Number.NaN })).toThrow(expect.objectContaining({ code: 'INVALID_TIMER' }));
  });

  it('after a restore, currentWatermark is what the key had seen', async () => {
    class Watch extends KeyedProcessFunction<string, Click, number> {
      processElement(_click: Click, ctx: KeyedProcessContext<string>, out: Collector<number>): void {
        out.collect(ctx.timerService().currentWatermark());
      }
    }
    const create = createKeyedProcessOperator(() => new Watch());
    const subtaskOf = (user: string): number => (keyGroupOf(user, 128) >= keyGroupRangeOf(128, 2, 1).start ? 1 : 0);
    const users = ['a', 'b', 'c', 'd', 'e', 'f'];
    const behind = users.find((user) => subtaskOf(user) === 0) as string;
    const ahead = users.find((user) => subtaskOf(user) === 1) as string;
    const old = await Promise.all([0, 1].map((subtaskIndex) => OperatorHarness.open(create, { ...byUser, parallelism: 2, subtaskIndex })));
    old[0]?.advanceEventTime(100);
    old[1]?.advanceEventTime(200);
    const harness = await OperatorHarness.open(create, { ...byUser, restore: old.map((each) => each.snapshot()) });
    for (const watermark of [50, 150, 250]) {
      harness.advanceEventTime(watermark);
      harness.processElement({ user: behind, n: 0 });
      harness.processElement({ user: ahead, n: 0 });
    }
    expect(harness.values()).toEqual([100, 200, 150, 200, 250, 250]);
  });

  it('refuses promises from onTimer', async () => {
    class Late extends KeyedProcessFunction<string, Click, string> {
      processElement(_click: Click, ctx: KeyedProcessContext<string>): void {
        ctx.timerService().registerEventTimeTimer(1);
      }
      override onTimer(): Promise<void> {
        return Promise.resolve();
      }
    }
    const harness = await OperatorHarness.open(createKeyedProcessOperator(new Late()), byUser);
    harness.processElement({ user: 'a', n: 1 });
    expect(() => harness.advanceEventTime(1)).toThrow(expect.objectContaining({ code: 'PROMISE_RETURNED' }));
  });
});

/** Registers, deletes and chains timers as its elements say. */
interface Command {
  readonly user: string;
  readonly at: number;
  /** Also deletes the timer at this time. */
  readonly cancel: number;
}

class CommandFunction extends KeyedProcessFunction<string, Command, string> {
  processElement(command: Command, ctx: KeyedProcessContext<string>): void {
    ctx.timerService().registerEventTimeTimer(command.at);
    ctx.timerService().deleteEventTimeTimer(command.cancel);
  }
  override onTimer(timestamp: number, ctx: OnTimerContext<string>, out: Collector<string>): void {
    out.collect(`${ctx.getCurrentKey()} ${timestamp}`);
    if (timestamp % 5 === 0) ctx.timerService().registerEventTimeTimer(timestamp + 3);
  }
}

describe('timers, property', () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        user: fc.constantFrom('a', 'b', 'c', 'd'),
        at: fc.integer({ min: -30, max: 60 }),
        cancel: fc.integer({ min: -30, max: 60 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ advance: fc.nat(12) }) },
    { weight: 1, arbitrary: fc.record({ parallelism: fc.integer({ min: 1, max: 3 }) }) },
  );

  it('fire once, in order of time for each key, across restores, rescales and interruptions', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40, size: 'max' }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }),
        async (steps, exhaustions) => {
          const create: (context: OperatorContext) => Operator = createKeyedProcessOperator(() => new CommandFunction());
          let asked = 0;
          const exhausted = (): boolean => exhaustions[asked++ % exhaustions.length] as boolean;
          let restore: HarnessSnapshot[] | undefined;
          const openAll = (parallelism: number): Promise<OperatorHarness[]> =>
            Promise.all(
              Array.from({ length: parallelism }, (_, subtaskIndex) =>
                OperatorHarness.open(create, {
                  ...byUser,
                  parallelism,
                  subtaskIndex,
                  exhausted,
                  ...(restore === undefined ? {} : { restore }),
                }),
              ),
            );
          let subtasks = await openAll(1);
          const fired: string[] = [];
          const collect = (): void => {
            for (const subtask of subtasks) fired.push(...subtask.values<string>().splice(0));
          };
          let watermark = -40;
          const model = new Map<string, Set<number>>();
          const expected: string[] = [];
          const fireModel = (): void => {
            for (const [user, times] of model) {
              for (
                let due = [...times].sort((a, b) => a - b)[0];
                due !== undefined && due <= watermark;
                due = [...times].sort((a, b) => a - b)[0]
              ) {
                times.delete(due);
                expected.push(`${user} ${due}`);
                if (due % 5 === 0) times.add(due + 3);
              }
            }
          };
          for (const each of steps) {
            if ('parallelism' in each) {
              collect();
              restore = subtasks.map((subtask) => subtask.snapshot());
              subtasks = await openAll(each.parallelism);
            } else if ('advance' in each) {
              watermark += each.advance;
              for (const subtask of subtasks) subtask.advanceEventTime(watermark);
              fireModel();
            } else {
              const owner = Math.floor((keyGroupOf(each.user, 128) * subtasks.length) / 128);
              subtasks[owner]?.processElement(each, 0);
              const times = model.get(each.user) ?? new Set();
              model.set(each.user, times);
              times.add(each.at);
              times.delete(each.cancel);
            }
          }
          watermark = Number.POSITIVE_INFINITY;
          for (const subtask of subtasks) subtask.advanceEventTime(watermark);
          collect();
          fireModel();
          for (const user of model.keys()) {
            const ofUser = (list: string[]): string[] => list.filter((entry) => entry.startsWith(user));
            expect(ofUser(fired)).toEqual(ofUser(expected));
          }
          expect(fired).toHaveLength(expected.length);
        },
      ),
      { numRuns: 150, seed: 7 },
    );
  });
});
