/**
 * Finds the record that fails the job again and again: the same one failing three restarts in a row ends the job, since another restart
 * would only read it again. Pure; independent of the restart strategy, and asked before it.
 */
import { MillstreamError, messageOf } from '../common/errors.js';

/** Where a failure happened, as far as it is known. */
export interface FailurePlace {
  /** The operator's uid, or its id where it has none. */
  readonly operator: string;
  /** For the message: where the record was in the last attempt. */
  readonly position: string;
  /** What tells it from every other record, the same in every attempt. */
  readonly record: string;
}

/** What is remembered between failures: plain data. */
export interface PoisonRecordState {
  readonly place: FailurePlace | undefined;
  /** Failures at `place`, in a row. */
  readonly failures: number;
}

export const NO_POISON_RECORD: PoisonRecordState = { place: undefined, failures: 0 };

/** Failures of the same record in a row that restarts may follow: at the one after them the job ends. */
const RESTARTS_MAX = 3;

/** After a failure; `place` undefined if no record is known, which breaks the row. `poison`: the same record failed three restarts in a row. */
export function recordFailure(
  state: PoisonRecordState,
  place: FailurePlace | undefined,
): { readonly state: PoisonRecordState; readonly poison: boolean } {
  if (place === undefined) return { state: NO_POISON_RECORD, poison: false };
  const same = state.place?.operator === place.operator && state.place.record === place.record;
  const failures = same ? state.failures + 1 : 1;
  return { state: { place, failures }, poison: failures > RESTARTS_MAX };
}

/** The error that ends the job. */
export function poisonRecordError(place: FailurePlace, cause: unknown): MillstreamError {
  return new MillstreamError(
    'POISON_RECORD',
    `Cannot go on: the record at '${place.position}' failed operator '${place.operator}' again in each of ${RESTARTS_MAX} restarts, the last time with: ${messageOf(cause).replace(/\.*$/, '.')} Correct the program and restore from the last checkpoint, or let the operator skip such records with onError.`,
    { details: { ...place }, cause },
  );
}
