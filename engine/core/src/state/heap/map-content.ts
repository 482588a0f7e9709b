/**
 * The content of a map state. A JavaScript Map compares tuples by identity, so entries lie under `mapKeyOf` of their key; where that is
 * not the key itself, the value is wrapped with its key.
 */
import type { Key } from '../../common/key.js';
import { quickMapKey } from './table.js';

/** A value whose map key is not its key. */
class Wrapped {
  readonly key: Key;
  readonly value: unknown;

  constructor(key: Key, value: unknown) {
    this.key = key;
    this.value = value;
  }
}

/** The key that an entry was put under. */
export function keyOfContent(mapKey: unknown, stored: unknown): Key {
  return stored instanceof Wrapped ? stored.key : (mapKey as Key);
}

/** The value that was put. */
export function valueOfContent(stored: unknown): unknown {
  return stored instanceof Wrapped ? stored.value : stored;
}

/** Puts a value under an owned key. */
export function putContent(map: Map<unknown, unknown>, key: Key, value: unknown): void {
  const mapKey = quickMapKey(key);
  map.set(mapKey, mapKey === key || typeof key === 'number' ? value : new Wrapped(key, value));
}
