/** How a bucket is reached. Whatever is not set comes from the AWS SDK's default chain: environment, profile, role of the machine. */
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { MillstreamError } from 'millstream/connector';

/** All optional. */
export interface S3Options {
  /** URL of another store than Amazon's. Option `s3.endpoint`; environment AWS_ENDPOINT_URL_S3. */
  readonly endpoint?: string | undefined;
  /** Option `s3.region`; environment AWS_REGION. Default with an endpoint: us-east-1. */
  readonly region?: string | undefined;
  /** Whether the bucket stands in the path, not in the host's name. Option `s3.path.style.access`. Default: true with an endpoint. */
  readonly pathStyleAccess?: boolean | undefined;
  /** Option `s3.access-key`; environment AWS_ACCESS_KEY_ID. */
  readonly accessKey?: string | undefined;
  /** Option `s3.secret-key`; environment AWS_SECRET_ACCESS_KEY. */
  readonly secretKey?: string | undefined;
  /** Of temporary credentials. Option `s3.session-token`; environment AWS_SESSION_TOKEN. */
  readonly sessionToken?: string | undefined;
  /** Bytes of a part of a large file, at least 5 MiB. Option `s3.upload.part-size`. Default: 8 MiB. */
  readonly partBytes?: number | undefined;
  /** A request that gets no answer for so long has failed, ms. Option `s3.request-timeout`. Default: 20 s. */
  readonly requestTimeoutMs?: number | undefined;
  /** Tries of a request, the first included. Option `s3.attempts`. Default: 6. */
  readonly attempts?: number | undefined;
}

/** S3 takes no smaller parts, the last one of a file excepted. */
const PART_BYTES_MIN = 5 * 1024 * 1024;
const CONNECTION_TIMEOUT_MS = 5000;
const REQUEST_TIMEOUT_MS = 20_000;

/** Throws INVALID_OPTION. */
export function createS3Client(options: S3Options): S3Client {
  checkOptions(options);
  const { accessKey, secretKey, sessionToken, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  const endpoint = options.endpoint ?? process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
  const region = options.region ?? (endpoint === undefined ? undefined : (process.env.AWS_REGION ?? 'us-east-1'));
  const config: S3ClientConfig = {
    // Tried again by RetryingObjectStore, on the engine's clock.
    maxAttempts: 1,
    forcePathStyle: options.pathStyleAccess ?? endpoint !== undefined,
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      requestTimeout: requestTimeoutMs,
      socketTimeout: requestTimeoutMs,
      throwOnRequestTimeout: true,
    },
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(accessKey !== undefined &&
      secretKey !== undefined && {
        credentials: { accessKeyId: accessKey, secretAccessKey: secretKey, ...(sessionToken !== undefined && { sessionToken }) },
      }),
  };
  return new S3Client(config);
}

function checkOptions({ endpoint, accessKey, secretKey, partBytes }: S3Options): void {
  if (endpoint !== undefined && !/^https?:\/\/[^/]/.test(endpoint)) {
    throw new MillstreamError(
      'INVALID_OPTION',
      `Cannot use s3.endpoint '${endpoint}': it is no URL. Write it with its scheme, as in http://127.0.0.1:9000.`,
    );
  }
  if ((accessKey === undefined) !== (secretKey === undefined)) {
    const [given, missing] = accessKey === undefined ? ['s3.secret-key', 's3.access-key'] : ['s3.access-key', 's3.secret-key'];
    throw new MillstreamError(
      'INVALID_OPTION',
      `Cannot use ${given} without ${missing}. Set both, or neither: then the AWS SDK looks for credentials by itself.`,
    );
  }
  if (partBytes !== undefined && !(partBytes >= PART_BYTES_MIN)) {
    throw new MillstreamError(
      'INVALID_OPTION',
      `Cannot use s3.upload.part-size ${partBytes}: S3 takes parts of ${PART_BYTES_MIN} bytes (5 mb) or more.`,
    );
  }
}
