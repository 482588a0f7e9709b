/**
 * All slots of a job in this process, on virtual time and a disk in memory, in turns that a test chooses; its checkpoints, and what a
 * new attempt makes of them. The slots, channels and restores are those of a cluster.
 */
import { setImmediate as eventLoop } from 'node:timers/promises';
import { JobBuilder } from '../api/job-builder.js';
import { StreamExecutionEnvironment } from '../api/stream-execution-environment.js';
import { streams } from '../api/streams.js';
import { channelFramesFor, decodeChannelState } from '../checkpoint/channel-state.js';
import { DiskCheckpointFiles } from '../checkpoint/disk-checkpoint-files.js';
import type { CheckpointMetadata } from '../checkpoint/metadata.js';
import type { SplitSnapshot, SubtaskSnapshot } from '../checkpoint/snapshot.js';
import { CheckpointStorage } from '../checkpoint/storage.js';
import { MemoryDisk } from '../common/memory-disk.js';
import { seededRandom } from '../common/random.js';
import type { Sink, SinkWriter } from '../connector/sink.js';
import type { PollStatus, Source, SourceBatch, SourceReader, SourceReaderContext, SourceSplit } from '../connector/source.js';
import type { RingLayout } from '../network/ring.js';
import { buildJobGraph } from '../plan/build-job-graph.js';
import type { JobGraph } from '../plan/job-graph.js';
import { ChannelFactory } from '../runtime/deployment.js';
import { decodeValue, encodeValue } from '../runtime/operator-state.js';
import { Slot } from '../runtime/slot.js';
import type { FromSlot, ToSlot } from '../runtime/slot-messages.js';
import { type BuiltTask, buildTask } from '../runtime/task-builder.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { EpochSnapshots } from './epoch-snapshots.js';
import { type Placement, placeSubtasks } from './placement.js';
import { type RestoreShares, restoreShares } from './restore-shares.js';
import { allocateMachineMemory } from './slot-memory.js';

export interface NumberSplit extends SourceSplit {
  readonly position: number;
}

/** Each subtask counts its own numbers: subtask, subtask + parallelism, … below `count`. */
export class NumberSource implements Source<number, NumberSplit, null> {
  readonly boundedness = 'bounded';
  readonly count: number;
  readonly readers: NumberReader[] = [];

  constructor(count: number) {
    this.count = count;
  }

  createReader(context: SourceReaderContext): NumberReader {
    const reader = new NumberReader(context, this.count);
    this.readers.push(reader);
    return reader;
  }

  createEnumerator(): never {
    throw new Error('the rig has no enumerator');
  }
}

class NumberReader implements SourceReader<number, NumberSplit> {
  position = 0;
  private readonly context: SourceReaderContext;
  private readonly count: number;
  private split: NumberSplit | undefined;

  constructor(context: SourceReaderContext, count: number) {
    this.context = context;
    this.count = count;
  }

  start(): void {}

  addSplits([split]: readonly NumberSplit[]): void {
    this.split = split;
    this.position = split?.position ?? 0;
  }

  notifyNoMoreSplits(): void {}

  poll(batch: SourceBatch<number>, limit: number): PollStatus {
    const { subtaskIndex, parallelism } = this.context;
    if (this.split === undefined || subtaskIndex + this.position * parallelism >= this.count) return 'end';
    batch.splitId = this.split.id;
    for (; batch.count < limit; batch.count++) {
      const value = subtaskIndex + this.position * parallelism;
      if (value >= this.count) break;
      batch.values.push(value);
      this.position++;
    }
    return 'records';
  }

  async whenAvailable(): Promise<void> {}

  snapshotState(): NumberSplit[] {
    return this.split === undefined ? [] : [{ ...this.split, position: this.position }];
  }

  close(): void {}
}

/** Two-phase, and takes records only while it is open. */
export class GatedSink implements Sink<unknown, readonly unknown[]> {
  readonly committed: unknown[] = [];
  private gate: PromiseWithResolvers<void> | undefined = Promise.withResolvers<void>();
  written = 0;

  open(): void {
    this.gate?.resolve();
    this.gate = undefined;
  }

  close(): void {
    this.gate ??= Promise.withResolvers<void>();
  }

  createWriter(): SinkWriter<unknown, readonly unknown[], unknown> {
    let written: unknown[] = [];
    return {
      write: (value) => {
        this.written++;
        written.push(value);
      },
      ready: () => this.gate?.promise,
      prepareCommit: async () => {
        const committable = written;
        written = [];
        return committable.length === 0 ? [] : [committable];
      },
      close: () => undefined,
    };
  }

  createCommitter(): { commit(committables: readonly (readonly unknown[])[]): Promise<void> } {
    return {
      commit: async (committables) => {
        for (const committable of committables) this.committed.push(...committable);
      },
    };
  }
}

export interface JobRigOptions {
  readonly parallelism: number;
  readonly define: (env: StreamExecutionEnvironment, source: NumberSource, sink: GatedSink) => void;
  readonly numbers: number;
  readonly disk?: MemoryDisk;
  readonly restored?: CheckpointMetadata | undefined;
  readonly layout?: RingLayout;
  readonly alignBarriers?: boolean;
}

const DIRECTORY = '/job';
const RUN = 'run';

export class JobRig {
  readonly clock: VirtualClock = new VirtualClock(1_000_000);
  readonly sink: GatedSink = new GatedSink();
  readonly source: NumberSource;
  readonly disk: MemoryDisk;
  readonly graph: JobGraph;
  readonly storage: CheckpointStorage;
  readonly slots: Slot[] = [];
  readonly tasks: BuiltTask[] = [];
  private readonly options: JobRigOptions;
  private readonly placement: Placement;
  private readonly snapshots: EpochSnapshots;
  readonly messages: FromSlot[] = [];
  private readonly program: ReturnType<JobBuilder['build']>;

  private constructor(options: JobRigOptions) {
    this.options = options;
    this.source = new NumberSource(options.numbers);
    this.disk = options.disk ?? new MemoryDisk();
    this.storage = new CheckpointStorage(new DiskCheckpointFiles(this.disk), DIRECTORY);
    const job = new JobBuilder(streams, undefined);
    const env = new StreamExecutionEnvironment(job);
    env.setParallelism(options.parallelism);
    options.define(env, this.source, this.sink);
    this.program = job.build('rig');
    this.graph = buildJobGraph(this.program.plan);
    this.placement = placeSubtasks(this.graph);
    const attempt = options.restored === undefined ? 1 : 2;
    this.snapshots = new EpochSnapshots({ run: RUN, attempt, graph: this.graph, jobDirectory: DIRECTORY, defaultParallelism: 1 });
  }

  static async start(options: JobRigOptions): Promise<JobRig> {
    const rig = new JobRig(options);
    await rig.storage.prepare();
    const { restored } = options;
    const point = { path: `${DIRECTORY}/chk`, previous: undefined, committed: false };
    await rig.deploy(restored === undefined ? undefined : await restoreShares({ ...point, metadata: restored }, rig.graph, rig.storage));
    return rig;
  }

  private async deploy(restore: RestoreShares | undefined): Promise<void> {
    const layout = this.options.layout ?? { slots: 4, slotBytes: 512 };
    const { memory } = allocateMachineMemory(this.graph, this.placement, () => true, layout);
    for (let slot = 0; slot < this.placement.slots; slot++) await this.addSlot(slot, memory.rings, layout, restore);
    for (const slot of this.slots) slot.handle({ type: 'start' });
    for (const { task, source } of this.tasks)
      if (source !== undefined) this.assign(task.options.vertexId, task.options.subtaskIndex, restore);
  }

  private assign(vertexId: string, subtask: number, restore: RestoreShares | undefined): void {
    const shares = restore?.sources.get(vertexId)?.splits.flat();
    const fresh = { split: encodeValue({ id: `split ${subtask}`, position: 0 }), watermark: Number.NEGATIVE_INFINITY };
    const share = shares === undefined ? fresh : this.splitOf(shares, subtask);
    if (share === undefined) return;
    const message = { type: 'assign', vertexId, subtask, splits: [share.split], watermarks: [share.watermark] } as const;
    this.slots[this.placement.slotOf(vertexId, subtask)]?.handle(message);
  }

  private splitOf(splits: readonly SplitSnapshot[], subtask: number): SplitSnapshot | undefined {
    return splits.find(({ split }) => (decodeValue(split) as SourceSplit).id === `split ${subtask}`);
  }

  private async addSlot(
    index: number,
    rings: ReadonlyMap<string, SharedArrayBuffer>,
    layout: RingLayout,
    restore: RestoreShares | undefined,
  ): Promise<void> {
    const attempt = restore === undefined ? 1 : 2;
    const slot = new Slot({
      clock: this.clock,
      send: (message) => this.receive(message),
      wake: () => undefined,
      stateFile: (task, operatorId, epoch, part) =>
        this.storage.createStateFile({ run: RUN, attempt, operatorId, subtaskIndex: task.options.subtaskIndex, epoch, part }),
    });
    this.slots.push(slot);
    const channels = new ChannelFactory({
      graph: this.graph,
      program: this.program,
      rings,
      setting: { ring: layout, forceCodec: false, codegen: true },
      isLocal: (vertexId, subtask) => this.placement.slotOf(vertexId, subtask) === index,
      wakePeer: () => undefined,
    });
    for (const vertex of this.graph.vertices) {
      for (const { vertexId, subtaskIndex, slot: at } of this.placement.subtasks) {
        if (vertexId !== vertex.id || at !== index) continue;
        const share = restore?.subtasks.get(vertexId)?.[subtaskIndex];
        const states = await Promise.all((share?.channelStates ?? []).map(async (state) => await this.storage.readBytes(state)));
        const built = await buildTask({
          vertex,
          subtaskIndex,
          program: this.program,
          channels,
          environment: { run: RUN, attempt, clock: this.clock, random: seededRandom(index), checked: false },
          disk: this.disk,
          codegen: true,
          watermarkIntervalMs: 200,
          alignBarriers: this.options.alignBarriers ?? true,
          finished: share?.finished ?? false,
          supplied: () => undefined,
          restore: share?.operators,
          channelFrames: channelFramesFor(states.map(decodeChannelState)),
          readState: async (chain) => await this.storage.readChain(chain),
          requestSplit: () => undefined,
          onBarrier: (task, barrier, inFlight) => slot.barrier(task, barrier, inFlight),
          onEnd: (task) => slot.taskEnded(task),
          onFailure: (task, error) => slot.taskFailed(task, error),
          wakeSlot: () => undefined,
        });
        slot.add(built);
        this.tasks.push(built);
      }
    }
    await slot.open();
  }

  private receive(message: FromSlot): void {
    if (message.type === 'failed') throw new Error(message.error.message);
    if (message.type === 'acknowledged') this.snapshots.add(message.snapshot);
    this.messages.push(message);
  }

  // ---- what a test does

  /** One turn of a slot, and the callbacks after it. */
  async turn(slot: number): Promise<boolean> {
    const ran = this.slots[slot % this.slots.length]?.turn() === true;
    await eventLoop();
    return ran;
  }

  /** Turns of all slots until nothing happens any more. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 4; quiet++) {
      for (const slot of this.slots) while (slot.turn()) quiet = 0;
      this.clock.advanceBy(100);
      await eventLoop();
    }
  }

  broadcast(message: ToSlot): void {
    for (const slot of this.slots) slot.handle(message);
  }

  trigger(epoch: number, overtakeAfterMs: number | undefined, completed = 0): void {
    this.snapshots.begin(epoch, { kind: 'checkpoint', savepoint: undefined, timestamp: 0, startedAt: 0, enumerators: new Map() });
    this.broadcast({ type: 'trigger', epoch, completed, kind: 'checkpoint', savepoint: undefined, drain: false, overtakeAfterMs });
  }

  acknowledged(epoch: number): readonly SubtaskSnapshot[] {
    return this.snapshots.of(epoch);
  }

  isComplete(epoch: number): boolean {
    return this.acknowledged(epoch).length === this.tasks.length;
  }

  get isEnded(): boolean {
    return this.messages.filter(({ type }) => type === 'ended').length === this.tasks.length;
  }

  metadata(epoch: number): CheckpointMetadata {
    return this.snapshots.metadata(epoch);
  }
}
