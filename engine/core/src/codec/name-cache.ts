/**
 * Field names repeat: this finds the string of a name by its bytes, so that reading an object makes no strings, and so that its
 * properties are stored under interned names. A table of fixed size; a collision replaces.
 */
import type { ByteReader } from '../common/bytes.js';

const SLOTS = 1024;
const LENGTH_MAX = 32;

/** Reads strings in the form of `ByteWriter.string`. */
export class NameCache {
  private readonly table: string[] = new Array<string>(SLOTS).fill('');

  read(input: ByteReader): string {
    const start = input.at;
    const tag = input.varint();
    const length = tag >>> 1;
    if ((tag & 1) !== 0 || tag > LENGTH_MAX * 2 || length > input.remaining) {
      input.at = start;
      return input.string();
    }
    const buffer = input.buffer;
    const at = input.at;
    let hash = length;
    for (let i = 0; i < length; i++) hash = (Math.imul(hash, 31) + (buffer[at + i] as number)) | 0;
    const slot = hash & (SLOTS - 1);
    const known = this.table[slot] as string;
    if (known.length === length && sameBytes(known, buffer, at)) {
      input.at = at + length;
      return known;
    }
    input.at = start;
    // A property's name is interned by the engine: take that copy.
    const name = Object.keys({ [input.string()]: 0 })[0] as string;
    this.table[slot] = name;
    return name;
  }
}

function sameBytes(name: string, buffer: Uint8Array, at: number): boolean {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) !== buffer[at + i]) return false;
  return true;
}
