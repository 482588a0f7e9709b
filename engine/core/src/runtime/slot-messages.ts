/**
 * The control protocol between a job's coordinator and its slots. Plain data, in order, over a message port. Every message belongs to
 * one attempt: each attempt has its own slots and ports, so none of another attempt can arrive.
 *
 *     coordinator                         slot
 *        │ deploy ───────────────────────▶ │ evaluates the program, builds tasks, restores state
 *        │ ◀─────────────────────── deployed │
 *        │ start ────────────────────────▶ │ runs
 *        │ assign, noMoreSplits ◀─▶ requestSplit
 *        │ trigger(n) ───────────────────▶ │ sources emit barrier n; to drain, they end first
 *        │ ◀──────────────── acknowledged(n) │ once per subtask
 *        │ complete(n) ──────────────────▶ │ commits
 *        │ ◀─────────────────── committed(n) │
 *        │ collected, requestCheckpoint ◀──▶ │
 *        │ cancel ───────────────────────▶ │ closes, whether it has failed or not
 *        │ ◀────────────────────── cancelled │
 */
import type { CheckpointKind } from '../checkpoint/metadata.js';
import type { SubtaskSnapshot } from '../checkpoint/snapshot.js';
import type { JobGraph } from '../plan/job-graph.js';
import type { ChannelSetting, SubtaskPlacement, SubtaskRestore } from './deployment.js';

/** Everything that a slot needs to know of an attempt, as plain data. */
export interface SlotPlan {
  readonly slot: number;
  readonly run: string;
  readonly attempt: number;
  /** The attempt that all of the job last started with; `attempt` is later where only some regions of it restarted. */
  readonly jobAttempt: number;
  readonly graph: JobGraph;
  readonly placements: readonly SubtaskPlacement[];
  readonly channels: ChannelSetting;
  readonly alignBarriers: boolean;
  readonly checked: boolean;
  readonly seed: number;
  readonly watermarkIntervalMs: number;
  /** Where state files go; undefined: no checkpoints are stored. */
  readonly checkpointDirectory: string | undefined;
  /** By vertex id and subtask index. */
  readonly restore: { readonly [vertexId: string]: { readonly [subtask: number]: SubtaskRestore } };
  /** Sample the longest delay of the slot's loop every ms. */
  readonly sampleDelays: boolean;
  /** What its thread is limited to; undefined: as its machine says. */
  readonly heapBytes: number | undefined;
  /** Whether copies of state files are made on the machine, and read after a restart. */
  readonly localState: { readonly writes: boolean; readonly reads: boolean };
}

/** What the slots of an attempt on one machine share. */
export interface SlotMemory {
  /** By channel name: channels between two slots here, and the near ends of those to other machines. */
  readonly rings: ReadonlyMap<string, SharedArrayBuffer>;
  /** One word per slot here: a slot sleeps on its own, peers notify it. The last word wakes the relay to other machines. */
  readonly wakeWords: SharedArrayBuffer;
  /** By slot: the word to notify when something is for it. */
  readonly wakeIndexes: readonly number[];
}

export interface SlotDeployment extends SlotPlan, SlotMemory {
  /** Where copies of the run's state files lie on this machine; undefined: nowhere. */
  readonly localStateDirectory: string | undefined;
}

export type ToSlot =
  | { readonly type: 'deploy'; readonly deployment: SlotDeployment }
  | { readonly type: 'start' }
  | {
      readonly type: 'assign';
      readonly vertexId: string;
      readonly subtask: number;
      readonly splits: readonly Uint8Array[];
      readonly watermarks: readonly number[];
    }
  | { readonly type: 'noMoreSplits'; readonly vertexId: string; readonly subtask: number }
  | { readonly type: 'align'; readonly vertexId: string; readonly maxWatermark: number }
  /** `completed`: the newest complete one of kind 'checkpoint', which deltas may be relative to; 0: none. */
  | {
      readonly type: 'trigger';
      readonly epoch: number;
      readonly kind: CheckpointKind;
      readonly completed: number;
      /** Where a savepoint goes. */
      readonly savepoint: string | undefined;
      /** Sources end as at the end of their input, and the barrier comes after it. */
      readonly drain: boolean;
      /** The barrier may overtake elements after so long, ms; undefined: never. */
      readonly overtakeAfterMs: number | undefined;
    }
  | { readonly type: 'complete'; readonly epoch: number; readonly kind: CheckpointKind }
  | { readonly type: 'abort'; readonly epoch: number }
  /** Stop running and close everything, user functions too. Also after a failure. */
  | { readonly type: 'cancel' };

/** Figures of one subtask, sent about once a second. */
export interface TaskMetrics {
  readonly vertexId: string;
  readonly subtask: number;
  /** Records that entered each operator of the chain. */
  readonly recordsIn: readonly number[];
  readonly watermark: number;
  /** In turns, waiting for room in outputs, waiting for input; the rest is the wait for other subtasks of the slot. */
  readonly busyMs: number;
  readonly backPressuredMs: number;
  readonly idleMs: number;
  readonly lateRecordsDropped: number;
  readonly recordsInErrors: number;
  readonly stateEntries: number;
  readonly stateColumnBytes: number;
}

/** Where a record failed: to notice that the same one fails again. */
export interface RecordPosition {
  /** The operator's uid, or its id where it has none. */
  readonly operator: string;
  readonly position: string;
  /** Names the record in every attempt: its position in the source, or, behind a shuffle, a checksum of its content. */
  readonly record: string;
}

/** An error as it crosses threads. */
export interface SerializedError {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly stack: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;
}

export type FromSlot =
  | { readonly type: 'deployed' }
  | { readonly type: 'requestSplit'; readonly vertexId: string; readonly subtask: number }
  | { readonly type: 'sourceWatermark'; readonly vertexId: string; readonly subtask: number; readonly watermark: number }
  | { readonly type: 'acknowledged'; readonly snapshot: SubtaskSnapshot }
  | { readonly type: 'declined'; readonly epoch: number; readonly vertexId: string; readonly subtask: number; readonly reason: string }
  | { readonly type: 'ended'; readonly vertexId: string; readonly subtask: number }
  | { readonly type: 'committed'; readonly epoch: number }
  /** A sink has what it is there for, and waits for the checkpoint that covers it. */
  | { readonly type: 'requestCheckpoint' }
  | { readonly type: 'collected'; readonly nodeId: string; readonly values: Uint8Array }
  /** `task`: the subtask that failed, if it was one. */
  | {
      readonly type: 'failed';
      readonly error: SerializedError;
      readonly position: RecordPosition | undefined;
      readonly task: { readonly vertexId: string; readonly subtask: number } | undefined;
    }
  | { readonly type: 'metrics'; readonly tasks: readonly TaskMetrics[]; readonly longestDelayMs: number }
  /** Everything is closed. `failures`: what could not be closed. */
  | { readonly type: 'cancelled'; readonly failures: readonly SerializedError[] };
