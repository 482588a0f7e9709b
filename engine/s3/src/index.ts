/** `@millstream/s3`: checkpoints, the job record and the leader's lease in S3 and in what speaks like it. */

export { openBucket, openCheckpointFiles } from './open-bucket.js';
export { S3ObjectStore } from './s3-object-store.js';
export { createS3Client, type S3Options } from './s3-options.js';
