/**
 * The contract of sinks, after Flink's Sink V2: two-phase. A writer takes records and, at each barrier, hands over committables,
 * which are part of the checkpoint; a committer makes them visible once that checkpoint is complete, and again after a recovery
 * (so it must be idempotent). Committables and writer state are plain data of allowed values.
 */
import type { Clock } from '../common/clock.js';
import type { Disk } from '../common/disk.js';

/** Where results go. */
export interface Sink<T, CommittableT = unknown, WriterStateT = unknown> {
  /** Where it writes, if two sinks of one job must not write there both. */
  readonly target?: string;
  createWriter(context: SinkWriterContext, restored: readonly WriterStateT[]): SinkWriter<T, CommittableT, WriterStateT>;
  /** Without it the sink is not two-phase. */
  createCommitter?(context: SinkWriterContext): SinkCommitter<CommittableT>;
}

/** What the parts of a sink know about where they run. */
export interface SinkWriterContext {
  readonly subtaskIndex: number;
  readonly parallelism: number;
  /** The run's id: the same for all attempts of a run. */
  readonly run: string;
  readonly attempt: number;
  readonly clock: Clock;
  readonly disk: Disk;
  /**
   * Committables of the restored checkpoint, of all subtasks. What else is pending of earlier attempts of this subtask, or of a subtask that
   * there is no more, is dead; other subtasks may be running as an earlier attempt.
   */
  readonly restoredCommittables: readonly unknown[];
}

/** Takes the records of one subtask. */
export interface SinkWriter<T, CommittableT, WriterStateT> {
  open?(): Promise<void> | void;
  /** Takes a record. Synchronous; `ready` tells when to stop for a while. `timestamp` is NaN if the record has none. */
  write(value: T, timestamp: number): void;
  /** Undefined while the writer can take more; otherwise resolves when it can. Asked after each batch. */
  ready?(): Promise<void> | undefined;
  /** Ends the current transaction or part; records written from now on belong to the next epoch. Resolves when it is durable. */
  prepareCommit(epoch: number): Promise<readonly CommittableT[]>;
  /** Called right after `prepareCommit` was called (not resolved). */
  snapshotState?(epoch: number): readonly WriterStateT[];
  close(): Promise<void> | void;
}

/** Makes visible what a complete checkpoint covers. */
export interface SinkCommitter<CommittableT> {
  commit(committables: readonly CommittableT[]): Promise<void>;
  close?(): Promise<void> | void;
}
