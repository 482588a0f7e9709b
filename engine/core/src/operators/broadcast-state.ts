/** Broadcast state: the same map on every subtask. The broadcast side changes it, the main side only reads. */
import type { MapStateDescriptor } from '../state/descriptors.js';
import type { UndoLog } from '../state/undo-log.js';
import type { OperatorContext } from './operator.js';

/** What the main side sees. Keys are compared as in a `Map`: use primitives. Values must not be changed, but replaced. */
export interface ReadOnlyBroadcastState<K, V> {
  get(key: K): V | undefined;
  contains(key: K): boolean;
  entries(): IterableIterator<[K, V]>;
}

/** What the broadcast side sees. Every subtask must make the same changes: they may depend on broadcast elements only. */
export interface BroadcastState<K, V> extends ReadOnlyBroadcastState<K, V> {
  put(key: K, value: V): void;
  putAll(entries: Iterable<readonly [K, V]>): void;
  remove(key: K): void;
  clear(): void;
}

class MapBroadcastState<K, V> implements BroadcastState<K, V> {
  protected readonly map: Map<K, V>;

  constructor(map: Map<K, V>) {
    this.map = map;
  }

  get(key: K): V | undefined {
    return this.map.get(key);
  }

  contains(key: K): boolean {
    return this.map.has(key);
  }

  entries(): IterableIterator<[K, V]> {
    return this.map.entries();
  }

  put(key: K, value: V): void {
    this.map.set(key, value);
  }

  putAll(entries: Iterable<readonly [K, V]>): void {
    for (const [key, value] of entries) this.put(key, value);
  }

  remove(key: K): void {
    this.map.delete(key);
  }

  clear(): void {
    this.map.clear();
  }
}

/** Logs how each change comes back. Values are not changed in place, so that they come back themselves. */
class UndoableBroadcastState<K, V> extends MapBroadcastState<K, V> {
  private readonly log: UndoLog;

  constructor(map: Map<K, V>, log: UndoLog) {
    super(map);
    this.log = log;
  }

  override put(key: K, value: V): void {
    const { map } = this;
    if (map.has(key)) {
      const before = map.get(key) as V;
      this.log.add({ undo: () => map.set(key, before) });
    } else this.log.add({ undo: () => map.delete(key) });
    super.put(key, value);
  }

  override remove(key: K): void {
    const { map } = this;
    if (!map.has(key)) return;
    const before = map.get(key) as V;
    this.log.add({ undo: () => map.set(key, before) });
    super.remove(key);
  }

  override clear(): void {
    for (const key of [...this.map.keys()]) this.remove(key);
  }
}

/** The broadcast states of one operator by name. */
export class BroadcastStates {
  private readonly context: OperatorContext;
  private readonly states = new Map<string, MapBroadcastState<unknown, unknown>>();

  constructor(context: OperatorContext) {
    this.context = context;
  }

  get<K, V>(descriptor: MapStateDescriptor<K, V>): BroadcastState<K, V> {
    let state = this.states.get(descriptor.name);
    if (state === undefined) {
      const map = this.context.operatorState.broadcast<unknown, unknown>(descriptor.name);
      const { undo } = this.context;
      state = undo === undefined ? new MapBroadcastState(map) : new UndoableBroadcastState(map, undo);
      this.states.set(descriptor.name, state);
    }
    return state as unknown as BroadcastState<K, V>;
  }
}
