/**
 * Removes what no checkpoint needs: files of dropped checkpoints, of epochs that were given up, and what crashes left. Files are counted
 * by the metadata of the retained checkpoints; directories are listed only to find garbage, never to find a checkpoint.
 *
 * Invariants: 1. no file that a listed checkpoint names is removed; 2. nothing outside the job's directory is removed, except a savepoint
 * that was given up; 3. a checkpoint's `_metadata` goes first, so that no checkpoint is offered whose files are going; 4. everything here
 * can be cut off and repeated. An error here costs space only: report it and go on.
 */
import { normalizeDirectory } from '../common/disk-path.js';
import { MillstreamError } from '../common/errors.js';
import { checkpointCorruptError } from './checkpoint-errors.js';
import type { CheckpointFiles } from './checkpoint-files.js';
import type { CompletedCheckpoint, JobRecord } from './job-record.js';
import { filesOf, filesOfSubtask } from './metadata.js';
import { decodeMetadata } from './metadata-format.js';
import type { SubtaskSnapshot } from './snapshot.js';
import {
  attemptOfStateFile,
  checkpointDirectoryName,
  epochOfDirectory,
  METADATA_FILE,
  resolveStatePath,
  SHARED_DIRECTORY,
} from './state-path.js';

export class CheckpointRetention {
  private readonly files: CheckpointFiles;
  private readonly directory: string;
  /** Files, as absolute as the job's directory, by checkpoint directory. */
  private readonly known = new Map<string, ReadonlySet<string>>();

  /** `directory`: the job's. */
  constructor(files: CheckpointFiles, directory: string) {
    this.files = files;
    this.directory = normalizeDirectory(directory);
  }

  /** Removes checkpoints that left the job record; `record`: without them. Savepoints are their user's, who may have removed them. */
  async discardCheckpoints(left: readonly CompletedCheckpoint[], record: JobRecord): Promise<void> {
    const dropped = left.filter(({ kind }) => kind !== 'savepoint');
    const candidates = new Set<string>();
    for (const checkpoint of dropped) {
      const directory = resolveStatePath(this.directory, checkpoint.path);
      for (const file of await this.filesOfCheckpoint(directory)) candidates.add(file);
    }
    const needed = await this.neededFiles(record);
    for (const checkpoint of dropped) {
      const directory = resolveStatePath(this.directory, checkpoint.path);
      if (this.owns(directory)) await this.removeCheckpointDirectory(directory);
      this.known.delete(directory);
    }
    for (const file of candidates) if (!needed.has(file) && this.owns(file)) await this.files.remove(file);
  }

  /** Removes what was written for an epoch that was given up. `savepoint`: its directory, if it was to be one. */
  async discardEpoch(epoch: number, snapshots: Iterable<SubtaskSnapshot>, record: JobRecord, savepoint?: string): Promise<void> {
    const directory = savepoint ?? `${this.directory}/${checkpointDirectoryName(epoch)}`;
    const needed = await this.neededFiles(record);
    await this.files.remove(`${directory}/${METADATA_FILE}`);
    for (const snapshot of snapshots) {
      for (const part of Object.values(snapshot.operators)) {
        for (const path of filesOfSubtask(part)) {
          const file = resolveStatePath(directory, path);
          if (!needed.has(file) && (this.owns(file) || savepoint !== undefined)) await this.files.remove(file);
        }
      }
    }
    await this.files.removeDirectory(directory);
  }

  /** Removes what earlier attempts of the run left and no listed checkpoint names. At the start of an attempt, before it writes. */
  async collectGarbage(record: JobRecord): Promise<void> {
    const needed = await this.neededFiles(record);
    const listed = new Set(record.checkpoints.map((checkpoint) => resolveStatePath(this.directory, checkpoint.path)));
    for (const name of await this.files.list(this.directory)) {
      const directory = resolveStatePath(this.directory, name);
      if (epochOfDirectory(name) === undefined || listed.has(directory)) continue;
      if (await this.mayBeOfRun(directory, record.run)) await this.removeCheckpointDirectory(directory);
    }
    const shared = `${this.directory}/${SHARED_DIRECTORY}`;
    const isOld = (name: string): boolean => (attemptOfStateFile(name, record.run) ?? record.attempt) < record.attempt;
    for (const name of await this.files.list(shared)) {
      const file = resolveStatePath(shared, name);
      if (isOld(name) && !needed.has(file)) await this.files.remove(file);
    }
    await this.files.removeUnfinished(shared, isOld);
  }

  /** False only if its metadata is whole and of another run. */
  private async mayBeOfRun(directory: string, run: string): Promise<boolean> {
    const path = `${directory}/${METADATA_FILE}`;
    const bytes = await this.files.read(path);
    if (bytes === undefined) return true;
    try {
      return decodeMetadata(bytes, path, undefined).run === run;
    } catch (error) {
      if (error instanceof MillstreamError) return true;
      throw error;
    }
  }

  private async neededFiles(record: JobRecord): Promise<Set<string>> {
    const needed = new Set<string>();
    for (const checkpoint of record.checkpoints) {
      const directory = resolveStatePath(this.directory, checkpoint.path);
      // It is whole by itself, and its owner may have removed it.
      if (checkpoint.kind === 'savepoint') continue;
      for (const file of await this.filesOfCheckpoint(directory)) needed.add(file);
    }
    return needed;
  }

  private async filesOfCheckpoint(directory: string): Promise<ReadonlySet<string>> {
    let files = this.known.get(directory);
    if (files === undefined) {
      const path = `${directory}/${METADATA_FILE}`;
      const bytes = await this.files.read(path);
      if (bytes === undefined) {
        throw checkpointCorruptError({ path, expected: 'the metadata of a checkpoint', actual: 'no such file', previous: undefined });
      }
      const metadata = decodeMetadata(bytes, path, undefined);
      files = new Set([...filesOf(metadata)].map((file) => resolveStatePath(directory, file)));
      this.known.set(directory, files);
    }
    return files;
  }

  private owns(path: string): boolean {
    return path.startsWith(`${this.directory}/`);
  }

  private async removeCheckpointDirectory(directory: string): Promise<void> {
    await this.files.remove(`${directory}/${METADATA_FILE}`);
    await this.files.removeDirectory(directory);
  }
}
