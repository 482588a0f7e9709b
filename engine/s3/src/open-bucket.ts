/** What the engine asks for when it meets a path that begins with `s3://`. */
import {
  type CheckpointFiles,
  type Clock,
  ObjectCheckpointFiles,
  type ObjectStore,
  type Random,
  RetryingObjectStore,
} from 'millstream/connector';
import { S3ObjectStore } from './s3-object-store.js';
import { createS3Client, type S3Options } from './s3-options.js';

/** A bucket, with requests that are tried again. Throws INVALID_OPTION; nothing is asked of the store yet. */
export function openBucket(bucket: string, options: S3Options, clock: Clock, random: Random): ObjectStore {
  const store = new S3ObjectStore(createS3Client(options), bucket);
  return new RetryingObjectStore(store, clock, random, options.attempts === undefined ? {} : { attempts: options.attempts });
}

/** A bucket as a place for checkpoints, the job record and the leader's lease. Paths in it: `s3://<bucket>/…`. */
export function openCheckpointFiles(bucket: string, options: S3Options, clock: Clock, random: Random): CheckpointFiles {
  const { partBytes } = options;
  return new ObjectCheckpointFiles(openBucket(bucket, options, clock, random), partBytes === undefined ? {} : { partBytes });
}
