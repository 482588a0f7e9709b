/**
 * Gathers the messages of one turn of the event loop and writes them together. A message is copied once, behind its length, into a
 * slab that comes back when the socket has taken it: memory that is made anew for what is written makes V8 collect its whole heap
 * again and again, in all its threads (decision 19).
 *
 *     pool ─▶ slab │ written │ being written │ filled │ free │ ─▶ pool, when all of it is written
 *
 * Invariant: a writer with nothing on its way holds no slab.
 */
import { FRAME_HEADER_BYTES } from './frame.js';

const SLAB_BYTES = 256 * 1024;
/** Of unused ones, of all connections of this thread. */
const POOL_SLABS_MAX = 16;

const pool: Buffer[] = [];

class Slab {
  readonly memory: Buffer = pool.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
  /** Writes that the socket has not taken yet. */
  writes = 0;
  /** What was handed to the socket, and what was filled. */
  start = 0;
  end = 0;
}

/**
 * Node copies a part of a buffer with one call of memmove, a whole one as V8's `set` does, which takes fifteen times as long where the
 * memory is shared: so a message is copied as a part of the memory that it lies in.
 */
function copyBytes(message: Uint8Array, target: Buffer, at: number): void {
  const { buffer, byteOffset, length } = message;
  Buffer.from(buffer as ArrayBuffer).copy(target, at, byteOffset, byteOffset + length);
}

export class FrameWriter {
  private readonly write: (bytes: Buffer, written: () => void) => void;
  private slab: Slab | undefined;
  private flushScheduled = false;
  private readonly flushNow = (): void => {
    this.flushScheduled = false;
    this.flush();
  };

  /** `write` has the bytes until it calls `written`. */
  constructor(write: (bytes: Buffer, written: () => void) => void) {
    this.write = write;
  }

  /** Bytes that wait for the end of the turn. */
  get pendingBytes(): number {
    return this.slab === undefined ? 0 : this.slab.end - this.slab.start;
  }

  send(message: Uint8Array): void {
    const size = FRAME_HEADER_BYTES + message.length;
    if (size > SLAB_BYTES) {
      this.flush();
      const own = Buffer.allocUnsafeSlow(size);
      own.writeUInt32LE(message.length, 0);
      copyBytes(message, own, FRAME_HEADER_BYTES);
      this.write(own, () => undefined);
      return;
    }
    const slab = this.reserve(size);
    slab.memory.writeUInt32LE(message.length, slab.end);
    copyBytes(message, slab.memory, slab.end + FRAME_HEADER_BYTES);
    slab.end += size;
  }

  /** A length without a message. */
  sendMark(mark: number): void {
    const slab = this.reserve(FRAME_HEADER_BYTES);
    slab.memory.writeUInt32LE(mark, slab.end);
    slab.end += FRAME_HEADER_BYTES;
  }

  flush(): void {
    const { slab } = this;
    if (slab === undefined || slab.end === slab.start) return;
    const bytes = slab.memory.subarray(slab.start, slab.end);
    slab.start = slab.end;
    slab.writes++;
    this.write(bytes, () => this.written(slab));
  }

  private written(slab: Slab): void {
    slab.writes--;
    if (slab.writes > 0 || slab.start < slab.end) return;
    if (this.slab === slab) this.slab = undefined;
    if (pool.length < POOL_SLABS_MAX) pool.push(slab.memory);
  }

  private reserve(size: number): Slab {
    if (this.slab !== undefined && SLAB_BYTES - this.slab.end < size) {
      this.flush();
      this.slab = undefined;
    }
    if (!this.flushScheduled) {
      this.flushScheduled = true;
      queueMicrotask(this.flushNow);
    }
    this.slab ??= new Slab();
    return this.slab;
  }
}
