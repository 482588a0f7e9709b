/**
 * Copies of values that must not be shared: an accumulator that goes on being changed in place must not be the object that was
 * emitted, nor the record that it started from.
 */

/** A deep copy of an allowed value; classes keep their prototype. */
export function copyValue<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  return copyObject(value) as T;
}

function copyObject(value: object): object {
  if (Array.isArray(value)) return value.map(copyValue);
  if (value instanceof Date) return new Date(value.getTime());
  if (value instanceof Uint8Array) return value.slice();
  if (value instanceof Map) return new Map(Array.from(value, ([key, element]) => [copyValue(key), copyValue(element)]));
  if (value instanceof Set) return new Set(Array.from(value, copyValue));
  const prototype: unknown = Object.getPrototypeOf(value);
  const copy: Record<string, unknown> =
    prototype === Object.prototype ? {} : (Object.create(prototype as object | null) as Record<string, unknown>);
  for (const name of Object.keys(value)) copy[name] = copyValue((value as Record<string, unknown>)[name]);
  return copy;
}
