/**
 * User functions that are classes: given as an instance or as a factory. A slot may run several subtasks of an operator, and fields of
 * a shared instance would mix, so each subtask gets its own.
 */
import { copyValue } from '../codec/copy-value.js';
import { MillstreamError } from '../common/errors.js';

/**
 * An instance, or a function that makes one. Of an instance every subtask gets a copy, made before `open`: its fields are copied, and
 * arrays, maps, sets and plain objects in them too. Give a factory where that is not enough: classes with `#private` fields, fields
 * that are arrow functions using `this`.
 */
export type UserFunction<F extends object> = F | (() => F);

/** The function of one subtask. */
export function instantiate<F extends object>(fn: UserFunction<F>): F {
  if (typeof fn === 'function') return fn();
  const copy = Object.create(Object.getPrototypeOf(fn) as object) as Record<string, unknown>;
  for (const name of Object.keys(fn)) {
    const field = (fn as Record<string, unknown>)[name];
    copy[name] = isPlain(field) ? copyValue(field) : field;
  }
  return copy as F;
}

function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === Array.prototype || prototype === Map.prototype || prototype === Set.prototype;
}

/** Refuses, while the program is built, what a copy of an instance would break. */
export function checkUserFunction<F extends object>(fn: UserFunction<F>): UserFunction<F> {
  if (typeof fn === 'function') return fn;
  for (let at: unknown = Object.getPrototypeOf(fn); at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    const { constructor: owner } = at as { constructor: unknown };
    if (typeof owner === 'function' && /\.#[\p{ID_Start}$_]/u.test(Function.prototype.toString.call(owner))) {
      throw new MillstreamError(
        'INVALID_FUNCTION',
        `Cannot copy an instance of '${owner.name}' for each subtask: it has #private fields. Pass a factory, () => new ${owner.name}(…), or use TypeScript's private.`,
      );
    }
  }
  return fn;
}
