/**
 * Sentences in compiler errors. Where a program's types are wrong, a parameter's type becomes `CompileError<'what to do'>`, to which
 * nothing can be assigned, so that the compiler prints the sentence. Costs nothing at run time.
 *
 * Methods have two signatures: the first takes what is right, generic code too; the last decides by a conditional type, which is where
 * the sentence comes from (the compiler prints the error of the last signature).
 */
import type { Key } from '../common/key.js';

declare const compileError: unique symbol;

/** No value has this type; the compiler's message quotes `Sentence`. */
export interface CompileError<Sentence extends string> {
  readonly [compileError]: Sentence;
}

/** `CompileError<AsyncSentence<…>>` in a union with what a function returns: written out there, since the compiler prints aliases unresolved. */
export type AsyncSentence<Method extends string> =
  `${Method} cannot take an async function: use mapAsync for asynchronous calls, then ${Method} on its results`;

/**
 * What is no promise. A constraint in place of a conditional type, because the compiler can check it for the type parameters of generic
 * code (`T extends object`); `valueOf` is there because all values have it, so that other types need nothing in common.
 */
export type NotPromise = null | undefined | { readonly then?: never; valueOf(): unknown };

type Nothing = ReturnType<() => void>;

/** `R`, unless a function that returns `R` is asynchronous or returns nothing. */
export type MapResult<R, Method extends string = 'map'> = [Exclude<R, PromiseLike<unknown> | Nothing>] extends [never]
  ? [R] extends [Nothing]
    ? CompileError<`${Method} must return a value: use filter or flatMap to drop records`>
    : CompileError<AsyncSentence<Method>>
  : R;

/** `boolean`, unless a predicate that returns `B` is asynchronous or no predicate. */
export type FilterResult<B> = [B] extends [boolean]
  ? B
  : [Extract<B, PromiseLike<unknown>>] extends [never]
    ? CompileError<'filter needs a function that returns true or false'>
    : CompileError<AsyncSentence<'filter'>>;

/** `K`, unless it is no key. */
export type KeyResult<K> = [K] extends [Key]
  ? K
  : [Extract<K, PromiseLike<unknown>>] extends [never]
    ? CompileError<'a key must be a boolean, number, string, bigint or a tuple of them'>
    : CompileError<AsyncSentence<'keyBy'>>;

/** The fields of `T` whose values can be keys. */
export type KeyField<T> = {
  [Field in keyof T & string]: [T[Field]] extends [Key] ? Field : never;
}[keyof T & string];

/** The fields of `T` whose values are numbers. */
export type NumberField<T> = {
  [Field in keyof T & string]: [T[Field]] extends [number] ? Field : never;
}[keyof T & string];
