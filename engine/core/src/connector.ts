/** `millstream/connector`: the contracts of sources and sinks, and what connectors are built from. */

export type { CheckpointFiles, CheckpointFileWriter } from './checkpoint/checkpoint-files.js';
export type { StorageOptions, StoragePackage } from './checkpoint/file-systems.js';
export { ObjectCheckpointFiles, type ObjectUploadOptions } from './checkpoint/object-checkpoint-files.js';
export type { Register, RegisterValue } from './checkpoint/register.js';
export type { Clock, ScheduledCall } from './common/clock.js';
export type { Disk, DiskReader, DiskWriter } from './common/disk.js';
export type { ErrorCode, ErrorDomain } from './common/error-codes.js';
export { MillstreamError, type MillstreamErrorOptions } from './common/errors.js';
export {
  IF_ABSENT,
  type ObjectStore,
  type PutCondition,
  type StoredObject,
  type UnfinishedUpload,
  type UploadedPart,
} from './common/object-store.js';
export type { Random } from './common/random.js';
export { type ObjectRetryOptions, RetryingObjectStore } from './common/retrying-object-store.js';
export { Availability } from './connector/availability.js';
export { fileLength, findFiles } from './connector/file-source.js';
export { MalformedText, type RecordFormat, type RecordParser } from './connector/record-format.js';
export type { Sink, SinkCommitter, SinkWriter, SinkWriterContext } from './connector/sink.js';
export type {
  Boundedness,
  PollStatus,
  Source,
  SourceBatch,
  SourceReader,
  SourceReaderContext,
  SourceSplit,
  SplitEnumerator,
  SplitEnumeratorContext,
} from './connector/source.js';
export {
  type DiscoverSplits,
  type DivideSplits,
  PullEnumerator,
  SpreadEnumerator,
  type StaticEnumeratorState,
} from './connector/static-enumerator.js';
