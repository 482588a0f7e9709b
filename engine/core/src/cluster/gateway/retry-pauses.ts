/**
 * How long a request that could not be answered is tried again, and when.
 *
 * Invariant: bounded, by time while there is no leader, by number while no JobManager can be reached.
 */
import { MillstreamError } from '../../common/errors.js';

/** Between two questions who leads. */
const LEADER_PAUSE_MS = 250;

/** Why a request may go out again. */
export type RetryReason = 'no leader' | 'unreachable';

export interface RetryLimits {
  /** How long to ask while JobManagers answer and none leads. Flink's `rest.await-leader-timeout`. Default: 30 s. */
  readonly leaderTimeoutMs: number;
  /** How often to try again where no JobManager can be reached. Flink's `rest.retry.max-attempts`. Default: 20. */
  readonly retriesMax: number;
  /** Pause before each of these. Flink's `rest.retry.delay`. Default: 3 s. */
  readonly retryDelayMs: number;
}

/** Of one request. */
export class RetryPauses {
  private readonly limits: RetryLimits;
  private failures = 0;
  private unreachable = 0;
  private leaderlessSince: number | undefined;

  constructor(limits: RetryLimits) {
    this.limits = limits;
  }

  /** Nothing has been tried again yet. */
  get isFirst(): boolean {
    return this.failures <= 1;
  }

  /** How long to wait, in ms, after a failure at `now`. Throws `error`, and says which limit is reached, when trying is over. */
  after(reason: RetryReason, error: MillstreamError, now: number): number {
    const { leaderTimeoutMs, retriesMax, retryDelayMs } = this.limits;
    this.failures++;
    if (reason === 'unreachable') {
      if (++this.unreachable > retriesMax) throw this.last(error, `Tried ${this.unreachable} times (rest.retry.max-attempts).`);
      return retryDelayMs;
    }
    this.leaderlessSince ??= now;
    if (now + LEADER_PAUSE_MS > this.leaderlessSince + leaderTimeoutMs) {
      throw this.last(error, `No leader came within ${leaderTimeoutMs} ms (rest.await-leader-timeout).`);
    }
    return LEADER_PAUSE_MS;
  }

  private last(error: MillstreamError, tried: string): MillstreamError {
    if (this.isFirst) return error;
    const { code, message, retryable, details, cause } = error;
    return new MillstreamError(code, `${message} ${tried}`, { retryable, details, cause });
  }
}
