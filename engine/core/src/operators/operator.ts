/**
 * The contract between operators and the task that runs them. The same operators run in slots, in functions and in simulation: they
 * know nothing of threads, sockets and machine clocks. Everything here is called by one task, never re-entrantly, and never awaits.
 *
 * A task drives a chain of operators:
 *
 *     processElement(value, ts)*  →  advanceEventTime(watermark)  →  …  →  snapshotState(epoch)  →  …  →  finish()  →  close()
 *
 * Timestamps and watermarks are ms since 1970 as numbers; NaN is 'no timestamp', -Infinity 'no watermark yet', Infinity the watermark
 * at the end of the input.
 *
 * Resumable methods return false when they stopped before they were done, because `budget.exhausted()` said so; they are called again,
 * with the same arguments, when outputs have room again. Nothing else is called on the operator in between, except `drain`.
 */
import type { ClassRegistry } from '../codec/class-registry.js';
import type { Clock } from '../common/clock.js';
import type { Key } from '../common/key.js';
import type { Random } from '../common/random.js';
import type { Sink } from '../connector/sink.js';
import type { Source, SourceSplit } from '../connector/source.js';
import type { KeyedStateBackend } from '../state/backend.js';
import type { UndoLog } from '../state/undo-log.js';
import type { WatermarkStrategy } from '../time/watermark-strategy.js';

/** Where an operator's results go: the rest of the chain. */
export interface Output<T> {
  collect(value: T, timestamp: number): void;
}

/** Says when a resumable loop has to stop: outputs without room, or 5 ms gone. Ask after each fired timer, window or emitted element. */
export interface Budget {
  exhausted(): boolean;
}

/** Operator state that is not keyed; small, and encoded at each barrier. Values are of the allowed types. */
export interface OperatorListState<T> {
  get(): readonly T[];
  add(value: T): void;
  update(values: readonly T[]): void;
}

export interface OperatorStateStore {
  /** Split among the subtasks on a restore at another parallelism. */
  list<T>(name: string): OperatorListState<T>;
  /** Every subtask gets all elements of all subtasks on a restore. */
  union<T>(name: string): OperatorListState<T>;
  /** The same on every subtask; every subtask gets one copy on a restore. The map may be changed in place. */
  broadcast<K, V>(name: string): Map<K, V>;
}

/** Counters that an operator keeps; the loop reads them. Plain increments. */
export interface OperatorCounters {
  numLateRecordsDropped: number;
  numRecordsInErrors: number;
  numFiredTimers: number;
}

/** Extracts a key from a record; pure, since it runs on both sides of a shuffle. */
export type KeySelector = (value: unknown) => Key;

export interface OperatorContext {
  readonly name: string;
  readonly uid: string;
  readonly subtaskIndex: number;
  readonly parallelism: number;
  readonly maxParallelism: number;
  readonly run: string;
  readonly attempt: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: OperatorCounters;
  /** Checked mode: records are deep-frozen, state is compared. */
  readonly checked: boolean;
  /** Classes whose instances may be in records and state. */
  readonly classes: ClassRegistry | undefined;
  /** Where an operator with `onError` logs what else than keyed state a record changes; undefined without `onError`. */
  readonly undo: UndoLog | undefined;
  /** The key selector of each keyed input; undefined for inputs that are not keyed. */
  readonly keySelectors: readonly (KeySelector | undefined)[];
  /** The main output. */
  readonly output: Output<unknown>;
  /** A side output; a tag that nobody reads is dropped. */
  side(tag: string): Output<unknown>;
  /** The keyed state of this operator; INTERNAL error on an operator without keyed input. Restored before `open`. */
  readonly keyed: KeyedStateBackend;
  readonly operatorState: OperatorStateStore;
  /** True if this attempt started from a checkpoint or savepoint that has this operator. */
  readonly restored: boolean;
  /**
   * After a restore: the watermark that each key group of `keyed.keyGroupRange` had seen (index: group - start); undefined otherwise.
   * Lateness and `currentWatermark()` use the maximum of it and the live watermark.
   */
  readonly restoredWatermarks: Float64Array | undefined;
  /** For operators with `ownWatermarks`: passes a watermark on. Monotonous. */
  emitWatermark(watermark: number): void;
  /** For operators with `ownWatermarks`: passes idleness on. */
  emitIdle(idle: boolean): void;
  /** Asks that `drain` be called soon; may be called at any time, from callbacks too. */
  wake(): void;
  /** The chain stops after the current record, and gets no further input until `resume`. Counted: as many resumes as suspends. */
  suspend(): void;
  resume(): void;
  /** Fails the task, from callbacks that have no caller. */
  fail(error: unknown): void;
}

/** What a snapshot returns beside keyed and operator state: results that are ready only later (files made durable). */
export interface Operator {
  /** After state was restored, before any element. */
  open?(): Promise<void> | void;
  processElement?(value: unknown, timestamp: number): void;
  /** Elements of the second input. */
  processElement2?(value: unknown, timestamp: number): void;
  /** Fires what is due; resumable. The watermark is passed on when it returns true, unless `ownWatermarks`. */
  advanceEventTime?(watermark: number, budget: Budget): boolean;
  /** The inputs became idle (no watermark is expected) or active again. Passed on unless `ownWatermarks`. */
  setIdle?(idle: boolean): void;
  /** When `advanceProcessingTime` wants to be called next; Infinity if never. Asked often: keep it a field read. */
  nextProcessingTime?(): number;
  /** Fires what is due; resumable. */
  advanceProcessingTime?(now: number, budget: Budget): boolean;
  /** After `wake`: emits what asynchronous work has produced; resumable. */
  drain?(budget: Budget): boolean;
  /** All inputs have ended, the last watermark (Infinity) has passed: emit what is left. Resumable; false also while work is pending. */
  finish?(budget: Budget): boolean;
  /** At the barrier, before it is passed on: put into operator state what a restore needs. Keyed state is snapshot by the task. */
  snapshotState?(epoch: number): void;
  /** At the barrier, after `snapshotState`: what the checkpoint's committables are, once durable. Sinks only. */
  prepareCommit?(epoch: number): Promise<readonly unknown[]>;
  /** The checkpoint is complete. Work that must end before the job is FINISHED is in the promise. */
  notifyCheckpointComplete?(epoch: number): Promise<void> | void;
  close?(): Promise<void> | void;
  /** The operator decides about watermarks and idleness itself (`emitWatermark`). */
  readonly ownWatermarks?: boolean;
}

/** A function for results; `timestamp` of what it emits is that of the element being processed. */
export interface Collector<T> {
  collect(value: T): void;
}

/**
 * A record whose function threw, as a side output of `onError` receives it.
 * @example
 * const failed = new OutputTag<FailedRecord<string>>('failed');
 * const parsed = lines.map((line) => JSON.parse(line) as Order).onError(failed);
 * parsed.getSideOutput(failed).map(({ value, error }) => `${error}: ${value}`).print();
 */
export interface FailedRecord<T> {
  /** The record, with the timestamp that it had. */
  readonly value: T;
  /** The message of what was thrown. */
  readonly error: string;
}

/** What a side output of `onError` receives. */
export function failedRecord<T>(value: T, error: unknown): FailedRecord<T> {
  return { value, error: error instanceof Error ? error.message : String(error) };
}

/** What happens to a record whose user function throws. */
export type OnError = { readonly type: 'fail' } | { readonly type: 'skip' } | { readonly type: 'sideOutput'; readonly tag: string };

/** How the runtime runs a plan node. The first kinds are fused into the generated chain; `operator` covers all else. */
export type OperatorImplementation =
  | { readonly type: 'source'; readonly source: Source<unknown, SourceSplit, unknown>; readonly watermarks: WatermarkStrategy<unknown> }
  | { readonly type: 'map'; readonly fn: (value: unknown) => unknown; readonly onError?: OnError }
  | { readonly type: 'filter'; readonly fn: (value: unknown) => boolean; readonly onError?: OnError }
  | { readonly type: 'flatMap'; readonly fn: (value: unknown, out: Collector<unknown>) => void; readonly onError?: OnError }
  | { readonly type: 'timestamps'; readonly watermarks: WatermarkStrategy<unknown> }
  | { readonly type: 'operator'; readonly create: (context: OperatorContext) => Operator; readonly onError?: OnError }
  | { readonly type: 'sink'; readonly sink: Sink<unknown> };
