/** What an attempt is given, what it tells, and how it ends. */
import type { CheckpointConfig, SubtaskId } from '../checkpoint/coordinator-state.js';
import type { EpochInterval } from '../checkpoint/job-record.js';
import type { CheckpointKind } from '../checkpoint/metadata.js';
import type { Clock } from '../common/clock.js';
import type { Disk } from '../common/disk.js';
import type { MillstreamError } from '../common/errors.js';
import type { JobGraph } from '../plan/job-graph.js';
import type { JobProgram } from '../plan/plan.js';
import type { ChannelSetting } from '../runtime/deployment.js';
import type { ProgramArtifact } from '../runtime/program-artifact.js';
import type { RecordPosition, TaskMetrics } from '../runtime/slot-messages.js';
import type { CheckpointStore } from './checkpoint-store.js';
import type { RestoreShares } from './restore-shares.js';
import type { SlotListener, SlotSet, SlotSetPlan } from './slot-set.js';

/** How an attempt ended. */
export type AttemptOutcome =
  | { readonly type: 'finished' }
  | { readonly type: 'stopped' }
  | { readonly type: 'cancelled' }
  | { readonly type: 'failed'; readonly error: MillstreamError; readonly position: RecordPosition | undefined };

/** Makes the slots of a region. */
export type CreateSlots = (options: AttemptOptions, plan: SlotSetPlan, listener: SlotListener) => SlotSet;

/** How an attempt restarts some of its regions while the others go on. */
export interface RegionFailover {
  /** How long to wait before the restart, ms. `region`: its index. Throws the error that ends the job where there is to be none. */
  delayOf(error: MillstreamError, position: RecordPosition | undefined, region: number): number;
  /** What the job's subtasks restore now. */
  restore(): Promise<RestoreShares | undefined>;
  /** Slots in place of these, where they are gone. Throws NO_RESOURCE_AVAILABLE. */
  replace(slots: readonly number[]): Promise<CreateSlots>;
}

export interface AttemptOptions {
  readonly run: string;
  readonly attempt: number;
  /** As of a slot's plan. */
  readonly jobAttempt: number;
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
  /** Unaligned checkpoints: see `RunSettings.overtakeAfterMs`. */
  readonly overtakeAfterMs: number | undefined;
  readonly checked: boolean;
  readonly seed: number;
  readonly watermarkIntervalMs: number;
  readonly sampleDelays: boolean;
  /** Copies of state files on the machines of its slots. */
  readonly localState: { readonly writes: boolean; readonly reads: boolean };
  readonly youngGenerationMb: number;
  readonly clock: Clock;
  readonly disk: Disk;
  /** Where its slots run. */
  readonly createSlots: CreateSlots;
  /** Restarts failover regions on their own; undefined: after a failure all of the job restarts. */
  readonly failover: RegionFailover | undefined;
  /** Its tasks run. */
  readonly running: () => void;
  readonly observer: AttemptObserver;
}

/** A checkpoint that is complete. */
export interface CompletedCheckpointReport {
  readonly epoch: number;
  readonly kind: CheckpointKind;
  /** Its directory; undefined if nothing is stored. */
  readonly path: string | undefined;
  /** Bytes of the state files written for it. */
  readonly bytes: number;
  /** From the trigger to the commit, ms. */
  readonly durationMs: number;
  /** Taken because all input has ended. */
  readonly final: boolean;
}

/** A subtask has done its part of a checkpoint: its state is durable. */
export interface CheckpointAcknowledgementReport {
  readonly epoch: number;
  readonly vertexId: string;
  readonly subtask: number;
  /** Bytes written for it. */
  readonly writtenBytes: number;
  /** Bytes of all state that a restore of it reads. */
  readonly stateBytes: number;
}

/** A checkpoint that an attempt begins with. */
export interface RestoredCheckpointReport {
  readonly epoch: number;
  readonly kind: CheckpointKind;
  /** Its directory. */
  readonly path: string;
}

/** What ended an attempt, and where it happened as far as that is known. */
export interface AttemptFailure {
  readonly error: MillstreamError;
  /** It came with the failure before it, and is dealt with together with that. */
  readonly isConcurrent?: boolean;
  readonly slot: number | undefined;
  readonly task: { readonly vertexId: string; readonly subtask: number } | undefined;
}

/** Hears what happens in an attempt. */
export interface AttemptObserver {
  /** It ends because of that; what its slots could not close is told after it. */
  attemptFailed(failure: AttemptFailure): void;
  metrics(slot: number, tasks: readonly TaskMetrics[], longestDelayMs: number): void;
  collected(nodeId: string, values: Uint8Array): void;
  /** The attempt, which has just started, begins with this checkpoint. */
  checkpointRestored(checkpoint: RestoredCheckpointReport): void;
  checkpointTriggered(epoch: number, kind: CheckpointKind): void;
  checkpointAcknowledged(acknowledgement: CheckpointAcknowledgementReport): void;
  checkpointCompleted(checkpoint: CompletedCheckpointReport): void;
  checkpointFailed(epoch: number, reason: string): void;
  /** A complete one is kept no longer: newer ones are. */
  checkpointDiscarded(epoch: number): void;
  /** All tasks run, or these do again. */
  running(subtasks?: readonly SubtaskId[]): void;
  /** These subtasks restart, after a failure; the others go on. */
  regionsRestarting(subtasks: readonly SubtaskId[], error: MillstreamError, delayMs: number): void;
  /** They are being deployed, as this attempt. */
  regionsDeploying(subtasks: readonly SubtaskId[], attempt: number): void;
  /** A subtask has seen the end of its input and emitted everything. */
  subtaskFinished(vertexId: string, subtask: number): void;
  /** At the end of an attempt: a user function or a file could not be closed, or a slot not in time. It changes nothing. */
  closeFailed(error: MillstreamError): void;
}
