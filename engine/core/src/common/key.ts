/** What a key may be, in types and at run time. */

/** A key: a primitive or a tuple of primitives. -0 equals 0, NaN equals NaN, 1 differs from '1'. */
export type PrimitiveKey = boolean | number | string | bigint;
/** A key: a primitive, or a tuple of primitives for several fields together. */
export type Key = PrimitiveKey | readonly PrimitiveKey[];
