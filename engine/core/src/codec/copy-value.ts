/**
 * Copies of values that must not be shared: an accumulator that goes on being changed in place must not be the object that was
 * emitted, nor the record that it started from.
 */
import type { ClassRegistry } from './class-registry.js';
import { checkValue } from './value-check.js';

/** A deep copy of an allowed value. Instances of registered classes go through their codec; those of other classes keep their prototype. */
export function copyValue<T>(value: T, classes?: ClassRegistry): T {
  return copyPart(value, classes, false) as T;
}

/** The same, but throws `UNSUPPORTED_VALUE` for what the record model does not allow: nobody knows how to copy that truly. */
export function copyAllowedValue<T>(value: T, classes: ClassRegistry | undefined): T {
  return copyPart(value, classes, true) as T;
}

function copyPart(value: unknown, classes: ClassRegistry | undefined, isStrict: boolean): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return copyFields(value, prototype, classes, isStrict);
  const registered = classes?.ofPrototype(prototype as object);
  if (registered !== undefined) {
    // What `encode` gives may share parts with the instance, and `decode` owns what it gets.
    return registered.codec.decode(copyPart(registered.codec.encode(value), classes, isStrict));
  }
  if (isStrict && !BUILT_IN.has(prototype)) checkValue(value, classes);
  if (Array.isArray(value)) return value.map((element) => copyPart(element, classes, isStrict));
  if (value instanceof Date) return new Date(value.getTime());
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return (value as Uint8Array).slice();
  if (value instanceof Map) {
    return new Map(Array.from(value, ([key, element]) => [copyPart(key, classes, isStrict), copyPart(element, classes, isStrict)]));
  }
  if (value instanceof Set) return new Set(Array.from(value, (element) => copyPart(element, classes, isStrict)));
  return copyFields(value, prototype as object, classes, isStrict);
}

const BUILT_IN: ReadonlySet<unknown> = new Set<unknown>([
  Array.prototype,
  Date.prototype,
  Uint8Array.prototype,
  Buffer.prototype,
  Map.prototype,
  Set.prototype,
]);

function copyFields(value: object, prototype: object | null, classes: ClassRegistry | undefined, isStrict: boolean): object {
  const copy: Record<string, unknown> = prototype === Object.prototype ? {} : (Object.create(prototype) as Record<string, unknown>);
  for (const name of Object.keys(value)) {
    const part = copyPart((value as Record<string, unknown>)[name], classes, isStrict);
    // On a plain object, assignment to this name would set the prototype.
    if (name === '__proto__') Object.defineProperty(copy, name, { value: part, writable: true, enumerable: true, configurable: true });
    else copy[name] = part;
  }
  return copy;
}
