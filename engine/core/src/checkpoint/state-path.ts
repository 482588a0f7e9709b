/**
 * Where a job's checkpoints lie:
 *
 *     <job directory>/job.<n>, job.hint       the job record
 *                    /chk-<epoch>/_metadata   one directory per checkpoint
 *                    /shared/<file>           files of state, used by one or more checkpoints
 *     <savepoint>/_metadata, <file>           self-contained
 *
 * Paths inside metadata are relative to the checkpoint's directory; '/' everywhere, which Windows takes too.
 */
import { crc32, formatCrc32 } from '../common/checksum.js';
import { isAbsolutePath, normalizeDirectory } from '../common/disk-path.js';

export const METADATA_FILE = '_metadata';
export const SHARED_DIRECTORY = 'shared';
/** What is in a file of keyed state. */
export const KEYED_PART = 'keyed';

/** Who writes a file of state, and when: unique for each file. */
export interface StateFileId {
  readonly run: string;
  readonly attempt: number;
  readonly operatorId: string;
  readonly subtaskIndex: number;
  readonly epoch: number;
  /** What is in it, if the operator writes several: letters. Default: 'keyed'. */
  readonly part?: string;
  /** Savepoints: the savepoint's directory, which it then lies in. */
  readonly savepoint?: string | undefined;
}

/** The name of a state file: readable, safe on every file system, different for different ids. */
export function stateFileName(id: StateFileId): string {
  return `${id.run}-${id.attempt}-${safeName(id.operatorId)}-${id.subtaskIndex}-${id.epoch}.${id.part ?? KEYED_PART}`;
}

/** The attempt that wrote a file; undefined if it is not a state file of this run. */
export function attemptOfStateFile(name: string, run: string): number | undefined {
  return writerOfStateFile(name, run)?.attempt;
}

/** What wrote a file: `subtask` names the operator and its subtask. Undefined if it is not a state file of this run. */
export function writerOfStateFile(name: string, run: string): { readonly attempt: number; readonly subtask: string } | undefined {
  if (!name.startsWith(`${run}-`)) return undefined;
  const [, attempt, subtask] = /^(\d+)-([A-Za-z0-9_]+-\d+)-\d+\.[a-z]+$/.exec(name.slice(run.length + 1)) ?? [];
  return attempt === undefined || subtask === undefined ? undefined : { attempt: Number(attempt), subtask };
}

/** Ids have any characters and length: what is readable of them, and a checksum that tells them apart. */
function safeName(id: string): string {
  return `${id.replace(/[^A-Za-z0-9]+/g, '_').slice(0, 40)}_${formatCrc32(crc32(Buffer.from(id)))}`;
}

export function checkpointDirectoryName(epoch: number): string {
  return `chk-${epoch}`;
}

/** The epoch of a checkpoint's directory; undefined if the name is not one. */
export function epochOfDirectory(name: string): number | undefined {
  const digits = /^chk-(\d{1,15})$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** A path of metadata or job record as one that can be opened: relative ones start at `base`. */
export function resolveStatePath(base: string, path: string): string {
  return normalizeDirectory(isAbsolutePath(path) ? path : `${base}/${path}`);
}
