/** Errors as answers: Flink's shape, the error's code, and nothing of the inside. */
import type { FastifyError } from 'fastify';
import { type ErrorCode, MillstreamError } from 'millstream';
import type { ErrorBody } from './schemas/common.js';

export interface ErrorResponse {
  readonly status: number;
  readonly body: ErrorBody;
  /** Nobody's request: to be logged. */
  readonly unexpected: boolean;
}

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  NOT_FOUND: 404,
  CHECKPOINT_NOT_FOUND: 404,
  INVALID_REQUEST: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  REQUEST_TOO_LARGE: 413,
  REQUEST_CONFLICT: 409,
  CLUSTER_UNAVAILABLE: 503,
  REQUEST_TIMEOUT: 504,
  DISK_FULL: 507,
};

/** Fastify quotes the request: as much of it as helps. */
const REASON_LENGTH_MAX = 300;

/** Fastify's codes that have their own status and code; all else of 4xx is INVALID_REQUEST. */
const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'REQUEST_TOO_LARGE',
};

/** The answer to an error. Typed errors say themselves what went wrong; of others the client learns only `requestId`. */
export function errorResponse(error: unknown, requestId: string): ErrorResponse {
  if (error instanceof MillstreamError) {
    const status = STATUS[error.code] ?? (error.domain === 'user' ? 400 : 500);
    return { status, body: { errors: [error.message], code: error.code }, unexpected: status === 500 };
  }
  const { statusCode, code, message } = error as Partial<FastifyError>;
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    const known = FASTIFY_CODES[code ?? ''] ?? 'INVALID_REQUEST';
    const reason = (message ?? 'it is malformed').slice(0, REASON_LENGTH_MAX).replace(/\.$/, '');
    return { status: statusCode, body: { errors: [`Cannot read this request: ${reason}.`], code: known }, unexpected: false };
  }
  const text = `The request failed inside the JobManager; its log has the reason under the request id '${requestId}'.`;
  return { status: 500, body: { errors: [text], code: 'INTERNAL' }, unexpected: true };
}
