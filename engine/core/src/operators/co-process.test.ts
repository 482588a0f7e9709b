import { describe, expect, it } from 'vitest';
import { ValueStateDescriptor } from '../state/descriptors.js';
import type { ValueState } from '../state/state.js';
import { OperatorHarness } from '../testing/operator-harness.js';
import {
  CoFlatMapFunction,
  CoMapFunction,
  CoProcessFunction,
  createCoFlatMapOperator,
  createCoMapOperator,
  createCoProcessOperator,
  createKeyedCoProcessOperator,
  KeyedCoProcessFunction,
} from './co-process.js';
import type { KeyedProcessContext, OnTimerContext, ProcessContext } from './function-context.js';
import type { Collector } from './operator.js';
import { OutputTag } from './output-tag.js';
import type { RuntimeContext } from './runtime-context.js';

describe('connected streams', () => {
  it('CoMap maps each input with its method', async () => {
    class Label extends CoMapFunction<number, string, string> {
      map1(value: number): string {
        return `number ${value}`;
      }
      map2(value: string): string {
        return `string ${value}`;
      }
    }
    const harness = await OperatorHarness.open(createCoMapOperator(new Label()));
    harness.processElement(1, 10);
    harness.processElement2('x', 20);
    expect(harness.emitted).toEqual([
      { value: 'number 1', timestamp: 10 },
      { value: 'string x', timestamp: 20 },
    ]);
  });

  it('CoFlatMap has keyed state where the streams are keyed', async () => {
    class Last extends CoFlatMapFunction<number, string, string> {
      private last!: ValueState<number>;
      override open(context: RuntimeContext): void {
        this.last = context.getState(new ValueStateDescriptor<number>('last'));
      }
      flatMap1(value: number): void {
        this.last.update(value);
      }
      flatMap2(value: string, out: Collector<string>): void {
        out.collect(value);
        out.collect(`${this.last.value()}`);
      }
    }
    const keySelectors = [(value: unknown) => (value as number) % 2, (value: unknown) => (value as string).length % 2];
    const harness = await OperatorHarness.open(
      createCoFlatMapOperator(() => new Last()),
      { keySelectors },
    );
    harness.processElement(3);
    harness.processElement(4);
    harness.processElement2('x', 7);
    harness.processElement2('xx', 8);
    expect(harness.values()).toEqual(['x', '3', 'xx', '4']);
  });

  it('CoProcess: results, side outputs, the watermark', async () => {
    const side = new OutputTag<string>('side');
    class Both extends CoProcessFunction<number, string, string> {
      processElement1(value: number, ctx: ProcessContext, out: Collector<string>): void {
        out.collect(`${value} ${ctx.timestamp()} ${ctx.timerService().currentWatermark()}`);
      }
      processElement2(value: string, ctx: ProcessContext): void {
        ctx.output(side, value);
      }
    }
    const harness = await OperatorHarness.open(createCoProcessOperator(new Both()));
    harness.advanceEventTime(5);
    harness.processElement(1, 10);
    harness.processElement2('x', 20);
    expect(harness.values()).toEqual(['1 10 5']);
    expect(harness.side(side)).toEqual([{ value: 'x', timestamp: 20 }]);
  });

  it('KeyedCoProcess: both inputs share state and timers of the key', async () => {
    class Match extends KeyedCoProcessFunction<string, readonly [string, number], readonly [string, string], string> {
      private left!: ValueState<number>;
      override open(context: RuntimeContext): void {
        this.left = context.getState(new ValueStateDescriptor<number>('left'));
      }
      processElement1([, n]: readonly [string, number], ctx: KeyedProcessContext<string>): void {
        this.left.update(n);
        ctx.timerService().registerEventTimeTimer(100);
      }
      processElement2([, text]: readonly [string, string], ctx: KeyedProcessContext<string>, out: Collector<string>): void {
        out.collect(`${ctx.getCurrentKey()} ${text} ${this.left.value()}`);
        this.left.clear();
        ctx.timerService().deleteEventTimeTimer(100);
      }
      override onTimer(_timestamp: number, ctx: OnTimerContext<string>, out: Collector<string>): void {
        out.collect(`${ctx.getCurrentKey()} unmatched ${this.left.value()}`);
      }
    }
    const first = (value: unknown): string => (value as readonly [string])[0];
    const harness = await OperatorHarness.open(createKeyedCoProcessOperator(new Match()), { keySelectors: [first, first] });
    harness.processElement(['a', 1], 1);
    harness.processElement(['b', 2], 2);
    harness.processElement2(['a', 'x'], 3);
    harness.advanceEventTime(100);
    expect(harness.values()).toEqual(['a x 1', 'b unmatched 2']);
  });

  it('refuses promises from each method', async () => {
    class Late extends CoMapFunction<number, number, Promise<number>> {
      map1(value: number): Promise<number> {
        return Promise.resolve(value);
      }
      map2(value: number): Promise<number> {
        return Promise.resolve(value);
      }
    }
    const harness = await OperatorHarness.open(createCoMapOperator(new Late()));
    expect(() => harness.processElement(1)).toThrow(
      expect.objectContaining({ code: 'PROMISE_RETURNED', message: expect.stringContaining("'map1'") }),
    );
    expect(() => harness.processElement2(1)).toThrow(
      expect.objectContaining({ code: 'PROMISE_RETURNED', message: expect.stringContaining("'map2'") }),
    );
  });
});
