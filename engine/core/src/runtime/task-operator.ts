/**
 * One operator of a task at run time: its context, its state, and the watermark it has been given.
 */
import type { ClassRegistry } from '../codec/class-registry.js';
import type { Clock } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import type { Random } from '../common/random.js';
import type { ControlElement } from '../network/element.js';
import type {
  KeySelector,
  Operator,
  OperatorContext,
  OperatorCounters,
  OperatorImplementation,
  OperatorStateStore,
  Output,
} from '../operators/operator.js';
import type { PlanNode } from '../plan/plan.js';
import type { KeyedStateBackend } from '../state/backend.js';
import type { UndoLog } from '../state/undo-log.js';
import type { CompiledChain } from './chain.js';
import { chainFailure } from './chain-failure.js';
import type { OperatorStates } from './operator-state.js';
import type { RecordRecovery } from './record-recovery.js';

/** What a subtask's operator gets back from a checkpoint. */
export interface RestoredOperator {
  readonly watermarks: Float64Array | undefined;
  /** Of this subtask, and of all subtasks. */
  readonly committables: { readonly mine: readonly unknown[]; readonly all: readonly unknown[] };
}

export interface TaskEnvironment {
  readonly run: string;
  readonly attempt: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly checked: boolean;
}

export interface TaskOperatorOptions {
  readonly index: number;
  readonly node: PlanNode;
  readonly implementation: OperatorImplementation;
  readonly subtaskIndex: number;
  readonly parallelism: number;
  readonly maxParallelism: number;
  readonly environment: TaskEnvironment;
  readonly keySelectors: readonly (KeySelector | undefined)[];
  readonly keyed: KeyedStateBackend | undefined;
  readonly states: OperatorStates;
  readonly classes: ClassRegistry | undefined;
  /** Of operators with `onError`. */
  readonly recovery: RecordRecovery | undefined;
  readonly restored: RestoredOperator | undefined;
  readonly chain: CompiledChain;
  readonly task: TaskHooks;
}

/** What an operator's context asks of its task. */
export interface TaskHooks {
  watermarkFrom(operator: TaskOperator, watermark: number): void;
  idleFrom(operator: TaskOperator, idle: boolean): void;
  wake(): void;
  suspended(change: 1 | -1): void;
  fail(error: unknown): void;
}

export class TaskOperator {
  readonly index: number;
  readonly node: PlanNode;
  readonly keyed: KeyedStateBackend | undefined;
  readonly states: OperatorStates;
  readonly restored: RestoredOperator | undefined;
  readonly counters: OperatorCounters = { numLateRecordsDropped: 0, numRecordsInErrors: 0, numFiredTimers: 0 };
  /** Undefined for steps that are fused (map, filter, …). */
  operator: Operator | undefined;
  /** Chained operators after this one that read the main output or a side output: they see its watermarks. */
  readonly followers: TaskOperator[] = [];
  /** Sends a control element to all output edges of this operator. */
  broadcast: (element: ControlElement) => void = () => undefined;
  /** The watermark that is to be processed, and the one that has been. */
  watermarkIn: number = Number.NEGATIVE_INFINITY;
  watermarkDone: number = Number.NEGATIVE_INFINITY;
  /** The last watermark passed on. */
  watermarkOut: number = Number.NEGATIVE_INFINITY;
  /** The same for idleness of its inputs; `idleOut`: what was passed on last. */
  idleIn = false;
  idleDone = false;
  idleOut = false;
  finished = false;
  drainWanted = false;
  private readonly options: TaskOperatorOptions;
  private suspends = 0;

  constructor(options: TaskOperatorOptions) {
    this.options = options;
    this.index = options.index;
    this.node = options.node;
    this.keyed = options.keyed;
    this.states = options.states;
    this.restored = options.restored;
  }

  get label(): string {
    return `'${this.node.name}'${this.node.uid === undefined ? '' : ` (uid '${this.node.uid}')`}`;
  }

  /** Those whose instances may be in records. */
  get classes(): ClassRegistry | undefined {
    return this.options.classes;
  }

  context(): OperatorContext {
    return new TaskOperatorContext(this, this.options);
  }

  suspend(): void {
    this.suspends++;
    this.options.task.suspended(1);
  }

  resume(): void {
    if (this.suspends === 0) return;
    this.suspends--;
    this.options.task.suspended(-1);
  }
}

/** A class, not a literal: V8 keeps literals with accessors in dictionary mode, which operators would feel with each record. */
class TaskOperatorContext implements OperatorContext {
  readonly name: string;
  readonly uid: string;
  readonly subtaskIndex: number;
  readonly parallelism: number;
  readonly maxParallelism: number;
  readonly run: string;
  readonly attempt: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly checked: boolean;
  readonly classes: ClassRegistry | undefined;
  readonly undo: UndoLog | undefined;
  readonly counters: OperatorCounters;
  readonly keySelectors: readonly (KeySelector | undefined)[];
  readonly output: Output<unknown>;
  readonly operatorState: OperatorStateStore;
  readonly restored: boolean;
  readonly restoredWatermarks: Float64Array | undefined;
  private readonly operator: TaskOperator;
  private readonly options: TaskOperatorOptions;

  constructor(operator: TaskOperator, options: TaskOperatorOptions) {
    this.operator = operator;
    this.options = options;
    const { node, environment, restored } = options;
    this.name = node.name;
    this.uid = node.uid ?? node.id;
    this.subtaskIndex = options.subtaskIndex;
    this.parallelism = options.parallelism;
    this.maxParallelism = options.maxParallelism;
    this.run = environment.run;
    this.attempt = environment.attempt;
    this.clock = environment.clock;
    this.random = environment.random;
    this.checked = environment.checked;
    this.classes = options.classes;
    this.undo = options.recovery?.undo;
    this.counters = operator.counters;
    this.keySelectors = options.keySelectors;
    const output = options.chain.output(options.index);
    this.output = options.recovery?.output(output) ?? output;
    this.operatorState = options.states;
    this.restored = restored !== undefined;
    this.restoredWatermarks = restored?.watermarks;
  }

  get keyed(): KeyedStateBackend {
    const { keyed } = this.options;
    if (keyed === undefined) {
      throw new MillstreamError(
        'NO_KEYED_STATE',
        `Cannot use keyed state or timers in ${this.operator.label}: its input is not keyed. Put keyBy(…) before it.`,
      );
    }
    return keyed;
  }

  side(tag: string): Output<unknown> {
    const { chain, index, recovery } = this.options;
    const output = chain.side(index, tag);
    return recovery?.output(output) ?? output;
  }

  emitWatermark(watermark: number): void {
    this.options.task.watermarkFrom(this.operator, watermark);
  }

  emitIdle(idle: boolean): void {
    this.options.task.idleFrom(this.operator, idle);
  }

  wake(): void {
    this.operator.drainWanted = true;
    this.options.task.wake();
  }

  suspend(): void {
    this.operator.suspend();
  }

  resume(): void {
    this.operator.resume();
  }

  fail(error: unknown): void {
    this.options.task.fail(chainFailure(this.options.index, -1, error));
  }
}
