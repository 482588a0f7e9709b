/** What `onError` does with a record whose function threw, once what it left behind is gone (record-recovery). */
import { failedRecord, type OnError, type OperatorCounters, type OperatorImplementation, type Output } from '../operators/operator.js';
import type { ErrorHandler } from './chain.js';
import { isBeyondOnError } from './chain-failure.js';

/** Counts the record, and sends it to its side output if there is one. Undefined: the job fails. Both come late: chains are made first. */
export function createErrorHandler(
  policy: OnError | undefined,
  counters: () => OperatorCounters,
  side: (tag: string) => Output<unknown>,
): ErrorHandler | undefined {
  if (policy === undefined || policy.type === 'fail') return undefined;
  const tag = policy.type === 'sideOutput' ? policy.tag : undefined;
  return (error, value, timestamp) => {
    if (isBeyondOnError(error)) throw error;
    counters().numRecordsInErrors++;
    if (tag !== undefined) side(tag).collect(failedRecord(value, error), timestamp);
  };
}

/** Whether a record may fail without the job, so that what the operator has done with it has to be taken back. */
export function runsRecoverably(implementation: OperatorImplementation): boolean {
  return implementation.type === 'operator' && implementation.onError !== undefined && implementation.onError.type !== 'fail';
}
