import { describe, expect, it } from 'vitest';
import { MillstreamError } from '../common/errors.js';
import { seededRandom } from '../common/random.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { RestartJudge } from './restart-judge.js';
import { createRestartStrategy } from './restart-strategy.js';

const FAILED = new MillstreamError('OPERATOR_FAILED', 'the function has thrown', { retryable: true });

function judge(attempts = 100): RestartJudge {
  return new RestartJudge(createRestartStrategy({ type: 'fixed-delay', attempts, delayMs: 5 }, seededRandom(1)), new VirtualClock(0));
}

function failure(record: string, region: number) {
  return { error: FAILED, position: { operator: 'map', position: record, record }, point: undefined, region };
}

describe('whether a run restarts', () => {
  it('is told by the record that fails again, in each region for itself', () => {
    const each = judge();
    for (let round = 0; round < 3; round++) {
      for (const region of [0, 1]) expect(each.delayOf(failure(`poison of ${region}`, region))).toBe(5);
    }
    expect(() => each.delayOf(failure('poison of 0', 0))).toThrow(/poison of 0/);
  });

  it('stays as it was said', () => {
    const once = judge(1);
    expect(once.delayOf(failure('1', 0))).toBe(5);
    expect(() => once.delayOf(failure('2', 0))).toThrow(FAILED);
    expect(() => once.delayOf({ error: FAILED, position: undefined, point: undefined })).toThrow(FAILED);
  });
});
