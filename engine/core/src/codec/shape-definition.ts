/**
 * Shapes as bytes: what a batch says about its own columns.
 *
 *   definition = u8 flags (1: lengths of strings in 4 bytes, not 2; 2: lengths may be references), shape
 *   shape      = 0, u8 mask  |  1, varint count, (name, shape) …  |  2, varint count, shape …
 */
import { type ByteReader, ByteWriter } from '../common/bytes.js';
import { MillstreamError } from '../common/errors.js';
import { DOUBLE, INT, leafCount, SHAPE_DEPTH_MAX, SHAPE_LEAVES_MAX, type Shape } from './shape.js';

const LEAF = 0;
const OBJECT = 1;
const TUPLE = 2;
const WIDE_LENGTHS = 1;
const REFERENCES = 2;

function corrupt(what: string): MillstreamError {
  return new MillstreamError('CORRUPT_DATA', `Cannot read the columns of a batch: ${what}. The data is damaged or of another version.`);
}

/** The bytes of a shape. */
export function encodeDefinition(shape: Shape, wideLengths: boolean): Uint8Array {
  const out = new ByteWriter(256);
  out.u8(wideLengths ? WIDE_LENGTHS | REFERENCES : REFERENCES);
  writeShape(out, shape);
  return out.toBytes();
}

function writeShape(out: ByteWriter, shape: Shape): void {
  if (shape.kind === 'leaf') {
    out.u8(LEAF);
    out.u8(shape.mask);
    return;
  }
  out.u8(shape.kind === 'object' ? OBJECT : TUPLE);
  out.varint(shape.children.length);
  shape.children.forEach((child, index) => {
    if (shape.kind === 'object') out.string(shape.names[index] as string);
    writeShape(out, child);
  });
}

export interface Definition {
  readonly shape: Shape;
  readonly wideLengths: boolean;
  /** Whether a length may be a reference to an earlier record: not in what was written before there were any. */
  readonly references: boolean;
}

/** Reads a definition up to the reader's end. Throws `CORRUPT_DATA`. */
export function decodeDefinition(input: ByteReader): Definition {
  const flags = input.u8();
  if (flags > (WIDE_LENGTHS | REFERENCES)) throw corrupt(`the flags are ${flags}`);
  const shape = readShape(input, 1);
  if (input.remaining !== 0) throw corrupt(`${input.remaining} bytes follow their definition`);
  if (leafCount(shape) > SHAPE_LEAVES_MAX) throw corrupt(`there are more than ${SHAPE_LEAVES_MAX}`);
  return { shape, wideLengths: (flags & WIDE_LENGTHS) !== 0, references: (flags & REFERENCES) !== 0 };
}

function readShape(input: ByteReader, depth: number): Shape {
  if (depth > SHAPE_DEPTH_MAX + 1) throw corrupt(`they are nested more than ${SHAPE_DEPTH_MAX} deep`);
  const kind = input.u8();
  if (kind === LEAF) {
    const mask = input.u8();
    if ((mask & INT) !== 0 && (mask & DOUBLE) !== 0) throw corrupt('one is of integers and of doubles');
    return { kind: 'leaf', mask };
  }
  if (kind > TUPLE) throw corrupt(`one is of the unknown kind ${kind}`);
  const count = input.varint();
  if (count > SHAPE_LEAVES_MAX) throw corrupt(`there are ${count}`);
  const names: string[] = [];
  const children: Shape[] = [];
  for (let i = 0; i < count; i++) {
    if (kind === OBJECT) names.push(input.string());
    children.push(readShape(input, depth + 1));
  }
  if (names.includes('__proto__') || new Set(names).size !== names.length) throw corrupt('a name is not allowed or is there twice');
  return kind === OBJECT ? { kind: 'object', names, children } : { kind: 'tuple', children };
}
