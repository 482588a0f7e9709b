/**
 * Operator state (not keyed) of one operator in one subtask: small lists and broadcast maps, encoded at each barrier with the row codec.
 * How elements are redistributed is the checkpoint's business (checkpoint/operator-state).
 */
import { encodeOperatorState, type NamedOperatorState } from '../checkpoint/operator-state.js';
import type { ClassRegistry } from '../codec/class-registry.js';
import { readValue, writeValue } from '../codec/row.js';
import { ByteReader, ByteWriter } from '../common/bytes.js';
import type { OperatorListState, OperatorStateStore } from '../operators/operator.js';

class ArrayState<T> implements OperatorListState<T> {
  private values: T[];

  constructor(values: T[]) {
    this.values = values;
  }

  get(): readonly T[] {
    return this.values;
  }

  add(value: T): void {
    this.values.push(value);
  }

  update(values: readonly T[]): void {
    this.values = [...values];
  }
}

/** One value of the record model as bytes. */
export function encodeValue(value: unknown, classes?: ClassRegistry): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(128);
  writeValue(out, value, classes);
  return out.toBytes();
}

export function decodeValue(bytes: Uint8Array, classes?: ClassRegistry): unknown {
  return readValue(new ByteReader(bytes), classes);
}

export function decodeValues(values: readonly Uint8Array[], classes: ClassRegistry | undefined): unknown[] {
  return values.map((bytes) => decodeValue(bytes, classes));
}

export class OperatorStates implements OperatorStateStore {
  private readonly lists = new Map<string, ArrayState<unknown>>();
  private readonly unions = new Map<string, ArrayState<unknown>>();
  private readonly broadcasts = new Map<string, Map<unknown, unknown>>();

  private readonly classes: ClassRegistry | undefined;

  /** `classes`: those whose instances may be in the states. */
  constructor(restored: readonly NamedOperatorState[], classes?: ClassRegistry) {
    this.classes = classes;
    for (const { name, kind, elements } of restored) {
      const values = decodeValues(elements, classes);
      if (kind === 'list') this.lists.set(name, new ArrayState(values));
      else if (kind === 'union') this.unions.set(name, new ArrayState(values));
      else this.broadcasts.set(name, new Map(values as [unknown, unknown][]));
    }
  }

  list<T>(name: string): OperatorListState<T> {
    return obtain(this.lists, name, () => new ArrayState<unknown>([])) as OperatorListState<T>;
  }

  union<T>(name: string): OperatorListState<T> {
    return obtain(this.unions, name, () => new ArrayState<unknown>([])) as OperatorListState<T>;
  }

  broadcast<K, V>(name: string): Map<K, V> {
    return obtain(this.broadcasts, name, () => new Map<unknown, unknown>()) as Map<K, V>;
  }

  /** Undefined if there is no state at all. */
  encode(): Uint8Array | undefined {
    const states: NamedOperatorState[] = [];
    const encoded = (values: readonly unknown[]): Uint8Array[] => values.map((value) => encodeValue(value, this.classes));
    for (const [name, state] of this.lists) states.push({ name, kind: 'list', elements: encoded(state.get()) });
    for (const [name, state] of this.unions) states.push({ name, kind: 'union', elements: encoded(state.get()) });
    for (const [name, map] of this.broadcasts) states.push({ name, kind: 'broadcast', elements: encoded([...map]) });
    return states.length === 0 ? undefined : encodeOperatorState(states);
  }
}

function obtain<V>(map: Map<string, V>, name: string, create: () => V): V {
  let value = map.get(name);
  if (value === undefined) {
    value = create();
    map.set(name, value);
  }
  return value;
}
