/** The typed errors about checkpoints as files. */
import { MillstreamError } from '../common/errors.js';

/** A damaged or missing file. `previous`: the path of the checkpoint before, where one is known. */
export function checkpointCorruptError(what: {
  readonly path: string;
  /** What should be there; undefined: a checksum line. */
  readonly expected: string | undefined;
  readonly actual: string;
  readonly previous: string | undefined;
}): MillstreamError {
  const { path, expected, actual, previous } = what;
  const advice =
    previous === undefined
      ? 'No checkpoint before it is known: restore the file from a copy, or start the job without --from.'
      : `The checkpoint before it is '${previous}': start the job with --from ${previous}. Its sources replay what followed.`;
  return new MillstreamError(
    'CHECKPOINT_CORRUPT',
    `Cannot restore from the checkpoint file '${path}': expected ${expected ?? 'a checksum line'}, found ${actual}. ${advice}`,
    { details: { path, expected, actual, previous } },
  );
}

/** A path that leads to no checkpoint. `found`: "there is no such directory". */
export function checkpointNotFoundError(path: string, found: string, cause?: unknown): MillstreamError {
  return new MillstreamError(
    'CHECKPOINT_NOT_FOUND',
    `Cannot restore from '${path}': ${found}. Give the directory of a checkpoint (chk-…), of a savepoint, or of a job.`,
    { details: { path }, cause },
  );
}

/** A file of a format that this version does not know. */
export function checkpointVersionError(path: string, found: unknown, known: number): MillstreamError {
  return new MillstreamError(
    'CHECKPOINT_VERSION',
    `Cannot read '${path}': its format is ${found}, this version of Millstream reads ${known}. Use the version that wrote it, or a later one.`,
    { details: { path, found, known } },
  );
}
