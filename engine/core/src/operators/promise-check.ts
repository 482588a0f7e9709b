/** User functions are synchronous: what they return is checked, because a promise that nobody awaits would lose its error. */
import { MillstreamError } from '../common/errors.js';

function promiseReturned(operator: string, method: string): never {
  throw new MillstreamError(
    'PROMISE_RETURNED',
    `Cannot use the promise that '${method}' of operator '${operator}' returned: it must work synchronously. Use mapAsync before this operator for asynchronous calls.`,
    { details: { operator, method } },
  );
}

/** For methods that return nothing; call it only if the result is not undefined. */
export function rejectPromise(result: unknown, operator: string, method: string): void {
  if (result instanceof Promise) promiseReturned(operator, method);
}

/** For methods that return a value. */
export function checkedResult<T>(result: T, operator: string, method: string): T {
  if (typeof result === 'object' && result instanceof Promise) promiseReturned(operator, method);
  return result;
}
