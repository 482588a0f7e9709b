/**
 * Removes checkpoints that no job record of their own sees to: savepoints that a user disposes of, and what another run has claimed.
 *
 * Invariants: 1. `_metadata` goes first, so that nothing is offered whose files are going; 2. of a savepoint only files that it names and that
 * lie in its directory are removed; 3. a checkpoint's files stay where another checkpoint in the same job's directory names them; if that
 * cannot be known, they all stay.
 */
import { normalizeDirectory } from '../common/disk-path.js';
import { MillstreamError } from '../common/errors.js';
import type { CheckpointFiles } from './checkpoint-files.js';
import { type JobRecord, latestCheckpoint } from './job-record.js';
import { JobRecordStore } from './job-record-store.js';
import { type CheckpointKind, type CheckpointMetadata, filesOf } from './metadata.js';
import { decodeMetadata } from './metadata-format.js';
import { checkpointDirectory } from './restore-point.js';
import { epochOfDirectory, METADATA_FILE, resolveStatePath } from './state-path.js';

/**
 * Removes a savepoint for its user. `userOf`: names who needs the checkpoint in a directory, or runs as this run; undefined if nobody does.
 * Throws CHECKPOINT_NOT_FOUND, CHECKPOINT_CORRUPT, REQUEST_CONFLICT.
 */
export async function disposeSavepoint(
  files: CheckpointFiles,
  path: string,
  userOf: (directory: string) => string | undefined,
): Promise<void> {
  const directory = checkpointDirectory(path);
  const metadata = await readMetadata(files, directory);
  const cannot = `Cannot dispose of '${directory}'`;
  if (metadata === undefined) {
    throw new MillstreamError(
      'CHECKPOINT_NOT_FOUND',
      `${cannot}: there is no savepoint, since it has no '${METADATA_FILE}'. Give the directory that 'savepoint' or 'stop' has named.`,
    );
  }
  if (metadata.kind !== 'savepoint') {
    throw new MillstreamError(
      'REQUEST_CONFLICT',
      `${cannot}: it is checkpoint ${metadata.epoch} of job "${metadata.jobName}", which its job record in '${metadata.jobDirectory}' sees to. Only savepoints are disposed of.`,
    );
  }
  const user = userOf(directory) ?? (await recordThatNeeds(files, metadata));
  if (user !== undefined) {
    throw new MillstreamError(
      'REQUEST_CONFLICT',
      `${cannot}: ${user} would begin with it after a failure. Dispose of it when there is a newer checkpoint, or the job has ended.`,
    );
  }
  await removeSavepoint(files, directory, metadata);
}

/** A run that was not stopped with this savepoint, and has nothing newer. */
async function recordThatNeeds(files: CheckpointFiles, metadata: CheckpointMetadata): Promise<string | undefined> {
  let record: JobRecord | undefined;
  try {
    record = (await JobRecordStore.open(files, metadata.jobDirectory, 'reader').load())?.record;
  } catch (error) {
    if (!(error instanceof MillstreamError && error.code === 'CHECKPOINT_CORRUPT')) throw error;
  }
  const latest = record === undefined ? undefined : latestCheckpoint(record);
  const isOver = record?.ended !== undefined || latest?.committed === true;
  const isNeeded = record?.run === metadata.run && latest?.epoch === metadata.epoch && !isOver;
  return isNeeded ? `the run whose job record is in '${metadata.jobDirectory}'` : undefined;
}

/** Removes a checkpoint of another run, which nobody else needs. Nothing is removed twice. */
export async function removeClaimed(
  files: CheckpointFiles,
  checkpoint: { readonly path: string; readonly kind: CheckpointKind },
): Promise<void> {
  const directory = normalizeDirectory(checkpoint.path);
  const metadata = await readMetadata(files, directory);
  if (metadata === undefined) return;
  if (checkpoint.kind === 'savepoint') {
    await removeSavepoint(files, directory, metadata);
    return;
  }
  const home = normalizeDirectory(`${directory}/..`);
  const needed = await filesOfSiblings(files, home, directory);
  await files.remove(`${directory}/${METADATA_FILE}`);
  for (const path of filesOf(metadata)) {
    const file = resolveStatePath(directory, path);
    if (!needed.has(file) && file.startsWith(`${home}/`)) await files.remove(file);
  }
  await files.removeDirectory(directory);
}

async function filesOfSiblings(files: CheckpointFiles, home: string, directory: string): Promise<Set<string>> {
  const needed = new Set<string>();
  for (const name of await files.list(home)) {
    const sibling = `${home}/${name}`;
    if (sibling === directory || epochOfDirectory(name) === undefined) continue;
    const metadata = await readMetadata(files, sibling);
    for (const path of metadata === undefined ? [] : filesOf(metadata)) needed.add(resolveStatePath(sibling, path));
  }
  return needed;
}

async function removeSavepoint(files: CheckpointFiles, directory: string, metadata: CheckpointMetadata): Promise<void> {
  await files.remove(`${directory}/${METADATA_FILE}`);
  for (const path of filesOf(metadata)) {
    const file = resolveStatePath(directory, path);
    if (file.startsWith(`${directory}/`)) await files.remove(file);
  }
  await files.removeDirectory(directory);
}

/** Undefined where there are none. Throws CHECKPOINT_CORRUPT, CHECKPOINT_VERSION. */
async function readMetadata(files: CheckpointFiles, directory: string): Promise<CheckpointMetadata | undefined> {
  const path = `${directory}/${METADATA_FILE}`;
  const bytes = await files.read(path);
  return bytes === undefined ? undefined : decodeMetadata(bytes, path, undefined);
}
