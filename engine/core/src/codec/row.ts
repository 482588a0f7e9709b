/**
 * The self-describing codec of single values: a tag, then the content. It takes everything that the record model allows
 * (`value-check.ts`) and gives back an equal value: -0, NaN, undefined, lone surrogates, invalid dates and null prototypes included.
 *
 *   value   = tag …            tags 0x80..0xff are the integers 0..127 themselves
 *   INT     = zigzag varint    DOUBLE = f64      STRING = varint (2 × bytes + 1 if UTF-16), bytes
 *   BIGINT  = varint (2 × bytes + 1 if negative), magnitude, lowest byte first
 *   ARRAY   = varint count, values               OBJECT, NULL_OBJECT = varint count, (name, value) …
 *   MAP     = varint count, (key, value) …       SET = varint count, values
 *   CLASS   = name, the plain value of its codec
 *
 * Invariants: 1. reading never takes more memory than the bytes at hand justify and never recurses beyond the depth limit: damaged
 * bytes give `CORRUPT_DATA` or some value; 2. what is read never refers to the source's memory. Where a stream of values starts, its
 * owner writes `ROW_FORMAT_VERSION`.
 */
import type { ByteReader, ByteWriter } from '../common/bytes.js';
import { MillstreamError } from '../common/errors.js';
import type { ClassRegistry } from './class-registry.js';
import { NameCache } from './name-cache.js';
import { checkValue, VALUE_DEPTH_MAX } from './value-check.js';

/** The version of this format, for the head of files and frames that hold rows. */
export const ROW_FORMAT_VERSION = 1;

const NULL = 0;
const UNDEFINED = 1;
const FALSE = 2;
const TRUE = 3;
const INT = 4;
const DOUBLE = 5;
const STRING = 6;
const BIGINT = 7;
const DATE = 8;
const BYTES = 9;
const BUFFER = 10;
const ARRAY = 11;
const OBJECT = 12;
const NULL_OBJECT = 13;
const MAP = 14;
const SET = 15;
const CLASS = 16;
const SMALL_INT = 0x80;

/** The engine's limit of a bigint is 2^30 bits. */
const BIGINT_BYTES_MAX = 2 ** 27;
/** Up to here a loop over an ASCII string beats a call into the runtime. */
const SHORT_STRING = 24;

const names = new NameCache();

/** Thrown where a value is refused, and replaced by an error that names the path; made once, because it carries nothing. */
const REFUSED = new MillstreamError('UNSUPPORTED_VALUE', 'Cannot encode a value that the record model does not allow.');

/** Appends a value. Throws `UNSUPPORTED_VALUE` with the path of the part that cannot be encoded; nothing is appended then. */
export function writeValue(out: ByteWriter, value: unknown, registry?: ClassRegistry): void {
  const start = out.length;
  try {
    write(out, value, registry, 0);
  } catch (error) {
    out.length = start;
    if (error === REFUSED) checkValue(value, registry);
    throw error;
  }
}

function write(out: ByteWriter, value: unknown, registry: ClassRegistry | undefined, depth: number): void {
  switch (typeof value) {
    case 'number':
      writeNumber(out, value);
      return;
    case 'string':
      out.u8(STRING);
      writeText(out, value);
      return;
    case 'boolean':
      out.u8(value ? TRUE : FALSE);
      return;
    case 'undefined':
      out.u8(UNDEFINED);
      return;
    case 'bigint':
      writeBigint(out, value);
      return;
    case 'object':
      if (value === null) out.u8(NULL);
      else writeObject(out, value, registry, depth);
      return;
    default:
      throw REFUSED;
  }
}

function writeNumber(out: ByteWriter, value: number): void {
  const int = value | 0;
  if (int !== value || (value === 0 && 1 / value < 0)) {
    out.u8(DOUBLE);
    out.f64(value);
  } else if (int >= 0 && int < 0x80) {
    out.u8(SMALL_INT | int);
  } else {
    out.u8(INT);
    out.varint(((int << 1) ^ (int >> 31)) >>> 0);
  }
}

/** The same bytes as `ByteWriter.string`. */
function writeText(out: ByteWriter, value: string): void {
  const length = value.length;
  if (length > SHORT_STRING) {
    out.string(value);
    return;
  }
  out.reserve(length + 1);
  const buffer = out.buffer;
  const at = out.length + 1;
  for (let i = 0; i < length; i++) {
    const unit = value.charCodeAt(i);
    if (unit >= 0x80) {
      out.string(value);
      return;
    }
    buffer[at + i] = unit;
  }
  buffer[at - 1] = length * 2;
  out.length = at + length;
}

function writeBigint(out: ByteWriter, value: bigint): void {
  const negative = value < 0n;
  const digits = (negative ? -value : value).toString(16);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex').reverse();
  out.u8(BIGINT);
  out.varint(bytes.length * 2 + (negative ? 1 : 0));
  out.bytes(bytes);
}

function writeObject(out: ByteWriter, value: object, registry: ClassRegistry | undefined, depth: number): void {
  if (depth >= VALUE_DEPTH_MAX) throw REFUSED;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    writeNames(out, value as Record<string, unknown>, prototype === null ? NULL_OBJECT : OBJECT, registry, depth);
  } else if (prototype === Array.prototype && Array.isArray(value)) {
    writeArray(out, value, registry, depth);
  } else if (prototype === Date.prototype) {
    out.u8(DATE);
    out.f64((value as Date).getTime());
  } else if (prototype === Uint8Array.prototype || prototype === Buffer.prototype) {
    out.u8(prototype === Buffer.prototype ? BUFFER : BYTES);
    out.varint((value as Uint8Array).length);
    out.bytes(value as Uint8Array);
  } else if (prototype === Map.prototype) {
    const map = value as Map<unknown, unknown>;
    out.u8(MAP);
    out.varint(map.size);
    for (const [key, item] of map) {
      write(out, key, registry, depth + 1);
      write(out, item, registry, depth + 1);
    }
  } else if (prototype === Set.prototype) {
    const set = value as Set<unknown>;
    out.u8(SET);
    out.varint(set.size);
    for (const item of set) write(out, item, registry, depth + 1);
  } else {
    writeRegistered(out, value, prototype as object, registry, depth);
  }
}

function writeNames(
  out: ByteWriter,
  value: Record<string, unknown>,
  tag: number,
  registry: ClassRegistry | undefined,
  depth: number,
): void {
  const keys = Object.keys(value);
  out.u8(tag);
  out.varint(keys.length);
  for (const key of keys) {
    writeText(out, key);
    write(out, value[key], registry, depth + 1);
  }
}

function writeArray(out: ByteWriter, value: readonly unknown[], registry: ClassRegistry | undefined, depth: number): void {
  out.u8(ARRAY);
  out.varint(value.length);
  for (let i = 0; i < value.length; i++) {
    const item = value[i];
    if (item === undefined && !Object.hasOwn(value, i)) throw REFUSED;
    write(out, item, registry, depth + 1);
  }
}

function writeRegistered(out: ByteWriter, value: object, prototype: object, registry: ClassRegistry | undefined, depth: number): void {
  const registered = registry?.ofPrototype(prototype);
  if (registered === undefined) throw REFUSED;
  out.u8(CLASS);
  writeText(out, registered.name);
  write(out, registered.codec.encode(value), registry, depth + 1);
}

/** Reads one value. Throws `CORRUPT_DATA`, and `UNSUPPORTED_VALUE` for a class that is not registered here. */
export function readValue(input: ByteReader, registry?: ClassRegistry): unknown {
  return read(input, registry, 0);
}

function corrupt(input: ByteReader, what: string): MillstreamError {
  return new MillstreamError(
    'CORRUPT_DATA',
    `Cannot read a value: ${what} before offset ${input.at} of ${input.end}. The data is damaged or of another version.`,
  );
}

/** A count of parts that take at least `size` bytes each. */
function readCount(input: ByteReader, size: number): number {
  const count = input.varint();
  if (count * size > input.remaining) throw corrupt(input, `a count of ${count} with ${input.remaining} bytes left`);
  return count;
}

function read(input: ByteReader, registry: ClassRegistry | undefined, depth: number): unknown {
  const tag = input.u8();
  if (tag >= SMALL_INT) return tag & 0x7f;
  switch (tag) {
    case NULL:
      return null;
    case UNDEFINED:
      return undefined;
    case FALSE:
      return false;
    case TRUE:
      return true;
    case INT: {
      const zigzag = input.varint();
      if (zigzag > 0xffff_ffff) throw corrupt(input, 'an integer beyond 32 bits');
      return (zigzag >>> 1) ^ -(zigzag & 1);
    }
    case DOUBLE:
      return input.f64();
    case STRING:
      return input.string();
    case BIGINT:
      return readBigint(input);
    case DATE:
      return new Date(input.f64());
    case BYTES:
      return new Uint8Array(input.bytes(input.varint()));
    case BUFFER:
      return Buffer.from(input.bytes(input.varint()));
    default:
      if (depth >= VALUE_DEPTH_MAX) throw corrupt(input, `a value nested more than ${VALUE_DEPTH_MAX} deep`);
      return readCompound(input, tag, registry, depth + 1);
  }
}

function readCompound(input: ByteReader, tag: number, registry: ClassRegistry | undefined, depth: number): unknown {
  switch (tag) {
    case ARRAY: {
      const count = readCount(input, 1);
      const array: unknown[] = [];
      for (let i = 0; i < count; i++) array.push(read(input, registry, depth));
      return array;
    }
    case OBJECT:
      return readNames(input, {}, registry, depth);
    case NULL_OBJECT:
      return readNames(input, Object.create(null) as Record<string, unknown>, registry, depth);
    case MAP: {
      const map = new Map<unknown, unknown>();
      for (let left = readCount(input, 2); left > 0; left--) {
        const key = read(input, registry, depth);
        map.set(key, read(input, registry, depth));
      }
      return map;
    }
    case SET: {
      const set = new Set<unknown>();
      for (let left = readCount(input, 1); left > 0; left--) set.add(read(input, registry, depth));
      return set;
    }
    case CLASS:
      return readRegistered(input, registry, depth);
    default:
      throw corrupt(input, `the unknown tag ${tag}`);
  }
}

function readNames(input: ByteReader, object: Record<string, unknown>, registry: ClassRegistry | undefined, depth: number): unknown {
  for (let left = readCount(input, 2); left > 0; left--) {
    const name = names.read(input);
    const value = read(input, registry, depth);
    // On a plain object, assignment to this name would set the prototype.
    if (name === '__proto__') Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
    else object[name] = value;
  }
  return object;
}

function readBigint(input: ByteReader): bigint {
  const head = input.varint();
  const negative = head % 2 === 1;
  const size = (head - (negative ? 1 : 0)) / 2;
  if (size === 0 || size > BIGINT_BYTES_MAX) throw corrupt(input, `a bigint of ${size} bytes`);
  const magnitude = BigInt(`0x${Buffer.from(input.bytes(size)).reverse().toString('hex')}`);
  return negative ? -magnitude : magnitude;
}

function readRegistered(input: ByteReader, registry: ClassRegistry | undefined, depth: number): unknown {
  const name = input.string();
  const registered = registry?.ofName(name);
  if (registered === undefined) {
    throw new MillstreamError(
      'UNSUPPORTED_VALUE',
      `Cannot read an instance of class ${JSON.stringify(name)}: no class is registered under this name here. Call env.registerClass(…) where the program builds its graph, with the name that the class had when the value was written.`,
    );
  }
  const plain = read(input, registry, depth);
  try {
    return registered.codec.decode(plain);
  } catch (error) {
    throw new MillstreamError(
      'CORRUPT_DATA',
      `Cannot read an instance of class ${JSON.stringify(name)}: its codec refused the plain value. The data is damaged, or the codec's decode() does not take what encode() once gave.`,
      { cause: error },
    );
  }
}
