/** What user functions get in `open`: where they run, and keyed state. Names are Flink's. */
import type {
  AggregatingStateDescriptor,
  ListStateDescriptor,
  MapStateDescriptor,
  ReducingStateDescriptor,
  ValueStateDescriptor,
} from '../state/descriptors.js';
import type { AggregatingState, ListState, MapState, ReducingState, ValueState } from '../state/state.js';
import type { OperatorContext } from './operator.js';

/** Keyed state by descriptor. A state is about the key of the element or timer that is being processed. */
export interface KeyedStateStore {
  getState<T>(descriptor: ValueStateDescriptor<T>): ValueState<T>;
  getListState<T>(descriptor: ListStateDescriptor<T>): ListState<T>;
  getMapState<K, V>(descriptor: MapStateDescriptor<K, V>): MapState<K, V>;
  getReducingState<T>(descriptor: ReducingStateDescriptor<T>): ReducingState<T>;
  getAggregatingState<IN, ACC, OUT>(descriptor: AggregatingStateDescriptor<IN, ACC, OUT>): AggregatingState<IN, OUT>;
}

/** The surroundings of a user function. State of operators without keyed input: error NO_KEYED_STATE. */
export interface RuntimeContext extends KeyedStateStore {
  /** The operator's name. */
  readonly name: string;
  readonly uid: string;
  readonly subtaskIndex: number;
  readonly parallelism: number;
  readonly maxParallelism: number;
  /** The attempt of the job: 1 at first, one more after each restart. */
  readonly attempt: number;
  /** True if this attempt started from a checkpoint or savepoint that has this operator. */
  readonly isRestored: boolean;
}

/** The runtime context of one operator of one subtask. */
export class OperatorRuntimeContext implements RuntimeContext {
  readonly name: string;
  readonly uid: string;
  readonly subtaskIndex: number;
  readonly parallelism: number;
  readonly maxParallelism: number;
  readonly attempt: number;
  readonly isRestored: boolean;
  private readonly context: OperatorContext;

  constructor(context: OperatorContext) {
    this.name = context.name;
    this.uid = context.uid;
    this.subtaskIndex = context.subtaskIndex;
    this.parallelism = context.parallelism;
    this.maxParallelism = context.maxParallelism;
    this.attempt = context.attempt;
    this.isRestored = context.restored;
    this.context = context;
  }

  getState<T>(descriptor: ValueStateDescriptor<T>): ValueState<T> {
    return this.context.keyed.value(descriptor);
  }

  getListState<T>(descriptor: ListStateDescriptor<T>): ListState<T> {
    return this.context.keyed.list(descriptor);
  }

  getMapState<K, V>(descriptor: MapStateDescriptor<K, V>): MapState<K, V> {
    return this.context.keyed.map(descriptor);
  }

  getReducingState<T>(descriptor: ReducingStateDescriptor<T>): ReducingState<T> {
    return this.context.keyed.reducing(descriptor);
  }

  getAggregatingState<IN, ACC, OUT>(descriptor: AggregatingStateDescriptor<IN, ACC, OUT>): AggregatingState<IN, OUT> {
    return this.context.keyed.aggregating(descriptor);
  }
}
