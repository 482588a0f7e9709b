/**
 * Keyed state on the heap of its process: objects in Maps, declared numeric values in typed memory; see state/backend.ts for what the
 * calls mean. Tables live by name: a restored state that nobody declares keeps its table, so that it is in the next snapshots, too.
 *
 *   setCurrentKey ─▶ CurrentKey ◀─ states ─▶ EntryTable | ColumnTable ┐
 *                                  operators ─▶ WindowPanes, TimerQueue ┴─▶ ChangeClock ◀─ HeapSnapshot
 */
import type { ClassRegistry } from '../../codec/class-registry.js';
import { copyAllowedValue } from '../../codec/copy-value.js';
import type { Schema } from '../../codec/schema.js';
import { invariant, MillstreamError } from '../../common/errors.js';
import type { Key } from '../../common/key.js';
import type {
  KeyedSnapshot,
  KeyedSnapshotFile,
  KeyedStateBackend,
  KeyedStateSize,
  SnapshotSink,
  TimerTable,
  WindowTable,
} from '../backend.js';
import type {
  AggregatingStateDescriptor,
  AnyStateDescriptor,
  ListStateDescriptor,
  MapStateDescriptor,
  ReducingStateDescriptor,
  ValueStateDescriptor,
} from '../descriptors.js';
import type { KeyGroupRange } from '../key-group.js';
import type { AggregatingState, ListState, MapState, ReducingState, ValueState } from '../state.js';
import type { UndoLog, ValueKeeper } from '../undo-log.js';
import type { Cells } from './cells.js';
import { ChangeClock, type SnapshotCut } from './change-clock.js';
import { ChangeDetector } from './change-detector.js';
import { ColumnTable } from './column-table.js';
import { EntryTable } from './entry-table.js';
import { restoreChain } from './heap-restore.js';
import { HeapSnapshot } from './heap-snapshot.js';
import { CheckedValueState, HeapAggregatingState, HeapListState, HeapMapState, HeapReducingState, HeapValueState } from './keyed-states.js';
import { isNumericSchema } from './row-layout.js';
import { BlockBuffers, SnapshotFileWriter } from './snapshot-file-writer.js';
import { requireCompatible, type TableKind, type TableSpec, tableKeyOf } from './snapshot-format.js';
import { SnapshotHistory } from './snapshot-history.js';
import { CurrentKey, type HeapTable, SequenceWalk, type TableContext } from './table.js';
import { TimerQueue } from './timer-queue.js';
import { UndoableCells, type UndoContext } from './undoable-cells.js';
import { UndoableListState, UndoableMapState } from './undoable-collections.js';
import { UndoableTimerTable, UndoableWindowTable } from './undoable-tables.js';
import { WindowPanes } from './window-panes.js';

const BASE_EVERY_DEFAULT = 10;

/** Options of a {@link HeapStateBackend}. */
export interface HeapStateBackendOptions {
  readonly keyGroupRange: KeyGroupRange;
  readonly maxParallelism: number;
  /** Deltas that may follow a base before the next base. Default: 10; 0 takes bases only. */
  readonly baseEvery?: number;
  /** Checked mode: a value changed in place without `update` is an error. Default: false. */
  readonly checked?: boolean;
  /** Codecs of the classes whose instances values may hold. */
  readonly classes?: ClassRegistry | undefined;
  /** Whether generated code reads and writes rows and encodes values. Default: where the process allows it. */
  readonly generateCode?: boolean;
  /** Where changes are logged, so that those of one record can be taken back. Default: they are not. */
  readonly undo?: UndoLog | undefined;
}

interface CellsDescriptor {
  readonly kind: string;
  readonly name: string;
  readonly schema: Schema<never> | Schema<unknown> | undefined;
}

export class HeapStateBackend implements KeyedStateBackend {
  readonly keyGroupRange: KeyGroupRange;
  readonly maxParallelism: number;
  private readonly clock = new ChangeClock();
  private readonly key: CurrentKey;
  private readonly context: TableContext;
  private readonly detector: ChangeDetector | undefined;
  private readonly undo: UndoContext | undefined;
  private readonly tables: HeapTable[] = [];
  private readonly tablesByKey = new Map<string, HeapTable>();
  private readonly history: SnapshotHistory;
  private snapshot: HeapSnapshot | undefined;
  private readonly blockBuffers = new BlockBuffers();
  /** Changes up to this interval are in a complete checkpoint. */
  private confirmedInterval = 0;

  constructor(options: HeapStateBackendOptions) {
    const { keyGroupRange, maxParallelism, classes, generateCode, undo, baseEvery = BASE_EVERY_DEFAULT } = options;
    if (!Number.isSafeInteger(baseEvery) || baseEvery < 0) {
      throw new MillstreamError('INVALID_OPTION', `Cannot take a base every ${baseEvery} deltas: give 0 or a positive integer.`);
    }
    this.keyGroupRange = keyGroupRange;
    this.maxParallelism = maxParallelism;
    this.detector = options.checked === true ? new ChangeDetector(classes) : undefined;
    this.history = new SnapshotHistory(baseEvery);
    this.key = new CurrentKey(keyGroupRange, maxParallelism);
    this.context = { clock: this.clock, key: this.key, range: keyGroupRange, maxParallelism, classes, generateCode };
    if (undo === undefined) return;
    const copies = { keep: (value: unknown) => copyAllowedValue(value, classes), restore: (kept: unknown) => kept };
    this.undo = { log: undo, key: this.key, copies };
    // What was handed out is in no state any more.
    undo.afterRollBack(() => this.detector?.forget());
  }

  setCurrentKey(key: Key): void {
    if (this.detector !== undefined) this.detector.verify();
    this.key.set(key);
  }

  currentKey(): Key {
    this.key.require();
    return this.key.key;
  }

  value<T>(descriptor: ValueStateDescriptor<T>, keeper?: ValueKeeper<T>): ValueState<T> {
    const cells = this.undoableCells(descriptor, keeper as ValueKeeper<unknown> | undefined);
    return this.detector === undefined ? new HeapValueState<T>(cells) : new CheckedValueState<T>(cells, descriptor.name, this.detector);
  }

  list<T>(descriptor: ListStateDescriptor<T>): ListState<T> {
    const state = new HeapListState<T>(this.cells(descriptor) as EntryTable);
    return this.undo === undefined ? state : new UndoableListState(state, this.undo);
  }

  map<K, V>(descriptor: MapStateDescriptor<K, V>): MapState<K, V> {
    const state = new HeapMapState<K, V>(this.cells(descriptor) as EntryTable);
    return this.undo === undefined ? state : new UndoableMapState(state, this.undo);
  }

  reducing<T>(descriptor: ReducingStateDescriptor<T>): ReducingState<T> {
    return new HeapReducingState<T>(this.undoableCells(descriptor), descriptor.reduce, this.context.classes);
  }

  aggregating<IN, ACC, OUT>(descriptor: AggregatingStateDescriptor<IN, ACC, OUT>): AggregatingState<IN, OUT> {
    return new HeapAggregatingState<IN, ACC, OUT>(this.undoableCells(descriptor), descriptor.aggregate);
  }

  keys(descriptor: AnyStateDescriptor): IterableIterator<Key> {
    return this.cells(descriptor).keys();
  }

  windows<V>(name: string, schema?: Schema<V>, keeper?: ValueKeeper<V>): WindowTable<V> {
    const table = this.tableFor({ kind: 'window', name, fields: schema?.fields }) as unknown as WindowTable<V>;
    if (this.undo === undefined) return table;
    return new UndoableWindowTable(table, this.undo.log, keeper ?? (this.undo.copies as ValueKeeper<V>));
  }

  timers(name: string): TimerTable {
    const table = this.tableFor({ kind: 'timer', name, fields: undefined }) as TimerQueue;
    return this.undo === undefined ? table : new UndoableTimerTable(table, this.undo.log);
  }

  private undoableCells(descriptor: CellsDescriptor, keeper?: ValueKeeper<unknown>): Cells {
    const cells = this.cells(descriptor);
    return this.undo === undefined ? cells : new UndoableCells(cells, this.undo, keeper);
  }

  private cells(descriptor: CellsDescriptor): Cells & { keys(): IterableIterator<Key> } {
    const { kind, name, schema } = descriptor;
    return this.tableFor({ kind: kind as TableKind, name, fields: schema?.fields }) as EntryTable | ColumnTable;
  }

  private tableFor(declared: TableSpec): HeapTable {
    const found = this.tablesByKey.get(tableKeyOf(declared));
    if (found === undefined) return this.addTable(declared);
    requireCompatible(found.spec, declared);
    return found;
  }

  private restoredTable(stored: TableSpec): HeapTable {
    const declared = this.tablesByKey.get(tableKeyOf(stored));
    if (declared === undefined) return this.addTable(stored);
    requireCompatible(stored, declared.spec);
    return declared;
  }

  private addTable(spec: TableSpec): HeapTable {
    const table = this.createTable(spec);
    this.tables.push(table);
    this.tablesByKey.set(tableKeyOf(spec), table);
    return table;
  }

  private createTable(spec: TableSpec): HeapTable {
    const { context } = this;
    const id = this.tables.length;
    if (spec.kind === 'window') return new WindowPanes(id, spec, context);
    if (spec.kind === 'timer') return new TimerQueue(id, spec, context);
    const isSimple = spec.kind !== 'list' && spec.kind !== 'map';
    if (isSimple && spec.fields !== undefined && isNumericSchema(spec.fields)) return new ColumnTable(id, spec, context);
    return new EntryTable(id, spec, context);
  }

  startSnapshot(epoch: number, completed: number, sink: SnapshotSink, savepoint: boolean = false): KeyedSnapshot {
    const { clock, history } = this;
    invariant(
      this.snapshot === undefined,
      `The keyed snapshot of epoch ${this.snapshot?.epoch} is in progress when that of ${epoch} begins`,
    );
    invariant(history.isLater(epoch), `The keyed snapshot of epoch ${epoch} begins after that of a later epoch`);
    this.detector?.verify();
    this.confirm(completed);
    history.intervalEnded(epoch, clock.interval, clock.changes);
    const predecessor = clock.tracking && completed > 0 ? history.predecessor(completed) : undefined;
    const isDelta = !savepoint && predecessor !== undefined && !clock.isBaseCheaper(history.changesSince(predecessor.interval));
    const closing = clock.interval;
    // A savepoint leaves the changes to the next delta; where they were not all listed, no delta can follow any more.
    if (savepoint ? !clock.tracking : !isDelta) {
      history.restart();
      this.confirmedInterval = closing;
    }
    const header = {
      kind: isDelta ? 'delta' : 'base',
      epoch,
      maxParallelism: this.maxParallelism,
      keyGroups: { ...this.keyGroupRange },
    } as const;
    const file = new SnapshotFileWriter(
      sink,
      header,
      this.tables.map((table) => table.spec),
      this.blockBuffers,
    );
    const cut: SnapshotCut = { file, after: isDelta ? predecessor.interval : 0, closing, walks: [] };
    clock.cut = cut;
    clock.floor = this.confirmedInterval;
    clock.nextInterval();
    this.snapshot = new HeapSnapshot(header, cut, this.walk(cut), () => {
      this.endSnapshot();
      if (!savepoint) history.finished(epoch, closing, isDelta ? predecessor.deltas + 1 : 0);
    });
    return this.snapshot;
  }

  private walk(cut: SnapshotCut): SequenceWalk {
    for (const table of this.tables) cut.walks.push(table.walk(cut));
    const walks = cut.walks.values();
    return new SequenceWalk(() => walks.next().value);
  }

  private endSnapshot(): void {
    this.snapshot = undefined;
    this.clock.cut = undefined;
    this.clock.floor = this.confirmedInterval;
  }

  confirm(epoch: number): void {
    const interval = this.history.confirm(epoch);
    if (interval === undefined || interval <= this.confirmedInterval) return;
    this.confirmedInterval = interval;
    // A running delta may reach further back than to this checkpoint.
    if (this.clock.cut === undefined) this.clock.floor = interval;
  }

  abort(epoch: number): void {
    this.history.abort(epoch);
    if (this.snapshot?.epoch !== epoch) return;
    this.snapshot.abort();
    this.endSnapshot();
  }

  restore(chains: readonly (readonly KeyedSnapshotFile[])[]): void {
    invariant(this.clock.interval === 1 && this.clock.entries === 0, 'Keyed state is restored into a backend that has been used');
    const { keyGroupRange, maxParallelism } = this;
    const target = { keyGroupRange, maxParallelism, tableFor: (stored: TableSpec) => this.restoredTable(stored) };
    for (const chain of chains) restoreChain(target, chain);
  }

  size(): KeyedStateSize {
    return { entries: this.clock.entries, columnBytes: this.clock.columnBytes };
  }
}
