/**
 * The performer of checkpoint storage: writes and reads files of state and metadata (layout: state-path.ts). What to keep and what to
 * remove: retention.ts; where a restore starts: restore-point.ts.
 *
 * Invariants: 1. a finished file is durable, content and name; 2. nothing is handed out that does not match its checksum; 3. files are
 * never overwritten.
 */
import { crc32, formatCrc32 } from '../common/checksum.js';
import { normalizeDirectory } from '../common/disk-path.js';
import type { KeyedSnapshotFile, SnapshotSink } from '../state/backend.js';
import { checkpointCorruptError } from './checkpoint-errors.js';
import type { CheckpointFiles } from './checkpoint-files.js';
import type { LocalStateCopies } from './local-state.js';
import type { CheckpointMetadata, OperatorSnapshotMetadata } from './metadata.js';
import { encodeMetadata } from './metadata-format.js';
import { decodeOperatorState, type NamedOperatorState } from './operator-state.js';
import type { KeyedStateFile, StateBytes, StateFile } from './snapshot.js';
import {
  checkpointDirectoryName,
  KEYED_PART,
  METADATA_FILE,
  resolveStatePath,
  SHARED_DIRECTORY,
  type StateFileId,
  stateFileName,
} from './state-path.js';

/** Writes one state file from synchronous code; I/O runs behind. */
export interface StateFileWriter extends SnapshotSink {
  /** Resolves when the file is durable. Throws DISK_FULL, STORAGE_…; the file is then gone. */
  finish(): Promise<StateFile>;
  /** Gives the file up and removes it. */
  abort(): Promise<void>;
  /** Bytes taken and not yet handed to the store: the caller stops for a while when there are too many. */
  readonly pendingBytes: number;
}

export class CheckpointStorage {
  /** The job's directory. */
  readonly directory: string;
  private readonly files: CheckpointFiles;
  private readonly local: LocalStateCopies | undefined;

  /** `local`: copies of state files on this machine. */
  constructor(files: CheckpointFiles, directory: string, local?: LocalStateCopies) {
    this.files = files;
    this.local = local;
    this.directory = normalizeDirectory(directory);
  }

  /** Makes the directories; once per run, before anything is written. */
  async prepare(): Promise<void> {
    await this.files.prepareDirectory(`${this.directory}/${SHARED_DIRECTORY}`);
  }

  /** Makes a new directory for a savepoint under `target` and returns its path. */
  async prepareSavepoint(target: string, run: string, suffix: string): Promise<string> {
    const directory = normalizeDirectory(`${target}/savepoint-${run}-${suffix}`);
    await this.files.prepareDirectory(directory);
    return directory;
  }

  /** Removes the directory of a savepoint that will not be complete, with what was written to it; not one that has metadata. */
  async abandonSavepoint(directory: string): Promise<void> {
    if (await this.files.exists(`${directory}/${METADATA_FILE}`)) return;
    for (const name of await this.files.list(directory)) await this.files.remove(`${directory}/${name}`);
    await this.files.removeDirectory(directory);
  }

  /** Where the checkpoint of an epoch lies. */
  checkpointPath(epoch: number): string {
    return `${this.directory}/${checkpointDirectoryName(epoch)}`;
  }

  createStateFile(id: StateFileId): StateFileWriter {
    const name = stateFileName(id);
    const directory = id.savepoint ?? `${this.directory}/${SHARED_DIRECTORY}`;
    const path = id.savepoint === undefined ? `../${SHARED_DIRECTORY}/${name}` : name;
    const file = this.files.create(`${directory}/${name}`, 'write the checkpoint file');
    // Only keyed state is read where it was written, and only checkpoints are restored after a failure.
    const isKeyed = (id.part ?? KEYED_PART) === KEYED_PART;
    const copy = id.savepoint === undefined && isKeyed ? this.local?.create(name, id.epoch) : undefined;
    return {
      get pendingBytes() {
        return file.pendingBytes + (copy?.pendingBytes ?? 0);
      },
      write: (chunk) => {
        copy?.write(chunk);
        file.write(chunk);
      },
      abort: async () => {
        await Promise.all([file.abort(), copy?.abort()]);
      },
      finish: async () => {
        const [info] = await Promise.all([file.finish(), copy?.finish()]);
        return { path, ...info };
      },
    };
  }

  /** Reads a state file and verifies it. `previous`: the checkpoint to offer if it is damaged. Throws CHECKPOINT_CORRUPT. */
  async readStateFile(file: StateFile, previous?: string): Promise<Uint8Array> {
    const copy = await this.local?.read(file);
    if (copy !== undefined) return copy;
    const path = this.resolve(file.path);
    const expected = describeFile(file.crc32, file.length);
    const bytes = await this.files.read(path);
    if (bytes === undefined) throw checkpointCorruptError({ path, expected, actual: 'no such file', previous });
    const actual = describeFile(crc32(bytes), bytes.length);
    if (actual !== expected) throw checkpointCorruptError({ path, expected, actual, previous });
    return bytes;
  }

  /** Reads a keyed chain for `KeyedStateBackend.restore`. */
  async readChain(chain: readonly KeyedStateFile[], previous?: string): Promise<KeyedSnapshotFile[]> {
    const files: KeyedSnapshotFile[] = [];
    for (const file of chain) {
      files.push({ info: file.info, bytes: await this.readStateFile(file, previous), path: this.resolve(file.path) });
    }
    return files;
  }

  /** The bytes of inline or stored state. */
  async readBytes(state: StateBytes, previous?: string): Promise<Uint8Array> {
    return 'inline' in state ? state.inline : await this.readStateFile(state.file, previous);
  }

  /** The operator state of each old subtask, for `redistribute`. */
  async loadOperatorStates(operator: OperatorSnapshotMetadata, previous?: string): Promise<NamedOperatorState[][]> {
    const states: NamedOperatorState[][] = [];
    for (const { operatorState } of operator.subtasks) {
      states.push(operatorState === undefined ? [] : decodeOperatorState(await this.readBytes(operatorState, previous)));
    }
    return states;
  }

  /** Writes `_metadata` into the checkpoint's directory, or into a savepoint's, and returns that directory. Durable when it resolves. */
  async writeMetadata(metadata: CheckpointMetadata, savepoint?: string): Promise<string> {
    const directory = savepoint ?? this.checkpointPath(metadata.epoch);
    if (savepoint === undefined) await this.files.makeDirectory(directory);
    const file = this.files.create(`${directory}/${METADATA_FILE}`, 'write the checkpoint metadata');
    file.write(encodeMetadata(metadata));
    await file.finish();
    return directory;
  }

  /** Paths that are not absolute are of this job's checkpoints, which all lie side by side. */
  private resolve(path: string): string {
    return resolveStatePath(this.checkpointPath(0), path);
  }
}

function describeFile(checksum: number, length: number): string {
  return `${formatCrc32(checksum)} over ${length} bytes`;
}
