/**
 * Unaligned checkpoints of whole jobs: one completes while sinks take nothing, so that an aligned one could not; whatever the topology and
 * whenever slots get their turns, a restore gives each result exactly once.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StreamExecutionEnvironment } from '../api/stream-execution-environment.js';
import { seededRandom } from '../common/random.js';
import type { Collector } from '../operators/operator.js';
import { type KeyedProcessContext, KeyedProcessFunction } from '../operators/process.js';
import type { RuntimeContext } from '../operators/runtime-context.js';
import { TumblingEventTimeWindows } from '../operators/window/assigners.js';
import { ValueStateDescriptor } from '../state/descriptors.js';
import type { ValueState } from '../state/state.js';
import { WatermarkStrategy } from '../time/watermark-strategies.js';
import { type GatedSink, JobRig, type JobRigOptions, type NumberSource } from './job-rig.test.support.js';

const KEYS = 7;
const NUMBERS = 6_000;

/** Each number with how many of its key came before it. */
class Running extends KeyedProcessFunction<number, number, string> {
  private count!: ValueState<number>;

  override open(context: RuntimeContext): void {
    this.count = context.getState(new ValueStateDescriptor<number>('count'));
  }

  processElement(value: number, ctx: KeyedProcessContext<number>, out: Collector<string>): void {
    const count = (this.count.value() ?? 0) + 1;
    this.count.update(count);
    out.collect(`${ctx.getCurrentKey()}: ${count}, ${value}`);
  }
}

const WINDOW_MS = 50;

interface Counted {
  readonly key: number;
  readonly window: number;
  readonly count: number;
}

type Define = (env: StreamExecutionEnvironment, source: NumberSource, sink: GatedSink) => void;

const TOPOLOGIES: { readonly [name: string]: Define } = {
  'source, keyed with its sink': (env, source, sink) => {
    env
      .fromSource(source, WatermarkStrategy.noWatermarks<number>(), 'numbers')
      .keyBy((value) => value % KEYS)
      .process(new Running())
      .sinkTo(sink);
  },
  'source, keyed, sink of its own': (env, source, sink) => {
    env
      .fromSource(source, WatermarkStrategy.noWatermarks<number>(), 'numbers')
      .keyBy((value) => value % KEYS)
      .process(new Running())
      .rebalance()
      .sinkTo(sink);
  },
  'source, map behind a shuffle, keyed, sink of its own': (env, source, sink) => {
    env
      .fromSource(
        source,
        WatermarkStrategy.forMonotonousTimestamps<number>().withTimestampAssigner((value) => value),
        'numbers',
      )
      .rebalance()
      .flatMap((value: number, out: Collector<number>) => out.collect(value))
      .keyBy((value) => value % KEYS)
      .process(new Running())
      .rebalance()
      .map((text) => text)
      .sinkTo(sink);
  },
  'two streams in one': (env, source, sink) => {
    const numbers = env.fromSource(source, WatermarkStrategy.noWatermarks<number>(), 'numbers');
    numbers
      .filter((value) => value % 2 === 0)
      .union(numbers.filter((value) => value % 2 === 1))
      .keyBy((value) => value % KEYS)
      .process(new Running())
      .rebalance()
      .sinkTo(sink);
  },
};

const WINDOWS: Define = (env, source, sink) => {
  env
    .fromSource(
      source,
      WatermarkStrategy.forMonotonousTimestamps<number>().withTimestampAssigner((value) => value),
      'numbers',
    )
    .rebalance()
    .map((value): Counted => ({ key: value % KEYS, window: Math.floor(value / WINDOW_MS), count: 1 }))
    .keyBy(({ key }) => key)
    .window(TumblingEventTimeWindows.of(WINDOW_MS))
    .reduce((a, b) => ({ key: a.key, window: a.window, count: a.count + b.count }))
    .rebalance()
    .map(({ key, window, count }) => `${key} in ${window}: ${count}`)
    .sinkTo(sink);
};

/** Every window of every key once, whole: nothing came late. */
function expectWindows(results: readonly unknown[]): void {
  const counts = new Map<string, number>();
  for (let value = 0; value < NUMBERS; value++) {
    const name = `${value % KEYS} in ${Math.floor(value / WINDOW_MS)}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  expect([...results].sort()).toEqual([...counts].map(([name, count]) => `${name}: ${count}`).sort());
}

/** Every number once, and for every key the counts 1, 2, 3 … once. */
function expectExactlyOnce(results: readonly unknown[]): void {
  const parsed = results.map((text) => (/^(\d+): (\d+), (\d+)$/.exec(text as string) as RegExpExecArray).slice(1).map(Number));
  const values = parsed.map(([, , value]) => value as number).sort((a, b) => a - b);
  expect(values).toEqual(Array.from({ length: NUMBERS }, (_, value) => value));
  const counts = parsed.map(([key, count]) => `${key}: ${count}`);
  expect(new Set(counts).size).toBe(NUMBERS);
  const largest = Math.max(...parsed.map(([, count]) => count as number));
  expect(largest).toBeLessThanOrEqual(Math.ceil(NUMBERS / KEYS));
}

/** Restores a checkpoint and runs to the end; what both attempts have committed. */
async function resumed(rig: JobRig, options: JobRigOptions, epoch: number): Promise<unknown[]> {
  const next = await JobRig.start({ ...options, disk: rig.disk, restored: rig.metadata(epoch) });
  next.sink.open();
  for (let turns = 0; turns < 200 && !next.isEnded; turns++) await next.settle();
  expect(next.isEnded).toBe(true);
  next.trigger(epoch + 10, undefined);
  await next.settle();
  expect(next.isComplete(epoch + 10)).toBe(true);
  next.broadcast({ type: 'complete', epoch: epoch + 10, kind: 'checkpoint' });
  await next.settle();
  return next.sink.committed;
}

const CASES: [string, Define, (results: readonly unknown[]) => void][] = [
  ...Object.entries(TOPOLOGIES).map(([name, define]): (typeof CASES)[number] => [name, define, expectExactlyOnce]),
  ['source, map behind a shuffle, windows, sink of its own', WINDOWS, expectWindows],
];

describe.each(CASES)('%s', (_name, define, expectExact) => {
  it('completes an unaligned checkpoint while the sinks take nothing, which an aligned one cannot', async () => {
    const options = { parallelism: 2, define, numbers: NUMBERS };
    const rig = await JobRig.start(options);
    await rig.settle();
    const { written } = rig.sink;
    rig.trigger(1, undefined);
    await rig.settle();
    expect(rig.isComplete(1)).toBe(false);
    rig.broadcast({ type: 'abort', epoch: 1 });
    rig.trigger(2, 0);
    await rig.settle();
    expect(rig.isComplete(2)).toBe(true);
    // What is left of the batches that were half run, and no more.
    expect(rig.sink.written - written).toBeLessThan(NUMBERS / 4);
    expectExact(await resumed(rig, options, 2));
  });

  it('turns unaligned when it has waited for its time', async () => {
    const options = { parallelism: 2, define, numbers: NUMBERS };
    const rig = await JobRig.start(options);
    await rig.settle();
    rig.trigger(1, 10_000);
    for (let turn = 0; turn < 20; turn++) await rig.turn(turn);
    expect(rig.isComplete(1)).toBe(false);
    rig.clock.advanceBy(10_000);
    await rig.settle();
    expect(rig.isComplete(1)).toBe(true);
    expectExact(await resumed(rig, options, 1));
  });

  it('gives each result once after a restore, however the slots get their turns', async () => {
    const plan = fc.record({
      seed: fc.integer(),
      parallelism: fc.integer({ min: 1, max: 3 }),
      slotBytes: fc.constantFrom(64, 512, 4096),
      before: fc.nat(60),
      after: fc.nat(60),
      overtakeAfterMs: fc.constantFrom(0, 0, 50, 1000),
      aborted: fc.boolean(),
    });
    let overtaken = 0;
    await fc.assert(
      fc.asyncProperty(plan, async ({ seed, parallelism, slotBytes, before, after, overtakeAfterMs, aborted }) => {
        const random = seededRandom(seed);
        const options = { parallelism, define, numbers: NUMBERS, layout: { slots: 4, slotBytes } };
        const rig = await JobRig.start(options);
        const anything = async (): Promise<void> => {
          if (random.below(4) === 0) rig.sink.open();
          else rig.sink.close();
          rig.clock.advanceBy(random.below(120));
          for (let turns = random.below(4); turns >= 0; turns--) await rig.turn(random.below(parallelism));
        };
        for (let step = 0; step < before; step++) await anything();
        let epoch = 1;
        if (aborted) {
          rig.trigger(epoch, overtakeAfterMs);
          for (let step = random.below(6); step > 0; step--) await anything();
          rig.broadcast({ type: 'abort', epoch: epoch++ });
        }
        rig.sink.close();
        rig.trigger(epoch, overtakeAfterMs);
        for (let turns = 0; turns < 2_000 && !rig.isComplete(epoch); turns++) {
          rig.clock.advanceBy(10);
          await rig.turn(random.below(parallelism));
        }
        expect(rig.isComplete(epoch)).toBe(true);
        for (let step = 0; step < after; step++) await anything();
        if (JSON.stringify(rig.metadata(epoch)).includes('"channelState"')) overtaken++;
        expectExact(await resumed(rig, options, epoch));
      }),
      { seed: 5, numRuns: 15 },
    );
    expect(overtaken).toBeGreaterThan(3);
  });
});
