/**
 * Gathers the messages of one turn of the event loop and writes them together. A message is copied once, behind its length; small ones
 * share a slab, which is written in pieces while later pieces are still being filled, so that few writes and little memory are needed.
 */
import { FRAME_HEADER_BYTES } from './frame.js';

const SLAB_BYTES = 64 * 1024;
/** Larger messages get memory of their own: half-empty slabs would cost more than the allocation. */
const OWN_MEMORY_BYTES = SLAB_BYTES / 4;

export class FrameWriter {
  private readonly write: (bytes: Buffer) => void;
  private slab: Buffer = Buffer.alloc(0);
  /** What was written of the slab, and what was filled. */
  private start = 0;
  private end = 0;
  private flushScheduled = false;
  private readonly flushNow = (): void => {
    this.flushScheduled = false;
    this.flush();
  };

  /** `write` may keep the bytes. */
  constructor(write: (bytes: Buffer) => void) {
    this.write = write;
  }

  /** Bytes that wait for the end of the turn. */
  get pendingBytes(): number {
    return this.end - this.start;
  }

  send(message: Uint8Array): void {
    const size = FRAME_HEADER_BYTES + message.length;
    if (size > OWN_MEMORY_BYTES) {
      this.flush();
      const own = Buffer.allocUnsafeSlow(size);
      own.writeUInt32LE(message.length, 0);
      own.set(message, FRAME_HEADER_BYTES);
      this.write(own);
      return;
    }
    this.reserve(size);
    this.slab.writeUInt32LE(message.length, this.end);
    this.slab.set(message, this.end + FRAME_HEADER_BYTES);
    this.end += size;
  }

  /** A length without a message. */
  sendMark(mark: number): void {
    this.reserve(FRAME_HEADER_BYTES);
    this.slab.writeUInt32LE(mark, this.end);
    this.end += FRAME_HEADER_BYTES;
  }

  flush(): void {
    if (this.end === this.start) return;
    const bytes = this.slab.subarray(this.start, this.end);
    this.start = this.end;
    this.write(bytes);
  }

  private reserve(size: number): void {
    if (this.slab.length - this.end < size) {
      this.flush();
      this.slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.start = 0;
      this.end = 0;
    }
    if (!this.flushScheduled) {
      this.flushScheduled = true;
      queueMicrotask(this.flushNow);
    }
  }
}
