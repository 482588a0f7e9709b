/** Methods of Node's Buffer that its type declarations leave out: one encoding each, without the dispatch of `write` and `toString`. */
export interface RawBuffer extends Buffer {
  utf8Write(value: string, offset?: number, length?: number): number;
  ucs2Write(value: string, offset?: number, length?: number): number;
  utf8Slice(start?: number, end?: number): string;
  latin1Slice(start?: number, end?: number): string;
  ucs2Slice(start?: number, end?: number): string;
}

/** A buffer over existing memory (shared memory too), without a copy. */
export function rawBufferOver(bytes: Uint8Array): RawBuffer {
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength) as RawBuffer;
}

/** A new buffer of its own memory, not zeroed. */
export function allocateRawBuffer(size: number): RawBuffer {
  return Buffer.allocUnsafeSlow(size) as RawBuffer;
}
