/**
 * Carries out what the checkpoint coordinator decides, for one attempt: tells slots and store, and turns what they answer into the
 * coordinator's events.
 *
 *     slots, store, timer ──event──▶ decide ──actions──▶ slots, store, timer, the attempt
 *
 * Invariants: 1. changes to the store run one after another; 2. nothing is sent once the attempt has settled; 3. an end is reported only
 * after every slot has committed.
 */
import { canStopRegions, decide } from '../checkpoint/coordinator.js';
import {
  type CheckpointConfig,
  type CheckpointRequest,
  type CoordinatorAction,
  type CoordinatorEvent,
  type CoordinatorState,
  createCoordinatorState,
  type SubtaskId,
} from '../checkpoint/coordinator-state.js';
import type { EpochInterval } from '../checkpoint/job-record.js';
import type { CheckpointKind } from '../checkpoint/metadata.js';
import type { StateBytes, SubtaskSnapshot } from '../checkpoint/snapshot.js';
import { stateBytesOf } from '../checkpoint/state-bytes.js';
import { checkpointDirectoryName } from '../checkpoint/state-path.js';
import type { Clock, ScheduledCall } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import type { ToSlot } from '../runtime/slot-messages.js';
import type { CheckpointAcknowledgementReport, CompletedCheckpointReport } from './attempt-options.js';
import type { CheckpointStore } from './checkpoint-store.js';
import { EpochSnapshots, type SnapshotOwner } from './epoch-snapshots.js';

/** The id of requests by `handOver`. */
const HAND_OVER = 'hand over';
const HAND_OVER_RETRY_MS = 1000;

/** How a job ends after a checkpoint. */
export interface CheckpointEnd {
  readonly type: 'finished' | 'stopped';
}

/** The attempt, as its checkpoints see it. */
export interface CheckpointedAttempt {
  readonly slotCount: number;
  /** It has ended, or is about to: nothing more is sent. */
  readonly isSettled: boolean;
  /** To all slots. */
  broadcast(message: ToSlot): void;
  /** The state of each source's enumerator in an epoch that is being triggered, by vertex id. */
  enumeratorStates(epoch: number): Map<string, StateBytes>;
  completed(report: CompletedCheckpointReport): void;
  failedCheckpoint(epoch: number, reason: string): void;
  triggered(epoch: number, kind: CheckpointKind): void;
  acknowledged(report: CheckpointAcknowledgementReport): void;
  /** A complete checkpoint is kept no longer. */
  discarded(epoch: number): void;
  /** What somebody asked for is complete, or will not be. */
  answered(request: CheckpointRequest, epoch: number): void;
  refused(request: CheckpointRequest, reason: string): void;
  /** Everything is committed; the job ends. */
  ended(end: CheckpointEnd): void;
  fail(error: unknown): void;
}

export interface CheckpointPerformerOptions {
  readonly owner: SnapshotOwner;
  readonly store: CheckpointStore;
  readonly config: CheckpointConfig;
  readonly epochs: EpochInterval;
  readonly clock: Clock;
  /** Barriers of periodic checkpoints may overtake elements after so long, ms; undefined: never. */
  readonly overtakeAfterMs?: number | undefined;
}

type EventWithoutTime = CoordinatorEvent extends infer E ? (E extends CoordinatorEvent ? Omit<E, 'now'> : never) : never;

export class CheckpointPerformer {
  private readonly attempt: CheckpointedAttempt;
  private readonly options: CheckpointPerformerOptions;
  private readonly snapshots: EpochSnapshots;
  private coordinator: CoordinatorState;
  /** The first one is being carried out. */
  private readonly events: EventWithoutTime[] = [];
  private timer: ScheduledCall | undefined;
  private retry: ScheduledCall | undefined;
  /** Slots that have committed, by epoch. */
  private readonly commits = new Map<number, number>();
  /** The job ends when this epoch has been committed by all slots. */
  private endAfter: { readonly epoch: number; readonly end: CheckpointEnd } | undefined;
  /** Metadata and record changes, one after another. */
  private storing: Promise<void> = Promise.resolve();

  constructor(attempt: CheckpointedAttempt, options: CheckpointPerformerOptions) {
    this.attempt = attempt;
    this.options = options;
    this.snapshots = new EpochSnapshots(options.owner);
    this.coordinator = createCoordinatorState(options.config, options.epochs, 0);
  }

  // ---- what happens

  running(subtasks: readonly SubtaskId[]): void {
    this.event({ type: 'tasksRunning', subtasks });
  }

  request(request: CheckpointRequest): void {
    this.event({ type: 'triggerRequested', request });
  }

  /** Results wait for a complete checkpoint: asks for one until it is there. */
  handOver(): void {
    this.request({ id: HAND_OVER, kind: 'checkpoint', stop: undefined, directory: undefined });
  }

  acknowledged(snapshot: SubtaskSnapshot): void {
    const { epoch, vertexId, subtaskIndex, writtenBytes } = snapshot;
    this.snapshots.add(snapshot);
    this.attempt.acknowledged({ epoch, vertexId, subtask: subtaskIndex, writtenBytes, stateBytes: stateBytesOf(snapshot) });
    this.event({ type: 'acknowledged', epoch, subtask: { vertexId, subtaskIndex } });
  }

  declined(epoch: number, reason: string): void {
    this.event({ type: 'declined', epoch, reason });
  }

  subtaskFinished(subtask: SubtaskId): void {
    this.event({ type: 'subtaskFinished', subtask });
  }

  /** Whether some regions of the job may restart while the others go on. */
  get canStopRegions(): boolean {
    return this.endAfter === undefined && canStopRegions(this.coordinator);
  }

  /** These subtasks have failed; they restart while the others go on. */
  regionsStopped(subtasks: readonly SubtaskId[], reason: string): void {
    this.event({ type: 'regionsStopped', subtasks, reason });
  }

  /** They run again. */
  regionsRunning(subtasks: readonly SubtaskId[]): void {
    this.event({ type: 'regionsRunning', subtasks });
  }

  /** A slot's sinks have committed an epoch. */
  slotCommitted(epoch: number): void {
    const count = (this.commits.get(epoch) ?? 0) + 1;
    this.commits.set(epoch, count);
    if (count < this.attempt.slotCount) return;
    // Slots that have failed since will not commit older ones any more.
    for (const known of this.commits.keys()) if (known <= epoch) this.commits.delete(known);
    const ending = this.endAfter?.epoch === epoch ? this.endAfter.end : undefined;
    this.change(() => this.options.store.noteCommitted(epoch)).then(
      () => {
        if (ending !== undefined) this.attempt.ended(ending);
      },
      (error: unknown) => this.attempt.fail(error),
    );
  }

  /** The attempt has ended, however: gives up what is in progress. */
  end(): void {
    this.timer?.cancel();
    this.retry?.cancel();
    this.event({ type: 'tasksStopped', reason: 'the attempt has ended' });
  }

  /** Resolves when the store has nothing left to do. */
  async settled(): Promise<void> {
    await this.storing;
  }

  private event(event: EventWithoutTime): void {
    this.events.push(event);
    // What hears of an action may ask for something: that waits until all actions before it have been carried out.
    if (this.events.length > 1) return;
    try {
      for (let next: EventWithoutTime | undefined = event; next !== undefined; next = this.events[0]) {
        const decision = decide(this.coordinator, { ...next, now: this.options.clock.monotonic() } as CoordinatorEvent);
        this.coordinator = decision.state;
        for (const action of decision.actions) this.perform(action);
        this.events.shift();
      }
    } finally {
      this.events.length = 0;
    }
  }

  // ---- what is decided

  private perform(action: CoordinatorAction): void {
    const { store } = this.options;
    switch (action.type) {
      case 'trigger':
        this.trigger(action);
        break;
      case 'abort':
        // One that is cut off by the end of its attempt is no news.
        if (!this.attempt.isSettled) this.attempt.failedCheckpoint(action.epoch, action.reason);
        this.attempt.broadcast({ type: 'abort', epoch: action.epoch });
        break;
      case 'writeMetadata':
      case 'commitRecord':
        this.store(action);
        break;
      case 'notifyComplete':
        this.completed(action);
        break;
      case 'discardCheckpoints':
        for (const checkpoint of action.checkpoints) if (!('isClaimed' in checkpoint)) this.attempt.discarded(checkpoint.epoch);
        this.background(() => store.discardCheckpoints(action.checkpoints));
        break;
      case 'discardEpoch': {
        const snapshots = this.snapshots.of(action.epoch);
        const savepoint = this.snapshots.giveUp(action.epoch);
        this.background(() => store.discardEpoch(action.epoch, snapshots, savepoint));
        break;
      }
      case 'discardSnapshot': {
        const snapshots = this.snapshots.take(action.epoch);
        const savepoint = this.snapshots.savepointOf(action.epoch);
        this.background(() => store.discardEpoch(action.epoch, snapshots, savepoint));
        break;
      }
      case 'reserveEpochs':
        this.change(() => store.reserveEpochs()).then(
          (block) => this.event({ type: 'epochsReserved', block }),
          (error: unknown) => this.event({ type: 'reserveFailed', reason: messageOf(error) }),
        );
        break;
      case 'answer':
        this.attempt.answered(action.request, action.epoch);
        break;
      case 'refuse':
        this.refused(action.request, action.reason);
        break;
      case 'failJob': {
        const message = `The job fails: ${action.reason.replace(/\.$/, '')}.`;
        this.attempt.fail(new MillstreamError('CHECKPOINT_FAILED', message, { retryable: true }));
        break;
      }
      case 'scheduleAt':
        this.schedule(action.time);
        break;
    }
  }

  private refused(request: CheckpointRequest, reason: string): void {
    this.attempt.refused(request, reason);
    if (request.id !== HAND_OVER || this.attempt.isSettled) return;
    this.retry = this.options.clock.schedule(HAND_OVER_RETRY_MS, () => this.handOver());
  }

  private trigger(action: CoordinatorAction & { type: 'trigger' }): void {
    const { clock } = this.options;
    const savepoint = action.request?.directory;
    let enumerators: ReadonlyMap<string, StateBytes>;
    try {
      enumerators = this.attempt.enumeratorStates(action.epoch);
    } catch (error) {
      // A user's enumerator: nothing has been sent yet.
      this.attempt.fail(error);
      return;
    }
    this.snapshots.begin(action.epoch, {
      kind: action.kind,
      savepoint,
      timestamp: clock.now(),
      startedAt: clock.monotonic(),
      enumerators,
    });
    const { epoch, kind, lastCompleted: completed } = action;
    const stop = action.request?.stop;
    // What others may restore at another parallelism never has elements on their way in it.
    const overtakeAfterMs = kind === 'savepoint' || stop !== undefined ? undefined : this.options.overtakeAfterMs;
    this.attempt.broadcast({ type: 'trigger', epoch, kind, completed, savepoint, drain: stop === 'drain', overtakeAfterMs });
    this.attempt.triggered(epoch, kind);
  }

  private store({ type, epoch }: CoordinatorAction & { type: 'writeMetadata' | 'commitRecord' }): void {
    const { store } = this.options;
    const metadata = this.snapshots.metadata(epoch);
    const savepoint = this.snapshots.startOf(epoch)?.savepoint;
    const failed = (error: unknown): void => this.event({ type: 'storeFailed', epoch, reason: messageOf(error) });
    if (type === 'writeMetadata')
      this.change(() => store.writeMetadata(metadata, savepoint)).then(() => this.event({ type: 'metadataWritten', epoch }), failed);
    else
      this.change(() => store.commit(metadata, savepoint)).then(
        (dropped) => this.event({ type: 'recordCommitted', epoch, dropped }),
        failed,
      );
  }

  private completed(action: CoordinatorAction & { type: 'notifyComplete' }): void {
    const { epoch, kind } = action;
    const { clock, store } = this.options;
    let bytes = 0;
    for (const snapshot of this.snapshots.of(epoch)) bytes += snapshot.writtenBytes;
    const { directory } = store;
    const start = this.snapshots.startOf(epoch);
    if (action.final) this.endAfter = { epoch, end: { type: 'finished' } };
    else if (action.stop !== undefined) this.endAfter = { epoch, end: { type: 'stopped' } };
    this.attempt.broadcast({ type: 'complete', epoch, kind });
    this.attempt.completed({
      epoch,
      kind,
      path: start?.savepoint ?? (directory === undefined ? undefined : `${directory}/${checkpointDirectoryName(epoch)}`),
      bytes,
      durationMs: clock.monotonic() - (start?.startedAt ?? 0),
      final: action.final,
    });
    this.snapshots.forget(epoch);
  }

  private schedule(time: number | undefined): void {
    this.timer?.cancel();
    this.timer = undefined;
    if (time === undefined || this.attempt.isSettled) return;
    const { clock } = this.options;
    this.timer = clock.schedule(Math.max(0, time - clock.monotonic()), () => this.event({ type: 'timer' }));
  }

  /** Changes to the store, one after another. */
  change<T>(work: () => Promise<T>): Promise<T> {
    const result = this.storing.then(work);
    this.storing = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  /** Clean-up: its failure costs space only, and the next start finds what is left. */
  private background(work: () => Promise<void>): void {
    void this.change(work).catch(() => undefined);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
