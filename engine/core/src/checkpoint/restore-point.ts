/**
 * Where a restore starts: what `--from <path>` means. A path is a checkpoint's directory (chk-…) or its `_metadata`, a savepoint's
 * directory, or a job's directory, which means its latest checkpoint according to its job record.
 *
 * Invariants: 1. the latest checkpoint is what the job record says, never what a listing shows; 2. a checkpoint whose job record is there
 * and does not list it never became complete (or was dropped), and is refused.
 */
import { normalizeDirectory } from '../common/disk-path.js';
import { MillstreamError } from '../common/errors.js';
import { checkpointCorruptError, checkpointNotFoundError } from './checkpoint-errors.js';
import type { CheckpointFiles } from './checkpoint-files.js';
import { type CompletedCheckpoint, checkpointBefore, type JobRecord, latestCheckpoint } from './job-record.js';
import { JobRecordStore } from './job-record-store.js';
import { type CheckpointMetadata, withPaths } from './metadata.js';
import { decodeMetadata } from './metadata-format.js';
import { epochOfDirectory, METADATA_FILE, resolveStatePath } from './state-path.js';

/** A checkpoint that can be restored. */
export interface RestorePoint {
  /** Its directory. */
  readonly path: string;
  /** With absolute paths of files: they can be opened from everywhere. */
  readonly metadata: CheckpointMetadata;
  /** The checkpoint before it, for errors; undefined if none is known. */
  readonly previous: string | undefined;
  /** All its committables are known to be committed: commit nothing. */
  readonly committed: boolean;
}

/** The directory of a checkpoint that is named by it, or by its `_metadata`. */
export function checkpointDirectory(path: string): string {
  const directory = normalizeDirectory(path);
  return directory.endsWith(`/${METADATA_FILE}`) ? directory.slice(0, -METADATA_FILE.length - 1) : directory;
}

/** Finds and reads the checkpoint that `from` means. Throws CHECKPOINT_NOT_FOUND, CHECKPOINT_CORRUPT, CHECKPOINT_VERSION. */
export async function openRestorePoint(files: CheckpointFiles, from: string): Promise<RestorePoint> {
  const path = checkpointDirectory(from);
  const beside = await recordBeside(files, path);
  // Also where its metadata are gone: the record knows the checkpoint before it.
  if (beside?.checkpoint !== undefined) return await openListed(files, beside.directory, beside.record, beside.checkpoint);
  const offer = beside === undefined ? '' : offerLatest(beside.directory, beside.record);
  if (await files.exists(`${path}/${METADATA_FILE}`)) {
    if (beside !== undefined) throw notComplete(path, beside.epoch, offer);
    return await openElsewhere(files, path);
  }
  if (!(await files.exists(path))) {
    throw checkpointNotFoundError(from, `${beside === undefined ? 'there is nothing' : 'there is no such checkpoint'}${offer}`);
  }
  const record = await loadRecord(files, path);
  if (record === undefined) throw checkpointNotFoundError(from, `the directory has neither '${METADATA_FILE}' nor a job record`);
  const latest = latestCheckpoint(record);
  if (latest !== undefined) return await openListed(files, path, record, latest);
  if (record.restoredFrom === undefined) throw checkpointNotFoundError(from, 'the job has no complete checkpoint');
  return await openRestorePoint(files, resolveStatePath(path, record.restoredFrom));
}

/** Opens a checkpoint of a job's record: the latest, for an attempt that starts again. */
export async function openListed(
  files: CheckpointFiles,
  jobDirectory: string,
  record: JobRecord,
  checkpoint: CompletedCheckpoint,
): Promise<RestorePoint> {
  const path = resolveStatePath(jobDirectory, checkpoint.path);
  const before = checkpointBefore(record, checkpoint.epoch);
  const previous = before === undefined ? undefined : resolveStatePath(jobDirectory, before.path);
  const metadata = await readMetadata(files, path, previous);
  return { path, metadata, previous, committed: checkpoint.committed };
}

/** A checkpoint or savepoint that does not lie beside its job's record. */
async function openElsewhere(files: CheckpointFiles, path: string): Promise<RestorePoint> {
  const metadata = await readMetadata(files, path, undefined);
  const home = await loadWholeRecord(files, metadata.jobDirectory);
  if (home?.run !== metadata.run) return { path, metadata, previous: undefined, committed: false };
  const listed = home.checkpoints.find((checkpoint) => checkpoint.epoch === metadata.epoch);
  if (listed === undefined) throw notComplete(path, metadata.epoch, offerLatest(metadata.jobDirectory, home));
  return { path, metadata, previous: undefined, committed: listed.committed };
}

/** The job record beside a checkpoint's directory (chk-…), which need not be there, and what it says of that checkpoint. */
async function recordBeside(
  files: CheckpointFiles,
  path: string,
): Promise<{ directory: string; epoch: number; record: JobRecord; checkpoint: CompletedCheckpoint | undefined } | undefined> {
  const directory = parentOf(path);
  const epoch = epochOfDirectory(path.slice(path.lastIndexOf('/') + 1));
  const record = epoch === undefined ? undefined : await loadWholeRecord(files, directory);
  if (epoch === undefined || record === undefined) return undefined;
  return { directory, epoch, record, checkpoint: record.checkpoints.find((each) => each.epoch === epoch) };
}

function notComplete(path: string, epoch: number, offer: string): Error {
  return checkpointNotFoundError(
    path,
    `its job record does not list checkpoint ${epoch}: it never became complete, or was dropped since${offer}`,
  );
}

async function readMetadata(files: CheckpointFiles, path: string, previous: string | undefined): Promise<CheckpointMetadata> {
  const file = `${path}/${METADATA_FILE}`;
  const bytes = await files.read(file);
  if (bytes === undefined) {
    throw checkpointCorruptError({ path: file, expected: 'the metadata of a checkpoint', actual: 'no such file', previous });
  }
  return withPaths(decodeMetadata(bytes, file, previous), (relative) => resolveStatePath(path, relative));
}

/** The record in a directory; undefined where there is none. */
async function loadRecord(files: CheckpointFiles, directory: string): Promise<JobRecord | undefined> {
  return (await JobRecordStore.open(files, directory, 'reader').load())?.record;
}

/** For a checkpoint that somebody names: it can be restored though the record beside it is damaged. */
async function loadWholeRecord(files: CheckpointFiles, directory: string): Promise<JobRecord | undefined> {
  try {
    return await loadRecord(files, directory);
  } catch (error) {
    if (error instanceof MillstreamError && error.code === 'CHECKPOINT_CORRUPT') return undefined;
    throw error;
  }
}

function offerLatest(directory: string, record: JobRecord): string {
  const latest = latestCheckpoint(record);
  return latest === undefined ? '' : `; the latest of this job is '${resolveStatePath(directory, latest.path)}'`;
}

function parentOf(path: string): string {
  return normalizeDirectory(`${path}/..`);
}
