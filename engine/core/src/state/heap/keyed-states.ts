/** The states that user functions see, over the tables of the heap backend. Every call is about the backend's current key. */
import type { ClassRegistry } from '../../codec/class-registry.js';
import { copyValue } from '../../codec/copy-value.js';
import type { Key } from '../../common/key.js';
import type { AggregateFunction, ReduceFunction } from '../descriptors.js';
import type { AggregatingState, ListState, MapState, ReducingState, ValueState } from '../state.js';
import type { Cells } from './cells.js';
import type { ChangeDetector } from './change-detector.js';
import type { EntryTable } from './entry-table.js';
import { keyOfContent, putContent, valueOfContent } from './map-content.js';
import { ownedKey, quickMapKey } from './table.js';

export class HeapValueState<T> implements ValueState<T> {
  private readonly cells: Cells;

  constructor(cells: Cells) {
    this.cells = cells;
  }

  value(): T | undefined {
    return this.cells.read() as T | undefined;
  }

  update(value: T): void {
    if (value === undefined) this.cells.remove();
    else this.cells.write(value);
  }

  clear(): void {
    this.cells.remove();
  }
}

/** A value state that finds changes in place without `update`. */
export class CheckedValueState<T> extends HeapValueState<T> {
  private readonly name: string;
  private readonly detector: ChangeDetector;

  constructor(cells: Cells, name: string, detector: ChangeDetector) {
    super(cells);
    this.name = name;
    this.detector = detector;
  }

  override value(): T | undefined {
    const value = super.value();
    this.detector.handedOut(this.name, value);
    return value;
  }

  override update(value: T): void {
    this.detector.updated(this.name);
    super.update(value);
    this.detector.handedOut(this.name, value);
  }

  override clear(): void {
    this.detector.updated(this.name);
    super.clear();
  }
}

export class HeapReducingState<T> implements ReducingState<T> {
  private readonly cells: Cells;
  private readonly reduce: ReduceFunction<T>;
  private readonly classes: ClassRegistry | undefined;

  constructor(cells: Cells, reduce: ReduceFunction<T>, classes: ClassRegistry | undefined) {
    this.cells = cells;
    this.reduce = reduce;
    this.classes = classes;
  }

  get(): T | undefined {
    return this.cells.read() as T | undefined;
  }

  add(value: T): void {
    const current = this.cells.read() as T | undefined;
    const { reduce } = this;
    const result = current === undefined ? value : reduce(current, value);
    // The function may change what is stored, but a record has other readers.
    this.cells.write(result === value ? copyValue(value, this.classes) : result);
  }

  clear(): void {
    this.cells.remove();
  }
}

export class HeapAggregatingState<IN, ACC, OUT> implements AggregatingState<IN, OUT> {
  private readonly cells: Cells;
  private readonly aggregate: AggregateFunction<IN, ACC, OUT>;

  constructor(cells: Cells, aggregate: AggregateFunction<IN, ACC, OUT>) {
    this.cells = cells;
    this.aggregate = aggregate;
  }

  get(): OUT | undefined {
    const accumulator = this.cells.read() as ACC | undefined;
    return accumulator === undefined ? undefined : this.aggregate.getResult(accumulator);
  }

  add(value: IN): void {
    const accumulator = (this.cells.read() as ACC | undefined) ?? this.aggregate.createAccumulator();
    this.cells.write(this.aggregate.add(value, accumulator));
  }

  clear(): void {
    this.cells.remove();
  }
}

const NO_ELEMENTS: readonly never[] = Object.freeze([]);

export class HeapListState<T> implements ListState<T> {
  private readonly table: EntryTable;

  constructor(table: EntryTable) {
    this.table = table;
  }

  get(): readonly T[] {
    return (this.table.read() as T[] | undefined) ?? NO_ELEMENTS;
  }

  add(element: T): void {
    const elements = this.table.read() as T[] | undefined;
    if (elements === undefined) this.table.write([element]);
    else elements.push(element);
  }

  addAll(elements: Iterable<T>): void {
    for (const element of elements) this.add(element);
  }

  update(elements: Iterable<T>): void {
    const next = [...elements];
    if (next.length === 0) this.table.remove();
    else this.table.write(next);
  }

  clear(): void {
    this.table.remove();
  }
}

type Content = Map<unknown, unknown>;

export class HeapMapState<K, V> implements MapState<K, V> {
  private readonly table: EntryTable;

  constructor(table: EntryTable) {
    this.table = table;
  }

  private peek(): Content | undefined {
    return this.table.peek() as Content | undefined;
  }

  get(key: K): V | undefined {
    const value = valueOfContent(this.peek()?.get(quickMapKey(key as Key)));
    // Reading the cell prepares it for a change of the object; a primitive cannot change.
    if (typeof value === 'object' && value !== null) this.table.read();
    return value as V | undefined;
  }

  put(key: K, value: V): void {
    let content = this.table.read() as Content | undefined;
    if (content === undefined) {
      content = new Map();
      this.table.write(content);
    }
    putContent(content, ownedKey(key as Key), value);
  }

  putAll(entries: Iterable<readonly [K, V]>): void {
    for (const [key, value] of entries) this.put(key, value);
  }

  contains(key: K): boolean {
    return this.peek()?.has(quickMapKey(key as Key)) ?? false;
  }

  remove(key: K): void {
    const mapKey = quickMapKey(key as Key);
    if (this.peek()?.has(mapKey) !== true) return;
    const content = this.table.read() as Content;
    content.delete(mapKey);
    if (content.size === 0) this.table.remove();
  }

  isEmpty(): boolean {
    return this.peek() === undefined;
  }

  *entries(): IterableIterator<[K, V]> {
    for (const [mapKey, stored] of (this.table.read() as Content | undefined) ?? []) {
      yield [keyOfContent(mapKey, stored) as K, valueOfContent(stored) as V];
    }
  }

  *keys(): IterableIterator<K> {
    for (const [mapKey, stored] of this.peek() ?? []) yield keyOfContent(mapKey, stored) as K;
  }

  *values(): IterableIterator<V> {
    for (const stored of ((this.table.read() as Content | undefined) ?? new Map()).values()) yield valueOfContent(stored) as V;
  }

  clear(): void {
    this.table.remove();
  }
}
