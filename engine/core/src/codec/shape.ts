/**
 * The shape of records: which fields they have, and what has occurred in each. A shape is immutable; seeing a value that does not fit
 * gives a wider one, and widening ends: leaves only gain types, and an object or tuple inside a record that turns out to vary becomes
 * a leaf for good.
 *
 *   { id: 7, at: new Date(0), place: { city: 'Bend', zip: null } }   →   object(id: INT, at: DATE, place: object(city: STRING, zip: NULL))
 */

/** Bits of the types that a leaf has held. A leaf without any bit is declared `any`: all its values are coded as rows. */
export const INT = 1;
export const DOUBLE = 2;
export const STRING = 4;
export const BOOLEAN = 8;
export const DATE = 16;
export const NULL = 32;
export const UNDEFINED = 64;
/** Everything else: coded as rows. */
export const OTHER = 128;
export const DECLARED_ANY = 0;

export interface LeafShape {
  readonly kind: 'leaf';
  readonly mask: number;
}
export interface ObjectShape {
  readonly kind: 'object';
  readonly names: readonly string[];
  readonly children: readonly Shape[];
}
export interface TupleShape {
  readonly kind: 'tuple';
  readonly children: readonly Shape[];
}
export type Shape = LeafShape | ObjectShape | TupleShape;

/** Larger, deeper or longer values are coded as rows. */
export const SHAPE_LEAVES_MAX = 128;
export const SHAPE_DEPTH_MAX = 5;
export const TUPLE_LENGTH_MAX = 8;

export const ROW_LEAF: LeafShape = { kind: 'leaf', mask: OTHER };

/** Whether this is an int32 that an integer column can hold: -0 is not. */
export function isInt32(value: number): boolean {
  return (value | 0) === value && (value !== 0 || 1 / value > 0);
}

/** The bit of a value's type. */
export function maskOf(value: unknown): number {
  switch (typeof value) {
    case 'number':
      return isInt32(value) ? INT : DOUBLE;
    case 'string':
      return STRING;
    case 'boolean':
      return BOOLEAN;
    case 'undefined':
      return UNDEFINED;
    case 'object':
      if (value === null) return NULL;
      return Object.getPrototypeOf(value) === Date.prototype ? DATE : OTHER;
    default:
      return OTHER;
  }
}

type WithPrototype = { readonly __proto__?: unknown };

/** Whether `__proto__` can be read: Node's `--disable-proto` takes it away. */
function isPrototypeReadable(): boolean {
  try {
    // biome-ignore lint/suspicious/noProto: see prototypeOf
    return ({} as WithPrototype).__proto__ === Object.prototype;
  } catch {
    return false;
  }
}

/**
 * The prototype of an object that has no own property of that name; with one, something that is no prototype. Asked of every record:
 * `Object.getPrototypeOf` is a call that V8 does not inline, and takes as long as looking at all fields of a record.
 */
const prototypeOf: (value: object) => unknown = isPrototypeReadable()
  ? // biome-ignore lint/suspicious/noProto: inlined, other than Object.getPrototypeOf
    (value) => (value as WithPrototype).__proto__
  : (value) => Object.getPrototypeOf(value) as unknown;

/** Whether a record has exactly these enumerable properties in this order and is a plain object. */
export function hasFields(record: unknown, names: readonly string[]): boolean {
  if (typeof record !== 'object' || record === null || prototypeOf(record) !== Object.prototype) return false;
  let index = 0;
  // Includes inherited names, of which Object.prototype has none: a polluted one never matches and ends in rows.
  for (const name in record) {
    if (name !== names[index]) return false;
    index++;
  }
  return index === names.length;
}

/** Whether this is a plain array of just this length; its elements may still be holes. */
export function isTuple(value: unknown, length: number): value is readonly unknown[] {
  return Array.isArray(value) && value.length === length && prototypeOf(value) === Array.prototype;
}

function hasHole(array: readonly unknown[]): boolean {
  for (let i = 0; i < array.length; i++) if (array[i] === undefined && !Object.hasOwn(array, i)) return true;
  return false;
}

/** Whether a whole value belongs to a shape by its fields or length; what its fields hold may not fit yet. */
export function matches(shape: Shape, value: unknown): boolean {
  if (shape.kind === 'object') return hasFields(value, shape.names);
  if (shape.kind === 'tuple') return isTuple(value, shape.children.length) && !hasHole(value);
  return true;
}

/** The narrowest shape of a value. */
export function shapeOf(value: unknown): Shape {
  const shape = nestedShapeOf(value, 1);
  return leafCount(shape) > SHAPE_LEAVES_MAX ? ROW_LEAF : shape;
}

function nestedShapeOf(value: unknown, depth: number): Shape {
  const mask = maskOf(value);
  if (mask !== OTHER || typeof value !== 'object' || value === null || depth > SHAPE_DEPTH_MAX) return { kind: 'leaf', mask };
  if (Array.isArray(value)) {
    if (value.length === 0 || value.length > TUPLE_LENGTH_MAX || !isTuple(value, value.length) || hasHole(value)) return ROW_LEAF;
    return { kind: 'tuple', children: value.map((item) => nestedShapeOf(item, depth + 1)) };
  }
  const names = Object.keys(value);
  if (names.length > SHAPE_LEAVES_MAX || names.includes('__proto__') || !hasFields(value, names)) return ROW_LEAF;
  return { kind: 'object', names, children: names.map((name) => nestedShapeOf((value as Record<string, unknown>)[name], depth + 1)) };
}

/** Counts an object or tuple without fields as one. */
export function leafCount(shape: Shape): number {
  if (shape.kind === 'leaf') return 1;
  let count = 0;
  for (const child of shape.children) count += leafCount(child);
  return Math.max(count, 1);
}

/** The shape that takes a value too; the same object if it does already. */
export function widen(shape: Shape, value: unknown): Shape {
  if (shape.kind === 'leaf') return withMask(shape, maskOf(value));
  if (!matches(shape, value)) return { kind: 'leaf', mask: OTHER | maskOf(value) };
  const parts = value as Readonly<Record<string | number, unknown>>;
  let children: Shape[] | undefined;
  for (let i = 0; i < shape.children.length; i++) {
    const child = shape.children[i] as Shape;
    const wider = widen(child, parts[shape.kind === 'object' ? (shape.names[i] as string) : i]);
    if (wider === child) continue;
    children ??= [...shape.children];
    children[i] = wider;
  }
  return children === undefined ? shape : { ...shape, children };
}

function withMask(shape: LeafShape, added: number): Shape {
  if (shape.mask === DECLARED_ANY) return shape;
  let mask = shape.mask | added;
  // A float64 column holds the integers too.
  if ((mask & DOUBLE) !== 0) mask &= ~INT;
  return mask === shape.mask ? shape : { kind: 'leaf', mask };
}
