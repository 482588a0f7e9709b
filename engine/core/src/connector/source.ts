/**
 * The contract of sources, after Flink's FLIP-27: an enumerator (one per job, beside the coordinator) finds splits and hands them out;
 * readers (one per subtask, in slots) read them. Splits and enumerator state are plain data of allowed values.
 *
 *     enumerator ──assign(split)──▶ reader ──poll(batch)──▶ fused chain
 *         ▲──────requestSplit────────┘
 *
 * A checkpoint holds the enumerator's state and each reader's splits with their positions. It is taken between two batches: what a
 * reader has put into a batch counts as read.
 */
import type { Clock } from '../common/clock.js';
import type { Disk } from '../common/disk.js';
import type { Random } from '../common/random.js';

/** Whether a source ends by itself. */
export type Boundedness = 'bounded' | 'continuous-unbounded';

/** A split: `id` is unique within its source; the other fields are the source's own, its position among them. */
export interface SourceSplit {
  readonly id: string;
}

/** Where records come from. */
export interface Source<T, SplitT extends SourceSplit = SourceSplit, EnumeratorStateT = unknown> {
  readonly boundedness: Boundedness;
  /** `state` is what `snapshotState` returned, if a checkpoint is restored. */
  createEnumerator(context: SplitEnumeratorContext<SplitT>, state: EnumeratorStateT | undefined): SplitEnumerator<SplitT, EnumeratorStateT>;
  createReader(context: SourceReaderContext): SourceReader<T, SplitT>;
  /** Records in the whole input, where known before reading; for progress. */
  readonly recordCountEstimate?: number;
}

/** What an enumerator knows about the readers, and how it reaches them. */
export interface SplitEnumeratorContext<SplitT extends SourceSplit> {
  readonly parallelism: number;
  readonly clock: Clock;
  readonly disk: Disk;
  assign(split: SplitT, subtaskIndex: number): void;
  /** No further split will be assigned to this reader. */
  noMoreSplits(subtaskIndex: number): void;
  /** Fails the job. */
  fail(error: unknown): void;
}

/** Finds splits and hands them to the readers; one per source. */
export interface SplitEnumerator<SplitT extends SourceSplit, StateT> {
  /** Called once, before any other method. May do I/O; requests wait until it has resolved. */
  start(): Promise<void> | void;
  /** A reader is there, perhaps in place of one that has failed (a new attempt registers all readers again). Push-based enumerators assign here. */
  addReader(subtaskIndex: number): void;
  /** A reader has nothing left to read. Pull-based enumerators answer with `assign` or `noMoreSplits`. */
  handleSplitRequest(subtaskIndex: number): void;
  /** Splits that were assigned but are in no restored reader's state: they must be handed out again. Also called on restore with all readers' splits. */
  addSplitsBack(splits: readonly SplitT[]): void;
  snapshotState(): StateT;
  close(): void;
}

/** What a reader knows about where it runs, and how it asks for more. */
export interface SourceReaderContext {
  readonly subtaskIndex: number;
  readonly parallelism: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  requestSplit(): void;
  /** Bad input, by the source's own option. `details` names file and line. */
  reportError(error: unknown, details: string): void;
}

/** What `poll` found: records in the batch, nothing now (see `whenAvailable`), or nothing ever again. */
export type PollStatus = 'records' | 'nothing' | 'end';

/**
 * Records of one split, filled by a reader. Either `values[0 … count)` or, for records that are computed from their index, `generate`
 * with `from`, `to` and `step` (the fused chain then calls it without an array in between).
 */
export interface SourceBatch<T> {
  /** The split the records come from. Needed wherever event time is per split. */
  splitId: string;
  readonly values: T[];
  count: number;
  /** Set both or none. */
  hasTimestamps: boolean;
  timestamps: Float64Array;
  generate: ((index: number) => T) | undefined;
  from: number;
  to: number;
  step: number;
  /** The split's last record is in this batch: its watermark no longer holds others back. */
  splitFinished: boolean;
}

/** Reads the splits of one subtask. */
export interface SourceReader<T, SplitT extends SourceSplit> {
  /** Before the first `poll`. A reader in place of one that has failed may have splits already, and then needs no other. */
  start(): void;
  addSplits(splits: readonly SplitT[]): void;
  notifyNoMoreSplits(): void;
  /** Fills the (emptied) batch with at most `limit` records. Never blocks; what needs I/O is read ahead. */
  poll(batch: SourceBatch<T>, limit: number): PollStatus;
  /**
   * Where record `index` of the last batch lies in its split: 'line 17', 'offset 1024'; the same whenever it is read, so that errors can name
   * it and a record that fails again and again is recognised. Not asked of batches with `generate`, which have an index.
   */
  describePosition?(index: number): string;
  /** Resolves when `poll` may find something. Called after 'nothing'. */
  whenAvailable(): Promise<void>;
  /** The unfinished splits, positions included. */
  snapshotState(): SplitT[];
  /** Watermark alignment: splits that must not be polled for now, all others may. */
  pauseOrResumeSplits?(paused: ReadonlySet<string>): void;
  close(): Promise<void> | void;
}
