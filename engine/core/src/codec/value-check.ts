/**
 * The record model at run time: what a value may be, said with the path of the first part that is not.
 *
 * Allowed are null, undefined, booleans, numbers, strings, bigints, Date, Uint8Array (and Node's Buffer), arrays without holes, plain
 * objects (prototype Object.prototype or null), Map, Set, and instances of registered classes; at most 100 deep, without cycles.
 * Own properties that are not enumerable do not travel.
 */
import { MillstreamError } from '../common/errors.js';
import type { ClassRegistry } from './class-registry.js';

/** How deep a value may be nested; the outermost counts 1. */
export const VALUE_DEPTH_MAX = 100;

const ALLOWED =
  'A record may hold null, undefined, booleans, numbers, strings, bigints, Date, Uint8Array, arrays, plain objects, Map and Set';

/** A short name of a value's type for errors; never the value itself. */
export function typeNameOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value;
  if (Array.isArray(value)) return 'array';
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return 'object';
  const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof name === 'string' && name !== '' ? name : 'instance of an anonymous class';
}

function unsupported(path: string, found: string, advice: string): MillstreamError {
  return new MillstreamError('UNSUPPORTED_VALUE', `Cannot emit or store ${path}: it is ${found}. ${advice}.`, { details: { path } });
}

function adviceFor(value: unknown): string {
  if (typeof value === 'function') return `${ALLOWED}, but no functions: emit the data that the function would compute from`;
  if (typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function') {
    return 'Use mapAsync for a function that returns a promise; an operator that is not asynchronous must return the value itself';
  }
  if (typeof value === 'object') {
    return `${ALLOWED}. Turn it into one of these, or register its class: env.registerClass(name, class, { encode, decode })`;
  }
  return ALLOWED;
}

function article(value: unknown): string {
  const type = typeNameOf(value);
  return `${/^[aeiou]/i.test(type) ? 'an' : 'a'} ${type}`;
}

function member(path: string, name: string): string {
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`;
}

class Checker {
  private readonly ancestors: object[] = [];
  private readonly registry: ClassRegistry | undefined;

  constructor(registry: ClassRegistry | undefined) {
    this.registry = registry;
  }

  check(value: unknown, path: string): void {
    switch (typeof value) {
      case 'function':
      case 'symbol':
        throw unsupported(path, article(value), adviceFor(value));
      case 'object':
        if (value !== null) this.checkObject(value, path);
        return;
      default:
    }
  }

  private checkObject(value: object, path: string): void {
    if (this.ancestors.includes(value))
      throw unsupported(path, 'a value that contains itself', 'Break the cycle, for example by an id in its place');
    if (this.ancestors.length >= VALUE_DEPTH_MAX) {
      throw unsupported(path, `nested more than ${VALUE_DEPTH_MAX} deep`, 'Make the value flatter');
    }
    this.ancestors.push(value);
    this.checkMembers(value, path);
    this.ancestors.pop();
  }

  private checkMembers(value: object, path: string): void {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      this.checkNames(value, path);
    } else if (Array.isArray(value) && prototype === Array.prototype) {
      this.checkArray(value, path);
    } else if (prototype === Map.prototype) {
      let index = 0;
      for (const [key, item] of value as Map<unknown, unknown>) {
        this.check(key, `${path}.keys()[${index}]`);
        this.check(item, `${path}.values()[${index++}]`);
      }
    } else if (prototype === Set.prototype) {
      let index = 0;
      for (const item of value as Set<unknown>) this.check(item, `${path}.values()[${index++}]`);
    } else if (prototype !== Date.prototype && prototype !== Uint8Array.prototype && prototype !== Buffer.prototype) {
      const registered = this.registry?.ofPrototype(prototype as object);
      if (registered === undefined) throw unsupported(path, article(value), adviceFor(value));
      this.check(registered.codec.encode(value), `${path} as encoded by the codec of class ${registered.name}`);
    }
  }

  private checkNames(value: object, path: string): void {
    for (const name of Object.keys(value)) this.check((value as Record<string, unknown>)[name], member(path, name));
    if (Object.getOwnPropertySymbols(value).length > 0) {
      throw unsupported(path, 'an object with a property whose name is a symbol', 'Name properties by strings');
    }
  }

  private checkArray(value: readonly unknown[], path: string): void {
    for (let i = 0; i < value.length; i++) {
      if (!Object.hasOwn(value, i)) throw unsupported(`${path}[${i}]`, 'a hole in an array', 'Put undefined or null there');
      this.check(value[i], `${path}[${i}]`);
    }
    if (Object.keys(value).length !== value.length) {
      throw unsupported(path, 'an array with properties besides its elements', 'Use a plain object, or copy the elements with Array.from');
    }
  }
}

/** Throws `UNSUPPORTED_VALUE`, naming the path below `name` and the type, if the record model does not allow a value. */
export function checkValue(value: unknown, registry?: ClassRegistry, name = 'value'): void {
  new Checker(registry).check(value, name);
}

/**
 * Freezes plain objects and arrays, however deep, so that a user function that changes a record it was given fails at that place.
 * Date, Map, Set and bytes are left as they are.
 */
export function deepFreeze(value: unknown): void {
  freeze(value, undefined);
}

function freeze(value: unknown, seen: Set<object> | undefined): void {
  if (typeof value !== 'object' || value === null) return;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && !Array.isArray(value)) return;
  let known = seen;
  if (Object.isFrozen(value)) {
    // Frozen by its maker perhaps, and then not deep: go on, but not in circles.
    known ??= new Set();
    if (known.has(value)) return;
    known.add(value);
  } else {
    Object.freeze(value);
  }
  for (const part of Object.values(value)) freeze(part, known);
}

/** For checked mode: a value is of the record model, and nobody changes it afterwards. */
export function checkAndFreeze(value: unknown, registry: ClassRegistry | undefined): void {
  checkValue(value, registry);
  deepFreeze(value);
}
