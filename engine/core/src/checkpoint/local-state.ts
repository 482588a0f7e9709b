/**
 * Copies of a run's state files on the disk of the machine that wrote them, so that a restart there need not read the checkpoint store.
 *
 *     state file ─▶ store, and copy ─▶ restore: the copy, if it is whole, else the store ─▶ removed once no checkpoint to restore needs it
 *
 * Invariants: 1. a copy never makes a checkpoint or a restore fail: whatever is wrong with it, the store has the file; 2. a copy is used only
 * if length and checksum are those of the metadata; 3. it is not durable, and need not be.
 */
import { crc32 } from '../common/checksum.js';
import type { Disk, DiskWriter } from '../common/disk.js';
import type { StateFile } from './snapshot.js';
import { writerOfStateFile } from './state-path.js';

/** A copy that is being written. */
export interface LocalCopyWriter {
  write(chunk: Uint8Array): void;
  /** Bytes taken and not yet handed to the disk. */
  readonly pendingBytes: number;
  /** Resolves when the copy is there, or has been given up. Never rejects. */
  finish(): Promise<void>;
  abort(): Promise<void>;
}

export interface LocalStateOptions {
  readonly disk: Disk;
  /** Of this run alone. */
  readonly directory: string;
  readonly run: string;
  readonly attempt: number;
  /** The one that all of the job last started with; slots of other regions may be of any since. */
  readonly jobAttempt: number;
  /** State is copied as it is written. */
  readonly writes: boolean;
  /** Copies are read. */
  readonly reads: boolean;
}

/** The copies that one slot makes and uses. */
export class LocalStateCopies {
  private readonly options: LocalStateOptions;
  /** Of this attempt's slot, with the epoch that each was written for. */
  private readonly own = new Map<string, number>();
  /** The subtasks whose state it is. */
  private readonly subtasks = new Set<string>();

  constructor(options: LocalStateOptions) {
    this.options = options;
  }

  /** Before the first copy. */
  async prepare(): Promise<void> {
    await this.options.disk.makeDirectory(this.options.directory).catch(() => undefined);
  }

  /** Begins a copy; undefined if none are made. */
  create(name: string, epoch: number): LocalCopyWriter | undefined {
    const { disk, directory, writes } = this.options;
    if (!writes) return undefined;
    this.own.set(name, epoch);
    const writer = writerOfStateFile(name, this.options.run);
    if (writer !== undefined) this.subtasks.add(writer.subtask);
    return new CopyWriter(disk, `${directory}/${name}`);
  }

  /** The content of a file as the metadata describes it; undefined if there is no whole copy. */
  async read(file: StateFile): Promise<Uint8Array | undefined> {
    const { disk, directory, reads } = this.options;
    if (!reads) return undefined;
    const bytes = await disk.readFile(`${directory}/${nameOf(file.path)}`).catch(() => undefined);
    return bytes !== undefined && bytes.length === file.length && crc32(bytes) === file.crc32 ? bytes : undefined;
  }

  /** The checkpoint is complete: of what was written up to it only these files are needed, and nothing of what these subtasks were before. */
  async completed(epoch: number, files: readonly StateFile[]): Promise<void> {
    const { disk, directory, writes } = this.options;
    if (!writes) return;
    const needed = new Set(files.map(({ path }) => nameOf(path)));
    const names = [...this.own].filter(([name, written]) => written <= epoch && !needed.has(name)).map(([name]) => name);
    for (const name of names) this.own.delete(name);
    const all = await disk.list(directory).catch(() => []);
    for (const name of [...names, ...all.filter((each) => this.isOver(each))])
      await disk.unlink(`${directory}/${name}`).catch(() => undefined);
  }

  private isOver(name: string): boolean {
    const { run, attempt, jobAttempt } = this.options;
    const writer = writerOfStateFile(name, run);
    if (writer === undefined) return false;
    return writer.attempt < jobAttempt || (writer.attempt < attempt && this.subtasks.has(writer.subtask));
  }
}

class CopyWriter implements LocalCopyWriter {
  pendingBytes = 0;
  private readonly disk: Disk;
  private readonly path: string;
  private readonly file: Promise<DiskWriter | undefined>;
  private last: Promise<void> = Promise.resolve();
  private failed = false;

  constructor(disk: Disk, path: string) {
    this.disk = disk;
    this.path = path;
    this.file = disk.create(path, { overwrite: true }).catch(() => {
      this.failed = true;
      return undefined;
    });
  }

  write(chunk: Uint8Array): void {
    if (this.failed) return;
    // The store's writer owns the chunk itself.
    const copy = new Uint8Array(chunk);
    this.pendingBytes += copy.length;
    this.last = this.last.then(async () => {
      const file = await this.file;
      if (!this.failed) {
        await file?.write(copy).catch(() => {
          this.failed = true;
        });
      }
      this.pendingBytes -= copy.length;
    });
  }

  async finish(): Promise<void> {
    await this.last;
    await (await this.file)?.close().catch(() => undefined);
    if (this.failed) await this.remove();
  }

  async abort(): Promise<void> {
    this.failed = true;
    await this.finish();
  }

  private async remove(): Promise<void> {
    await this.disk.unlink(this.path).catch(() => undefined);
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
