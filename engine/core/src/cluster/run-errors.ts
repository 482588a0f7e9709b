/** Errors that end a run, and what they say to do. */
import { checkpointCorruptError } from '../checkpoint/checkpoint-errors.js';
import type { RestorePoint } from '../checkpoint/restore-point.js';
import type { CheckpointStorage } from '../checkpoint/storage.js';
import { diskErrorCode, diskFullError, isDiskFull, typedTransientDiskError } from '../common/disk-error.js';
import type { ErrorCode } from '../common/error-codes.js';
import { MillstreamError } from '../common/errors.js';
import type { Entropy } from '../common/random.js';
import type { AttemptOutcome } from './attempt-options.js';

/** Errors that another attempt would only meet again: the program, the checkpoint or the results must change first. */
const FINAL_ERRORS: ReadonlySet<ErrorCode> = new Set([
  'CHECKPOINT_CORRUPT',
  'CHECKPOINT_VERSION',
  'GRAPH_DIFFERS',
  'MAX_PARALLELISM_MISMATCH',
  'PROGRAM_CHANGED',
  'PROGRAM_FAILED',
  'PROGRAM_SIDE_EFFECT',
  'SINK_DATA_LOSS',
  'STATE_CHANGED_WITHOUT_UPDATE',
  'STATE_INCOMPATIBLE',
]);

/** Whether a restart is of no use, whatever the restart strategy says. */
export function isFinal(error: MillstreamError): boolean {
  return FINAL_ERRORS.has(error.code);
}

/** An attempt that a store has failed, which may answer the next time. Throws every other error. */
export function failedBy(error: unknown): AttemptOutcome & { readonly type: 'failed' } {
  const typed = typedTransientDiskError(error);
  if (!(typed instanceof MillstreamError && typed.retryable)) throw error;
  return { type: 'failed', error: typed, position: undefined };
}

/** A slot that finds a damaged file does not know which checkpoint was before the one it restores from. */
export function offerPrevious(error: MillstreamError, point: RestorePoint | undefined): MillstreamError {
  if (error.code !== 'CHECKPOINT_CORRUPT' || point?.previous === undefined) return error;
  const { path, expected, actual } = error.details;
  return checkpointCorruptError({ path: String(path), expected: String(expected), actual: String(actual), previous: point.previous });
}

/** Makes the directory of a run's checkpoints. Throws DISK_FULL, CHECKPOINT_DIRECTORY_UNWRITABLE. */
export async function prepareDirectory(storage: CheckpointStorage): Promise<void> {
  try {
    await storage.prepare();
  } catch (cause) {
    throw unwritable(cause, 'checkpoint', storage.directory, 'choose another with --checkpoint-dir or execution.checkpointing.dir');
  }
}

/** Makes a new directory for a savepoint under `target`. Throws DISK_FULL, CHECKPOINT_DIRECTORY_UNWRITABLE. */
export async function prepareSavepoint(storage: CheckpointStorage, target: string, run: string, entropy: Entropy): Promise<string> {
  try {
    return await storage.prepareSavepoint(target, run, entropy.token().slice(0, 12));
  } catch (cause) {
    throw unwritable(cause, 'savepoint', target, 'name another one for the savepoint');
  }
}

function unwritable(cause: unknown, kind: 'checkpoint' | 'savepoint', path: string, otherwise: string): unknown {
  if (isDiskFull(cause)) return diskFullError(`make the ${kind} directory`, path, cause);
  if (diskErrorCode(cause) === undefined || typedTransientDiskError(cause) !== cause) return cause;
  return new MillstreamError(
    'CHECKPOINT_DIRECTORY_UNWRITABLE',
    `Cannot write ${kind}s to '${path}': ${(cause as Error).message}. Make the directory writable, or ${otherwise}.`,
    { cause, details: { path } },
  );
}

/** CHECKPOINT_FAILED: the job keeps none. */
export function noCheckpointDirectory(): MillstreamError {
  return new MillstreamError(
    'CHECKPOINT_FAILED',
    "Cannot take a checkpoint: the job has nowhere to put it. Set 'execution.checkpointing.dir' for the job or its cluster.",
  );
}
