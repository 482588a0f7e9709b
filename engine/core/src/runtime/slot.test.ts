/** A slot with a source and a keyed task behind it, as the builder makes them, on virtual time: checkpoints, commits, failures, waiting. */
import { setImmediate as eventLoop } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { JobBuilder } from '../api/job-builder.js';
import { StreamExecutionEnvironment } from '../api/stream-execution-environment.js';
import { streams } from '../api/streams.js';
import { DiskCheckpointFiles } from '../checkpoint/disk-checkpoint-files.js';
import { CheckpointStorage } from '../checkpoint/storage.js';
import { createDiskError } from '../common/disk-error.js';
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

/** Hands out what the test pushes, in batches of one record. */
class PushedReader implements SourceReader<number, SourceSplit> {
  readonly values: number[] = [];
  readonly context: SourceReaderContext;
  closed = false;
  private position = 0;
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
    const value = this.values[this.position];
    if (value === undefined) return this.ended ? 'end' : 'nothing';
    this.position++;
    batch.splitId = 'split';
    batch.values.push(value);
    batch.count = 1;
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

class PushedSource implements Source<number, SourceSplit, unknown> {
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
class MemorySink implements Sink<string, readonly string[]> {
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
class Count extends KeyedProcessFunction<number, number, string> {
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
/** How a record is known again that no source position names. */
const CHECKSUM = /^\d+ bytes with checksum [0-9a-f]{8}$/;

class SlotRig {
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
        onBarrier: (task, barrier) => rig.slot.barrier(task, barrier),
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
    return this.handle({ type: 'trigger', epoch, completed, kind: 'checkpoint', savepoint: undefined });
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

let rig: SlotRig;

beforeEach(async () => {
  Count.opened = () => undefined;
  Count.closed = () => undefined;
  rig = await SlotRig.start();
});

describe('a checkpoint', () => {
  it('is acknowledged once by each subtask, when all is durable; then committed once', async () => {
    await rig.push(1, 2, 11);
    expect(rig.sink.written).toEqual(['1: 1', '2: 1', '1: 2']);
    await rig.trigger(1);
    expect(rig.acknowledged(1).sort()).toEqual([rig.vertex(0), rig.vertex(1)].sort());
    const [keyed] = rig
      .of('acknowledged')
      .flatMap(({ snapshot }) => Object.values(snapshot.operators).filter(({ keyedChain }) => keyedChain.length > 0));
    const path = keyed?.keyedChain[0]?.path.replace('../', '') as string;
    rig.disk.crash();
    expect(rig.stateFiles()).toEqual([path]);
    const splits = rig
      .of('acknowledged')
      .flatMap(({ snapshot }) => Object.values(snapshot.operators).flatMap((operator) => operator.splits));
    expect(splits.map(({ split }) => decodeValue(split))).toEqual([{ id: 'split', position: 3 }]);
    expect([rig.sink.committed, rig.of('committed')]).toEqual([[], []]);
    await rig.handle({ type: 'complete', epoch: 1, kind: 'checkpoint' });
    expect(rig.sink.committed).toEqual(['1: 1', '2: 1', '1: 2']);
    expect(rig.of('committed')).toEqual([{ type: 'committed', epoch: 1 }]);
    await rig.push(1);
    await rig.trigger(2, 1);
    await rig.handle({ type: 'complete', epoch: 2, kind: 'checkpoint' });
    expect(rig.sink.committed.slice(3)).toEqual(['1: 3']);
  });

  it('continues the chain of the last complete one, and only of that', async () => {
    await rig.push(...Array.from({ length: 500 }, (_, at) => at % 10));
    await rig.push(...Array.from({ length: 10 }, (_, at) => at));
    await rig.trigger(1);
    await rig.handle({ type: 'complete', epoch: 1, kind: 'checkpoint' });
    await rig.push(1);
    await rig.trigger(2, 1);
    await rig.handle({ type: 'abort', epoch: 2 });
    await rig.push(2);
    await rig.trigger(3, 1);
    expect(rig.chainOf(1)).toEqual(['base 1']);
    expect(rig.chainOf(3)).toEqual(['base 1', 'delta 3']);
    // What changed for the aborted epoch is in the next delta, too.
    const rows = rig.of('acknowledged').filter(({ snapshot }) => snapshot.epoch === 3);
    const infos = rows.flatMap(({ snapshot }) =>
      Object.values(snapshot.operators).flatMap(({ keyedChain }) => keyedChain.map(({ info }) => info.rows)),
    );
    expect(infos.at(-1)).toBeGreaterThanOrEqual(2);
  });

  it('continues the chain of the last complete one though its barrier overtakes the news of that', async () => {
    await rig.push(...Array.from({ length: 500 }, (_, at) => at % 10));
    for (const [epoch, completed] of [
      [1, 0],
      [2, 1],
      [3, 2],
    ] as const) {
      await rig.push(epoch);
      await rig.trigger(epoch, completed);
    }
    await rig.handle({ type: 'complete', epoch: 1, kind: 'checkpoint' });
    await rig.handle({ type: 'complete', epoch: 2, kind: 'checkpoint' });
    expect([1, 2, 3].map((epoch) => rig.chainOf(epoch))).toEqual([['base 1'], ['base 1', 'delta 2'], ['base 1', 'delta 2', 'delta 3']]);
    expect(rig.sink.committed.length).toBe(502);
  });

  it('is not relative to a savepoint, which is whole by itself; its sinks commit all the same', async () => {
    await rig.push(...Array.from({ length: 500 }, (_, at) => at % 10));
    await rig.trigger(1);
    await rig.handle({ type: 'complete', epoch: 1, kind: 'checkpoint' });
    await rig.push(1);
    await rig.handle({ type: 'trigger', epoch: 2, completed: 1, kind: 'savepoint', savepoint: undefined });
    const committed = rig.sink.committed.length;
    await rig.handle({ type: 'complete', epoch: 2, kind: 'savepoint' });
    expect(rig.sink.committed.length).toBe(committed + 1);
    expect(rig.of('committed').at(-1)).toEqual({ type: 'committed', epoch: 2 });
    await rig.push(2);
    await rig.trigger(3, 1);
    expect([rig.chainOf(1), rig.chainOf(2), rig.chainOf(3)]).toEqual([['base 1'], ['base 2'], ['base 1', 'delta 3']]);
  });

  it('that is aborted before its barrier was seen makes no snapshot, passes its barrier on, and leaves the next one whole', async () => {
    await rig.push(1);
    rig.slot.handle({ type: 'trigger', epoch: 1, completed: 0, kind: 'checkpoint', savepoint: undefined });
    rig.slot.handle({ type: 'abort', epoch: 1 });
    await rig.settle();
    expect([rig.acknowledged(1), rig.stateFiles(), rig.of('declined')]).toEqual([[], [], []]);
    expect(rig.sink.written).toEqual(['1: 1']);
    await rig.trigger(2);
    expect(rig.acknowledged(2).length).toBe(2);
    expect(rig.committables(2)).toEqual([['1: 1']]);
  });

  it('that is aborted while it is made durable is not acknowledged, and its files go', async () => {
    const gate = Promise.withResolvers<void>();
    rig.sink.prepare = () => gate.promise;
    await rig.push(1);
    await rig.trigger(1);
    expect(rig.acknowledged(1)).toEqual([rig.vertex(0)]);
    await rig.handle({ type: 'abort', epoch: 1 });
    gate.resolve();
    await rig.settle();
    expect([rig.acknowledged(1), rig.stateFiles(), rig.of('declined')]).toEqual([[rig.vertex(0)], [], []]);
    await rig.push(2);
    await rig.trigger(2);
    expect(rig.acknowledged(2).length).toBe(2);
    // What the aborted epoch would have committed travels in this one.
    expect(rig.committables(2)).toEqual([['1: 1'], ['2: 1']]);
    await rig.handle({ type: 'complete', epoch: 2, kind: 'checkpoint' });
    expect(rig.sink.committed).toEqual(['1: 1', '2: 1']);
  });

  it('that cannot be written is declined, and the next one has everything', async () => {
    await rig.push(1, 2);
    rig.disk.fault = (operation, path) =>
      operation === 'sync' && path.includes('/shared/') ? createDiskError('EIO', 'sync', path) : undefined;
    await rig.trigger(1);
    expect(rig.of('declined').map(({ epoch, vertexId }) => [epoch, vertexId])).toEqual([[1, rig.vertex(1)]]);
    rig.disk.fault = undefined;
    await rig.handle({ type: 'abort', epoch: 1 });
    await rig.trigger(2);
    expect(rig.acknowledged(2).length).toBe(2);
    expect(rig.committables(2)).toEqual([['1: 1', '2: 1']]);
    expect(rig.stateFiles().length).toBe(1);
  });

  it('names what an earlier one has not committed yet', async () => {
    const commits: PromiseWithResolvers<void>[] = [];
    rig.sink.beforeCommit = () => {
      const gate = Promise.withResolvers<void>();
      commits.push(gate);
      return gate.promise;
    };
    await rig.push(1);
    await rig.trigger(1);
    await rig.handle({ type: 'complete', epoch: 1, kind: 'checkpoint' });
    await rig.push(2);
    await rig.trigger(2, 1);
    expect(rig.committables(2)).toEqual([['1: 1'], ['2: 1']]);
    expect(rig.of('committed')).toEqual([]);
    commits[0]?.resolve();
    await rig.settle();
    expect(rig.of('committed')).toEqual([{ type: 'committed', epoch: 1 }]);
    await rig.handle({ type: 'complete', epoch: 2, kind: 'checkpoint' });
    for (const gate of commits) gate.resolve();
    await rig.settle();
    expect(rig.of('committed').map(({ epoch }) => epoch)).toEqual([1, 2]);
    expect(rig.sink.committed).toEqual(['1: 1', '2: 1']);
  });

  it('fails the task if output is lost', async () => {
    rig.sink.prepare = () => Promise.reject(new Error('disk gone'));
    await rig.push(1);
    await rig.trigger(1);
    expect(rig.of('failed').map(({ error }) => error.message)).toEqual([expect.stringContaining('disk gone')]);
  });

  it('fails the job if it cannot be committed, naming the sink', async () => {
    rig.sink.beforeCommit = () => Promise.reject(new Error('no rights'));
    await rig.push(1);
    await rig.trigger(1);
    await rig.handle({ type: 'complete', epoch: 1, kind: 'checkpoint' });
    expect(rig.of('failed').map(({ error }) => error.message)).toEqual(["Operator 'sink', subtask 0 failed after 1 records: no rights"]);
    expect(rig.of('committed')).toEqual([]);
  });

  it('of a source without room comes when there is room, after the records before', async () => {
    const gate = Promise.withResolvers<void>();
    rig.sink.ready = gate.promise;
    const values = Array.from({ length: 6_000 }, (_, at) => at % 1000).filter((value) => value !== 13);
    await rig.push(...values);
    expect(rig.built[0]?.task.isBlocked).toBe(true);
    await rig.trigger(1);
    expect(rig.of('acknowledged')).toEqual([]);
    rig.sink.ready = undefined;
    gate.resolve();
    await rig.settle();
    expect(rig.acknowledged(1).length).toBe(2);
    const [committed] = rig.committables(1) as string[][];
    expect(committed?.length).toBeGreaterThan(256);
    await rig.trigger(2);
    expect((rig.committables(2) as string[][]).flat().length + rig.sink.written.length).toBe(values.length);
  });

  it('is answered after the end of the input, too, and holds that the subtasks have finished', async () => {
    await rig.push(1);
    await rig.handle({ type: 'noMoreSplits', vertexId: rig.vertex(0), subtask: 0 });
    expect(rig.of('ended').map(({ vertexId }) => vertexId)).toEqual([rig.vertex(0), rig.vertex(1)]);
    await rig.trigger(1);
    expect(rig.acknowledged(1).length).toBe(2);
    const finished = rig
      .of('acknowledged')
      .flatMap(({ snapshot }) => Object.values(snapshot.operators).map((operator) => operator.finished));
    expect(new Set(finished)).toEqual(new Set([true]));
    expect(rig.committables(1)).toEqual([['1: 1']]);
  });
});

describe('a failure', () => {
  it('names operator, uid, subtask and the position in the split, and stops everything', async () => {
    await rig.push(1, 2, 13, 4);
    const [failed] = rig.of('failed');
    expect(failed?.error).toMatchObject({
      code: 'OPERATOR_FAILED',
      message: "Operator 'check' (uid 'check-1'), subtask 0 failed at record 2 of split 'split': unlucky",
      stack: expect.stringContaining('slot.test.ts'),
    });
    expect(failed?.position).toEqual({
      operator: 'check-1',
      position: "record 2 of split 'split'",
      record: expect.stringMatching(CHECKSUM),
    });
    const { written } = rig.sink;
    await rig.push(5);
    expect([rig.slot.isStopped, rig.sink.written, rig.of('failed').length]).toEqual([true, written, 1]);
  });

  it('behind a shuffle names the record of the subtask', async () => {
    await rig.push(1, 2, -3);
    expect(rig.of('failed')).toMatchObject([
      {
        error: { message: "Operator 'count' (uid 'count-1'), subtask 0 failed at record 3 of the subtask: negative -3" },
        position: { operator: 'count-1', position: 'record 3 of the subtask', record: expect.stringMatching(CHECKSUM) },
      },
    ]);
  });

  it('in a timer names the operator, and no record', async () => {
    await rig.push(1001);
    rig.clock.advanceBy(100);
    await rig.settle();
    expect(rig.of('failed')).toMatchObject([
      { error: { message: "Operator 'count' (uid 'count-1'), subtask 0 failed after 1 records: timer broken" }, position: undefined },
    ]);
  });

  it('of the reader names the source', async () => {
    rig.reader.poll = () => {
      throw new Error('connection lost');
    };
    await rig.push(1);
    expect(rig.of('failed')).toMatchObject([
      { error: { message: "Operator 'numbers', subtask 0 failed after 0 records: connection lost" } },
    ]);
  });

  it('is not what a reader reports: records that its option leaves out are counted', async () => {
    rig.reader.context.reportError(new Error('not a number'), 'numbers.csv:7');
    await rig.push(1);
    expect([rig.of('failed'), rig.sink.written, rig.slot.metrics()[0]?.recordsInErrors]).toEqual([[], ['1: 1'], 1]);
  });

  it('in open names the operator', async () => {
    Count.opened = () => {
      throw new Error('no connection');
    };
    const other = await SlotRig.build();
    await expect(other.slot.open()).rejects.toMatchObject({
      code: 'OPERATOR_FAILED',
      message: "Operator 'count' (uid 'count-1'), subtask 0 failed after 0 records: no connection",
    });
  });

  it('in close does not keep the others from being closed', async () => {
    Count.closed = () => {
      throw new Error('still in use');
    };
    const failures = (await rig.slot.close()).map((error) => (error as Error).message);
    expect(failures).toEqual(["Operator 'count' (uid 'count-1'), subtask 0 failed after 0 records: still in use"]);
    expect([rig.sink.closed, rig.reader.closed]).toEqual([true, true]);
  });

  it('of a value that the record model does not allow names the operator on local edges, too', async () => {
    const other = await SlotRig.start((env, { source, sink }) => {
      env
        .fromSource(source, WatermarkStrategy.noWatermarks<number>(), 'numbers')
        .setParallelism(1)
        .map((value) => ({ value, later: () => value }) as unknown as { value: number })
        .name('wrap')
        .setParallelism(1)
        .keyBy(({ value }) => value)
        .process(new Count() as unknown as KeyedProcessFunction<number, { value: number }, string>)
        .setParallelism(1)
        .sinkTo(sink)
        .setParallelism(1);
    });
    await other.push(1);
    expect(other.of('failed')).toMatchObject([
      { error: { code: 'UNSUPPORTED_VALUE', message: expect.stringMatching(/value\.later.*operator 'wrap'/) } },
    ]);
  });
});

describe('waiting', () => {
  it('ends when a partly filled batch is due, or a timer, or the next watermark', async () => {
    rig.reader.push(1);
    await rig.settle();
    expect(rig.sink.written).toEqual([]);
    expect(rig.slot.nextTurnIn()).toBeGreaterThan(0);
    expect(rig.slot.nextTurnIn()).toBeLessThanOrEqual(100);
    rig.clock.advanceBy(rig.slot.nextTurnIn());
    await rig.settle();
    expect(rig.sink.written).toEqual(['1: 1']);
    expect(rig.slot.nextTurnIn()).toBe(200);
    await rig.push(2);
    rig.reader.push(1001);
    await rig.settle();
    rig.clock.advanceBy(100);
    await rig.settle();
    expect(rig.slot.nextTurnIn()).toBe(51);
  });

  it('has no end of its own once all have ended, or while there is no room', async () => {
    const gate = Promise.withResolvers<void>();
    rig.sink.ready = gate.promise;
    await rig.push(...new Array<number>(6_000).fill(1));
    expect(rig.built[0]?.task.isBlocked).toBe(true);
    expect(rig.slot.nextTurnIn()).toBe(Number.POSITIVE_INFINITY);
    rig.sink.ready = undefined;
    gate.resolve();
    await rig.handle({ type: 'noMoreSplits', vertexId: rig.vertex(0), subtask: 0 });
    expect(rig.of('ended').length).toBe(2);
    expect(rig.slot.nextTurnIn()).toBe(Number.POSITIVE_INFINITY);
  });

  it('is told apart in the metrics: for room, and for input', async () => {
    const gate = Promise.withResolvers<void>();
    rig.sink.ready = gate.promise;
    await rig.push(...new Array<number>(6_000).fill(1));
    const before = rig.slot.metrics();
    rig.clock.advanceBy(5_000);
    const after = rig.slot.metrics();
    const grown = (at: number): number[] => [
      (after[at]?.backPressuredMs as number) - (before[at]?.backPressuredMs as number),
      (after[at]?.idleMs as number) - (before[at]?.idleMs as number),
    ];
    expect([grown(0), grown(1)]).toEqual([
      [5_000, 0],
      [0, 5_000],
    ]);
  });
});
