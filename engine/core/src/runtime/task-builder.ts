/**
 * Builds the task of one subtask: its chain with operators and state, its channels, its source.
 */

import { checkAndFreeze } from '../codec/value-check.js';
import type { Disk } from '../common/disk.js';
import { MillstreamError } from '../common/errors.js';
import type { Source, SourceSplit } from '../connector/source.js';
import type { OutputChannel } from '../network/channel.js';
import type { Frame } from '../network/frame.js';
import type { OnError, Operator, OperatorImplementation } from '../operators/operator.js';
import type { ChainedNode, JobEdge, JobVertex } from '../plan/job-graph.js';
import { edgeKey, type JobProgram } from '../plan/plan.js';
import type { KeyedSnapshotFile, KeyedStateBackend } from '../state/backend.js';
import { HeapStateBackend } from '../state/heap/heap-state-backend.js';
import { keyGroupRangeOf } from '../state/key-group.js';
import { PausableClock } from '../time/idleness.js';
import { WatermarkValve } from '../time/watermark-valve.js';
import type { ChainSpec, ChainStep, CompiledChain, Consumers, EdgeWriter, ErrorHandler } from './chain.js';
import { chainFailure } from './chain-failure.js';
import { generateChain } from './chain-generator.js';
import { interpretChain } from './chain-interpreter.js';
import type { ChannelFactory, OperatorRestore } from './deployment.js';
import { createErrorHandler, runsRecoverably } from './error-handler.js';
import { InputGate } from './input-gate.js';
import { decodeValues, OperatorStates } from './operator-state.js';
import { RecordRecovery } from './record-recovery.js';
import { SinkOperator } from './sink-operator.js';
import { SourceInput } from './source-input.js';
import { Task } from './task.js';
import { type TaskEnvironment, TaskOperator } from './task-operator.js';
import type { TaskOptions } from './task-options.js';
import { TimestampsOperator } from './timestamps-operator.js';

export interface TaskBuilderOptions {
  readonly vertex: JobVertex;
  readonly subtaskIndex: number;
  readonly program: JobProgram;
  readonly channels: ChannelFactory;
  readonly environment: TaskEnvironment;
  readonly disk: Disk;
  readonly codegen: boolean;
  readonly watermarkIntervalMs: number;
  readonly alignBarriers: boolean;
  /** A restore found all operators finished: the task ends at once and only answers barriers. */
  readonly finished: boolean;
  /** Implementations of node kinds that the runtime supplies ('collect'). */
  readonly supplied: (nodeId: string) => OperatorImplementation | undefined;
  readonly restore: { readonly [operatorId: string]: OperatorRestore } | undefined;
  /** Reads and verifies the files of `restore`. */
  readonly readState: (chain: OperatorRestore['keyedChains'][number]) => Promise<readonly KeyedSnapshotFile[]>;
  /** What was on its way to the subtask, by channel. */
  readonly channelFrames?: ReadonlyMap<string, readonly Frame[]> | undefined;
  readonly requestSplit: () => void;
  readonly onBarrier: TaskOptions['onBarrier'];
  readonly onEnd: (task: Task) => void;
  readonly onFailure: (task: Task, error: unknown) => void;
  readonly wakeSlot: () => void;
}

/** Output edges of one task, flushed together when their timeout has passed. */
export interface FlushGroup {
  readonly channels: readonly OutputChannel[];
  /** Ms; 0: after each turn; negative: only when full. */
  readonly timeoutMs: number;
  lastFlush: number;
}

export interface BuiltTask {
  readonly task: Task;
  readonly flushGroups: readonly FlushGroup[];
  readonly source: SourceInput | undefined;
  readonly recordsIn: Float64Array;
  /** Opens operators and writers; before the first turn. */
  open(): Promise<void>;
  close(): Promise<void>;
}

export async function buildTask(options: TaskBuilderOptions): Promise<BuiltTask> {
  return await new TaskBuilder(options).build();
}

class TaskBuilder {
  private readonly options: TaskBuilderOptions;
  private readonly control = { stop: false };
  private readonly activity: PausableClock;
  private readonly recordsIn: Float64Array;
  private readonly flushGroups: FlushGroup[] = [];
  private readonly writers = new Map<string, EdgeWriter>();
  private readonly edgeChannels = new Map<string, readonly OutputChannel[]>();
  private readonly created: (Operator | undefined)[];
  /** Of operators with `onError`, by step. */
  private readonly recoveries: (RecordRecovery | undefined)[];
  private readonly taskOperators: TaskOperator[] = [];
  private readonly sinks: SinkOperator[] = [];
  private chain: CompiledChain | undefined;
  private task: Task | undefined;
  private source: SourceInput | undefined;

  constructor(options: TaskBuilderOptions) {
    this.options = options;
    this.activity = new PausableClock(options.environment.clock);
    this.recordsIn = new Float64Array(options.vertex.chain.length);
    this.created = options.vertex.chain.map(() => undefined);
    this.recoveries = options.vertex.chain.map(({ node }) =>
      runsRecoverably(this.implementation(node.id)) ? new RecordRecovery(options.environment.checked) : undefined,
    );
  }

  async build(): Promise<BuiltTask> {
    this.makeOutputs();
    const chain = this.compile();
    const task = this.makeTask(chain);
    this.task = task;
    await this.makeOperators(chain, task);
    this.linkOperators();
    chain.bind();
    task.operators = this.taskOperators;
    task.sinks = this.sinks;
    const { created, source } = this;
    return {
      task,
      flushGroups: this.flushGroups,
      source,
      recordsIn: this.recordsIn,
      open: async () => {
        for (const [index, operator] of created.entries()) {
          try {
            await operator?.open?.();
          } catch (error) {
            throw chainFailure(index, -1, error);
          }
        }
      },
      close: () => closeAll([...created, source]),
    };
  }

  private implementation(nodeId: string): OperatorImplementation {
    const found = this.options.program.implementations.get(nodeId) ?? this.options.supplied(nodeId);
    if (found === undefined)
      throw new MillstreamError('INTERNAL', `No implementation for node '${nodeId}'. This is a defect of Millstream; please report it.`);
    return found;
  }

  private makeOutputs(): void {
    const { vertex, channels, subtaskIndex, environment } = this.options;
    for (const edge of vertex.outputs) {
      const outputs = channels.outputs(edge, subtaskIndex, this.control);
      this.edgeChannels.set(edge.id, outputs);
      this.writers.set(edge.id, channels.writer(edge, subtaskIndex, outputs, environment.random));
      this.flushGroups.push({ channels: outputs, timeoutMs: edge.bufferTimeoutMs, lastFlush: environment.clock.monotonic() });
    }
  }

  private consumersOf(index: number, sideOutput: string | undefined): Consumers {
    const { chain, outputs } = this.options.vertex;
    const operators: number[] = [];
    chain.forEach((member, at) => {
      if (member.parent === index && member.sideOutput === sideOutput) operators.push(at);
    });
    const edges = outputs
      .filter((edge) => edge.fromOperator === index && edge.sideOutput === sideOutput)
      .map((edge) => this.writers.get(edge.id) as EdgeWriter);
    return { operators, edges };
  }

  private sidesOf(index: number): Map<string, Consumers> {
    const { chain, outputs } = this.options.vertex;
    const tags = new Set<string>();
    for (const member of chain) if (member.parent === index && member.sideOutput !== undefined) tags.add(member.sideOutput);
    for (const edge of outputs) if (edge.fromOperator === index && edge.sideOutput !== undefined) tags.add(edge.sideOutput);
    return new Map([...tags].map((tag) => [tag, this.consumersOf(index, tag)]));
  }

  private compile(): CompiledChain {
    const { vertex, codegen, environment } = this.options;
    const spec: ChainSpec = {
      name: `${vertex.name}#${this.options.subtaskIndex}`,
      steps: vertex.chain.map((member, index) => this.step(member, index)),
      control: this.control,
      recordsIn: this.recordsIn,
      checkEmitted: environment.checked ? (value) => checkAndFreeze(value, this.options.program.classes) : undefined,
    };
    const chain = codegen ? generateChain(spec) : interpretChain(spec);
    this.chain = chain;
    return chain;
  }

  private step(member: ChainedNode, index: number): ChainStep {
    const { node } = member;
    const base = { label: `'${node.name}'`, main: this.consumersOf(index, undefined), sides: this.sidesOf(index) };
    const implementation = this.implementation(node.id);
    switch (implementation.type) {
      case 'source': {
        const { watermarks } = implementation;
        return { ...base, type: 'source', assign: watermarks.timestampAssigner, eventTime: watermarks.createGenerator !== undefined };
      }
      case 'map':
        return { ...base, type: 'map', fn: implementation.fn, onError: this.errorHandler(implementation.onError, index) };
      case 'filter':
        return { ...base, type: 'filter', fn: implementation.fn, onError: this.errorHandler(implementation.onError, index) };
      case 'flatMap':
        return { ...base, type: 'flatMap', fn: implementation.fn, onError: this.errorHandler(implementation.onError, index) };
      case 'sink':
        return { ...base, type: 'write', write: () => (this.created[index] as SinkOperator).writer };
      case 'timestamps':
      case 'operator': {
        const onError = implementation.type === 'operator' ? this.errorHandler(implementation.onError, index) : undefined;
        return { ...base, type: 'operator', operator: () => this.calledOperator(index), onError };
      }
    }
  }

  private calledOperator(index: number): Operator {
    const operator = this.created[index] as Operator;
    return this.recoveries[index]?.guard(operator, index) ?? operator;
  }

  private errorHandler(policy: OnError | undefined, index: number): ErrorHandler | undefined {
    return createErrorHandler(
      policy,
      () => (this.taskOperators[index] as TaskOperator).counters,
      (tag) => (this.chain as CompiledChain).side(index, tag),
    );
  }

  private makeTask(chain: CompiledChain): Task {
    const { vertex, subtaskIndex, environment, onFailure } = this.options;
    const gate = vertex.inputs.length === 0 ? undefined : this.gate(vertex.inputs);
    const source = this.makeSource(chain);
    this.source = source;
    const task: Task = new Task({
      name: vertex.name,
      vertexId: vertex.id,
      subtaskIndex,
      clock: environment.clock,
      activity: this.activity,
      chain,
      control: this.control,
      gate,
      valve: gate === undefined ? undefined : new WatermarkValve(gate.channels.length),
      source,
      watermarkIntervalMs: this.options.watermarkIntervalMs,
      finished: this.options.finished,
      channels: [...this.edgeChannels.values()].flat(),
      recordsIn: this.recordsIn,
      onBarrier: this.options.onBarrier,
      onEnd: this.options.onEnd,
      wakeSlot: this.options.wakeSlot,
      onFailure: (error) => onFailure(task, error),
    });
    return task;
  }

  private gate(edges: readonly JobEdge[]): InputGate {
    const { channels, subtaskIndex, alignBarriers, channelFrames } = this.options;
    const inputs = edges.flatMap((edge) => channels.inputs(edge, subtaskIndex));
    for (const { channel, name } of inputs) channel.restore(channelFrames?.get(name) ?? []);
    return new InputGate(inputs, alignBarriers);
  }

  private makeSource(chain: CompiledChain): SourceInput | undefined {
    const { vertex, subtaskIndex, environment } = this.options;
    const implementation = this.implementation(vertex.id);
    if (implementation.type !== 'source') return undefined;
    const source = implementation.source as Source<unknown, SourceSplit, unknown>;
    const fail = (error: unknown): void => this.options.onFailure(this.task as Task, error);
    const reader = source.createReader({
      subtaskIndex,
      parallelism: vertex.parallelism,
      clock: environment.clock,
      random: environment.random,
      disk: this.options.disk,
      requestSplit: this.options.requestSplit,
      // What the source's option says to leave out is counted; what is to fail the job, `poll` throws.
      reportError: () => {
        (this.taskOperators[0] as TaskOperator).counters.numRecordsInErrors++;
      },
    });
    return new SourceInput({
      reader,
      strategy: implementation.watermarks,
      chain,
      clock: environment.clock,
      activity: this.activity,
      onActive: () => (this.task as Task).sourceActive(),
      wake: this.options.wakeSlot,
      fail,
    });
  }

  private async makeOperators(chain: CompiledChain, task: Task): Promise<void> {
    const { vertex, subtaskIndex, environment, program } = this.options;
    for (const [index, member] of vertex.chain.entries()) {
      const { node } = member;
      const restore = this.options.restore?.[node.id];
      const implementation = this.implementation(node.id);
      const recovery = this.recoveries[index];
      const keyed = node.keyed ? await this.keyedBackend(restore, recovery) : undefined;
      const { classes } = program;
      const operator = new TaskOperator({
        index,
        node,
        implementation,
        subtaskIndex,
        parallelism: vertex.parallelism,
        maxParallelism: vertex.maxParallelism,
        environment,
        keySelectors: [0, 1].map((input) => {
          const edge = node.inputs.findIndex((candidate) => candidate.input === input);
          return edge < 0 ? undefined : program.edgeFunctions.get(edgeKey(node.id, edge))?.keySelector;
        }),
        keyed,
        states: new OperatorStates(restore?.operatorState ?? [], classes),
        classes,
        recovery,
        restored:
          restore === undefined
            ? undefined
            : {
                watermarks: restore.watermarks,
                committables: { mine: decodeValues(restore.committables, classes), all: decodeValues(restore.allCommittables, classes) },
              },
        chain,
        task,
      });
      this.taskOperators.push(operator);
      this.createOperator(operator, implementation, index);
    }
  }

  private createOperator(operator: TaskOperator, implementation: OperatorImplementation, index: number): void {
    const context = operator.context();
    if (implementation.type === 'operator') operator.operator = implementation.create(context);
    if (implementation.type === 'timestamps')
      operator.operator = new TimestampsOperator(implementation.watermarks, context, this.options.watermarkIntervalMs, this.activity);
    if (implementation.type === 'sink') {
      const sink = new SinkOperator(
        implementation.sink,
        context,
        this.options.disk,
        operator.restored?.committables ?? { mine: [], all: [] },
      );
      this.sinks.push(sink);
      operator.operator = sink;
    }
    this.created[index] = operator.operator;
  }

  private async keyedBackend(restore: OperatorRestore | undefined, recovery: RecordRecovery | undefined): Promise<KeyedStateBackend> {
    const { vertex, subtaskIndex, environment, codegen, program } = this.options;
    const keyGroupRange = keyGroupRangeOf(vertex.maxParallelism, vertex.parallelism, subtaskIndex);
    const backend = new HeapStateBackend({
      keyGroupRange,
      maxParallelism: vertex.maxParallelism,
      checked: environment.checked,
      generateCode: codegen,
      classes: program.classes,
      undo: recovery?.undo,
    });
    if (restore !== undefined && restore.keyedChains.length > 0) {
      const chains: (readonly KeyedSnapshotFile[])[] = [];
      for (const chain of restore.keyedChains) chains.push(await this.options.readState(chain));
      backend.restore(chains);
    }
    return backend;
  }

  /** Followers see an operator's watermarks; edges send them on. */
  private linkOperators(): void {
    const { vertex } = this.options;
    vertex.chain.forEach((member, index) => {
      if (member.parent >= 0) (this.taskOperators[member.parent] as TaskOperator).followers.push(this.taskOperators[index] as TaskOperator);
    });
    this.taskOperators.forEach((operator, index) => {
      const channels = vertex.outputs.filter((edge) => edge.fromOperator === index).flatMap((edge) => this.edgeChannels.get(edge.id) ?? []);
      if (channels.length === 0) return;
      operator.broadcast = (element) => {
        for (const channel of channels) channel.send(element);
      };
    });
  }
}

/** Closes all, whatever fails, then throws the first failure. */
async function closeAll(parts: readonly ({ close?(): Promise<void> | void } | undefined)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const [index, part] of parts.entries()) {
    try {
      await part?.close?.();
    } catch (error) {
      failures.push(chainFailure(index === parts.length - 1 ? 0 : index, -1, error));
    }
  }
  if (failures.length > 0) throw failures[0];
}
