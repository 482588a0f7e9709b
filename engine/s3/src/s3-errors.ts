/** Errors of the AWS SDK as Millstream's: what cannot be done, what was found, and which option or right is to be changed. */
import { MillstreamError } from 'millstream/connector';

/** What is known of an error that the SDK throws. */
export interface S3Failure {
  /** S3's code (NoSuchKey), the SDK's name (TimeoutError), or Node's code (ECONNREFUSED). */
  readonly code: string;
  /** Of HTTP; undefined if there was no answer. */
  readonly status: number | undefined;
}

const DENIED: ReadonlySet<string> = new Set([
  'AccessDenied',
  'AllAccessDisabled',
  'ExpiredToken',
  'Forbidden',
  'InvalidAccessKeyId',
  'InvalidToken',
  'SignatureDoesNotMatch',
]);
const WRONG_REGION: ReadonlySet<string> = new Set([
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
  'PermanentRedirect',
]);
/** Answers that say: not now. */
const TRY_AGAIN: ReadonlySet<string> = new Set([
  'ConditionalRequestConflict',
  'InternalError',
  'OperationAborted',
  'RequestTimeTooSkewed',
  'RequestTimeout',
  'ServiceUnavailable',
  'SlowDown',
]);
const NO_CREDENTIALS: ReadonlySet<string> = new Set(['CredentialsProviderError', 'TokenProviderError']);

/** What an error of the SDK says. */
export function s3Failure(error: unknown): S3Failure {
  const { name, code, $metadata } = error as {
    readonly name?: unknown;
    readonly code?: unknown;
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  const named = typeof name === 'string' && name !== 'Error' ? name : undefined;
  return { code: (status === undefined && typeof code === 'string' ? code : named) ?? 'Error', status };
}

/** The typed error of a request that failed. `what` completes "Cannot …": "read 's3://b/k'". */
export function s3Error(what: string, bucket: string, error: unknown): MillstreamError {
  if (error instanceof MillstreamError) return error;
  const { code, status } = s3Failure(error);
  const message = error instanceof Error ? error.message : String(error);
  const found = message === '' || message === 'UnknownError' ? code : `${message} (${code})`;
  const details = { bucket, code, status };
  const cannot = `Cannot ${what}`;
  if (code === 'NoSuchBucket') {
    return new MillstreamError(
      'STORAGE_BUCKET_MISSING',
      `${cannot}: there is no bucket '${bucket}'. Create it, or correct it in execution.checkpointing.dir or high-availability.storageDir; s3.endpoint and s3.region must be the bucket's.`,
      { details, cause: error },
    );
  }
  if (DENIED.has(code) || status === 403 || status === 401) {
    return new MillstreamError(
      'STORAGE_ACCESS_DENIED',
      `${cannot}: the store denies access: ${found}. Check the credentials (s3.access-key and s3.secret-key, or AWS_ACCESS_KEY_ID and so on), and that they may s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload, s3:ListBucket and s3:ListBucketMultipartUploads in '${bucket}'.`,
      { details, cause: error },
    );
  }
  if (NO_CREDENTIALS.has(code)) {
    return new MillstreamError(
      'STORAGE_ACCESS_DENIED',
      `${cannot}: no credentials were found: ${message}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or s3.access-key and s3.secret-key, or give the machine a role.`,
      { details, cause: error },
    );
  }
  if (message === 'Region is missing' || WRONG_REGION.has(code) || status === 301) {
    return new MillstreamError(
      'STORAGE_REQUEST_FAILED',
      `${cannot}: ${found}. Set s3.region (or AWS_REGION) to the region of '${bucket}'.`,
      {
        details,
        cause: error,
      },
    );
  }
  if (status === undefined) {
    return new MillstreamError(
      'STORAGE_UNREACHABLE',
      `${cannot}: the store does not answer: ${found}. Check that it runs, and s3.endpoint (or AWS_ENDPOINT_URL_S3).`,
      { details, cause: error, retryable: true },
    );
  }
  const retryable = TRY_AGAIN.has(code) || status >= 500 || status === 429 || status === 408 || status === 409;
  const advice = retryable ? 'It may succeed later.' : 'Check that the store speaks S3, and its own log.';
  return new MillstreamError('STORAGE_REQUEST_FAILED', `${cannot}: the store answers ${status}: ${found}. ${advice}`, {
    details,
    cause: error,
    retryable,
  });
}
