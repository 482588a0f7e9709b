/**
 * Frames of one channel that wait for room in a ring, in order, in chunks of memory that all channels of a process share.
 *
 *     chunk                          chunk
 *     ┌──────────┬─────────────┬───┐ ┌────────┬──────┬─────────┐     frame: kind i32, length i32, payload, padded to 8
 *     │ frame    │ frame       │ fr│ │ame     │ frame│         │     headers never cross chunks, payloads may
 *     └──────────┴─────────────┴───┘ └────────┴──────┴─────────┘
 *       ▲ readAt                                     ▲ writeAt
 */
import { allocateRawBuffer, type RawBuffer } from '../common/raw-buffer.js';
import { frameCost } from './exchange-frames.js';
import { type RingWriter, SLOT_HEADER_BYTES } from './ring.js';

const CHUNK_BYTES = 64 * 1024;
/** Of unused chunks. */
const POOL_CHUNKS_MAX = 64;

/** Memory for queues; keeps a little of what is given back. */
export class ChunkPool {
  private readonly chunks: RawBuffer[] = [];

  take(): RawBuffer {
    return this.chunks.pop() ?? allocateRawBuffer(CHUNK_BYTES);
  }

  give(chunk: RawBuffer): void {
    if (this.chunks.length < POOL_CHUNKS_MAX) this.chunks.push(chunk);
  }
}

export class FrameQueue {
  private readonly pool: ChunkPool;
  private readonly chunks: RawBuffer[] = [];
  private readAt = 0;
  /** In the last chunk. */
  private writeAt = CHUNK_BYTES;
  /** The sum of the costs of all frames. */
  bytes = 0;

  constructor(pool: ChunkPool) {
    this.pool = pool;
  }

  push(kind: number, source: RawBuffer, start: number, length: number): void {
    const chunk = this.writable();
    chunk.writeInt32LE(kind, this.writeAt);
    chunk.writeInt32LE(length, this.writeAt + 4);
    this.writeAt += SLOT_HEADER_BYTES;
    const cost = frameCost(length);
    for (let copied = 0, rest = cost - SLOT_HEADER_BYTES; rest > 0; ) {
      const target = this.writable();
      const size = Math.min(rest, CHUNK_BYTES - this.writeAt);
      // The padding has no source.
      source.copy(target, this.writeAt, start + copied, start + Math.min(copied + size, length));
      this.writeAt += size;
      copied += size;
      rest -= size;
    }
    this.bytes += cost;
  }

  /** Takes the oldest frame into the ring's next slot and publishes it. Only if there is a frame, and room. True as `publish`. */
  moveTo(ring: RingWriter): boolean {
    const chunk = this.chunks[0] as RawBuffer;
    const kind = chunk.readInt32LE(this.readAt);
    const length = chunk.readInt32LE(this.readAt + 4);
    this.skip(SLOT_HEADER_BYTES);
    const cost = frameCost(length);
    const slot = ring.next();
    for (let copied = 0, rest = cost - SLOT_HEADER_BYTES; rest > 0; ) {
      const size = Math.min(rest, CHUNK_BYTES - this.readAt);
      (this.chunks[0] as RawBuffer).copy(slot, copied, this.readAt, this.readAt + Math.min(size, length - copied));
      this.skip(size);
      copied += size;
      rest -= size;
    }
    this.bytes -= cost;
    if (this.bytes === 0) this.giveBack();
    return ring.publish(kind, length);
  }

  /** An empty queue holds no memory. */
  private giveBack(): void {
    for (const chunk of this.chunks) this.pool.give(chunk);
    this.chunks.length = 0;
    this.readAt = 0;
    this.writeAt = CHUNK_BYTES;
  }

  private writable(): RawBuffer {
    if (this.writeAt === CHUNK_BYTES) {
      this.chunks.push(this.pool.take());
      this.writeAt = 0;
    }
    return this.chunks[this.chunks.length - 1] as RawBuffer;
  }

  private skip(bytes: number): void {
    this.readAt += bytes;
    if (this.readAt < CHUNK_BYTES) return;
    this.pool.give(this.chunks.shift() as RawBuffer);
    this.readAt = 0;
  }
}
