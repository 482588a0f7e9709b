/** List and map states whose changes can be taken back. Only what is touched is remembered: adding to a long list costs no copy of it. */
import type { ListState, MapState } from '../state.js';
import { KeyedUndoStep, LoggedMark, type UndoContext } from './undoable-cells.js';

/** Makes a step about the current key. */
class Reverting extends KeyedUndoStep {
  protected readonly revert: () => void;

  constructor(context: UndoContext, revert: () => void) {
    super(context.key);
    this.revert = revert;
  }
}

export class UndoableListState<T> implements ListState<T> {
  private readonly state: ListState<T>;
  private readonly context: UndoContext;
  /** The whole list was logged. */
  private readonly whole = new LoggedMark();
  /** Its length was logged: what follows is new. */
  private readonly length = new LoggedMark();

  constructor(state: ListState<T>, context: UndoContext) {
    this.state = state;
    this.context = context;
  }

  get(): readonly T[] {
    const elements = this.state.get();
    const { log, copies } = this.context;
    if (log.recording && elements.length > 0 && this.whole.isFirst(this.context)) {
      const kept = log.remember(copies, elements);
      this.restoring(() => copies.restore(kept) as readonly T[]);
    }
    return elements;
  }

  add(element: T): void {
    if (this.context.log.recording && this.length.isFirst(this.context)) {
      const { length } = this.state.get();
      this.restoring(() => this.state.get().slice(0, length));
    }
    this.state.add(element);
  }

  addAll(elements: Iterable<T>): void {
    for (const element of elements) this.add(element);
  }

  update(elements: Iterable<T>): void {
    // Before the old list is remembered: the elements may be that list.
    const next = [...elements];
    this.beforeReplacing();
    this.state.update(next);
  }

  clear(): void {
    this.beforeReplacing();
    this.state.clear();
  }

  private beforeReplacing(): void {
    if (!this.context.log.recording || !this.whole.isFirst(this.context)) return;
    const elements = this.state.get();
    this.restoring(() => elements);
  }

  private restoring(before: () => readonly T[]): void {
    this.context.log.add(new Reverting(this.context, () => this.state.update(before())));
  }
}

export class UndoableMapState<K, V> implements MapState<K, V> {
  private readonly state: MapState<K, V>;
  private readonly context: UndoContext;

  constructor(state: MapState<K, V>, context: UndoContext) {
    this.state = state;
    this.context = context;
  }

  get(key: K): V | undefined {
    const value = this.state.get(key);
    this.handsOut(key, value);
    return value;
  }

  /** The user may change the value in place. */
  private handsOut(key: K, value: unknown): void {
    const { log, copies } = this.context;
    if (!log.recording || typeof value !== 'object' || value === null) return;
    const kept = log.remember(copies, value);
    log.add(new Reverting(this.context, () => this.state.put(key, copies.restore(kept) as V)));
  }

  put(key: K, value: V): void {
    this.beforeReplacing(key);
    this.state.put(key, value);
  }

  putAll(entries: Iterable<readonly [K, V]>): void {
    for (const [key, value] of entries) this.put(key, value);
  }

  remove(key: K): void {
    this.beforeReplacing(key);
    this.state.remove(key);
  }

  private beforeReplacing(key: K): void {
    const { state, context } = this;
    if (!context.log.recording) return;
    if (!state.contains(key)) {
      context.log.add(new Reverting(context, () => state.remove(key)));
      return;
    }
    const value = state.get(key) as V;
    context.log.add(new Reverting(context, () => state.put(key, value)));
  }

  contains(key: K): boolean {
    return this.state.contains(key);
  }

  isEmpty(): boolean {
    return this.state.isEmpty();
  }

  *entries(): IterableIterator<[K, V]> {
    for (const entry of this.state.entries()) {
      this.handsOut(entry[0], entry[1]);
      yield entry;
    }
  }

  keys(): IterableIterator<K> {
    return this.state.keys();
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  clear(): void {
    const { state, context } = this;
    if (context.log.recording) {
      const entries = [...state.entries()];
      context.log.add(new Reverting(context, () => state.putAll(entries)));
    }
    state.clear();
  }
}
