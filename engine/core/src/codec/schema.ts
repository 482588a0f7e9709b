/**
 * Declared record types. A schema says which fields a record or a state value has, so that nothing has to be inferred or checked:
 * numeric state lives in typed columns off the heap, and a shuffle carries just these fields.
 */

/** The type of one field. `any` is every allowed value, encoded self-describing. */
export type FieldType = 'int32' | 'float64' | 'boolean' | 'string' | 'any';

/** The TypeScript type of a field of type `F`. */
export type FieldValue<F extends FieldType> = F extends 'int32' | 'float64'
  ? number
  : F extends 'boolean'
    ? boolean
    : F extends 'string'
      ? string
      : unknown;

/** A declared record: field names with their types, in order. */
export interface Schema<T> {
  readonly fields: ReadonlyArray<{ readonly name: string; readonly type: FieldType }>;
  /** Never set: carries the type. */
  readonly type?: T;
}

/**
 * Declares a record's fields.
 * @example
 * const counter = schema({ count: 'int32', sum: 'float64' }); // Schema<{ count: number; sum: number }>
 */
export function schema<const F extends Readonly<Record<string, FieldType>>>(
  fields: F,
): Schema<{ -readonly [K in keyof F]: FieldValue<F[K]> }> {
  return Object.freeze({
    fields: Object.freeze(Object.entries(fields).map(([name, type]) => Object.freeze({ name, type }))),
  });
}
