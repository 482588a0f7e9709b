/**
 * Keyed state as user functions see it: Flink's interfaces, synchronous. Every call is about the current key.
 * An object that a state hands out may be changed in place until the callback returns; `update` it to be safe on every backend.
 * References must not be kept beyond the callback.
 */

export interface ValueState<T> {
  /** The value, or undefined if there is none. */
  value(): T | undefined;
  /** Sets the value. */
  update(value: T): void;
  clear(): void;
}

/** The key's list. */
export interface ListState<T> {
  /** The elements in insertion order; an empty list if there is no state. Do not change the array. */
  get(): readonly T[];
  add(element: T): void;
  addAll(elements: Iterable<T>): void;
  /** Replaces all elements. */
  update(elements: Iterable<T>): void;
  clear(): void;
}

/** The key's map. Iteration is in no order. */
export interface MapState<K, V> {
  get(key: K): V | undefined;
  put(key: K, value: V): void;
  putAll(entries: Iterable<readonly [K, V]>): void;
  contains(key: K): boolean;
  remove(key: K): void;
  isEmpty(): boolean;
  entries(): IterableIterator<[K, V]>;
  keys(): IterableIterator<K>;
  values(): IterableIterator<V>;
  clear(): void;
}

/** Everything that was added for the key, reduced to one value. */
export interface ReducingState<T> {
  get(): T | undefined;
  add(value: T): void;
  clear(): void;
}

/** The result of everything that was added for the key. */
export interface AggregatingState<IN, OUT> {
  get(): OUT | undefined;
  add(value: IN): void;
  clear(): void;
}
