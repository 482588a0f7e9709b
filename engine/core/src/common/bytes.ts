/**
 * Growable little-endian byte buffers: the one reader and writer that codecs, state snapshots and frames share.
 * Invariants: 1. a writer's bytes are valid up to `length`; 2. a reader never reads past `end`: it throws `CORRUPT_DATA`.
 */
import { MillstreamError } from './errors.js';
import { allocateRawBuffer, type RawBuffer, rawBufferOver } from './raw-buffer.js';

/** Writes numbers, strings and bytes one after another; grows by doubling. */
export class ByteWriter {
  buffer: RawBuffer;
  length = 0;
  /** The same memory as `buffer`; for generated code, after `reserve`. */
  view: DataView;

  constructor(capacity = 256) {
    this.buffer = allocateRawBuffer(capacity);
    this.view = new DataView(this.buffer.buffer, this.buffer.byteOffset, this.buffer.byteLength);
  }

  /** Writes from now on into this buffer, from its start; if it gets too small, the writer goes on in memory of its own. */
  attach(buffer: RawBuffer): void {
    this.buffer = buffer;
    this.view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    this.length = 0;
  }

  /** Makes room for `count` more bytes. Called by every write; call it yourself before writing into `buffer` directly. */
  reserve(count: number): void {
    if (this.length + count > this.buffer.length) this.grow(count);
  }

  private grow(count: number): void {
    let capacity = this.buffer.length * 2;
    while (capacity < this.length + count) capacity *= 2;
    const next = allocateRawBuffer(capacity);
    this.buffer.copy(next, 0, 0, this.length);
    this.buffer = next;
    this.view = new DataView(next.buffer, next.byteOffset, next.byteLength);
  }

  u8(value: number): void {
    this.reserve(1);
    this.buffer[this.length++] = value;
  }

  u16(value: number): void {
    this.reserve(2);
    this.view.setUint16(this.length, value, true);
    this.length += 2;
  }

  i32(value: number): void {
    this.reserve(4);
    this.view.setInt32(this.length, value, true);
    this.length += 4;
  }

  u32(value: number): void {
    this.reserve(4);
    this.view.setUint32(this.length, value, true);
    this.length += 4;
  }

  f64(value: number): void {
    this.reserve(8);
    this.view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  /** An unsigned integer up to 2^53 - 1, 7 bits a byte, lowest first (LEB128). */
  varint(value: number): void {
    this.reserve(8);
    const buffer = this.buffer;
    let at = this.length;
    let rest = value;
    while (rest >= 0x80) {
      buffer[at++] = (rest % 0x80) | 0x80;
      rest = rest < 0x8000_0000 ? rest >>> 7 : Math.floor(rest / 0x80);
    }
    buffer[at++] = rest;
    this.length = at;
  }

  bytes(value: Uint8Array): void {
    this.reserve(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
  }

  /** A string of any UTF-16 content, lone surrogates included: length, encoding flag, bytes. */
  string(value: string): void {
    const count = value.length;
    this.reserve(count * 3 + 9);
    const written = this.buffer.utf8Write(value, this.length + 9);
    if (written === count) {
      this.header(count * 2, written);
    } else {
      // utf8Write stops or replaces where it cannot encode; UTF-16 keeps every code unit.
      this.reserve(count * 2 + 9);
      const bytes = this.buffer.ucs2Write(value, this.length + 9);
      this.header(count * 2 + 1, bytes);
    }
  }

  private header(tag: number, byteCount: number): void {
    const start = this.length;
    this.varint(tag);
    this.buffer.copyWithin(this.length, start + 9, start + 9 + byteCount);
    this.length += byteCount;
  }

  /** The bytes written so far; a view, valid until the next write or `reset`. */
  view8(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  /** The bytes written so far as a copy of exactly that size. */
  toBytes(): Uint8Array<ArrayBuffer> {
    const copy = new Uint8Array(this.length);
    copy.set(this.buffer.subarray(0, this.length));
    return copy;
  }

  reset(): void {
    this.length = 0;
  }
}

/** Reads what a {@link ByteWriter} wrote; throws `CORRUPT_DATA` at the end of its bytes. */
export class ByteReader {
  readonly buffer: RawBuffer;
  at: number;
  /** May be moved within the source, so that one reader serves many pieces of the same memory. */
  end: number;
  private readonly view: DataView;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.buffer = rawBufferOver(bytes);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = start;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  private take(count: number): number {
    const at = this.at;
    if (count < 0 || at + count > this.end) {
      throw new MillstreamError('CORRUPT_DATA', `Cannot read ${count} bytes at offset ${at} of ${this.end}: the data is cut or damaged.`);
    }
    this.at = at + count;
    return at;
  }

  u8(): number {
    return this.buffer[this.take(1)] as number;
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  i32(): number {
    return this.view.getInt32(this.take(4), true);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  f64(): number {
    return this.view.getFloat64(this.take(8), true);
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw new MillstreamError('CORRUPT_DATA', `Cannot read an integer at offset ${this.at}: it has more than 8 bytes.`);
  }

  /** The next `count` bytes; a view of the source. */
  bytes(count: number): Buffer {
    const at = this.take(count);
    return this.buffer.subarray(at, at + count);
  }

  string(): string {
    const tag = this.varint();
    const wide = tag % 2 === 1;
    const count = (tag - (tag % 2)) / 2;
    const size = wide ? count * 2 : count;
    const at = this.take(size);
    return wide ? this.buffer.ucs2Slice(at, at + size) : this.buffer.latin1Slice(at, at + size);
  }
}
