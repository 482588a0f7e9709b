/**
 * Messages on a byte stream: each has its length before it, 4 bytes, little-endian; the length `GOODBYE` says that the sender closes
 * in good order, and nothing follows it.
 *
 * Invariants of the parser: 1. however the bytes are cut into chunks, the same messages come out; 2. a message that lies within one
 * chunk is handed on without a copy, any other is put together once, in memory that is used again; 3. a length above the limit is
 * noticed before memory is taken for it.
 */

export const FRAME_HEADER_BYTES = 4;
export const GOODBYE = 0xffff_ffff;

/** Memory for messages that were cut is kept up to this size; a longer one gets its own. */
const KEPT_BYTES_MAX = 256 * 1024;

/** One message with its length before it. */
export function framed(message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + message.length);
  bytes.writeUInt32LE(message.length, 0);
  bytes.set(message, FRAME_HEADER_BYTES);
  return bytes;
}

/** Hears the messages in order. `parser.stop()` may be called from within. */
export interface FrameListener {
  /** The bytes are valid until this returns. */
  onFrame(frame: Buffer): void;
  onGoodbye(): void;
  /** Nothing is parsed after that. `header`: the four bytes. */
  onTooLarge(length: number, header: Buffer): void;
}

/** Makes messages of chunks. */
export class FrameParser {
  /** Largest message; raised when the other end has proven who it is. */
  frameBytesMax: number;
  private readonly listener: FrameListener;
  private readonly header = Buffer.alloc(FRAME_HEADER_BYTES);
  private headerBytes = 0;
  /** A message that began in an earlier chunk. */
  private frame: Buffer | undefined;
  private frameBytes = 0;
  private kept: Buffer = Buffer.alloc(0);
  private stopped = false;
  /** After a goodbye or a length above the limit. */
  private ended = false;

  constructor(listener: FrameListener, frameBytesMax: number) {
    this.listener = listener;
    this.frameBytesMax = frameBytesMax;
  }

  /** Whether the bytes so far end within a message. */
  get isWithinFrame(): boolean {
    return this.headerBytes > 0 || this.frame !== undefined;
  }

  /** From within a message: parses nothing more of this chunk. */
  stop(): void {
    this.stopped = true;
  }

  /** Parses a chunk up to its end or until stopped, and returns how many bytes were parsed: the rest is the caller's. */
  push(chunk: Buffer): number {
    if (this.ended) return chunk.length;
    let at = 0;
    this.stopped = false;
    while (at < chunk.length && !this.stopped) {
      at = this.frame === undefined ? this.startFrame(chunk, at) : this.continueFrame(this.frame, chunk, at);
    }
    return at;
  }

  private startFrame(chunk: Buffer, start: number): number {
    let at = start;
    let length: number;
    if (this.headerBytes === 0 && chunk.length - at >= FRAME_HEADER_BYTES) {
      length = chunk.readUInt32LE(at);
      if (length > this.frameBytesMax) chunk.copy(this.header, 0, at);
      at += FRAME_HEADER_BYTES;
    } else {
      const copied = chunk.copy(this.header, this.headerBytes, at, at + FRAME_HEADER_BYTES - this.headerBytes);
      this.headerBytes += copied;
      at += copied;
      if (this.headerBytes < FRAME_HEADER_BYTES) return at;
      this.headerBytes = 0;
      length = this.header.readUInt32LE(0);
    }
    if (length === GOODBYE) {
      this.stopped = this.ended = true;
      this.listener.onGoodbye();
    } else if (length > this.frameBytesMax) {
      this.stopped = this.ended = true;
      this.listener.onTooLarge(length, this.header);
    } else if (chunk.length - at >= length) {
      this.listener.onFrame(chunk.subarray(at, at + length));
      at += length;
    } else {
      this.frame = this.memoryFor(length);
      this.frameBytes = 0;
    }
    return at;
  }

  private memoryFor(length: number): Buffer {
    // Pages of it are taken from the system only as bytes arrive.
    if (length > KEPT_BYTES_MAX) return Buffer.allocUnsafeSlow(length);
    if (this.kept.length < length) this.kept = Buffer.allocUnsafeSlow(Math.max(length, Math.min(2 * this.kept.length, KEPT_BYTES_MAX)));
    return this.kept.subarray(0, length);
  }

  private continueFrame(frame: Buffer, chunk: Buffer, start: number): number {
    const copied = chunk.copy(frame, this.frameBytes, start);
    this.frameBytes += copied;
    if (this.frameBytes === frame.length) {
      this.frame = undefined;
      this.listener.onFrame(frame);
    }
    return start + copied;
  }
}
