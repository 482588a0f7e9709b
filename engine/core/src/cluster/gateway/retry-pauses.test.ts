import { expect, it } from 'vitest';
import { MillstreamError } from '../../common/errors.js';
import { RetryPauses } from './retry-pauses.js';

const ERROR = new MillstreamError('CLUSTER_UNAVAILABLE', 'Cannot reach it.', { retryable: true, details: { address: 'there' } });
const LIMITS = { leaderTimeoutMs: 1000, retriesMax: 2, retryDelayMs: 700 };

function messageOf(run: () => unknown): string {
  try {
    return String(run());
  } catch (error) {
    expect(error).toMatchObject({ code: 'CLUSTER_UNAVAILABLE', retryable: true, details: { address: 'there' } });
    return (error as Error).message;
  }
}

it('counts the times that nobody was reached', () => {
  const pauses = new RetryPauses(LIMITS);
  expect(pauses.after('unreachable', ERROR, 0)).toBe(700);
  expect(pauses.isFirst).toBe(true);
  expect(pauses.after('unreachable', ERROR, 700)).toBe(700);
  expect(pauses.isFirst).toBe(false);
  expect(messageOf(() => pauses.after('unreachable', ERROR, 1400))).toBe('Cannot reach it. Tried 3 times (rest.retry.max-attempts).');
});

it('looks often for a leader, until the time for that is over', () => {
  const pauses = new RetryPauses(LIMITS);
  // From the first answer on: what went before has a limit of its own.
  expect(pauses.after('unreachable', ERROR, 0)).toBe(700);
  expect([5000, 5250, 5500, 5750].map((now) => pauses.after('no leader', ERROR, now))).toEqual([250, 250, 250, 250]);
  expect(pauses.after('unreachable', ERROR, 5900)).toBe(700);
  expect(messageOf(() => pauses.after('no leader', ERROR, 6000))).toBe(
    'Cannot reach it. No leader came within 1000 ms (rest.await-leader-timeout).',
  );
});

it('leaves the error as it is where nothing is to be tried again', () => {
  const limits = { leaderTimeoutMs: 0, retriesMax: 0, retryDelayMs: 700 };
  expect(messageOf(() => new RetryPauses(limits).after('unreachable', ERROR, 0))).toBe('Cannot reach it.');
  expect(messageOf(() => new RetryPauses(limits).after('no leader', ERROR, 0))).toBe('Cannot reach it.');
});
