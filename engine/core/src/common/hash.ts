/**
 * Hashes of keys: they decide the key group of a key, so they are a format on disk (golden vectors: test/compatibility/key-hash.json).
 *
 *  - A number that is an int32 (also -0, as 0): fmix32, murmur3's finaliser.
 *  - Everything else: murmur3 x86 32, seed 0, over these bytes (all integers little endian, every tag four bytes):
 *      other number   [1] the 8 bytes of the double; NaN is 0x7ff8000000000000
 *      string         [2] its UTF-16 code units, 2 bytes each
 *      bigint         [3] [0 or, if negative, 1] its magnitude in as few 4-byte words as hold it (0n: none)
 *      boolean        [4] [0 or 1]
 *      tuple          [5] [its length] the hash of each element, 4 bytes each
 *
 * Invariants: 1. keys that `sameKey` calls equal hash equally; 2. a hash never changes between releases.
 */
import { MillstreamError } from './errors.js';
import type { Key, PrimitiveKey } from './key.js';

const TAG_DOUBLE = 1;
const TAG_STRING = 2;
const TAG_BIGINT = 3;
const TAG_BOOLEAN = 4;
const TAG_TUPLE = 5;

const CANONICAL_NAN_HIGH_WORD = 0x7ff80000;
const WORD_BITS = 32n;

const doubleView = new DataView(new ArrayBuffer(8));

function fmix32(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** The part of murmur3 that is applied to each block before it is joined with the hash; the tail gets no more than this. */
function scramble(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

function addBlock(hash: number, block: number): number {
  const h = hash ^ scramble(block);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number, byteCount: number): number {
  return fmix32(hash ^ byteCount);
}

function hashString(key: string): number {
  const length = key.length;
  let h = addBlock(0, TAG_STRING);
  let i = 0;
  for (; i + 1 < length; i += 2) h = addBlock(h, key.charCodeAt(i) | (key.charCodeAt(i + 1) << 16));
  if (i < length) h ^= scramble(key.charCodeAt(i));
  return finish(h, 4 + 2 * length);
}

function hashDouble(key: number): number {
  let low = 0;
  let high = CANONICAL_NAN_HIGH_WORD;
  if (!Number.isNaN(key)) {
    doubleView.setFloat64(0, key, true);
    low = doubleView.getInt32(0, true);
    high = doubleView.getInt32(4, true);
  }
  return finish(addBlock(addBlock(addBlock(0, TAG_DOUBLE), low), high), 12);
}

function hashBigint(key: bigint): number {
  let h = addBlock(addBlock(0, TAG_BIGINT), key < 0n ? 1 : 0);
  let byteCount = 8;
  for (let rest = key < 0n ? -key : key; rest > 0n; rest >>= WORD_BITS) {
    h = addBlock(h, Number(BigInt.asIntN(32, rest)));
    byteCount += 4;
  }
  return finish(h, byteCount);
}

function hashTuple(key: readonly PrimitiveKey[]): number {
  const length = key.length;
  let h = addBlock(addBlock(0, TAG_TUPLE), length);
  for (let i = 0; i < length; i++) {
    const element: unknown = key[i];
    if (typeof element === 'object') throw unsupportedKey(element, i);
    h = addBlock(h, hashKey(element as PrimitiveKey));
  }
  return finish(h, 8 + 4 * length);
}

function typeOfKey(key: unknown): string {
  if (key === null || typeof key !== 'object') return key === null ? 'null' : typeof key;
  if (Array.isArray(key)) return 'array';
  const name: unknown = key.constructor?.name;
  return typeof name === 'string' && name !== '' && name !== 'Object' ? name : 'object';
}

function unsupportedKey(key: unknown, tupleIndex = -1): MillstreamError {
  const type = typeOfKey(key);
  const subject =
    tupleIndex < 0
      ? `Cannot use a value of type ${type} as a key`
      : `Cannot use a tuple as a key: its element ${tupleIndex} is of type ${type}`;
  const hint = type === 'Date' ? ' For a Date, use its getTime().' : '';
  return new MillstreamError(
    'UNSUPPORTED_KEY',
    `${subject}. A key is a boolean, number, string, bigint, or an array of these: return one from the key selector.${hint}`,
    { details: { type } },
  );
}

function hashOther(key: Key): number {
  switch (typeof key) {
    case 'string':
      return hashString(key);
    case 'number':
      return hashDouble(key);
    case 'boolean':
      return finish(addBlock(addBlock(0, TAG_BOOLEAN), key ? 1 : 0), 8);
    case 'bigint':
      return hashBigint(key);
    default:
      if (Array.isArray(key)) return hashTuple(key);
      throw unsupportedKey(key);
  }
}

/** The hash of a key, an int32. Throws `UNSUPPORTED_KEY`. */
export function hashKey(key: Key): number {
  // -0 | 0 is 0 and equal to -0: both take this path, and the xor inside makes them the same.
  return typeof key === 'number' && (key | 0) === key ? fmix32(key) : hashOther(key);
}

/** The key group of a key, in [0, maxParallelism). Throws `UNSUPPORTED_KEY`. */
export function keyGroupOf(key: Key, maxParallelism: number): number {
  return (hashKey(key) & 0x7fffffff) % maxParallelism;
}

function samePrimitive(left: unknown, right: unknown): boolean {
  return left === right || (Number.isNaN(left) && Number.isNaN(right));
}

/** Whether two keys are the same key: -0 equals 0, NaN equals NaN, 1 differs from '1' and 1n, tuples are equal by their elements. */
export function sameKey(left: Key, right: Key): boolean {
  if (typeof left !== 'object' || typeof right !== 'object') return samePrimitive(left, right);
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (!samePrimitive(left[i], right[i])) return false;
  return true;
}

/** Starts every string that stands for a tuple; a string key that starts so is escaped. */
const MARK = '\u0000';

function tupleElement(element: unknown, index: number): string {
  switch (typeof element) {
    case 'number':
      return `n${element};`;
    case 'string':
      return `s${element.length}:${element}`;
    case 'boolean':
      return element ? 't' : 'f';
    case 'bigint':
      return `i${element};`;
    default:
      throw unsupportedKey(element, index);
  }
}

/**
 * A value that stands for the key in a JavaScript `Map`: two keys give equal ones exactly if `sameKey` holds. Primitives stand for
 * themselves (-0 for 0), tuples are written out as a string that no other key gives. Throws `UNSUPPORTED_KEY`.
 */
export function mapKeyOf(key: Key): PrimitiveKey {
  switch (typeof key) {
    case 'number':
      return key === 0 ? 0 : key;
    case 'string':
      return key.charCodeAt(0) === 0 ? `${MARK}s${key}` : key;
    case 'boolean':
    case 'bigint':
      return key;
    default: {
      if (!Array.isArray(key)) throw unsupportedKey(key);
      let text = `${MARK}t`;
      for (let i = 0; i < key.length; i++) text += tupleElement(key[i], i);
      return text;
    }
  }
}
