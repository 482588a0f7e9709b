/** One value per key: what the simple keyed states (value, reducing, aggregating) need of a table. All about the current key. */

export interface Cells {
  /** The value, or undefined if there is none; an object is prepared for being changed in place, or a copy. */
  read(): unknown;
  /** Sets the value, which is not undefined. */
  write(value: unknown): void;
  remove(): void;
}
