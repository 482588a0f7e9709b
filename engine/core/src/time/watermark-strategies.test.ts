import { describe, expect, it } from 'vitest';
import { PausableClock } from './idleness.js';
import { WatermarkStrategy } from './watermark-strategies.js';
import type { WatermarkGenerator, WatermarkOutput } from './watermark-strategy.js';

function recorder(): { readonly log: string[] } & WatermarkOutput {
  const log: string[] = [];
  return {
    log,
    emitWatermark: (watermark) => log.push(`${watermark}`),
    markIdle: () => log.push('idle'),
    markActive: () => log.push('active'),
  };
}

describe('WatermarkStrategy', () => {
  it('bounded: the largest timestamp less the bound less 1', () => {
    const generator = WatermarkStrategy.forBoundedOutOfOrderness<string>(100).createGenerator?.() as WatermarkGenerator<string>;
    const output = recorder();
    generator.onPeriodicEmit(output);
    expect(output.log).toEqual([]);
    for (const timestamp of [1000, 900, 1050]) generator.onEvent('x', timestamp, output);
    generator.onPeriodicEmit(output);
    expect(output.log).toEqual(['949']);
    expect(generator.boundedOutOfOrdernessMs).toBe(100);
  });

  it('monotonous: a bound of 0', () => {
    const generator = WatermarkStrategy.forMonotonousTimestamps<string>().createGenerator?.() as WatermarkGenerator<string>;
    const output = recorder();
    generator.onEvent('x', 7, output);
    generator.onPeriodicEmit(output);
    expect(output.log).toEqual(['6']);
  });

  it('makes a generator for each split, and none without watermarks', () => {
    const { createGenerator } = WatermarkStrategy.forMonotonousTimestamps();
    expect(createGenerator?.()).not.toBe(createGenerator?.());
    const own: WatermarkGenerator<number> = { onEvent: () => undefined, onPeriodicEmit: () => undefined };
    expect(WatermarkStrategy.forGenerator(() => own).createGenerator?.()).toBe(own);
    expect(WatermarkStrategy.noWatermarks().createGenerator).toBeUndefined();
  });

  it('is immutable', () => {
    const base = WatermarkStrategy.forBoundedOutOfOrderness<{ at: number }>(5);
    const full = base
      .withTimestampAssigner((value) => value.at)
      .withIdleness(1000)
      .withWatermarkAlignment('group', 60_000);
    expect(base).toMatchObject({ timestampAssigner: undefined, idlenessMs: undefined, alignment: undefined });
    expect(full.timestampAssigner?.({ at: 3 }, Number.NaN)).toBe(3);
    expect(full.idlenessMs).toBe(1000);
    expect(full.alignment).toEqual({ group: 'group', maxDriftMs: 60_000, updateIntervalMs: 1000 });
    expect(full.createGenerator).toBe(base.createGenerator);
    expect(Object.isFrozen(full)).toBe(true);
  });

  it.each([
    () => WatermarkStrategy.forBoundedOutOfOrderness(-1),
    () => WatermarkStrategy.forBoundedOutOfOrderness(Number.NaN),
    () => WatermarkStrategy.noWatermarks().withIdleness(0),
    () => WatermarkStrategy.noWatermarks().withWatermarkAlignment('g', -5),
  ])('refuses impossible durations (%#)', (make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });
});

describe('PausableClock', () => {
  it('stands still until there were as many resumes as pauses', () => {
    let now = 0;
    const clock = new PausableClock({ monotonic: () => now });
    now = 50;
    clock.pause();
    clock.pause();
    now = 500;
    clock.resume();
    expect(clock.monotonic()).toBe(50);
    now = 1000;
    clock.resume();
    clock.resume();
    expect(clock.monotonic()).toBe(50);
    now = 1051;
    expect(clock.monotonic()).toBe(101);
  });
});
