/** The environment: where a program's streams begin, its options are set, and its job is executed. */

import type { ClassCodec } from '../codec/class-registry.js';
import type { CheckpointingMode, JobOptions } from '../config/options.js';
import { collectionSource } from '../connector/collection-source.js';
import { sequenceSource } from '../connector/data-generator-source.js';
import type { Source, SourceSplit } from '../connector/source.js';
import { WatermarkStrategy } from '../time/watermark-strategies.js';
import { CheckpointConfig } from './checkpoint-config.js';
import { currentEvaluation } from './evaluation.js';
import { executeJob } from './execute-job.js';
import { JobBuilder } from './job-builder.js';
import type { JobExecutionResult } from './job-executor.js';
import type { SingleOutputStreamOperator } from './single-output-stream-operator.js';
import type { SlotSharingGroup } from './slot-sharing-group.js';
import { streams } from './streams.js';

/**
 * Builds one job.
 * @example
 * const env = StreamExecutionEnvironment.getExecutionEnvironment();
 * env.fromElements(1, 2, 3).map((n) => n * 2).print();
 * await env.execute('doubles');
 */
export class StreamExecutionEnvironment {
  readonly #job: JobBuilder;

  /** Internal: use `getExecutionEnvironment`. */
  constructor(job: JobBuilder) {
    this.#job = job;
  }

  /** A new environment. Where the program runs (this process, a slot) depends on what started it. */
  static getExecutionEnvironment(): StreamExecutionEnvironment {
    return new StreamExecutionEnvironment(new JobBuilder(streams, currentEvaluation()));
  }

  /** A stream of a source's records. `name` is what logs, metrics and `explain` call it. */
  fromSource<T, SplitT extends SourceSplit, StateT>(
    source: Source<T, SplitT, StateT>,
    watermarks: WatermarkStrategy<NoInfer<T>>,
    name: string,
  ): SingleOutputStreamOperator<T> {
    const node = this.#job.add({
      kind: 'source',
      name,
      inputs: [],
      stateful: true,
      config: { boundedness: source.boundedness },
      implementation: {
        type: 'source',
        source: source as unknown as Source<unknown, SourceSplit, unknown>,
        watermarks: watermarks as WatermarkStrategy<unknown>,
      },
    });
    return this.#job.streams.operator<T>(this.#job, node);
  }

  /** A stream of an array's elements, read at parallelism 1. The array must be the same each time the program is evaluated. */
  fromCollection<T>(elements: readonly T[]): SingleOutputStreamOperator<T> {
    return this.fromSource(collectionSource(elements), WatermarkStrategy.noWatermarks<T>(), 'collection').setParallelism(1);
  }

  /** The same as `fromCollection`. */
  fromData<T>(elements: readonly T[]): SingleOutputStreamOperator<T> {
    return this.fromCollection(elements);
  }

  /** A stream of these elements, read at parallelism 1. */
  fromElements<T>(...elements: readonly T[]): SingleOutputStreamOperator<T> {
    return this.fromCollection(elements);
  }

  /** The integers from `from` to `to`, both included. */
  fromSequence(from: number, to: number): SingleOutputStreamOperator<number> {
    return this.fromSource(sequenceSource(from, to), WatermarkStrategy.noWatermarks<number>(), 'sequence');
  }

  /** Subtasks of each operator that does not set its own number; default 1. */
  setParallelism(parallelism: number): this {
    return this.configure({ 'parallelism.default': parallelism });
  }

  /** Number of key groups, the upper bound of parallelism; fixed by the first checkpoint. Default 128. */
  setMaxParallelism(maxParallelism: number): this {
    return this.configure({ 'pipeline.max-parallelism': maxParallelism });
  }

  /** How long a record may wait for a batch to fill before it travels, ms; 0: not at all, -1: until the batch is full. Default 100. */
  setBufferTimeout(bufferTimeoutMs: number): this {
    return this.configure({ 'execution.buffer-timeout.interval': bufferTimeoutMs });
  }

  /** Runs every operator in a task of its own. */
  disableOperatorChaining(): this {
    return this.configure({ 'pipeline.operator-chaining.enabled': false });
  }

  /** Takes a checkpoint every `intervalMs`; exactly-once unless `mode` says otherwise. */
  enableCheckpointing(intervalMs: number, mode: CheckpointingMode = 'EXACTLY_ONCE'): this {
    return this.configure({ 'execution.checkpointing.interval': intervalMs, 'execution.checkpointing.mode': mode });
  }

  /** More settings of checkpoints. */
  getCheckpointConfig(): CheckpointConfig {
    return new CheckpointConfig((options) => this.configure(options));
  }

  /**
   * Sets options by key; what the command line says overrides them. Throws INVALID_OPTION.
   * @example
   * env.configure({ 'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.delay': '10 s' });
   */
  configure(options: JobOptions): this {
    this.#job.configure(options);
    return this;
  }

  /**
   * Lets instances of a class be in records, results and state (not keys): `codec` turns one into a plain value and back. `name` stands for
   * the class in checkpoints, so it must not change. Only exact instances are taken: a subclass needs a registration of its own. Throws
   * INVALID_OPTION if the name or the class is registered already.
   * @example
   * env.registerClass('Money', Money, { encode: (money) => money.cents, decode: (cents) => new Money(cents) });
   */
  registerClass<T extends object, P>(name: string, type: abstract new (...parameters: never[]) => T, codec: ClassCodec<T, P>): this {
    this.#job.registerClass(name, type, codec);
    return this;
  }

  /** Notes what the slots of a group take, for operators that name the group. Throws INVALID_OPTION if it has said something else before. */
  registerSlotSharingGroup(group: SlotSharingGroup): this {
    this.#job.registerSlotSharingGroup(group);
    return this;
  }

  /**
   * Runs the job; resolves when it has ended, rejects with its error. Once: a second call fails with ALREADY_EXECUTED.
   * In a slot it never resolves: a program is evaluated there only up to this call.
   */
  async execute(jobName?: string): Promise<JobExecutionResult> {
    return await executeJob(this.#job, jobName);
  }
}
