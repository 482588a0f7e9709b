/** Errors across threads: code, message, details and the user's stack survive. */
import { ERROR_CODES, type ErrorCode } from '../common/error-codes.js';
import { MillstreamError, messageOf } from '../common/errors.js';
import type { SerializedError } from './slot-messages.js';

export function serializeError(error: unknown): SerializedError {
  if (error instanceof MillstreamError) {
    return {
      name: error.name,
      code: error.code,
      message: error.message,
      stack: fullStack(error),
      retryable: error.retryable,
      details: plainDetails(error.details),
    };
  }
  const message = messageOf(error);
  const name = error instanceof Error ? error.name : 'Error';
  return { name, code: 'INTERNAL', message, stack: error instanceof Error ? fullStack(error) : message, retryable: false, details: {} };
}

/** The stack with those of its causes. */
function fullStack(error: Error): string {
  let text = error.stack ?? `${error.name}: ${error.message}`;
  let cause = error.cause;
  for (let depth = 0; cause instanceof Error && depth < 5; depth++) {
    text += `\nCaused by: ${cause.stack ?? cause.message}`;
    cause = cause.cause;
  }
  return text;
}

function plainDetails(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(details)) {
    plain[name] = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : String(value);
  }
  return plain;
}

export function deserializeError(error: SerializedError): MillstreamError {
  const code = error.code in ERROR_CODES ? (error.code as ErrorCode) : 'INTERNAL';
  const result = new MillstreamError(code, error.message, { details: error.details, retryable: error.retryable });
  result.stack = error.stack;
  return result;
}
