/** Schemas of answers, held against the gateway's types by the compiler: every field must be there, and optional ones be marked so. */
import { type TOptional, type TSchema, type TUnsafe, Type } from 'typebox';

type Properties<T> = { readonly [K in keyof T]-?: undefined extends T[K] ? TOptional<TSchema> : Exclude<TSchema, TOptional<TSchema>> };

/** An object with exactly the fields of `T`. */
export function shape<T>(properties: Properties<T>): TUnsafe<T> {
  return Type.Unsafe<T>(Type.Object(properties));
}

/** A list of what `item` describes. */
export function list<T>(item: TUnsafe<T>): TUnsafe<readonly T[]> {
  return Type.Unsafe<readonly T[]>(Type.Array(item));
}

/** A field that may be absent. */
export function optional<T extends TSchema>(schema: T): TOptional<T> {
  return Type.Optional(schema) as TOptional<T>;
}

/** An object with any names. */
export function record<T>(value: TUnsafe<T>): TUnsafe<Readonly<Record<string, T>>> {
  return Type.Unsafe<Readonly<Record<string, T>>>({ type: 'object', additionalProperties: value });
}

/** One of these words. */
export function words<const T extends readonly string[]>(values: T): TUnsafe<T[number]> {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...values] });
}

export const text: TUnsafe<string> = Type.Unsafe<string>({ type: 'string' });
export const number: TUnsafe<number> = Type.Unsafe<number>({ type: 'number' });
export const flag: TUnsafe<boolean> = Type.Unsafe<boolean>({ type: 'boolean' });
