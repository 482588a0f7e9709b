/**
 * What a subtask hands over for a checkpoint. Plain data (structured-cloneable): it travels from slots to the coordinator, which puts
 * the snapshots of all subtasks together into the checkpoint's metadata (metadata.ts).
 *
 *     barrier n ─▶ keyed files durable, committables durable ─▶ SubtaskSnapshot ─▶ coordinator ─▶ chk-n/_metadata
 *
 * Invariants: 1. every file that a snapshot names is durable (content and name) before the snapshot is handed over; 2. a file is never
 * changed after that; 3. paths are relative to the checkpoint's directory, with '/', so that a job's directory can be moved.
 */
import type { KeyedSnapshotInfo } from '../state/backend.js';

/** A file of state: what restore needs to find and verify it. */
export interface StateFile {
  /** Relative to the checkpoint's directory: '../shared/…' in checkpoints, a plain name in savepoints. */
  readonly path: string;
  readonly length: number;
  readonly crc32: number;
}

/** One file of a keyed chain. */
export interface KeyedStateFile extends StateFile {
  readonly info: KeyedSnapshotInfo;
}

/** Bytes of state: in the metadata while small (`INLINE_STATE_BYTES_MAX`), else in a file. */
export type StateBytes = { readonly inline: Uint8Array } | { readonly file: StateFile };

/** State of at most this many bytes lies in the metadata itself. Flink's `execution.checkpointing.data-inline-threshold`. */
export const INLINE_STATE_BYTES_MAX = 20_480;

/** A split of a reader, with the watermark its records had reached (-Infinity: none yet). */
export interface SplitSnapshot {
  /** The encoded split, position included. */
  readonly split: Uint8Array;
  readonly watermark: number;
}

/** The watermark that key groups `start` to `end` (both included) had seen. */
export interface KeyGroupWatermark {
  readonly start: number;
  readonly end: number;
  readonly watermark: number;
}

/** The part of one operator of one subtask. */
export interface OperatorSubtaskSnapshot {
  /** The subtask had seen the end of all its inputs and emitted everything. */
  readonly finished: boolean;
  /** The watermark at the barrier: -Infinity if none, Infinity at the end of the input. */
  readonly watermark: number;
  /** Keyed operators: the maximum of restored and live watermark per key group (`watermarkRuns`); empty for others. */
  readonly keyGroupWatermarks: readonly KeyGroupWatermark[];
  /** Base, delta, delta …; empty without keyed state. */
  readonly keyedChain: readonly KeyedStateFile[];
  /** Made by `encodeOperatorState`; undefined if the operator has none. */
  readonly operatorState: StateBytes | undefined;
  /** Sources: the unfinished splits. */
  readonly splits: readonly SplitSnapshot[];
  /** Sinks: what is to be committed when this checkpoint is complete, in order; each encoded. Those of declined epochs included. */
  readonly committables: readonly Uint8Array[];
  /**
   * The subtask's first operator: what was on its way to and from the subtask when the barrier overtook it (`encodeChannelState`). Absent if
   * nothing was.
   */
  readonly channelState?: StateBytes;
}

/** What one subtask (a chain of operators) acknowledges. */
export interface SubtaskSnapshot {
  readonly epoch: number;
  /** `JobVertex.id`. */
  readonly vertexId: string;
  readonly subtaskIndex: number;
  /** By `PlanNode.id`: operators with anything to remember, and every operator of a finished subtask. */
  readonly operators: { readonly [operatorId: string]: OperatorSubtaskSnapshot };
  /** Bytes written for this snapshot, inline state included; for metrics. */
  readonly writtenBytes: number;
}

/** A snapshot of an operator that has nothing to remember; spread it and set what there is. */
export const EMPTY_OPERATOR_SNAPSHOT: OperatorSubtaskSnapshot = {
  finished: false,
  watermark: Number.NEGATIVE_INFINITY,
  keyGroupWatermarks: [],
  keyedChain: [],
  operatorState: undefined,
  splits: [],
  committables: [],
};

/**
 * The watermark of each key group of a range as runs of equal ones: the larger of what was restored (index: group - start) and live.
 */
export function watermarkRuns(
  range: { readonly start: number; readonly end: number },
  live: number,
  restored: Float64Array | undefined,
): KeyGroupWatermark[] {
  const runs: KeyGroupWatermark[] = [];
  let start = range.start;
  let current = Number.NaN;
  for (let group = range.start; group <= range.end; group++) {
    const before = restored?.[group - range.start] ?? Number.NEGATIVE_INFINITY;
    const watermark = Math.max(before, live);
    if (watermark === current) continue;
    if (group > range.start) runs.push({ start, end: group - 1, watermark: current });
    start = group;
    current = watermark;
  }
  if (range.end >= range.start) runs.push({ start, end: range.end, watermark: current });
  return runs;
}
