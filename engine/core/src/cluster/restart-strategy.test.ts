import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Random, seededRandom } from '../common/random.js';
import { createRestartStrategy, type RestartStrategyOptions } from './restart-strategy.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** The delays of failures at these times; undefined where there is no restart. */
function delays(options: RestartStrategyOptions, times: readonly number[], random: Random = seededRandom(1)): (number | undefined)[] {
  let strategy = createRestartStrategy(options, random);
  return times.map((now) => {
    const decision = strategy.next(now);
    strategy = decision.strategy;
    return decision.restart ? decision.delayMs : undefined;
  });
}

describe('restart strategies', () => {
  it('none: refuses', () => {
    expect(createRestartStrategy({ type: 'none' }, seededRandom(1)).next(0)).toMatchObject({
      restart: false,
      reason: 'restart-strategy.type is none',
    });
  });

  it('fixed-delay: a number of restarts, whenever they are', () => {
    expect(delays({ type: 'fixed-delay' }, [0, HOUR, 2 * HOUR])).toEqual([1000, undefined, undefined]);
    expect(delays({ type: 'fixed-delay', attempts: 2, delayMs: 50 }, [0, 0, 0])).toEqual([50, 50, undefined]);
    const exhausted = createRestartStrategy({ type: 'fixed-delay', attempts: 0 }, seededRandom(1)).next(0);
    expect(exhausted).toMatchObject({ restart: false, reason: 'restart-strategy.fixed-delay.attempts (0) are used up' });
  });

  it('failure-rate: refuses the failure that is one too many within the interval', () => {
    expect(delays({ type: 'failure-rate' }, [0, MINUTE + 1, 2 * MINUTE])).toEqual([1000, 1000, undefined]);
    const three: RestartStrategyOptions = { type: 'failure-rate', maxFailuresPerInterval: 3, delayMs: 7 };
    expect(delays(three, [0, 20_000, 40_000, 60_000, 60_001, 60_002])).toEqual([7, 7, 7, undefined, 7, undefined]);
    expect(delays(three, [0, 30_000, 70_000, 100_000])).toEqual([7, 7, 7, 7]);
  });

  it('exponential-delay: grows to the maximum, and starts again after a quiet time', () => {
    const times = [...new Array<number>(12).fill(0), MINUTE + HOUR - 1, 2 * HOUR + 2 * MINUTE];
    expect(delays({ type: 'exponential-delay', jitterFactor: 0 }, times)).toEqual([
      1000, 1500, 2250, 3375, 5063, 7594, 11_391, 17_086, 25_629, 38_443, 57_665, 60_000, 60_000, 1000,
    ]);
  });

  it('exponential-delay: ends after the restarts that are allowed without a quiet time', () => {
    const options: RestartStrategyOptions = { type: 'exponential-delay', jitterFactor: 0, attemptsBeforeResetBackoff: 2 };
    expect(delays(options, [0, 0, 0, HOUR, HOUR + 1500])).toEqual([1000, 1500, undefined, undefined, 1000]);
  });

  it('exponential-delay: jitter stays within its bounds and reaches both', () => {
    const options: RestartStrategyOptions = { type: 'exponential-delay', jitterFactor: 0.5, maxBackoffMs: 10_000 };
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 20 }), (seed, failures) => {
        let backoff = 1000;
        for (const delay of delays(options, new Array<number>(failures).fill(0), seededRandom(seed))) {
          expect(delay).toBeGreaterThanOrEqual(Math.floor(backoff * 0.5));
          expect(delay).toBeLessThanOrEqual(Math.min(10_000, Math.ceil(backoff * 1.5)));
          backoff = Math.min(10_000, backoff * 1.5);
        }
      }),
      { seed: 9, numRuns: 100 },
    );
    const fixed = (unit: number): Random => ({ ...seededRandom(1), unit: () => unit });
    expect([0, 0.5, 0.999999].map((unit) => delays(options, [0], fixed(unit))[0])).toEqual([500, 1000, 1500]);
  });

  it('refuses an initial backoff above the maximum', () => {
    expect(() => delays({ type: 'exponential-delay', initialBackoffMs: 2 * MINUTE }, [])).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    );
  });

  it('changes nothing in a strategy that was asked', () => {
    const strategy = createRestartStrategy({ type: 'fixed-delay' }, seededRandom(1));
    expect([strategy.next(0).restart, strategy.next(0).restart]).toEqual([true, true]);
  });
});
