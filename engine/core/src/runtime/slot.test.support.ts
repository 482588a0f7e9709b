/** A slot with a source and a keyed task behind it, as the builder makes them, on virtual time; for the tests of slots. */
import { setImmediate as eventLoop } from 'node:timers/promises';
import { JobBuilder } from '../api/job-builder.js';
import { StreamExecutionEnvironment } from '../api/stream-execution-environment.js';
import { streams } from '../api/streams.js';
import { DiskCheckpointFiles } from '../checkpoint/disk-checkpoint-files.js';
import { CheckpointStorage } from '../checkpoint/storage.js';
import { MemoryDisk } from '../common/memory-disk.js';
import { seededRandom } from '../common/random.js';
import type { Sink, SinkWriter } from '../connector/sink.js';
import type { PollStatus, Source, SourceBatch, SourceReader, SourceReaderContext, SourceSplit } from '../connector/source.js';
import type { Collector } from '../operators/operator.js';
import { type KeyedProcessContext, KeyedProcessFunction } from '../operators/process.js';
import type { RuntimeContext } from '../operators/runtime-context.js';
import { buildJobGraph } from '../plan/build-job-graph.js';
import { ValueStateDescriptor } from '../state/descriptors.js';
import type { ValueState } from '../state/state.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { WatermarkStrategy } from '../time/watermark-strategies.js';
import { ChannelFactory, DEFAULT_RING } from './deployment.js';
import { decodeValue, encodeValue } from './operator-state.js';
import { Slot } from './slot.js';
import type { FromSlot, ToSlot } from './slot-messages.js';
import { type BuiltTask, buildTask } from './task-builder.js';

/** Hands out what the test pushes. */
export class PushedReader implements SourceReader<number, SourceSplit> {
  readonly values: number[] = [];
  readonly context: SourceReaderContext;
  closed = false;
  position = 0;
  /** Records of a batch. */
  batchSize = 1;
  private ended = false;
  private ring: () => void = () => undefined;

  constructor(context: SourceReaderContext) {
    this.context = context;
  }

  start(): void {}
  addSplits(): void {}

  notifyNoMoreSplits(): void {
    this.ended = true;
    this.ring();
  }

  push(...values: readonly number[]): void {
    this.values.push(...values);
    this.ring();
  }

  poll(batch: SourceBatch<number>): PollStatus {
    const values = this.values.slice(this.position, this.position + this.batchSize);
    if (values.length === 0) return this.ended ? 'end' : 'nothing';
    this.position += values.length;
    batch.splitId = 'split';
    batch.values.push(...values);
    batch.count = values.length;
    return 'records';
  }

  whenAvailable(): Promise<void> {
    return new Promise((resolve) => {
      this.ring = resolve;
    });
  }

  snapshotState(): SourceSplit[] {
    return [{ id: 'split', ...{ position: this.position } }];
  }

  close(): void {
    this.closed = true;
  }
}

export class PushedSource implements Source<number, SourceSplit, unknown> {
  readonly boundedness = 'continuous-unbounded';
  readers: PushedReader[] = [];

  createReader(context: SourceReaderContext): PushedReader {
    const reader = new PushedReader(context);
    this.readers.push(reader);
    return reader;
  }

  createEnumerator(): never {
    throw new Error('the slot has no enumerator');
  }
}

/** Two-phase: what was written before a barrier is one committable. The test decides when preparing and committing succeed. */
export class MemorySink implements Sink<string, readonly string[]> {
  readonly committed: string[] = [];
  written: string[] = [];
  prepare: () => Promise<void> = async () => undefined;
  beforeCommit: () => Promise<void> = async () => undefined;
  ready: Promise<void> | undefined;
  closed = false;

  createWriter(): SinkWriter<string, readonly string[], unknown> {
    return {
      write: (value) => this.written.push(value),
      ready: () => this.ready,
      prepareCommit: async () => {
        const { written } = this;
        this.written = [];
        await this.prepare();
        return written.length === 0 ? [] : [written];
      },
      close: () => {
        this.closed = true;
      },
    };
  }

  createCommitter(): { commit(committables: readonly (readonly string[])[]): Promise<void> } {
    return {
      commit: async (committables) => {
        await this.beforeCommit();
        this.committed.push(...committables.flat());
      },
    };
  }
}

/** Counts the records of each key; a negative record throws, one above 1000 registers a timer that throws. */
export class Count extends KeyedProcessFunction<number, number, string> {
  private count!: ValueState<number>;
  static opened: () => void = () => undefined;
  static closed: () => void = () => undefined;

  override open(context: RuntimeContext): void {
    Count.opened();
    this.count = context.getState(new ValueStateDescriptor<number>('count'));
  }

  processElement(value: number, ctx: KeyedProcessContext<number>, out: Collector<string>): void {
    if (value < 0) throw new RangeError(`negative ${value}`);
    if (value > 1000) ctx.timerService().registerProcessingTimeTimer(ctx.timerService().currentProcessingTime() + 50);
    const count = (this.count.value() ?? 0) + 1;
    this.count.update(count);
    out.collect(`${value % 10}: ${count}`);
  }

  override onTimer(): void {
    throw new Error('timer broken');
  }

  override close(): void {
    Count.closed();
  }
}

const DIRECTORY = '/job';
export class SlotRig {
  readonly clock: VirtualClock = new VirtualClock(1_000_000);
  readonly disk: MemoryDisk = new MemoryDisk();
  readonly source: PushedSource = new PushedSource();
  readonly sink: MemorySink = new MemorySink();
  readonly sent: FromSlot[] = [];
  readonly built: BuiltTask[] = [];
  readonly slot: Slot;

  private constructor(storage: CheckpointStorage) {
    this.slot = new Slot({
      clock: this.clock,
      send: (message) => this.sent.push(message),
      wake: () => undefined,
      stateFile: (task, operatorId, epoch, part) =>
        storage.createStateFile({ run: 'run', attempt: 1, operatorId, subtaskIndex: task.options.subtaskIndex, epoch, part }),
    });
  }

  static async start(define?: (env: StreamExecutionEnvironment, rig: SlotRig) => void): Promise<SlotRig> {
    const rig = await SlotRig.build(define);
    await rig.slot.open();
    rig.slot.handle({ type: 'start' });
    rig.slot.handle({
      type: 'assign',
      vertexId: rig.vertex(0),
      subtask: 0,
      splits: [encodeValue({ id: 'split' })],
      watermarks: [Number.NEGATIVE_INFINITY],
    });
    await rig.settle();
    return rig;
  }

  static async build(define: (env: StreamExecutionEnvironment, rig: SlotRig) => void = defaultJob): Promise<SlotRig> {
    const disk = new MemoryDisk();
    const storage = new CheckpointStorage(new DiskCheckpointFiles(disk), DIRECTORY);
    await storage.prepare();
    const rig = new SlotRig(storage);
    Object.assign(rig, { disk });
    const job = new JobBuilder(streams, undefined);
    define(new StreamExecutionEnvironment(job), rig);
    const program = job.build('slot test');
    const graph = buildJobGraph(program.plan);
    const channels = new ChannelFactory({
      graph,
      program,
      rings: new Map(),
      setting: { ring: DEFAULT_RING, forceCodec: false, codegen: true },
      isLocal: () => true,
      wakePeer: () => undefined,
    });
    for (const vertex of graph.vertices) {
      const built = await buildTask({
        vertex,
        subtaskIndex: 0,
        program,
        channels,
        environment: { run: 'run', attempt: 1, clock: rig.clock, random: seededRandom(1), checked: false },
        disk,
        codegen: true,
        watermarkIntervalMs: 200,
        alignBarriers: true,
        finished: false,
        supplied: () => undefined,
        restore: undefined,
        readState: async () => [],
        requestSplit: () => undefined,
        onBarrier: (task, barrier, inFlight) => rig.slot.barrier(task, barrier, inFlight),
        onEnd: (task) => rig.slot.taskEnded(task),
        onFailure: (task, error) => rig.slot.taskFailed(task, error),
        wakeSlot: () => undefined,
      });
      rig.built.push(built);
      rig.slot.add(built);
    }
    return rig;
  }

  vertex(at: number): string {
    return (this.built[at] as BuiltTask).task.options.vertexId;
  }

  get reader(): PushedReader {
    return this.source.readers[0] as PushedReader;
  }

  /** Turns, with callbacks between, until nothing happens any more. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 10; quiet++) {
      while (this.slot.turn()) quiet = 0;
      await eventLoop();
    }
  }

  async handle(message: ToSlot): Promise<void> {
    this.slot.handle(message);
    await this.settle();
  }

  /** Records reach the sink: what waits for a batch to fill is sent. */
  async push(...values: readonly number[]): Promise<void> {
    this.reader.push(...values);
    await this.settle();
    this.clock.advanceBy(200);
    await this.settle();
  }

  trigger(epoch: number, completed = 0): Promise<void> {
    return this.handle({
      type: 'trigger',
      epoch,
      completed,
      kind: 'checkpoint',
      savepoint: undefined,
      drain: false,
      overtakeAfterMs: undefined,
    });
  }

  /** A savepoint with which the job is to end. */
  stop(epoch: number, drain: boolean): Promise<void> {
    return this.handle({
      type: 'trigger',
      epoch,
      completed: 0,
      kind: 'savepoint',
      savepoint: undefined,
      drain,
      overtakeAfterMs: undefined,
    });
  }

  of<T extends FromSlot['type']>(type: T): Extract<FromSlot, { type: T }>[] {
    return this.sent.filter((message): message is Extract<FromSlot, { type: T }> => message.type === type);
  }

  /** Which subtasks acknowledged an epoch. */
  acknowledged(epoch: number): string[] {
    return this.of('acknowledged')
      .filter(({ snapshot }) => snapshot.epoch === epoch)
      .map(({ snapshot }) => snapshot.vertexId);
  }

  /** The committables of an epoch's snapshots. */
  committables(epoch: number): unknown[] {
    return this.of('acknowledged')
      .filter(({ snapshot }) => snapshot.epoch === epoch)
      .flatMap(({ snapshot }) =>
        Object.values(snapshot.operators).flatMap(({ committables }) => committables.map((bytes) => decodeValue(bytes))),
      );
  }

  /** Whether each operator of an epoch's snapshots had finished. */
  finished(epoch: number): boolean[] {
    return this.of('acknowledged')
      .filter(({ snapshot }) => snapshot.epoch === epoch)
      .flatMap(({ snapshot }) => Object.values(snapshot.operators).map(({ finished }) => finished));
  }

  /** The keyed chain of an epoch: "base 1". */
  chainOf(epoch: number): string[] {
    return this.of('acknowledged')
      .filter(({ snapshot }) => snapshot.epoch === epoch)
      .flatMap(({ snapshot }) =>
        Object.values(snapshot.operators).flatMap(({ keyedChain }) => keyedChain.map(({ info }) => `${info.kind} ${info.epoch}`)),
      );
  }

  stateFiles(): string[] {
    return [...this.disk.files(DIRECTORY).keys()];
  }
}

function defaultJob(env: StreamExecutionEnvironment, { source, sink }: SlotRig): void {
  env
    .fromSource(source, WatermarkStrategy.noWatermarks<number>(), 'numbers')
    .setParallelism(1)
    .map((value) => {
      if (value === 13) throw new TypeError('unlucky');
      return value;
    })
    .name('check')
    .uid('check-1')
    .setParallelism(1)
    .keyBy((value) => value % 10)
    .process(new Count())
    .name('count')
    .uid('count-1')
    .setParallelism(1)
    .sinkTo(sink)
    .setParallelism(1);
}
