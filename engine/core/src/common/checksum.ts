/** CRC-32 (zlib's), the checksum of every file that the engine reads back: it finds cut, torn and rotten files, not attackers. */
import { crc32 as zlibCrc32 } from 'node:zlib';

/** zlib takes a length of 32 bits, and does not say so. */
const PIECE_BYTES = 2 ** 30;

/** The CRC-32 of bytes, an unsigned 32-bit integer. `previous`: the checksum of what comes before them. */
export function crc32(bytes: Uint8Array, previous = 0): number {
  if (bytes.length <= PIECE_BYTES) return zlibCrc32(bytes, previous);
  let value = previous;
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) value = zlibCrc32(bytes.subarray(at, at + PIECE_BYTES), value);
  return value;
}

/** The CRC-32 of bytes that come in chunks. */
export class Crc32 {
  /** Of everything so far. */
  value = 0;
  /** Bytes so far. */
  length = 0;

  update(chunk: Uint8Array): void {
    this.value = zlibCrc32(chunk, this.value);
    this.length += chunk.length;
  }
}

/** Eight hexadecimal digits. */
export function formatCrc32(value: number): string {
  return value.toString(16).padStart(8, '0');
}
