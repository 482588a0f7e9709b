/**
 * Writes the parts of one subtask. Records are encoded into a buffer; full buffers go to the disk behind. See file-sink.ts.
 *
 *     write ─▶ buffer ─256 KiB─▶ part (DurableFile) ─barrier, size─▶ closing ─durable─▶ committable
 */
import { ByteWriter } from '../common/bytes.js';
import type { Disk } from '../common/disk.js';
import { diskErrorCode, diskFullError, isDiskFull } from '../common/disk-error.js';
import { normalizeDirectory } from '../common/disk-path.js';
import { DurableFile, makeDurableDirectory } from '../common/durable-file.js';
import { MillstreamError } from '../common/errors.js';
import { type FileCommittable, PENDING_SUFFIX } from './file-sink-committer.js';
import type { RowEncoder } from './file-sink-encoders.js';
import type { SinkWriter, SinkWriterContext } from './sink.js';

/** Bytes handed to the disk at once. */
const CHUNK_BYTES = 256 * 1024;
/** Less than this is copied, so that small parts do not take a buffer each. */
const COPIED_BYTES_MAX = CHUNK_BYTES / 4;
/** Above this much that the disk has not taken, `ready` asks to wait. */
const PENDING_BYTES_MAX = 8 * 1024 * 1024;

export interface FileSinkWriterOptions<T> {
  readonly directory: string;
  readonly partPrefix: string;
  readonly encoder: RowEncoder<T>;
  readonly maxPartBytes: number;
}

interface Part {
  readonly name: string;
  readonly file: DurableFile;
}

interface ClosingPart extends Part {
  /** Never left without a handler: a failure is kept until it is asked for. */
  readonly committable: Promise<FileCommittable>;
}

export class FileSinkWriter<T> implements SinkWriter<T, FileCommittable, unknown> {
  private readonly context: SinkWriterContext;
  private readonly disk: Disk;
  private readonly directory: string;
  private readonly encoder: RowEncoder<T>;
  private readonly maxPartBytes: number;
  private readonly partPrefix: string;
  private buffer: ByteWriter = new ByteWriter(CHUNK_BYTES * 1.25);
  private counter = 0;
  private part: Part | undefined;
  /** Ended parts of the current epoch. */
  private closing: ClosingPart[] = [];
  /** Once output is lost nothing may be committed after it, whatever becomes of the failed checkpoint. */
  private failure: unknown;

  constructor(context: SinkWriterContext, options: FileSinkWriterOptions<T>) {
    this.context = context;
    this.disk = context.disk;
    // Absolute: a committable outlives the process and its working directory.
    this.directory = normalizeDirectory(options.directory);
    this.encoder = options.encoder;
    this.maxPartBytes = options.maxPartBytes;
    this.partPrefix = options.partPrefix;
  }

  async open(): Promise<void> {
    await this.makeDirectory();
    const { run, attempt, subtaskIndex, parallelism } = this.context;
    const alive = new Set<string>();
    for (const part of this.context.restoredCommittables as readonly FileCommittable[]) {
      if (part.directory === this.directory) alive.add(part.name + PENDING_SUFFIX);
    }
    const prefix = `${this.partPrefix}-${run}-`;
    const suffix = `.${this.encoder.extension}${PENDING_SUFFIX}`;
    for (const name of await this.disk.list(this.directory)) {
      if (!name.startsWith(prefix) || !name.endsWith(suffix) || alive.has(name)) continue;
      const numbers = /^(\d+)-(\d+)-(\d+)$/.exec(name.slice(prefix.length, -suffix.length));
      if (numbers === null || Number(numbers[1]) >= attempt) continue;
      // Subtasks share the work; old ones may be more than there are now.
      if (Number(numbers[2]) % parallelism === subtaskIndex) await this.unlink(name);
    }
  }

  private async makeDirectory(): Promise<void> {
    try {
      await makeDurableDirectory(this.disk, this.directory);
    } catch (cause) {
      if (isDiskFull(cause)) throw diskFullError('make the directory', this.directory, cause);
      throw new MillstreamError(
        'SINK_WRITE_FAILED',
        `Cannot write results to '${this.directory}': ${(cause as Error).message}. Check that the directory is there or can be made, and is writable.`,
        { cause, retryable: true, details: { path: this.directory } },
      );
    }
  }

  write(value: T): void {
    const { buffer, encoder } = this;
    const start = buffer.length;
    try {
      if (start === 0 && this.part === undefined) encoder.header?.(buffer);
      encoder.encode(value, buffer);
    } catch (error) {
      // The record may be skipped by option: no half of it may stay.
      buffer.length = start;
      throw error;
    }
    if (buffer.length >= CHUNK_BYTES) this.flush();
    else if (buffer.length + (this.part?.file.length ?? 0) >= this.maxPartBytes) this.flush();
  }

  /** Hands the buffer to the part, and ends the part if it is large enough. */
  private flush(): void {
    this.part ??= this.openPart();
    const { file } = this.part;
    this.failure ??= file.failure === undefined ? undefined : this.writeError(file);
    if (this.failure !== undefined) throw this.failure;
    this.handOver(file);
    if (file.length >= this.maxPartBytes) this.endPart();
  }

  /** The file owns what it gets: a buffer that is well filled, or a copy of what a barrier found in one that is not. */
  private handOver(file: DurableFile): void {
    if (this.buffer.length < COPIED_BYTES_MAX) {
      file.write(this.buffer.toBytes());
      this.buffer.reset();
      return;
    }
    file.write(this.buffer.view8());
    this.buffer = new ByteWriter(CHUNK_BYTES * 1.25);
  }

  private openPart(): Part {
    const { run, attempt, subtaskIndex } = this.context;
    const name = `${this.partPrefix}-${run}-${attempt}-${subtaskIndex}-${this.counter++}.${this.encoder.extension}`;
    return { name, file: new DurableFile(this.disk, `${this.directory}/${name}${PENDING_SUFFIX}`, 'write the part') };
  }

  private endPart(): void {
    const { part } = this;
    if (part === undefined) return;
    const committable = this.finishPart(part);
    void committable.catch(() => {});
    this.closing.push({ ...part, committable });
    this.part = undefined;
  }

  private async finishPart({ name, file }: Part): Promise<FileCommittable> {
    try {
      return { directory: this.directory, name, ...(await file.finish()) };
    } catch {
      this.failure ??= this.writeError(file);
      throw this.failure;
    }
  }

  private writeError(file: DurableFile): unknown {
    const cause = file.failure;
    if (cause instanceof MillstreamError) return cause;
    const advice =
      diskErrorCode(cause) === 'EEXIST'
        ? 'the file exists already. Two sinks write to one directory: give each its own directory or partPrefix.'
        : `${(cause as Error).message}. Check that the directory is there and writable.`;
    return new MillstreamError('SINK_WRITE_FAILED', `Cannot write the part '${file.path}': ${advice}`, {
      cause,
      retryable: true,
      details: { path: file.path },
    });
  }

  private directoryError(cause: unknown): MillstreamError {
    const found = (cause as Error).message;
    return new MillstreamError(
      'SINK_WRITE_FAILED',
      `Cannot make the parts in '${this.directory}' durable: ${found}. Check that the directory is there and its disk is healthy.`,
      { cause, retryable: true, details: { path: this.directory } },
    );
  }

  private waitingFiles(): DurableFile[] {
    const files = this.closing.map((part) => part.file);
    if (this.part !== undefined) files.push(this.part.file);
    return files;
  }

  ready(): Promise<void> | undefined {
    if (this.part === undefined && this.closing.length === 0) return undefined;
    const files = this.waitingFiles();
    let pendingBytes = 0;
    for (const file of files) pendingBytes += file.pendingBytes;
    return pendingBytes > PENDING_BYTES_MAX ? this.drain(files) : undefined;
  }

  private async drain(files: readonly DurableFile[]): Promise<void> {
    for (const file of files) {
      await file.drained();
      if (file.failure !== undefined) throw this.writeError(file);
    }
  }

  async prepareCommit(): Promise<readonly FileCommittable[]> {
    if (this.failure !== undefined) throw this.failure;
    // Up to the first await this is part of the barrier: what is written later goes to a new part.
    if (this.buffer.length > 0) this.flush();
    this.endPart();
    const ended = this.closing;
    this.closing = [];
    if (ended.length === 0) return [];
    const committables = await Promise.all(ended.map((part) => part.committable));
    try {
      await this.disk.syncDirectory(this.directory);
    } catch (cause) {
      this.failure ??= this.directoryError(cause);
      throw this.failure;
    }
    return committables;
  }

  /** Removes parts that no checkpoint can name; handed out committables stay. */
  async close(): Promise<void> {
    const ended = this.closing;
    this.closing = [];
    await this.part?.file.abort();
    this.part = undefined;
    this.buffer.reset();
    for (const part of ended) {
      const finished = await part.committable.catch(() => undefined);
      if (finished !== undefined) await this.unlink(finished.name + PENDING_SUFFIX);
    }
  }

  private async unlink(name: string): Promise<void> {
    try {
      await this.disk.unlink(`${this.directory}/${name}`);
    } catch (error) {
      if (diskErrorCode(error) !== 'ENOENT') throw error;
    }
  }
}
