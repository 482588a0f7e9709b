/** For tests: arbitrary values of the record model, and an exact comparison that no library's `equal` makes. */
import fc from 'fast-check';
import { ClassRegistry } from './class-registry.js';

/** A class with a codec. */
export class Money {
  readonly cents: bigint;
  readonly currency: string;

  constructor(cents: bigint, currency: string) {
    this.cents = cents;
    this.currency = currency;
  }
}

export function moneyRegistry(): ClassRegistry {
  const registry = new ClassRegistry();
  registry.registerClass('Money', Money, {
    encode: (money) => [money.cents, money.currency],
    decode: (plain) => {
      const [cents, currency] = plain as [bigint, string];
      if (typeof cents !== 'bigint') throw new TypeError('not money');
      return new Money(cents, currency);
    },
  });
  return registry;
}

/** Sets own properties of any name, `__proto__` too. */
export function objectOf(entries: readonly (readonly [string, unknown])[], prototype: object | null = Object.prototype): object {
  const object: object = Object.create(prototype);
  for (const [name, value] of entries) Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  return object;
}

const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 12 }).map((units) => String.fromCharCode(...units)),
);
const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('id', 'name', 'at', 'x', 'länge', 'a b', '"', '\u2028', '7', '-1', '') },
  { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then', '\ud800') },
  { weight: 1, arbitrary: text },
);

export const arbitraryNumber: fc.Arbitrary<number> = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 53, 5e-324, 127, 128),
);

export const arbitraryText: fc.Arbitrary<string> = text;

const leaf = fc.oneof(
  arbitraryNumber,
  text,
  fc.boolean(),
  fc.constantFrom(null, undefined),
  fc.bigInt({ min: -(1n << 90n), max: 1n << 90n }),
  fc.constantFrom(0n, -1n, 255n, 256n, -(1n << 64n)),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array({ maxLength: 20 }),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
);

/** Every kind of value that a record may be or hold. */
export const arbitraryValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => {
  const value = tie('value');
  const entries = fc.uniqueArray(fc.tuple(name, value), { maxLength: 5, selector: ([key]) => key });
  return {
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 6, arbitrary: leaf },
      { weight: 2, arbitrary: fc.array(value, { maxLength: 5 }) },
      {
        weight: 3,
        arbitrary: fc.tuple(entries, fc.constantFrom(Object.prototype, Object.prototype, null)).map(([e, p]) => objectOf(e, p)),
      },
      { weight: 1, arbitrary: fc.array(fc.tuple(value, value), { maxLength: 4 }).map((pairs) => new Map(pairs)) },
      { weight: 1, arbitrary: fc.array(value, { maxLength: 4 }).map((items) => new Set(items)) },
      { weight: 1, arbitrary: fc.tuple(fc.bigInt(), text).map(([cents, currency]) => new Money(cents, currency)) },
    ),
  };
}).value;

/** Where two values differ; undefined if they are equal in everything that the record model promises. */
export function difference(left: unknown, right: unknown, path = 'value'): string | undefined {
  if (typeof left !== 'object' || left === null || typeof right !== 'object' || right === null) {
    return Object.is(left, right) ? undefined : `${path}: ${String(left)} is not ${String(right)}`;
  }
  const prototype: unknown = Object.getPrototypeOf(left);
  if (prototype !== Object.getPrototypeOf(right)) return `${path}: prototypes differ`;
  if (left instanceof Date) return Object.is(left.getTime(), (right as Date).getTime()) ? undefined : `${path}: dates differ`;
  if (left instanceof Uint8Array) return Buffer.compare(left, right as Uint8Array) === 0 ? undefined : `${path}: bytes differ`;
  if (left instanceof Map) return difference([...left].flat(), [...(right as Map<unknown, unknown>)].flat(), `${path}{}`);
  if (left instanceof Set) return difference([...left], [...(right as Set<unknown>)], `${path}{}`);
  const names = Reflect.ownKeys(left);
  if (namesDiffer(names, Reflect.ownKeys(right)))
    return `${path}: names ${names.map(String).join()} are not ${Reflect.ownKeys(right).map(String).join()}`;
  for (const each of names) {
    const inner = difference(
      (left as Record<PropertyKey, unknown>)[each],
      (right as Record<PropertyKey, unknown>)[each],
      `${path}.${String(each)}`,
    );
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function namesDiffer(left: readonly PropertyKey[], right: readonly PropertyKey[]): boolean {
  return left.length !== right.length || left.some((each, index) => each !== right[index]);
}
