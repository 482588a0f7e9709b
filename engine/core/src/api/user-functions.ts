/** Checks of the functions that a program passes; the types say it, plain JavaScript needs the error. */
import { MillstreamError } from '../common/errors.js';

/** Throws INVALID_FUNCTION unless `fn` is a function; `method` is where it was passed to. */
export function requireFunction(fn: unknown, method: string): void {
  if (typeof fn === 'function') return;
  throw new MillstreamError('INVALID_FUNCTION', `Cannot pass ${JSON.stringify(fn) ?? String(fn)} to ${method}: it must be a function.`);
}

/** Throws INVALID_PLAN: a function for keyed streams was passed to a stream without key. The types are too alike for the compiler. */
export function refuseUnkeyed(functionClass: string): never {
  throw new MillstreamError('INVALID_PLAN', `Cannot run a ${functionClass} on a stream without key: call keyBy first.`);
}
