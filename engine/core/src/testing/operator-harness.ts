/**
 * Runs one operator without a job, on virtual time: elements, watermarks and clock go in, results are collected, and a snapshot can be
 * restored at another parallelism. State goes through the heap backend and its files, as in a checkpoint.
 *
 *     const harness = await OperatorHarness.open(createKeyedProcessOperator(fn), { keySelectors: [(v) => v.user] });
 *     harness.processElement(value, 1_000); harness.advanceEventTime(2_000); harness.values(); …
 *     const snapshot = harness.snapshot(1);
 *     const restored = await OperatorHarness.open(create, { …options, parallelism: 2, subtaskIndex: 0, restore: [snapshot] });
 */
import { decodeOperatorState } from '../checkpoint/operator-state.js';
import { redistribute } from '../checkpoint/redistribute.js';
import { EMPTY_OPERATOR_SNAPSHOT, type OperatorSubtaskSnapshot, watermarkRuns } from '../checkpoint/snapshot.js';
import type { ClassRegistry } from '../codec/class-registry.js';
import type { Key } from '../common/key.js';
import { seededRandom } from '../common/random.js';
import {
  type Budget,
  failedRecord,
  type KeySelector,
  type OnError,
  type Operator,
  type OperatorContext,
  type OperatorCounters,
  type Output,
} from '../operators/operator.js';
import type { OutputTag } from '../operators/output-tag.js';
import { isBeyondOnError } from '../runtime/chain-failure.js';
import { OperatorStates } from '../runtime/operator-state.js';
import { RecordRecovery } from '../runtime/record-recovery.js';
import type { KeyedSnapshotFile, KeyedStateBackend } from '../state/backend.js';
import { HeapStateBackend } from '../state/heap/heap-state-backend.js';
import { DEFAULT_MAX_PARALLELISM, keyGroupRangeOf } from '../state/key-group.js';
import { VirtualClock } from './virtual-clock.js';

/** A result with its timestamp; NaN: none. */
export interface EmittedRecord<T = unknown> {
  readonly value: T;
  readonly timestamp: number;
}

/** What one subtask hands over at a barrier, with the bytes of its files. */
export interface HarnessSnapshot {
  readonly subtask: OperatorSubtaskSnapshot;
  readonly files: ReadonlyMap<string, KeyedSnapshotFile>;
}

export interface OperatorHarnessOptions {
  /** One for each keyed input. Default: not keyed. */
  readonly keySelectors?: readonly (KeySelector | undefined)[];
  /** Default 1. */
  readonly parallelism?: number;
  /** Default 0. */
  readonly subtaskIndex?: number;
  readonly maxParallelism?: number;
  readonly clock?: VirtualClock;
  /** Asked after each unit of resumable work; the harness then calls again. Default: never exhausted. */
  readonly exhausted?: () => boolean;
  /** Checked mode: state that is changed without `update` is found. Default true. */
  readonly checked?: boolean;
  /** What happens to an element whose function throws. Default: the error comes out of `processElement`. */
  readonly onError?: OnError;
  /** Classes whose instances may be in elements and state. */
  readonly classes?: ClassRegistry;
  /** The snapshots of all subtasks of the parallelism before. */
  readonly restore?: readonly HarnessSnapshot[];
}

/** Calls of a resumable method that go on without an end are a defect of the operator. */
const RESUMPTIONS_MAX = 1_000_000;

export class OperatorHarness {
  readonly clock: VirtualClock;
  readonly operator: Operator;
  readonly counters: OperatorCounters = { numLateRecordsDropped: 0, numRecordsInErrors: 0, numFiredTimers: 0 };
  /** Everything the main output got, in order. */
  readonly emitted: EmittedRecord[] = [];
  /** Everything that passed on, in order: results, watermarks, idleness. */
  readonly log: (EmittedRecord | { readonly watermark: number } | { readonly idle: boolean })[] = [];
  /** Set by the operator's `fail`. */
  failure: unknown;
  /** True while the operator takes no input. */
  get suspended(): boolean {
    return this.suspends > 0;
  }
  private readonly sides = new Map<string, EmittedRecord[]>();
  private readonly states: OperatorStates;
  private readonly backend: KeyedStateBackend | undefined;
  private readonly recovery: RecordRecovery | undefined;
  private readonly onError: OnError;
  /** What takes elements: the operator, or what guards it. */
  private readonly processor: Pick<Operator, 'processElement' | 'processElement2'>;
  private readonly restoredWatermarks: Float64Array | undefined;
  private readonly budget: Budget;
  private watermark: number = Number.NEGATIVE_INFINITY;
  private suspends = 0;
  private wakeWanted = false;
  private epoch = 0;

  private constructor(create: (context: OperatorContext) => Operator, options: OperatorHarnessOptions) {
    const { parallelism = 1, subtaskIndex = 0, maxParallelism = DEFAULT_MAX_PARALLELISM, keySelectors = [undefined], restore } = options;
    const { onError = { type: 'fail' }, classes, checked = true } = options;
    this.onError = onError;
    if (onError.type !== 'fail') this.recovery = new RecordRecovery(checked);
    this.clock = options.clock ?? new VirtualClock();
    this.budget = { exhausted: options.exhausted ?? (() => false) };
    const keyed = keySelectors.some((selector) => selector !== undefined);
    const restored = restore === undefined ? undefined : restoredSubtask(restore, parallelism, subtaskIndex, maxParallelism);
    this.states = new OperatorStates(restored?.operatorState ?? [], classes);
    this.restoredWatermarks = keyed ? restored?.keyGroupWatermarks : undefined;
    if (keyed)
      this.backend = new HeapStateBackend({
        keyGroupRange: keyGroupRangeOf(maxParallelism, parallelism, subtaskIndex),
        maxParallelism,
        checked,
        classes,
        undo: this.recovery?.undo,
      });
    this.operator = create(
      this.context({ parallelism, subtaskIndex, maxParallelism, keySelectors, checked, classes, restored: restored !== undefined }),
    );
    this.processor = this.recovery?.guard(this.operator, 0) ?? this.operator;
    const files = new Map(restore?.flatMap((snapshot) => [...snapshot.files]));
    if (restored !== undefined) {
      this.backend?.restore(restored.keyedChains.map((chain) => chain.map(({ path }) => files.get(path) as KeyedSnapshotFile)));
    }
  }

  static async open(create: (context: OperatorContext) => Operator, options: OperatorHarnessOptions = {}): Promise<OperatorHarness> {
    const harness = new OperatorHarness(create, options);
    await harness.operator.open?.();
    return harness;
  }

  private context(
    placement: Pick<
      OperatorContext,
      'parallelism' | 'subtaskIndex' | 'maxParallelism' | 'keySelectors' | 'checked' | 'classes' | 'restored'
    >,
  ): OperatorContext {
    const harness = this;
    const output = (target: Output<unknown>): Output<unknown> => this.recovery?.output(target) ?? target;
    return {
      name: 'operator',
      uid: 'operator',
      run: 'run',
      attempt: 1,
      clock: this.clock,
      random: seededRandom(1),
      counters: this.counters,
      undo: this.recovery?.undo,
      output: output(this.recorder(this.emitted, this.log)),
      operatorState: this.states,
      restoredWatermarks: this.restoredWatermarks,
      ...placement,
      get keyed(): KeyedStateBackend {
        if (harness.backend === undefined) throw new Error('no keyed state');
        return harness.backend;
      },
      side: (tag) => output(this.recorder(this.sideList(tag))),
      emitWatermark: (watermark) => this.log.push({ watermark }),
      emitIdle: (idle) => this.log.push({ idle }),
      wake: () => {
        this.wakeWanted = true;
      },
      suspend: () => {
        this.suspends++;
      },
      resume: () => {
        this.suspends--;
      },
      fail: (error) => {
        this.failure = error;
      },
    };
  }

  private recorder(...lists: { push(record: EmittedRecord): unknown }[]): Output<unknown> {
    return {
      collect: (value, timestamp) => {
        for (const list of lists) list.push({ value, timestamp });
      },
    };
  }

  private sideList(tag: string): EmittedRecord[] {
    let list = this.sides.get(tag);
    if (list === undefined) {
      list = [];
      this.sides.set(tag, list);
    }
    return list;
  }

  /** The values of the main output, in order. */
  values<T = unknown>(): T[] {
    return this.emitted.map(({ value }) => value as T);
  }

  /** What a side output got. */
  side<T>(tag: OutputTag<T> | string): EmittedRecord<T>[] {
    return this.sideList(typeof tag === 'string' ? tag : tag.id) as EmittedRecord<T>[];
  }

  /** Watermarks that were passed on, in order. */
  watermarks(): number[] {
    return this.log.flatMap((entry) => ('watermark' in entry ? [entry.watermark] : []));
  }

  processElement(value: unknown, timestamp: number = Number.NaN): void {
    this.guarded(value, timestamp, () => this.processor.processElement?.(value, timestamp));
  }

  processElement2(value: unknown, timestamp: number = Number.NaN): void {
    this.guarded(value, timestamp, () => this.processor.processElement2?.(value, timestamp));
  }

  private guarded(value: unknown, timestamp: number, process: () => void): void {
    try {
      process();
    } catch (error) {
      if (this.onError.type === 'fail' || isBeyondOnError(error)) throw error;
      this.counters.numRecordsInErrors++;
      if (this.onError.type === 'sideOutput') this.sideList(this.onError.tag).push({ value: failedRecord(value, error), timestamp });
    }
  }

  advanceEventTime(watermark: number): void {
    this.repeat(() => this.operator.advanceEventTime?.(watermark, this.budget) ?? true);
    this.watermark = watermark;
    if (this.operator.ownWatermarks !== true) this.log.push({ watermark });
  }

  setIdle(idle: boolean): void {
    this.operator.setIdle?.(idle);
    if (this.operator.ownWatermarks !== true) this.log.push({ idle });
  }

  /** Moves the clock, and fires processing-time timers at their times. */
  advanceProcessingTime(time: number): void {
    for (let due = this.nextProcessingTime(); due <= time; due = this.nextProcessingTime())
      this.fireProcessingTime(Math.max(due, this.clock.now()));
    this.fireProcessingTime(time);
  }

  private nextProcessingTime(): number {
    return this.operator.nextProcessingTime?.() ?? Number.POSITIVE_INFINITY;
  }

  private fireProcessingTime(time: number): void {
    this.clock.advanceTo(time);
    this.repeat(() => this.operator.advanceProcessingTime?.(time, this.budget) ?? true);
  }

  /** Lets promises settle, and drains what they have produced. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    while (this.wakeWanted) {
      this.wakeWanted = false;
      this.repeat(() => this.operator.drain?.(this.budget) ?? true);
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    }
  }

  /** The end of all inputs, without a watermark. False while work is pending. */
  finish(): boolean {
    return this.operator.finish?.(this.budget) ?? true;
  }

  /** The snapshot of this subtask, as of now. */
  snapshot(): HarnessSnapshot {
    const epoch = ++this.epoch;
    this.operator.snapshotState?.(epoch);
    const bytes = this.states.encode();
    const files = new Map<string, KeyedSnapshotFile>();
    let subtask: OperatorSubtaskSnapshot = {
      ...EMPTY_OPERATOR_SNAPSHOT,
      watermark: this.watermark,
      operatorState: bytes === undefined ? undefined : { inline: bytes },
    };
    if (this.backend !== undefined) {
      const { keyGroupRange } = this.backend;
      const file = keyedFile(this.backend, epoch);
      files.set(file.path, file);
      subtask = {
        ...subtask,
        keyedChain: [{ path: file.path, length: file.bytes.length, crc32: 0, info: file.info }],
        keyGroupWatermarks: watermarkRuns(keyGroupRange, this.watermark, this.restoredWatermarks),
      };
    }
    return { subtask, files };
  }

  async close(): Promise<void> {
    await this.operator.close?.();
  }

  private repeat(call: () => boolean): void {
    for (let count = 0; !call(); count++) {
      if (count > RESUMPTIONS_MAX) throw new Error('a resumable method does not come to an end');
    }
  }
}

/** Selects a key by a field; for tests. */
export function keyByField(name: string): KeySelector {
  return (value) => (value as Record<string, Key>)[name] as Key;
}

/** Serialises in small steps, as the task does between records. */
const SNAPSHOT_STEP_ROWS = 3;

function keyedFile(backend: KeyedStateBackend, epoch: number): KeyedSnapshotFile {
  const chunks: Uint8Array[] = [];
  const snapshot = backend.startSnapshot(epoch, 0, { write: (chunk) => chunks.push(chunk) });
  while (!snapshot.step(SNAPSHOT_STEP_ROWS));
  backend.confirm(epoch);
  const { start } = backend.keyGroupRange;
  return { info: snapshot.info, bytes: Buffer.concat(chunks), path: `keyed-${start}-${epoch}` };
}

function restoredSubtask(
  restore: readonly HarnessSnapshot[],
  parallelism: number,
  subtaskIndex: number,
  maxParallelism: number,
): ReturnType<typeof redistribute>['subtasks'][number] | undefined {
  const subtasks = restore.map(({ subtask }) => subtask);
  const metadata = {
    operatorId: 'operator',
    uid: 'operator',
    name: 'operator',
    parallelism: restore.length,
    maxParallelism,
    enumeratorState: undefined,
    subtasks,
  };
  const states = subtasks.map(({ operatorState }) =>
    operatorState !== undefined && 'inline' in operatorState ? decodeOperatorState(operatorState.inline) : [],
  );
  return redistribute(metadata, states, parallelism, maxParallelism).subtasks[subtaskIndex];
}
