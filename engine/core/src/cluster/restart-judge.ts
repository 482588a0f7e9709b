/** Decides after each failure of a run, or of regions of it, whether it restarts: by the error, the record, and the restart strategy. */
import type { RestorePoint } from '../checkpoint/restore-point.js';
import type { Clock } from '../common/clock.js';
import type { MillstreamError } from '../common/errors.js';
import type { RecordPosition } from '../runtime/slot-messages.js';
import { NO_POISON_RECORD, type PoisonRecordState, poisonRecordError, recordFailure } from './poison-record.js';
import type { RestartStrategy } from './restart-strategy.js';
import { isFinal, offerPrevious } from './run-errors.js';

/** What has failed, and what it had restored. */
export interface RunFailure {
  readonly error: MillstreamError;
  readonly position: RecordPosition | undefined;
  readonly point: RestorePoint | undefined;
  /** The index of the region that restarts alone. Default: all of the job restarts. */
  readonly region?: number;
}

export class RestartJudge {
  private readonly clock: Clock;
  private strategy: RestartStrategy;
  /** By region; each fails at records of its own. */
  private readonly poison = new Map<number | undefined, PoisonRecordState>();
  /** The error after which nothing restarts any more. */
  private verdict: MillstreamError | undefined;

  constructor(strategy: RestartStrategy, clock: Clock) {
    this.strategy = strategy;
    this.clock = clock;
  }

  /** How long to wait before the restart, ms. Throws the run's error if there is to be none; once thrown, that is thrown for itself too. */
  delayOf({ error, position, point, region }: RunFailure): number {
    if (error === this.verdict) throw error;
    const { state, poison } = recordFailure(this.poison.get(region) ?? NO_POISON_RECORD, position);
    this.poison.set(region, state);
    if (isFinal(error)) throw this.final(offerPrevious(error, point));
    if (poison && position !== undefined) throw this.final(poisonRecordError(position, error));
    const answer = this.strategy.next(this.clock.monotonic());
    this.strategy = answer.strategy;
    if (!answer.restart) throw this.final(error);
    return answer.delayMs;
  }

  private final(error: MillstreamError): MillstreamError {
    this.verdict = error;
    return error;
  }
}
