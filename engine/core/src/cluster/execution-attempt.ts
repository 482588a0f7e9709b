/**
 * One attempt of a job: starts its slots, deploys, runs until the end, a stop, a cancel or a failure, and carries out what the checkpoint
 * coordinator decides. The slots of an attempt are gone when `run` has settled.
 *
 *     start slots ─▶ deploy ─▶ all deployed ─▶ start ─▶ … checkpoints … ─▶ all ended ─▶ final checkpoint ─▶ committed ─▶ finished
 *
 * Invariants: 1. `run` settles once; 2. an attempt that failed sends nothing any more; 3. FINISHED only after the last commit.
 */
import { decide } from '../checkpoint/coordinator.js';
import {
  type CheckpointConfig,
  type CheckpointRequest,
  type CoordinatorAction,
  type CoordinatorEvent,
  type CoordinatorState,
  createCoordinatorState,
} from '../checkpoint/coordinator-state.js';
import type { EpochInterval } from '../checkpoint/job-record.js';
import type { CheckpointMetadata, OperatorSnapshotMetadata } from '../checkpoint/metadata.js';
import { EMPTY_OPERATOR_SNAPSHOT, type OperatorSubtaskSnapshot, type SubtaskSnapshot } from '../checkpoint/snapshot.js';
import { checkpointDirectoryName } from '../checkpoint/state-path.js';
import type { Clock, ScheduledCall } from '../common/clock.js';
import type { Disk } from '../common/disk.js';
import { MillstreamError } from '../common/errors.js';
import type { JobGraph, JobVertex } from '../plan/job-graph.js';
import type { JobProgram } from '../plan/plan.js';
import { allocateRings, type ChannelSetting, type SubtaskRestore } from '../runtime/deployment.js';
import type { ProgramArtifact } from '../runtime/program-artifact.js';
import { deserializeError } from '../runtime/serialize-error.js';
import type { FromSlot, RecordPosition, SlotDeployment, TaskMetrics, ToSlot } from '../runtime/slot-messages.js';
import type { CheckpointStore } from './checkpoint-store.js';
import { type Placement, placeSubtasks } from './placement.js';
import type { RestoreShares } from './restore-shares.js';
import type { SlotHandle, SlotHandleOptions } from './slot-handle.js';
import { SourceCoordinator } from './source-coordinator.js';

/** How long a slot may take to close its files before its thread is ended. Flink's `task.cancellation.timeout` is 180 s for a whole JVM. */
const CLOSE_TIMEOUT_MS = 10_000;

/** How an attempt ended. */
export type AttemptOutcome =
  | { readonly type: 'finished' }
  | { readonly type: 'stopped'; readonly epoch: number }
  | { readonly type: 'cancelled' }
  | { readonly type: 'failed'; readonly error: MillstreamError; readonly position: RecordPosition | undefined };

export interface AttemptOptions {
  readonly run: string;
  readonly attempt: number;
  readonly program: JobProgram;
  readonly graph: JobGraph;
  readonly artifact: ProgramArtifact;
  readonly store: CheckpointStore;
  readonly epochs: EpochInterval;
  readonly restore: RestoreShares | undefined;
  readonly checkpoints: CheckpointConfig;
  readonly defaultParallelism: number;
  readonly channels: ChannelSetting;
  /** Exactly-once; false: at-least-once. */
  readonly alignBarriers: boolean;
  readonly checked: boolean;
  readonly seed: number;
  readonly watermarkIntervalMs: number;
  readonly sampleDelays: boolean;
  readonly youngGenerationMb: number;
  readonly clock: Clock;
  readonly disk: Disk;
  readonly startSlot: (options: SlotHandleOptions) => SlotHandle;
  readonly observer: AttemptObserver;
}

/** A checkpoint that is complete. */
export interface CompletedCheckpointReport {
  readonly epoch: number;
  /** Its directory; undefined if nothing is stored. */
  readonly path: string | undefined;
  /** Bytes of the state files written for it. */
  readonly bytes: number;
  /** From the trigger to the commit, ms. */
  readonly durationMs: number;
  /** Taken because all input has ended. */
  readonly final: boolean;
}

/** Hears what happens in an attempt. */
export interface AttemptObserver {
  metrics(slot: number, tasks: readonly TaskMetrics[], longestDelayMs: number): void;
  collected(nodeId: string, values: Uint8Array): void;
  checkpointCompleted(checkpoint: CompletedCheckpointReport): void;
  checkpointFailed(epoch: number, reason: string): void;
  running(): void;
}

export class ExecutionAttempt {
  private readonly options: AttemptOptions;
  private readonly placement: Placement;
  private readonly slots: SlotHandle[] = [];
  private readonly sources = new Map<string, SourceCoordinator>();
  private readonly outcome: PromiseWithResolvers<AttemptOutcome> = Promise.withResolvers<AttemptOutcome>();
  private readonly closed: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  private closedSlots = 0;
  private settled = false;
  private deployed = 0;
  private coordinator: CoordinatorState;
  private timer: ScheduledCall | undefined;
  private readonly snapshots = new Map<number, Map<string, SubtaskSnapshot>>();
  private readonly triggered = new Map<number, { at: number; enumerators: Map<string, Uint8Array>; kind: CheckpointMetadata['kind'] }>();
  private readonly commits = new Map<number, number>();
  /** The job ends when this epoch has been committed by all slots. */
  private endAfter: { epoch: number; outcome: AttemptOutcome } | undefined;
  /** Metadata and record changes, one after another. */
  private storing: Promise<void> = Promise.resolve();

  constructor(options: AttemptOptions) {
    this.options = options;
    this.placement = placeSubtasks(options.graph);
    this.coordinator = createCoordinatorState(options.checkpoints, options.epochs, 0);
  }

  async run(): Promise<AttemptOutcome> {
    try {
      this.startSources();
      this.startSlots();
    } catch (error) {
      this.fail(error, undefined);
    }
    const outcome = await this.outcome.promise;
    this.timer?.cancel();
    this.event({ type: 'tasksStopped', reason: 'the attempt has ended' });
    for (const source of this.sources.values()) source.close();
    if (outcome.type !== 'failed') await this.closeSlots();
    await Promise.all(this.slots.map((slot) => slot.kill()));
    await this.storing;
    return outcome;
  }

  /** Lets writers and readers close what they have open. */
  private async closeSlots(): Promise<void> {
    const { clock } = this.options;
    const timeout = Promise.withResolvers<void>();
    const timer = clock.schedule(CLOSE_TIMEOUT_MS, timeout.resolve);
    for (const slot of this.slots) slot.send({ type: 'cancel' });
    await Promise.race([this.closed.promise, timeout.promise]);
    timer.cancel();
  }

  /** Asks for a checkpoint; `stop` ends the job after it. */
  request(request: CheckpointRequest): void {
    this.event({ type: 'triggerRequested', request });
  }

  cancel(): void {
    this.settle({ type: 'cancelled' });
  }

  /** Kills one slot as a crash would. */
  killSlot(slot: number): void {
    const handle = this.slots[slot];
    if (handle === undefined) return;
    void handle
      .kill()
      .then(() =>
        this.fail(new MillstreamError('SLOT_LOST', `Slot ${slot} ended unexpectedly: it was killed.`, { retryable: true }), undefined),
      );
  }

  get slotCount(): number {
    return this.placement.slots;
  }

  private settle(outcome: AttemptOutcome): void {
    if (this.settled) return;
    this.settled = true;
    this.outcome.resolve(outcome);
  }

  private fail(error: unknown, position: RecordPosition | undefined): void {
    const typed =
      error instanceof MillstreamError
        ? error
        : new MillstreamError('INTERNAL', error instanceof Error ? error.message : String(error), { cause: error });
    this.settle({ type: 'failed', error: typed, position });
  }

  // ---- start

  private startSources(): void {
    const { program, graph, restore, clock, disk } = this.options;
    for (const vertex of graph.vertices) {
      const implementation = program.implementations.get(vertex.id);
      if (implementation?.type !== 'source') continue;
      this.sources.set(
        vertex.id,
        new SourceCoordinator({
          vertexId: vertex.id,
          source: implementation.source,
          watermarks: implementation.watermarks,
          parallelism: vertex.parallelism,
          clock,
          disk,
          assign: (subtask, splits, watermarks) =>
            this.sendTo(vertex.id, subtask, { type: 'assign', vertexId: vertex.id, subtask, splits, watermarks }),
          noMoreSplits: (subtask) => this.sendTo(vertex.id, subtask, { type: 'noMoreSplits', vertexId: vertex.id, subtask }),
          align: (maxWatermark) => this.broadcast({ type: 'align', vertexId: vertex.id, maxWatermark }),
          fail: (error) => this.fail(error, undefined),
          restored: restore?.sources.get(vertex.id),
        }),
      );
    }
  }

  private startSlots(): void {
    const { options, placement } = this;
    const rings = allocateRings(options.graph, placement.slotOf, options.channels.ring);
    const wakeWords = new SharedArrayBuffer(placement.slots * 4);
    for (let slot = 0; slot < placement.slots; slot++) {
      const handle = options.startSlot({
        slot,
        artifact: options.artifact,
        onMessage: (message) => this.receive(slot, message),
        onLost: (error) => this.fail(error, undefined),
        youngGenerationMb: options.youngGenerationMb,
      });
      this.slots.push(handle);
      handle.send({ type: 'deploy', deployment: this.deployment(slot, rings, wakeWords) });
    }
  }

  private deployment(slot: number, rings: ReadonlyMap<string, SharedArrayBuffer>, wakeWords: SharedArrayBuffer): SlotDeployment {
    const { options, placement } = this;
    const restore: { [vertexId: string]: { [subtask: number]: SubtaskRestore } } = {};
    for (const place of placement.subtasks) {
      const share = options.restore?.subtasks.get(place.vertexId)?.[place.subtaskIndex];
      if (place.slot !== slot || share === undefined) continue;
      restore[place.vertexId] = { ...restore[place.vertexId], [place.subtaskIndex]: share };
    }
    return {
      slot,
      run: options.run,
      attempt: options.attempt,
      graph: options.graph,
      placements: placement.subtasks,
      rings,
      wakeWords,
      channels: options.channels,
      alignBarriers: options.alignBarriers,
      checked: options.checked,
      seed: options.seed + slot * 7919,
      watermarkIntervalMs: options.watermarkIntervalMs,
      checkpointDirectory: options.store.directory,
      restore,
      sampleDelays: options.sampleDelays,
    };
  }

  private sendTo(vertexId: string, subtask: number, message: ToSlot): void {
    this.slots[this.placement.slotOf(vertexId, subtask)]?.send(message);
  }

  private broadcast(message: ToSlot): void {
    if (this.settled) return;
    for (const slot of this.slots) slot.send(message);
  }

  // ---- messages

  private receive(slot: number, message: FromSlot): void {
    if (this.settled && message.type !== 'metrics' && message.type !== 'cancelled') return;
    switch (message.type) {
      case 'deployed':
        this.deployed++;
        if (this.deployed === this.placement.slots) void this.start();
        break;
      case 'requestSplit':
        this.sources.get(message.vertexId)?.requestSplit(message.subtask);
        break;
      case 'sourceWatermark':
        this.sources.get(message.vertexId)?.reportWatermark(message.subtask, message.watermark);
        break;
      case 'acknowledged':
        this.acknowledged(message.snapshot);
        break;
      case 'declined':
        this.event({ type: 'declined', epoch: message.epoch, reason: message.reason });
        break;
      case 'ended':
        this.event({ type: 'subtaskFinished', subtask: { vertexId: message.vertexId, subtaskIndex: message.subtask } });
        break;
      case 'committed':
        this.slotCommitted(message.epoch);
        break;
      case 'collected':
        this.options.observer.collected(message.nodeId, message.values);
        break;
      case 'failed':
        this.fail(deserializeError(message.error), message.position);
        break;
      case 'metrics':
        this.options.observer.metrics(slot, message.tasks, message.longestDelayMs);
        break;
      case 'cancelled':
        this.closedSlots++;
        if (this.closedSlots === this.placement.slots) this.closed.resolve();
        break;
    }
  }

  private async start(): Promise<void> {
    await Promise.all([...this.sources.values()].map((source) => source.started()));
    this.broadcast({ type: 'start' });
    this.options.observer.running();
    this.event({
      type: 'tasksRunning',
      subtasks: this.placement.subtasks.map(({ vertexId, subtaskIndex }) => ({ vertexId, subtaskIndex })),
    });
  }

  private acknowledged(snapshot: SubtaskSnapshot): void {
    const known = this.snapshots.get(snapshot.epoch) ?? new Map<string, SubtaskSnapshot>();
    this.snapshots.set(snapshot.epoch, known);
    known.set(`${snapshot.vertexId}:${snapshot.subtaskIndex}`, snapshot);
    this.event({
      type: 'acknowledged',
      epoch: snapshot.epoch,
      subtask: { vertexId: snapshot.vertexId, subtaskIndex: snapshot.subtaskIndex },
    });
  }

  private slotCommitted(epoch: number): void {
    const count = (this.commits.get(epoch) ?? 0) + 1;
    this.commits.set(epoch, count);
    if (count < this.placement.slots) return;
    this.commits.delete(epoch);
    const ending = this.endAfter?.epoch === epoch ? this.endAfter.outcome : undefined;
    this.store(() => this.options.store.noteCommitted(epoch)).then(
      () => {
        if (ending !== undefined) this.settle(ending);
      },
      (error: unknown) => this.fail(error, undefined),
    );
  }

  // ---- the coordinator's decisions

  private event(event: CoordinatorEvent extends infer E ? (E extends CoordinatorEvent ? Omit<E, 'now'> : never) : never): void {
    const decision = decide(this.coordinator, { ...event, now: this.options.clock.monotonic() } as CoordinatorEvent);
    this.coordinator = decision.state;
    for (const action of decision.actions) this.perform(action);
  }

  private perform(action: CoordinatorAction): void {
    switch (action.type) {
      case 'trigger':
        this.trigger(action);
        break;
      case 'abort':
        // One that is cut off by the end of its attempt is no news.
        if (!this.settled) this.options.observer.checkpointFailed(action.epoch, action.reason);
        this.broadcast({ type: 'abort', epoch: action.epoch });
        break;
      case 'writeMetadata': {
        const metadata = this.metadataOf(action.epoch);
        this.store(() => this.options.store.writeMetadata(metadata)).then(
          () => this.event({ type: 'metadataWritten', epoch: action.epoch }),
          (error: unknown) => this.event({ type: 'storeFailed', epoch: action.epoch, reason: messageOf(error) }),
        );
        break;
      }
      case 'commitRecord': {
        const metadata = this.metadataOf(action.epoch);
        this.store(() => this.options.store.commit(metadata)).then(
          (dropped) => this.event({ type: 'recordCommitted', epoch: action.epoch, dropped }),
          (error: unknown) => this.event({ type: 'storeFailed', epoch: action.epoch, reason: messageOf(error) }),
        );
        break;
      }
      case 'notifyComplete':
        this.completed(action);
        break;
      case 'discardCheckpoints':
        this.background(() => this.options.store.discardCheckpoints(action.checkpoints));
        break;
      case 'discardEpoch': {
        const snapshots = [...(this.snapshots.get(action.epoch)?.values() ?? [])];
        this.forget(action.epoch);
        this.background(() => this.options.store.discardEpoch(action.epoch, snapshots));
        break;
      }
      case 'discardSnapshot': {
        const snapshots = [...(this.snapshots.get(action.epoch)?.values() ?? [])];
        this.snapshots.delete(action.epoch);
        this.background(() => this.options.store.discardEpoch(action.epoch, snapshots));
        break;
      }
      case 'reserveEpochs':
        this.store(() => this.options.store.reserveEpochs()).then(
          (block) => this.event({ type: 'epochsReserved', block }),
          (error: unknown) => this.event({ type: 'reserveFailed', reason: messageOf(error) }),
        );
        break;
      case 'answer':
        break;
      case 'refuse':
        if (action.request.stop !== undefined) this.settle({ type: 'cancelled' });
        break;
      case 'failJob':
        this.fail(
          new MillstreamError('CHECKPOINT_FAILED', `The job fails: ${action.reason.replace(/\.$/, '')}.`, { retryable: true }),
          undefined,
        );
        break;
      case 'scheduleAt':
        this.schedule(action.time);
        break;
    }
  }

  private trigger(action: CoordinatorAction & { type: 'trigger' }): void {
    const enumerators = new Map<string, Uint8Array>();
    for (const [vertexId, source] of this.sources) enumerators.set(vertexId, source.snapshot());
    this.triggered.set(action.epoch, { at: this.options.clock.monotonic(), enumerators, kind: action.kind });
    this.broadcast({
      type: 'trigger',
      epoch: action.epoch,
      completed: action.lastCompleted,
      store: this.options.store.directory !== undefined,
    });
  }

  private completed(action: CoordinatorAction & { type: 'notifyComplete' }): void {
    const { epoch } = action;
    let bytes = 0;
    for (const snapshot of this.snapshots.get(epoch)?.values() ?? []) bytes += snapshot.writtenBytes;
    const started = this.triggered.get(epoch)?.at ?? 0;
    const { directory } = this.options.store;
    this.options.observer.checkpointCompleted({
      epoch,
      path: directory === undefined ? undefined : `${directory}/${checkpointDirectoryName(epoch)}`,
      bytes,
      durationMs: this.options.clock.monotonic() - started,
      final: action.final,
    });
    if (action.final) this.endAfter = { epoch, outcome: { type: 'finished' } };
    else if (action.stop !== undefined) this.endAfter = { epoch, outcome: { type: 'stopped', epoch } };
    this.forget(epoch);
    this.broadcast({ type: 'complete', epoch });
  }

  private forget(epoch: number): void {
    for (const known of this.snapshots.keys()) if (known <= epoch) this.snapshots.delete(known);
    for (const known of this.triggered.keys()) if (known <= epoch) this.triggered.delete(known);
  }

  private schedule(time: number | undefined): void {
    this.timer?.cancel();
    this.timer = undefined;
    if (time === undefined || this.settled) return;
    const delay = Math.max(0, time - this.options.clock.monotonic());
    this.timer = this.options.clock.schedule(delay, () => this.event({ type: 'timer' }));
  }

  /** Changes to the store, one after another. */
  private store<T>(work: () => Promise<T>): Promise<T> {
    const result = this.storing.then(work);
    this.storing = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  /** Clean-up: its failure costs space only, and the next start finds what is left. */
  private background(work: () => Promise<void>): void {
    void this.store(work).catch(() => undefined);
  }

  private metadataOf(epoch: number): CheckpointMetadata {
    const { run, attempt, graph, defaultParallelism, clock } = this.options;
    const triggered = this.triggered.get(epoch);
    const snapshots = this.snapshots.get(epoch) ?? new Map<string, SubtaskSnapshot>();
    return {
      kind: triggered?.kind ?? 'checkpoint',
      jobName: graph.jobName,
      run,
      attempt,
      epoch,
      timestamp: clock.now(),
      structuralHash: graph.structuralHash,
      jobDirectory: this.options.store.directory ?? '',
      defaultParallelism,
      operators: graph.vertices.flatMap((vertex) => operatorsOf(vertex, snapshots, triggered?.enumerators)),
    };
  }
}

function operatorsOf(
  vertex: JobVertex,
  snapshots: ReadonlyMap<string, SubtaskSnapshot>,
  enumerators: ReadonlyMap<string, Uint8Array> | undefined,
): OperatorSnapshotMetadata[] {
  return vertex.chain.map(({ node }, index) => {
    const enumerator = index === 0 ? enumerators?.get(vertex.id) : undefined;
    return {
      operatorId: node.id,
      uid: node.uid,
      name: node.name,
      parallelism: vertex.parallelism,
      maxParallelism: vertex.maxParallelism,
      enumeratorState: enumerator === undefined ? undefined : { inline: enumerator },
      subtasks: Array.from(
        { length: vertex.parallelism },
        (_, subtask): OperatorSubtaskSnapshot => snapshots.get(`${vertex.id}:${subtask}`)?.operators[node.id] ?? EMPTY_OPERATOR_SNAPSHOT,
      ),
    };
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
