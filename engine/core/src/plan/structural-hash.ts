/**
 * Canonical text of plain data and a 64-bit hash of it, made of two 32-bit halves. It tells graphs apart, it is not a secret.
 * Invariant: equal data give equal text, whatever the order of an object's fields; fields that are undefined do not count.
 */
import { MillstreamError } from '../common/errors.js';
import type { PlainValue } from './plan.js';

/** Plain data, as in a plan; fields may be undefined. */
export type HashedValue = undefined | PlainValue | readonly HashedValue[] | { readonly [name: string]: HashedValue };

/** JSON with sorted field names; numbers that JSON lacks (NaN, infinities) are kept apart. */
export function canonicalJson(value: HashedValue): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'number') return Number.isFinite(value) ? JSON.stringify(value) : `#${value}`;
  if (typeof value !== 'object') return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  fields.sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`).join(',')}}`;
}

function isList(value: readonly HashedValue[] | { readonly [name: string]: HashedValue }): value is readonly HashedValue[] {
  return Array.isArray(value);
}

/** 16 hexadecimal digits over the canonical text of `value`. */
export function structuralHash(value: HashedValue): string {
  const text = canonicalJson(value);
  let low = 0x811c9dc5;
  let high = 0x9747b28c;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ Math.imul(unit, 0xcc9e2d51), 0x1b873593);
    high = (high << 13) | (high >>> 19);
  }
  const first = mix(low ^ text.length);
  const second = mix(high ^ first);
  return hex(first) + hex(second);
}

/** murmur3's finaliser: every input bit changes every output bit with even odds. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}

/** Freezes plain data through and through, and returns it. Refuses what a plan cannot hold. */
export function frozenPlainValue(value: unknown, subject: string): PlainValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string') return value;
  if (Array.isArray(value)) return Object.freeze(value.map((item) => frozenPlainValue(item, subject)));
  if (typeof value === 'object' && (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null)) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return Object.freeze(Object.fromEntries(fields.map(([name, field]) => [name, frozenPlainValue(field, subject)])));
  }
  throw new MillstreamError(
    'INVALID_PLAN',
    `Cannot put ${describe(value)} into ${subject}: a plan holds plain data only (null, booleans, numbers, strings, lists, objects).`,
  );
}

function describe(value: unknown): string {
  return typeof value === 'object' && value !== null ? `an instance of ${value.constructor?.name}` : `a ${typeof value}`;
}
