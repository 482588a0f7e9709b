/**
 * A file's bytes from a position on, one chunk read ahead. Memory: the chunk that waits here and the one the caller works on.
 */
import type { Disk, DiskReader } from '../common/disk.js';
import { MillstreamError } from '../common/errors.js';

export interface FileRange {
  readonly path: string;
  readonly from: number;
  /** The length the file had when it was found; bytes appended since are not read. */
  readonly to: number;
}

export class FileChunks {
  readonly #disk: Disk;
  readonly #range: FileRange;
  readonly #chunkBytes: number;
  readonly #ring: () => void;
  #reader: Promise<DiskReader> | undefined;
  #position: number;
  #arrived: Uint8Array | undefined;
  #failure: unknown;
  #closed = false;

  /** `ring` is called whenever a chunk or a failure has arrived. Reading starts at once. */
  constructor(disk: Disk, range: FileRange, chunkBytes: number, ring: () => void) {
    this.#disk = disk;
    this.#range = range;
    this.#chunkBytes = chunkBytes;
    this.#ring = ring;
    this.#position = range.from;
    this.#readAhead();
  }

  /** The next chunk, if it has arrived. Throws INPUT_UNREADABLE or INPUT_CHANGED. */
  take(): Uint8Array | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    const chunk = this.#arrived;
    if (chunk !== undefined) {
      this.#arrived = undefined;
      this.#readAhead();
    }
    return chunk;
  }

  /** Everything has been taken. */
  get ended(): boolean {
    return this.#position >= this.#range.to && this.#arrived === undefined && this.#failure === undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const reader = await this.#reader?.catch(() => undefined);
    await reader?.close();
  }

  #readAhead(): void {
    if (this.#closed || this.#position >= this.#range.to) return;
    this.#reader ??= this.#disk.open(this.#range.path);
    this.#read(this.#reader).then(
      (chunk) => {
        if (this.#closed) return;
        this.#position += chunk.length;
        this.#arrived = chunk;
        this.#ring();
      },
      (error: unknown) => {
        if (this.#closed) return;
        this.#failure = error instanceof MillstreamError ? error : unreadable(this.#range.path, error);
        this.#ring();
      },
    );
  }

  async #read(opening: Promise<DiskReader>): Promise<Uint8Array> {
    const reader = await opening;
    const { path, to } = this.#range;
    const length = Math.min(this.#chunkBytes, to - this.#position);
    const chunk = await reader.read(this.#position, length);
    if (chunk.length < length) {
      throw new MillstreamError(
        'INPUT_CHANGED',
        `Cannot read "${path}" on from byte ${this.#position + chunk.length}: it had ${to} bytes when the job found it, and is shorter now. Input files must not change while a job reads them; start the job anew.`,
        { details: { path, expectedBytes: to } },
      );
    }
    return chunk;
  }
}

/** The typed form of an error of the file system. */
export function unreadable(path: string, cause: unknown): MillstreamError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new MillstreamError('INPUT_UNREADABLE', `Cannot read the input "${path}": ${reason}. Check the path and its permissions.`, {
    cause,
    retryable: true,
    details: { path },
  });
}
