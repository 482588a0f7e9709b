/**
 * Restart strategies: after a failure, does the job start again, and when? Flink's four, with its option names and defaults, as pure
 * state machines: a strategy is immutable, `next` gives the answer and the strategy for the failure after it.
 *
 * Invariants: 1. a decision depends on the strategy, `now` and the random source only; 2. what a strategy remembers is bounded.
 */
import { MillstreamError } from '../common/errors.js';
import type { Random } from '../common/random.js';

/** The options, by Flink's keys `restart-strategy.…`. */
export type RestartStrategyOptions =
  | { readonly type: 'none' }
  /** `fixed-delay.attempts` (1), `fixed-delay.delay` (1 s). */
  | { readonly type: 'fixed-delay'; readonly attempts?: number; readonly delayMs?: number }
  /** `failure-rate.max-failures-per-interval` (1), `failure-rate.failure-rate-interval` (1 min), `failure-rate.delay` (1 s). */
  | {
      readonly type: 'failure-rate';
      readonly maxFailuresPerInterval?: number;
      readonly failureRateIntervalMs?: number;
      readonly delayMs?: number;
    }
  /**
   * `exponential-delay.initial-backoff` (1 s), `max-backoff` (1 min), `backoff-multiplier` (1.5), `reset-backoff-threshold` (1 h),
   * `jitter-factor` (0.1), `attempts-before-reset-backoff` (unlimited).
   */
  | {
      readonly type: 'exponential-delay';
      readonly initialBackoffMs?: number;
      readonly maxBackoffMs?: number;
      readonly backoffMultiplier?: number;
      readonly resetBackoffThresholdMs?: number;
      readonly jitterFactor?: number;
      readonly attemptsBeforeResetBackoff?: number;
    };

export type RestartDecision =
  | { readonly restart: true; readonly delayMs: number; readonly strategy: RestartStrategy }
  /** `reason`: completes "The job ends: …". */
  | { readonly restart: false; readonly reason: string; readonly strategy: RestartStrategy };

export interface RestartStrategy {
  /** A failure at `now` (ms, any clock that does not go back). */
  next(now: number): RestartDecision;
}

/** The strategy that options describe, before any failure. Throws INVALID_OPTION. */
export function createRestartStrategy(options: RestartStrategyOptions, random: Random): RestartStrategy {
  switch (options.type) {
    case 'none':
      return none;
    case 'fixed-delay':
      return fixedDelay(notNegative('fixed-delay.attempts', options.attempts ?? 1), notNegative('fixed-delay.delay', options.delayMs ?? 1000), 0);
    case 'failure-rate':
      return failureRate(
        notNegative('failure-rate.max-failures-per-interval', options.maxFailuresPerInterval ?? 1),
        notNegative('failure-rate.failure-rate-interval', options.failureRateIntervalMs ?? 60_000),
        notNegative('failure-rate.delay', options.delayMs ?? 1000),
        [],
      );
    case 'exponential-delay':
      return exponentialDelay(exponentialOptions(options), random, { backoffMs: 0, attempts: 0, restartedAt: Number.NEGATIVE_INFINITY });
  }
}

const none: RestartStrategy = {
  next: () => ({ restart: false, reason: 'restart-strategy.type is none', strategy: none }),
};

function fixedDelay(attempts: number, delayMs: number, failures: number): RestartStrategy {
  const strategy: RestartStrategy = {
    next() {
      if (failures >= attempts) return { restart: false, reason: `restart-strategy.fixed-delay.attempts (${attempts}) are used up`, strategy };
      return { restart: true, delayMs, strategy: fixedDelay(attempts, delayMs, failures + 1) };
    },
  };
  return strategy;
}

/** `failures`: when the last ones were; at most `maxFailures` of them. */
function failureRate(maxFailures: number, intervalMs: number, delayMs: number, failures: readonly number[]): RestartStrategy {
  const strategy: RestartStrategy = {
    next(now) {
      // As Flink: the failure that makes it more than the maximum within the interval ends the job.
      const recent = [...failures, now].filter((time) => now - time <= intervalMs);
      if (recent.length <= maxFailures) {
        return { restart: true, delayMs, strategy: failureRate(maxFailures, intervalMs, delayMs, recent) };
      }
      const limit = `restart-strategy.failure-rate.max-failures-per-interval is ${maxFailures}`;
      return { restart: false, reason: `${recent.length} failures within ${intervalMs} ms (${limit})`, strategy };
    },
  };
  return strategy;
}

interface ExponentialOptions {
  readonly initialBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly backoffMultiplier: number;
  readonly resetBackoffThresholdMs: number;
  readonly jitterFactor: number;
  readonly attemptsBeforeResetBackoff: number;
}

interface ExponentialState {
  /** The last delay, without jitter. */
  readonly backoffMs: number;
  readonly attempts: number;
  /** When the last restart was due. */
  readonly restartedAt: number;
}

function exponentialOptions(options: RestartStrategyOptions & { type: 'exponential-delay' }): ExponentialOptions {
  const checked: ExponentialOptions = {
    initialBackoffMs: notNegative('exponential-delay.initial-backoff', options.initialBackoffMs ?? 1000),
    maxBackoffMs: notNegative('exponential-delay.max-backoff', options.maxBackoffMs ?? 60_000),
    backoffMultiplier: notNegative('exponential-delay.backoff-multiplier', options.backoffMultiplier ?? 1.5),
    resetBackoffThresholdMs: notNegative('exponential-delay.reset-backoff-threshold', options.resetBackoffThresholdMs ?? 3_600_000),
    jitterFactor: notNegative('exponential-delay.jitter-factor', options.jitterFactor ?? 0.1),
    attemptsBeforeResetBackoff: notNegative(
      'exponential-delay.attempts-before-reset-backoff',
      options.attemptsBeforeResetBackoff ?? Number.POSITIVE_INFINITY,
    ),
  };
  if (checked.backoffMultiplier < 1) {
    throw invalid('exponential-delay.backoff-multiplier', checked.backoffMultiplier, 'at least 1');
  }
  if (checked.jitterFactor > 1) throw invalid('exponential-delay.jitter-factor', checked.jitterFactor, 'from 0 to 1');
  if (checked.maxBackoffMs < checked.initialBackoffMs) {
    throw invalid('exponential-delay.max-backoff', checked.maxBackoffMs, `at least initial-backoff (${checked.initialBackoffMs})`);
  }
  return checked;
}

function exponentialDelay(options: ExponentialOptions, random: Random, state: ExponentialState): RestartStrategy {
  const strategy: RestartStrategy = {
    next(now) {
      const quiet = now - state.restartedAt >= options.resetBackoffThresholdMs;
      const attempts = quiet ? 0 : state.attempts;
      if (attempts >= options.attemptsBeforeResetBackoff) {
        const limit = `restart-strategy.exponential-delay.attempts-before-reset-backoff is ${options.attemptsBeforeResetBackoff}`;
        return { restart: false, reason: `it failed again after ${attempts} restarts (${limit})`, strategy };
      }
      const backoffMs =
        attempts === 0 ? options.initialBackoffMs : Math.min(options.maxBackoffMs, state.backoffMs * options.backoffMultiplier);
      const jitter = backoffMs * options.jitterFactor * (2 * random.unit() - 1);
      const delayMs = Math.min(options.maxBackoffMs, Math.max(0, Math.round(backoffMs + jitter)));
      const next = { backoffMs, attempts: attempts + 1, restartedAt: now + delayMs };
      return { restart: true, delayMs, strategy: exponentialDelay(options, random, next) };
    },
  };
  return strategy;
}

function notNegative(key: string, value: number): number {
  if (!(value >= 0)) throw invalid(key, value, 'not negative');
  return value;
}

function invalid(key: string, value: number, wanted: string): MillstreamError {
  return new MillstreamError('INVALID_OPTION', `Cannot set restart-strategy.${key} to ${value}: it must be ${wanted}.`);
}
