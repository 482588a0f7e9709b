import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VALVE_IDLE, VALVE_UNCHANGED, VALVE_WATERMARK, WatermarkValve } from './watermark-valve.js';

describe('WatermarkValve', () => {
  it('passes on the minimum of all channels', () => {
    const valve = new WatermarkValve(2);
    expect(valve.inputWatermark(0, 10)).toBe(VALVE_UNCHANGED);
    expect(valve.current).toBe(Number.NEGATIVE_INFINITY);
    expect(valve.inputWatermark(1, 5)).toBe(VALVE_WATERMARK);
    expect(valve.current).toBe(5);
    expect(valve.inputWatermark(1, 4)).toBe(VALVE_UNCHANGED);
    expect(valve.inputWatermark(1, 20)).toBe(VALVE_WATERMARK);
    expect(valve.current).toBe(10);
  });

  it('does not wait for idle channels, and flushes the maximum when the last one becomes idle', () => {
    const valve = new WatermarkValve(3);
    valve.inputWatermark(0, 10);
    valve.inputWatermark(1, 20);
    expect(valve.inputIdle(2, true)).toBe(VALVE_WATERMARK);
    expect(valve.current).toBe(10);
    expect(valve.inputWatermark(2, 99)).toBe(VALVE_UNCHANGED);
    expect(valve.inputIdle(1, true)).toBe(VALVE_UNCHANGED);
    expect(valve.idle).toBe(false);
    expect(valve.inputIdle(0, true)).toBe(VALVE_WATERMARK | VALVE_IDLE);
    expect(valve.current).toBe(20);
    expect(valve.idle).toBe(true);
  });

  it('ignores a channel that came back until it has caught up', () => {
    const valve = new WatermarkValve(2);
    valve.inputWatermark(0, 5);
    valve.inputIdle(1, true);
    valve.inputWatermark(0, 50);
    expect(valve.current).toBe(50);
    expect(valve.inputIdle(1, false)).toBe(VALVE_UNCHANGED);
    expect(valve.inputWatermark(1, 20)).toBe(VALVE_UNCHANGED);
    expect(valve.inputWatermark(0, 60)).toBe(VALVE_WATERMARK);
    expect(valve.current).toBe(60);
    expect(valve.inputWatermark(1, 61)).toBe(VALVE_UNCHANGED);
    expect(valve.inputWatermark(0, 70)).toBe(VALVE_WATERMARK);
    expect(valve.current).toBe(61);
  });

  it('becomes active with its first active channel', () => {
    const valve = new WatermarkValve(2);
    valve.inputIdle(0, true);
    expect(valve.inputIdle(1, true)).toBe(VALVE_IDLE);
    expect(valve.inputIdle(1, false)).toBe(VALVE_IDLE);
    expect(valve.idle).toBe(false);
    expect(valve.inputWatermark(1, 7)).toBe(VALVE_WATERMARK);
    expect(valve.current).toBe(7);
  });

  it('is at the end only when all channels have ended, whatever is idle', () => {
    const valve = new WatermarkValve(2);
    valve.inputWatermark(0, 10);
    valve.inputWatermark(1, 12);
    expect(valve.endOfInput(0)).toBe(VALVE_WATERMARK);
    expect(valve.current).toBe(12);
    expect(valve.inputIdle(1, true)).toBe(VALVE_IDLE);
    expect(valve.current).toBe(12);
    expect(valve.endOfInput(1)).toBe(VALVE_WATERMARK | VALVE_IDLE);
    expect(valve.current).toBe(Number.POSITIVE_INFINITY);
    expect(valve.idle).toBe(false);
    expect(valve.endOfInput(1)).toBe(VALVE_UNCHANGED);
  });

  it('refuses channels that it does not have', () => {
    expect(() => new WatermarkValve(1).inputWatermark(1, 0)).toThrow(/has none with index 1/);
  });

  it('property: it never goes down, tells every change, and never passes an active channel that kept up', () => {
    const event = fc.record({
      channel: fc.nat(2),
      action: fc.oneof(
        fc.record({ type: fc.constant('watermark' as const), value: fc.integer({ min: 0, max: 40 }) }),
        fc.record({ type: fc.constant('idle' as const), value: fc.boolean() }),
        fc.record({ type: fc.constant('end' as const) }),
      ),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40, size: 'max' }), (events) => {
        const valve = new WatermarkValve(3);
        // Channels that have never been idle nor ended: nothing may pass them.
        const steady = [true, true, true];
        const marks = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
        for (const { channel, action } of events) {
          const before = { current: valve.current, idle: valve.idle };
          let change = VALVE_UNCHANGED;
          if (action.type === 'watermark') {
            marks[channel] = Math.max(marks[channel] as number, action.value);
            change = valve.inputWatermark(channel, action.value);
          } else {
            steady[channel] = false;
            change = action.type === 'idle' ? valve.inputIdle(channel, action.value) : valve.endOfInput(channel);
          }
          expect(valve.current).toBeGreaterThanOrEqual(before.current);
          expect((change & VALVE_WATERMARK) !== 0).toBe(valve.current !== before.current);
          expect((change & VALVE_IDLE) !== 0).toBe(valve.idle !== before.idle);
          for (let index = 0; index < 3; index++) if (steady[index]) expect(valve.current).toBeLessThanOrEqual(marks[index] as number);
        }
      }),
      { numRuns: 500, seed: 1 },
    );
  });
});
