import { describe, expect, it } from 'vitest';
import { OperatorHarness } from '../testing/operator-harness.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { PausableClock } from '../time/idleness.js';
import { WatermarkStrategy } from '../time/watermark-strategies.js';
import { TimestampsOperator } from './timestamps-operator.js';

/** A strategy whose timestamps are the records themselves, asked every 10 ms. */
async function start(
  strategy: WatermarkStrategy<number>,
): Promise<{ readonly harness: OperatorHarness; readonly activity: PausableClock }> {
  const clock = new VirtualClock(1_000);
  const activity = new PausableClock(clock);
  const assigned = strategy.withTimestampAssigner((value) => value) as WatermarkStrategy<unknown>;
  return { harness: await OperatorHarness.open((context) => new TimestampsOperator(assigned, context, 10, activity), { clock }), activity };
}

describe('timestamps and watermarks in mid-stream', () => {
  it('replace those of the input, every interval; its end counts', async () => {
    const { harness } = await start(WatermarkStrategy.forBoundedOutOfOrderness<number>(5));
    harness.processElement(100, 7);
    harness.processElement(90, 8);
    harness.advanceEventTime(1_000_000);
    harness.setIdle(true);
    expect(harness.log).toEqual([
      { value: 100, timestamp: 100 },
      { value: 90, timestamp: 90 },
    ]);
    expect(harness.operator.nextProcessingTime?.()).toBe(1_010);
    harness.advanceProcessingTime(1_010);
    expect(new Set(harness.watermarks())).toEqual(new Set([94]));
    expect(harness.operator.nextProcessingTime?.()).toBe(1_020);
    harness.processElement(200);
    harness.advanceProcessingTime(1_020);
    harness.advanceEventTime(Number.POSITIVE_INFINITY);
    expect(new Set(harness.watermarks())).toEqual(new Set([94, 194, Number.POSITIVE_INFINITY]));
  });

  it('may come with each record', async () => {
    const each = {
      onEvent: (_: number, timestamp: number, output: { emitWatermark(watermark: number): void }) => output.emitWatermark(timestamp),
    };
    const { harness } = await start(WatermarkStrategy.forGenerator<number>(() => ({ ...each, onPeriodicEmit: () => undefined })));
    harness.processElement(3);
    expect(harness.log).toEqual([{ watermark: 3 }, { value: 3, timestamp: 3 }]);
  });

  it('are idle after active time without records, and active before the next one', async () => {
    const { harness, activity } = await start(WatermarkStrategy.forMonotonousTimestamps<number>().withIdleness(50));
    harness.processElement(1);
    activity.pause();
    harness.advanceProcessingTime(1_500);
    activity.resume();
    harness.advanceProcessingTime(1_540);
    expect(harness.log).not.toContainEqual({ idle: true });
    harness.advanceProcessingTime(1_550);
    expect(harness.log).toContainEqual({ idle: true });
    harness.processElement(2);
    expect(harness.log.slice(-2)).toEqual([{ idle: false }, { value: 2, timestamp: 2 }]);
  });
});
