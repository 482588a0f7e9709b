/**
 * Data streams: the typed, fluent description of a job. A method adds a node to the job and returns the stream of its results; nothing
 * runs before `execute`. Streams are immutable, settings belong to the operator that made them.
 */

import type { Schema } from '../codec/schema.js';
import { MillstreamError } from '../common/errors.js';
import type { Key } from '../common/key.js';
import { printSink } from '../connector/print-sink.js';
import type { Sink } from '../connector/sink.js';
import { type AsyncMapOptions, createAsyncMapOperator } from '../operators/async-map.js';
import type { Collector } from '../operators/operator.js';
import { createProcessOperator, KeyedProcessFunction, type ProcessFunction } from '../operators/process.js';
import type { UserFunction } from '../operators/user-function.js';
import type { WindowAssigner } from '../operators/window/assigners.js';
import type { Window } from '../operators/window/window.js';
import type { NodeDraft, NodeSpecification } from '../plan/draft.js';
import { frozenPlainValue } from '../plan/structural-hash.js';
import type { MapStateDescriptor } from '../state/descriptors.js';
import type { WatermarkStrategy } from '../time/watermark-strategy.js';
import { BroadcastConnectedStream, BroadcastStream } from './broadcast-streams.js';
import type { AsyncSentence, CompileError, FilterResult, KeyField, KeyResult, MapResult, NotPromise } from './compile-error.js';
import { ConnectedStreams } from './connected-streams.js';
import { DataStreamSink } from './data-stream-sink.js';
import { collectJob } from './execute-job.js';
import { flatMapCollector } from './flat-map.js';
import type { JobBuilder } from './job-builder.js';
import { CoGroupedStreams, JoinedStreams } from './joined-streams.js';
import { keySelectorFrom } from './key-selectors.js';
import type { KeyedStream } from './keyed-stream.js';
import type { Received } from './received.js';
import type { SingleOutputStreamOperator } from './single-output-stream-operator.js';
import { edgesOf, partitioned, type Tap } from './tap.js';
import { refuseUnkeyed, requireFunction } from './user-functions.js';
import type { AddWindowOperator } from './window-evaluation.js';
import { CountWindowedStream, WindowedStream } from './windowed-stream.js';

/** Options of `mapAsync`. */
export type MapAsyncOptions = Pick<AsyncMapOptions<unknown, unknown>, 'capacity' | 'timeoutMs' | 'retry'> & {
  /** Whether results keep the order of the input. Default true. */
  readonly ordered?: boolean;
};

/** A watermark strategy without its `with…` methods, which would make streams invariant in their type. */
type WatermarkSettings<T> = Pick<WatermarkStrategy<T>, 'timestampAssigner' | 'createGenerator' | 'idlenessMs' | 'alignment'>;

/** A stream of records of type `T`. A stream of a subtype is one of its supertype. */
export class DataStream<T> {
  /** Internal. */
  protected readonly job: JobBuilder;
  /** Internal. */
  protected readonly taps: readonly Tap[];

  /** Internal: streams come from an environment and from other streams. */
  constructor(job: JobBuilder, taps: readonly Tap[]) {
    this.job = job;
    this.taps = taps;
  }

  /**
   * One result for each record.
   * @example
   * flights.map((flight) => ({ origin: flight.origin, hour: Math.floor(flight.date / 3_600_000) }));
   */
  map<R extends NotPromise>(fn: (value: Received<T>) => R): SingleOutputStreamOperator<R>;
  map<R>(fn: (value: Received<T>) => MapResult<R>): SingleOutputStreamOperator<R>;
  map<R>(fn: (value: Received<T>) => unknown): SingleOutputStreamOperator<R> {
    requireFunction(fn, 'map');
    return this.transform<R>({ kind: 'map', implementation: { type: 'map', fn: fn as (value: unknown) => unknown } });
  }

  /** Keeps the records for which `predicate` returns true; a type predicate narrows the stream's type. */
  filter<S extends T>(predicate: (value: Received<T>) => value is S): SingleOutputStreamOperator<S>;
  filter(predicate: (value: Received<T>) => boolean): SingleOutputStreamOperator<T>;
  filter<B>(predicate: (value: Received<T>) => FilterResult<B>): SingleOutputStreamOperator<T>;
  filter(predicate: (value: Received<T>) => unknown): SingleOutputStreamOperator<T> {
    requireFunction(predicate, 'filter');
    return this.transform<T>({ kind: 'filter', implementation: { type: 'filter', fn: predicate as (value: unknown) => boolean } });
  }

  /**
   * Any number of results for each record: returned as an array, or collected.
   * @example
   * lines.flatMap((line) => line.split(' '));
   * lines.flatMap<string>((line, out) => { for (const word of line.split(' ')) out.collect(word); });
   */
  flatMap<R>(
    // biome-ignore lint/suspicious/noConfusingVoidType: as plain void, the compiler takes an async function too.
    fn: (value: Received<T>, out: Collector<R>) => void | readonly R[] | CompileError<AsyncSentence<'flatMap'>>,
  ): SingleOutputStreamOperator<R> {
    requireFunction(fn, 'flatMap');
    return this.transform<R>({
      kind: 'flatMap',
      implementation: { type: 'flatMap', fn: flatMapCollector(fn as (value: unknown, out: Collector<unknown>) => unknown) },
    });
  }

  /** Runs a process function, which may emit any number of results, also to side outputs. */
  process<R>(fn: UserFunction<ProcessFunction<T, R>>): SingleOutputStreamOperator<R> {
    if (fn instanceof KeyedProcessFunction) refuseUnkeyed('KeyedProcessFunction');
    return this.transform<R>({ kind: 'process', implementation: { type: 'operator', create: createProcessOperator(fn) } });
  }

  /**
   * Partitions the stream by key; what follows has state and timers per key. A key is a boolean, number, string, bigint or a tuple of
   * them. The selector must be pure.
   * @example
   * flights.keyBy('origin');
   * flights.keyBy((flight) => [flight.origin, flight.destination]);
   */
  keyBy<F extends KeyField<T>>(field: F): KeyedStream<T, T[F] & Key>;
  keyBy<const K extends Key>(selector: (value: Received<T>) => K): KeyedStream<T, K>;
  keyBy<const K>(selector: (value: Received<T>) => KeyResult<K>): KeyedStream<T, K>;
  keyBy(selector: unknown): KeyedStream<T, unknown> {
    const functions = { keySelector: keySelectorFrom(selector) };
    return this.job.streams.keyed<T, unknown>(this.job, partitioned(this.taps, 'hash', functions));
  }

  /** This stream and others, as one; the order between them is not defined. */
  union<U>(...streams: readonly DataStream<U>[]): DataStream<T | U> {
    return this.job.streams.stream<T | U>(this.job, [this.taps, ...streams.map((stream) => stream.taps)].flat());
  }

  /** Two streams as the inputs of one operator. */
  connect<R>(other: BroadcastStream<R>): BroadcastConnectedStream<T, R>;
  connect<R>(other: DataStream<R>): ConnectedStreams<T, R>;
  connect<R>(other: DataStream<R> | BroadcastStream<R>): object {
    if (!(other instanceof DataStream)) return new BroadcastConnectedStream<T, R>(this.job, this.taps, other);
    return new ConnectedStreams<T, R>(this.job, this.taps, other.taps);
  }

  /** The inner join with another stream: `join(other).where(…).equalTo(…).window(…).apply(…)`. */
  join<R>(other: DataStream<R>): JoinedStreams<T, R> {
    return new JoinedStreams({ job: this.job, left: this.taps, right: other.taps });
  }

  /** Both streams' records by key and window: `coGroup(other).where(…).equalTo(…).window(…).apply(…)`. */
  coGroup<R>(other: DataStream<R>): CoGroupedStreams<T, R> {
    return new CoGroupedStreams({ job: this.job, left: this.taps, right: other.taps });
  }

  /** Windows over the whole stream, evaluated by one subtask. The key that functions see is 0. */
  windowAll<W extends Window>(assigner: WindowAssigner<T, W>): WindowedStream<T, number, W> {
    return new WindowedStream(this.#whole(), { assigner });
  }

  /** Windows of `size` records of the whole stream, evaluated by one subtask; with `slide`, one after every `slide` records. */
  countWindowAll(size: number, slide?: number): CountWindowedStream<T, number> {
    return new CountWindowedStream(this.#whole(), size, slide);
  }

  #whole(): AddWindowOperator {
    const inputs = edgesOf(partitioned(this.taps, 'hash', { keySelector: () => 0 }), 0);
    return (node) => this.job.streams.operator(this.job, this.job.add({ ...node, inputs, parallelism: 1 }));
  }

  /**
   * Declares the fields of the records: only these travel to other slots, and nothing has to be inferred or checked on the way.
   * @example
   * flights.withSchema(schema({ origin: 'string', delay: 'int32' })).keyBy('origin');
   */
  withSchema<S>(this: DataStream<NoInfer<S>>, schema: Schema<S>): DataStream<S> {
    const declared = frozenPlainValue(schema, 'the schema of a stream');
    const taps = this.taps.map((tap) => ({ ...tap, schema: declared }));
    return this.job.streams.stream<S>(this.job, taps);
  }

  /** Records go to the next operator's subtasks in turn. */
  rebalance(): DataStream<T> {
    return this.partition('rebalance');
  }

  /** Records go in turn to a few subtasks that belong to this one: those of the same slot where parallelism is the same. */
  rescale(): DataStream<T> {
    return this.partition('rescale');
  }

  /** Records go to random subtasks. */
  shuffle(): DataStream<T> {
    return this.partition('shuffle');
  }

  /** Records stay in their subtask: the next operator must have the same parallelism. */
  forward(): DataStream<T> {
    return this.partition('forward');
  }

  /** All records go to the first subtask. */
  global(): DataStream<T> {
    return this.partition('global');
  }

  /** Every record goes to every subtask; with descriptors: and may be kept in broadcast state, by a function of a connected stream. */
  broadcast(): DataStream<T>;
  broadcast<K, V>(...descriptors: readonly [MapStateDescriptor<K, V>, ...MapStateDescriptor<never, never>[]]): BroadcastStream<T>;
  broadcast(...descriptors: readonly { readonly name: string }[]): DataStream<T> | BroadcastStream<T> {
    if (descriptors.length === 0) return this.partition('broadcast');
    return new BroadcastStream<T>(partitioned(this.taps, 'broadcast'), descriptors);
  }

  /** Records go to subtask `partition(key(record), numberOfSubtasks)`, an integer from 0 to below that number. */
  partitionCustom<K>(key: (value: Received<T>) => K, partition: (key: K, numberOfSubtasks: number) => number): DataStream<T> {
    requireFunction(key, 'partitionCustom');
    requireFunction(partition, 'partitionCustom');
    const functions = {
      keySelector: key as (value: unknown) => never,
      partition: partition as (key: unknown, numberOfSubtasks: number) => number,
    };
    return this.job.streams.stream<T>(this.job, partitioned(this.taps, 'custom', functions));
  }

  /**
   * One result for each record, from a function that returns a promise. At most `capacity` records are in flight; what is in flight at
   * a checkpoint is asked again after a restore. Without order, results never cross a watermark.
   * @example
   * orders.mapAsync((order) => lookUp(order.customer), { ordered: false, capacity: 50, timeoutMs: 5_000 });
   */
  mapAsync<R>(fn: (value: Received<T>) => Promise<R>, options: MapAsyncOptions = {}): SingleOutputStreamOperator<R> {
    requireFunction(fn, 'mapAsync');
    const { ordered = true, capacity, timeoutMs, retry } = options;
    const asyncMap = { fn: fn as (value: unknown) => Promise<unknown>, ordered, capacity, timeoutMs, retry };
    // Refuses bad options here; the operator itself is made when onError is known.
    createAsyncMapOperator(asyncMap);
    const node: NodeDraft = this.job.add({
      kind: 'mapAsync',
      inputs: edgesOf(this.taps, 0),
      stateful: true,
      config: { ordered, capacity, timeoutMs, attempts: retry?.attempts },
      implementation: { type: 'operator', create: (context) => createAsyncMapOperator({ ...asyncMap, onError: node.onError })(context) },
    });
    return this.job.streams.operator<R>(this.job, node);
  }

  /** Gives records timestamps and the stream watermarks, where the source did not. */
  assignTimestampsAndWatermarks(strategy: WatermarkSettings<T>): SingleOutputStreamOperator<T> {
    return this.transform<T>({
      kind: 'timestamps',
      implementation: { type: 'timestamps', watermarks: strategy as WatermarkStrategy<unknown> },
    });
  }

  /** Ends the stream in a sink. */
  sinkTo(sink: Sink<T>, name = 'sink'): DataStreamSink {
    const stateful = sink.createCommitter !== undefined;
    return this.end({ kind: 'sink', name, stateful, implementation: { type: 'sink', sink: sink as Sink<unknown> } });
  }

  /** Prints each record on a line of standard output, after `prefix` and the subtask's number. */
  print(prefix = ''): DataStreamSink {
    return this.sinkTo(printSink<T>(prefix), 'print');
  }

  /**
   * Executes the job and resolves with this stream's records, at most `limit` of them: the job is cancelled as soon as so many are there.
   * For tests and small results: all are kept in memory. Throws INVALID_OPTION if `limit` is not an integer above 0.
   */
  async executeAndCollect(jobName?: string, limit?: number): Promise<T[]> {
    if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0)) {
      throw new MillstreamError(
        'INVALID_OPTION',
        `Cannot collect ${String(limit)} records: the limit is an integer above 0, or left out for all.`,
      );
    }
    this.end({ kind: 'collect', name: 'collect', parallelism: 1, implementation: undefined, config: { limit } });
    return (await collectJob(this.job, jobName)) as T[];
  }

  /** Internal: the taps of another stream. */
  protected static tapsOf<U>(stream: DataStream<U>): readonly Tap[] {
    return stream.taps;
  }

  /** Internal: adds an operator that reads this stream. */
  protected transform<R>(node: Omit<NodeSpecification, 'inputs'>): SingleOutputStreamOperator<R> {
    return this.job.streams.operator<R>(this.job, this.job.add({ ...node, inputs: edgesOf(this.taps, 0) }));
  }

  private end(node: Omit<NodeSpecification, 'inputs'>): DataStreamSink {
    return new DataStreamSink(this.job, this.job.add({ ...node, inputs: edgesOf(this.taps, 0) }));
  }

  private partition(partitioning: Exclude<Tap['partitioning'], undefined>): DataStream<T> {
    return this.job.streams.stream<T>(this.job, partitioned(this.taps, partitioning));
  }
}
