/** Failures inside a chain: which step, which record. Wrapped once, by the innermost entry. */
import { MillstreamError } from '../common/errors.js';
import { ChainFailure, PromiseReturned } from './chain.js';

export function chainFailure(step: number, offset: number, error: unknown): ChainFailure {
  if (error instanceof ChainFailure) return error.offset >= 0 || offset < 0 ? error : new ChainFailure(error.step, offset, error.cause);
  return new ChainFailure(step, offset, error);
}

export function promiseReturned(): never {
  throw new PromiseReturned('a promise was returned');
}

/**
 * Not for `onError`, since no record is to blame: a failure of an operator further down the chain, a function that is asynchronous, a
 * change without `update` (found with the next record), a defect of the engine.
 */
export function isBeyondOnError(error: unknown): boolean {
  return (
    error instanceof ChainFailure ||
    error instanceof PromiseReturned ||
    (error instanceof MillstreamError &&
      (error.code === 'PROMISE_RETURNED' || error.code === 'STATE_CHANGED_WITHOUT_UPDATE' || error.domain === 'internal'))
  );
}
