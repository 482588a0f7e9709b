/** What the checkpoint coordinator knows, hears and does, as plain data. What it decides: coordinator.ts. */
import type { CompletedCheckpoint, EpochInterval } from './job-record.js';
import type { CheckpointKind } from './metadata.js';

/** Flink's `execution.checkpointing.…` options. */
export interface CheckpointConfig {
  /** `interval`; undefined: only requested checkpoints and the final one. */
  readonly intervalMs: number | undefined;
  /** `min-pause`: from the end of one to the next periodic one. Default 0. */
  readonly minPauseMs: number;
  /** `timeout`, from the trigger until the metadata is written. Default 10 minutes. */
  readonly timeoutMs: number;
  /** `tolerable-failed-checkpoints`, in a row. Default 0. Requested ones don't count. */
  readonly tolerableFailures: number;
}

/** Flink's defaults. */
export const DEFAULT_CHECKPOINT_CONFIG: CheckpointConfig = {
  intervalMs: undefined,
  minPauseMs: 0,
  timeoutMs: 600_000,
  tolerableFailures: 0,
};

/** A subtask of a job. */
export interface SubtaskId {
  readonly vertexId: string;
  readonly subtaskIndex: number;
}

/** A checkpoint or savepoint that somebody asked for, once. */
export interface CheckpointRequest {
  /** The answer carries it. */
  readonly id: string;
  readonly kind: CheckpointKind;
  /** End the job once it is complete: 'drain' sends everything on as at the end of the input first. */
  readonly stop: 'suspend' | 'drain' | undefined;
  /** Savepoints: the directory to write to. */
  readonly directory: string | undefined;
}

/** How far the checkpoint in progress is. From 'committing' on only the job record knows whether it is complete. */
export type CheckpointPhase = 'acknowledging' | 'writing' | 'committing';

export interface PendingCheckpoint {
  readonly epoch: number;
  readonly kind: CheckpointKind;
  readonly phase: CheckpointPhase;
  readonly request: CheckpointRequest | undefined;
  /** Every subtask had finished when it was triggered: nothing can follow it. */
  readonly final: boolean;
  readonly triggeredAt: number;
  /** Keys of the subtasks that have not acknowledged. */
  readonly waiting: ReadonlySet<string>;
}

/** State of one attempt. Immutable. */
export interface CoordinatorState {
  readonly config: CheckpointConfig;
  /** 'starting' until all tasks run; 'ended' when nothing may be triggered any more. */
  readonly status: 'starting' | 'running' | 'ended';
  readonly subtasks: readonly SubtaskId[];
  readonly finished: ReadonlySet<string>;
  /** Keys of subtasks that restart while the others run: nothing is triggered. */
  readonly down: ReadonlySet<string>;
  /** The next number to trigger; the last one of the block is not to be. */
  readonly nextEpoch: number;
  readonly block: EpochInterval;
  readonly reserving: boolean;
  readonly pending: PendingCheckpoint | undefined;
  readonly requests: readonly CheckpointRequest[];
  /** The newest complete one of kind 'checkpoint' that deltas may be relative to; 0: none. */
  readonly lastCompleted: number;
  /** When the last periodic one was triggered, or the tasks started to run. */
  readonly lastPeriodicAt: number;
  readonly lastEndedAt: number;
  readonly failuresInARow: number;
  /** Epochs that were given up lately: what still arrives for them is garbage. */
  readonly aborted: readonly number[];
  /** The time of the last `scheduleAt`. */
  readonly wakeAt: number | undefined;
}

/** `now`: any clock, ms, the same for all events of an attempt. */
export type CoordinatorEvent = { readonly now: number } & (
  | { readonly type: 'tasksRunning'; readonly subtasks: readonly SubtaskId[] }
  /** The attempt fails, is cancelled or has ended. */
  | { readonly type: 'tasksStopped'; readonly reason: string }
  | { readonly type: 'subtaskFinished'; readonly subtask: SubtaskId }
  /** Regions of the job have failed, and restart from the latest checkpoint; the others go on. */
  | { readonly type: 'regionsStopped'; readonly subtasks: readonly SubtaskId[]; readonly reason: string }
  /** Their tasks run again. */
  | { readonly type: 'regionsRunning'; readonly subtasks: readonly SubtaskId[] }
  | { readonly type: 'timer' }
  | { readonly type: 'triggerRequested'; readonly request: CheckpointRequest }
  | { readonly type: 'acknowledged'; readonly epoch: number; readonly subtask: SubtaskId }
  | { readonly type: 'declined'; readonly epoch: number; readonly reason: string }
  | { readonly type: 'metadataWritten'; readonly epoch: number }
  /** `dropped`: what left the job record in the same change (`addCheckpoint`). */
  | { readonly type: 'recordCommitted'; readonly epoch: number; readonly dropped: readonly CompletedCheckpoint[] }
  /** Writing the metadata or committing the record failed. */
  | { readonly type: 'storeFailed'; readonly epoch: number; readonly reason: string }
  | { readonly type: 'epochsReserved'; readonly block: EpochInterval }
  | { readonly type: 'reserveFailed'; readonly reason: string }
);

export type CoordinatorAction =
  /** Send a barrier through the job. Every subtask of `subtasks` must acknowledge or decline, finished ones too. */
  | {
      readonly type: 'trigger';
      readonly epoch: number;
      readonly kind: CheckpointKind;
      readonly lastCompleted: number;
      readonly request: CheckpointRequest | undefined;
      readonly subtasks: readonly SubtaskId[];
    }
  /** Tell all subtasks that the epoch is given up. */
  | { readonly type: 'abort'; readonly epoch: number; readonly reason: string }
  | { readonly type: 'writeMetadata'; readonly epoch: number }
  /** Compare-and-set of the job record with `addCheckpoint`. */
  | { readonly type: 'commitRecord'; readonly epoch: number }
  /** Tell all subtasks. `stop`: the job ends now; `final`: it ends because everything has finished. Backends confirm only kind 'checkpoint'. */
  | {
      readonly type: 'notifyComplete';
      readonly epoch: number;
      readonly kind: CheckpointKind;
      readonly stop: 'suspend' | 'drain' | undefined;
      readonly final: boolean;
    }
  /** Remove what only these checkpoints need. */
  | { readonly type: 'discardCheckpoints'; readonly checkpoints: readonly CompletedCheckpoint[] }
  /** Remove what was written for an epoch that was given up: files of its acknowledged snapshots, its metadata. */
  | { readonly type: 'discardEpoch'; readonly epoch: number }
  /** Remove the files of a snapshot that came too late. */
  | { readonly type: 'discardSnapshot'; readonly epoch: number; readonly subtask: SubtaskId }
  /** Reserve the next block of epochs in the job record. */
  | { readonly type: 'reserveEpochs' }
  | { readonly type: 'answer'; readonly request: CheckpointRequest; readonly epoch: number }
  | { readonly type: 'refuse'; readonly request: CheckpointRequest; readonly reason: string }
  | { readonly type: 'failJob'; readonly reason: string }
  /** Send `timer` at this time; replaces the time set before. Undefined: no timer. */
  | { readonly type: 'scheduleAt'; readonly time: number | undefined };

export interface Decision {
  readonly state: CoordinatorState;
  readonly actions: readonly CoordinatorAction[];
}

/** The state of a new attempt. `lastCompleted`: what the first deltas may be relative to; 0 makes them bases. */
export function createCoordinatorState(config: CheckpointConfig, block: EpochInterval, lastCompleted: number): CoordinatorState {
  return {
    config,
    status: 'starting',
    subtasks: [],
    finished: new Set(),
    down: new Set(),
    nextEpoch: block.first,
    block,
    reserving: false,
    pending: undefined,
    requests: [],
    lastCompleted,
    lastPeriodicAt: 0,
    lastEndedAt: Number.NEGATIVE_INFINITY,
    failuresInARow: 0,
    aborted: [],
    wakeAt: undefined,
  };
}

/** The key of a subtask in the sets of the state. */
export function subtaskKey(subtask: SubtaskId): string {
  return `${subtask.subtaskIndex} ${subtask.vertexId}`;
}
