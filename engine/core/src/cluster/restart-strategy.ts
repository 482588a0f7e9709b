/**
 * Restart strategies: after a failure, does the job start again, and when? Flink's four, with its option names and defaults, as pure
 * state machines: a strategy is immutable, `next` gives the answer and the strategy for the failure after it.
 *
 * Invariants: 1. a decision depends on the strategy, `now` and the random source only; 2. what a strategy remembers is bounded; 3. a
 * refused restart changes nothing.
 */
import { MillstreamError } from '../common/errors.js';
import type { Random } from '../common/random.js';

/** The options, by Flink's keys `restart-strategy.…`; config/options checks each one by itself. */
export type RestartStrategyOptions =
  | { readonly type: 'none' }
  | FixedDelayOptions
  | FailureRateOptions
  | ({ readonly type: 'exponential-delay' } & Partial<ExponentialDelayOptions>);

/** `fixed-delay.attempts` (1), `fixed-delay.delay` (1 s). */
interface FixedDelayOptions {
  readonly type: 'fixed-delay';
  readonly attempts?: number;
  readonly delayMs?: number;
}

/** `failure-rate.max-failures-per-interval` (1), `failure-rate.failure-rate-interval` (1 min), `failure-rate.delay` (1 s). */
interface FailureRateOptions {
  readonly type: 'failure-rate';
  readonly maxFailuresPerInterval?: number;
  readonly failureRateIntervalMs?: number;
  readonly delayMs?: number;
}

/**
 * `exponential-delay.initial-backoff` (1 s), `max-backoff` (1 min), `backoff-multiplier` (1.5), `reset-backoff-threshold` (1 h),
 * `jitter-factor` (0.1), `attempts-before-reset-backoff` (unlimited).
 */
interface ExponentialDelayOptions {
  readonly initialBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly backoffMultiplier: number;
  readonly resetBackoffThresholdMs: number;
  readonly jitterFactor: number;
  readonly attemptsBeforeResetBackoff: number;
}

const EXPONENTIAL_DELAY_DEFAULTS: ExponentialDelayOptions = {
  initialBackoffMs: 1000,
  maxBackoffMs: 60_000,
  backoffMultiplier: 1.5,
  resetBackoffThresholdMs: 3_600_000,
  jitterFactor: 0.1,
  attemptsBeforeResetBackoff: Number.POSITIVE_INFINITY,
};

export type RestartDecision =
  | { readonly restart: true; readonly delayMs: number; readonly strategy: RestartStrategy }
  /** `reason`: what was used up, with the option that says so. */
  | { readonly restart: false; readonly reason: string; readonly strategy: RestartStrategy };

export interface RestartStrategy {
  /** A failure at `now`: ms of any clock that does not go back. */
  next(now: number): RestartDecision;
}

/** The strategy that options describe, before any failure. Throws INVALID_OPTION. */
export function createRestartStrategy(options: RestartStrategyOptions, random: Random): RestartStrategy {
  switch (options.type) {
    case 'none':
      return NONE;
    case 'fixed-delay':
      return fixedDelay(options.attempts ?? 1, options.delayMs ?? 1000, 0);
    case 'failure-rate':
      return failureRate(options.maxFailuresPerInterval ?? 1, options.failureRateIntervalMs ?? 60_000, options.delayMs ?? 1000, []);
    case 'exponential-delay': {
      const all = { ...EXPONENTIAL_DELAY_DEFAULTS, ...options };
      checkBackoff(all);
      return exponentialDelay(all, random, { backoffMs: 0, restarts: 0, restartedAt: Number.NEGATIVE_INFINITY });
    }
  }
}

const NONE: RestartStrategy = {
  next: () => ({ restart: false, reason: 'restart-strategy.type is none', strategy: NONE }),
};

function fixedDelay(attempts: number, delayMs: number, restarts: number): RestartStrategy {
  const strategy: RestartStrategy = {
    next() {
      if (restarts < attempts) return { restart: true, delayMs, strategy: fixedDelay(attempts, delayMs, restarts + 1) };
      return { restart: false, reason: `restart-strategy.fixed-delay.attempts (${attempts}) are used up`, strategy };
    },
  };
  return strategy;
}

/** `failures`: when the last ones were; at most `maxFailures` of them. */
function failureRate(maxFailures: number, intervalMs: number, delayMs: number, failures: readonly number[]): RestartStrategy {
  const strategy: RestartStrategy = {
    next(now) {
      const recent = [...failures, now].filter((time) => now - time <= intervalMs);
      if (recent.length <= maxFailures) return { restart: true, delayMs, strategy: failureRate(maxFailures, intervalMs, delayMs, recent) };
      const limit = `restart-strategy.failure-rate.max-failures-per-interval is ${maxFailures}`;
      return { restart: false, reason: `${recent.length} failures within ${intervalMs} ms, ${limit}`, strategy };
    },
  };
  return strategy;
}

interface ExponentialDelayState {
  /** The last delay, without jitter. */
  readonly backoffMs: number;
  /** Since the last quiet time. */
  readonly restarts: number;
  /** When the last restart was due. */
  readonly restartedAt: number;
}

function exponentialDelay(options: ExponentialDelayOptions, random: Random, state: ExponentialDelayState): RestartStrategy {
  const { initialBackoffMs, maxBackoffMs, backoffMultiplier, attemptsBeforeResetBackoff } = options;
  const strategy: RestartStrategy = {
    next(now) {
      const restarts = now - state.restartedAt >= options.resetBackoffThresholdMs ? 0 : state.restarts;
      if (restarts >= attemptsBeforeResetBackoff) {
        const limit = `restart-strategy.exponential-delay.attempts-before-reset-backoff is ${attemptsBeforeResetBackoff}`;
        return { restart: false, reason: `it failed again after ${restarts} restarts, ${limit}`, strategy };
      }
      const backoffMs = restarts === 0 ? initialBackoffMs : Math.min(maxBackoffMs, state.backoffMs * backoffMultiplier);
      const offset = backoffMs * options.jitterFactor * (2 * random.unit() - 1);
      const delayMs = Math.min(maxBackoffMs, Math.round(backoffMs + offset));
      const after = exponentialDelay(options, random, { backoffMs, restarts: restarts + 1, restartedAt: now + delayMs });
      return { restart: true, delayMs, strategy: after };
    },
  };
  return strategy;
}

function checkBackoff({ initialBackoffMs, maxBackoffMs }: ExponentialDelayOptions): void {
  if (initialBackoffMs <= maxBackoffMs) return;
  throw new MillstreamError(
    'INVALID_OPTION',
    `Cannot restart with restart-strategy.exponential-delay.initial-backoff ${initialBackoffMs} ms: it is longer than max-backoff, ${maxBackoffMs} ms. Set max-backoff to at least the initial one.`,
  );
}
