/** Window and timer tables whose changes can be taken back. Their calls name the key, so that their steps need no current one. */
import type { Key } from '../../common/key.js';
import type { KeyedEntry, StateEntry, TimerTable, WindowTable } from '../backend.js';
import type { UndoLog, ValueKeeper } from '../undo-log.js';

export class UndoableWindowTable<V> implements WindowTable<V> {
  private readonly table: WindowTable<V>;
  private readonly log: UndoLog;
  private readonly keeper: ValueKeeper<V>;

  constructor(table: WindowTable<V>, log: UndoLog, keeper: ValueKeeper<V>) {
    this.table = table;
    this.log = log;
    this.keeper = keeper;
  }

  entry(namespace: number, key: Key): StateEntry<V> | undefined {
    const entry = this.table.entry(namespace, key);
    if (entry !== undefined) this.handsOut(namespace, key, entry);
    return entry;
  }

  private handsOut(namespace: number, key: Key, entry: StateEntry<V>): void {
    const { log, keeper } = this;
    if (!log.recording) return;
    const kept = log.remember(keeper, entry.value);
    log.add({ undo: () => this.set(namespace, key, keeper.restore(kept)) });
  }

  private set(namespace: number, key: Key, value: V): void {
    const entry = this.table.entry(namespace, key);
    if (entry === undefined) this.table.insert(namespace, key, value);
    else entry.value = value;
  }

  insert(namespace: number, key: Key, value: V): StateEntry<V> {
    if (this.log.recording) this.log.add({ undo: () => this.table.remove(namespace, key) });
    return this.table.insert(namespace, key, value);
  }

  remove(namespace: number, key: Key): void {
    const entry = this.log.recording ? this.table.entry(namespace, key) : undefined;
    if (entry !== undefined) {
      const { value } = entry;
      this.log.add({ undo: () => this.set(namespace, key, value) });
    }
    this.table.remove(namespace, key);
  }

  *entries(namespace: number): IterableIterator<KeyedEntry<V>> {
    for (const entry of this.table.entries(namespace)) {
      this.handsOut(namespace, entry.key, entry);
      yield entry;
    }
  }

  count(namespace: number): number {
    return this.table.count(namespace);
  }

  drop(namespace: number): void {
    if (this.log.recording) {
      const rows = Array.from(this.table.entries(namespace), ({ key, value }) => [key, value] as const);
      this.log.add({
        undo: () => {
          for (const [key, value] of rows) this.set(namespace, key, value);
        },
      });
    }
    this.table.drop(namespace);
  }

  namespaces(): IterableIterator<number> {
    return this.table.namespaces();
  }
}

export class UndoableTimerTable implements TimerTable {
  private readonly table: TimerTable;
  private readonly log: UndoLog;

  constructor(table: TimerTable, log: UndoLog) {
    this.table = table;
    this.log = log;
  }

  register(time: number, key: Key): boolean {
    const isNew = this.table.register(time, key);
    if (isNew && this.log.recording) this.log.add({ undo: () => this.table.delete(time, key) });
    return isNew;
  }

  delete(time: number, key: Key): boolean {
    const wasThere = this.table.delete(time, key);
    if (wasThere && this.log.recording) this.log.add({ undo: () => this.table.register(time, key) });
    return wasThere;
  }

  nextTime(): number {
    return this.table.nextTime();
  }

  poll(limit: number): Key | undefined {
    return this.table.poll(limit);
  }

  get polledTime(): number {
    return this.table.polledTime;
  }

  get size(): number {
    return this.table.size;
  }
}
