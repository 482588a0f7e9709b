/**
 * The enumerator of one source, beside the job's coordinator: hands splits to readers, remembers who has what until a checkpoint covers
 * it, and aligns the readers' watermarks.
 *
 * A checkpoint takes the enumerator's state, then triggers the readers over the same ordered channel: a split that is assigned later
 * reaches its reader after the trigger, so it is in exactly one of both.
 *
 * The enumerator lives on when readers restart (Flink's SourceCoordinator.subtaskReset and SplitAssignmentTracker): what a reader had in
 * the restored checkpoint is its again, what it was assigned since goes back to the enumerator.
 */
import type { Clock } from '../common/clock.js';
import type { Disk } from '../common/disk.js';
import type { Source, SourceSplit, SplitEnumerator } from '../connector/source.js';
import { decodeValue, encodeValue } from '../runtime/operator-state.js';
import type { WatermarkStrategy } from '../time/watermark-strategy.js';
import type { RestoredSource } from './restore-shares.js';

export interface SourceCoordinatorOptions {
  readonly vertexId: string;
  readonly source: Source<unknown, SourceSplit, unknown>;
  readonly watermarks: WatermarkStrategy<unknown>;
  readonly parallelism: number;
  readonly clock: Clock;
  readonly disk: Disk;
  readonly assign: (subtask: number, splits: readonly Uint8Array[], watermarks: readonly number[]) => void;
  readonly noMoreSplits: (subtask: number) => void;
  readonly align: (maxWatermark: number) => void;
  readonly fail: (error: unknown) => void;
  readonly restored: RestoredSource | undefined;
}

/** A split that no complete checkpoint knows with its reader. */
interface Assignment {
  readonly split: SourceSplit;
  /** The newest epoch that had been triggered before; 0: none. */
  readonly after: number;
}

export class SourceCoordinator {
  private readonly options: SourceCoordinatorOptions;
  private readonly enumerator: SplitEnumerator<SourceSplit, unknown>;
  private readonly ready: Promise<void>;
  /** Watermarks that restored splits had reached. */
  private readonly splitWatermarks = new Map<string, number>();
  private readonly watermarkOf: number[];
  private lastAligned = Number.NaN;
  /** By subtask. */
  private readonly assignments: Assignment[][];
  private triggered = 0;
  private completed = 0;

  constructor(options: SourceCoordinatorOptions) {
    this.options = options;
    this.watermarkOf = new Array<number>(options.parallelism).fill(Number.NEGATIVE_INFINITY);
    this.assignments = Array.from({ length: options.parallelism }, () => []);
    const state = options.restored?.enumeratorState;
    this.enumerator = options.source.createEnumerator(
      {
        parallelism: options.parallelism,
        clock: options.clock,
        disk: options.disk,
        assign: (split, subtask) => {
          this.assignments[subtask]?.push({ split, after: this.triggered });
          options.assign(subtask, [encodeValue(split)], [this.splitWatermarks.get(split.id) ?? Number.NEGATIVE_INFINITY]);
        },
        noMoreSplits: (subtask) => options.noMoreSplits(subtask),
        fail: (error) => options.fail(error),
      },
      state === undefined ? undefined : decodeValue(state),
    );
    this.ready = this.start();
  }

  private async start(): Promise<void> {
    try {
      await this.enumerator.start();
      const restored = this.options.restored?.splits.flat() ?? [];
      const splits = restored.map(({ split, watermark }) => {
        const decoded = decodeValue(split) as SourceSplit;
        this.splitWatermarks.set(decoded.id, watermark);
        return decoded;
      });
      if (splits.length > 0) this.enumerator.addSplitsBack(splits);
      for (let subtask = 0; subtask < this.options.parallelism; subtask++) this.enumerator.addReader(subtask);
    } catch (error) {
      this.options.fail(error);
    }
  }

  /** All readers are deployed. Resolves when the enumerator has started. */
  async started(): Promise<void> {
    await this.ready;
  }

  requestSplit(subtask: number): void {
    void this.ready.then(() => this.enumerator.handleSplitRequest(subtask)).catch(this.options.fail);
  }

  /** The enumerator's state in a checkpoint that is being triggered. */
  snapshot(epoch: number): Uint8Array {
    this.triggered = epoch;
    return encodeValue(this.enumerator.snapshotState());
  }

  /** A checkpoint is complete: readers have in it what they were assigned before. */
  checkpointCompleted(epoch: number): void {
    this.completed = epoch;
    for (const [subtask, assigned] of this.assignments.entries()) {
      this.assignments[subtask] = assigned.filter(({ after }) => after >= epoch);
    }
  }

  /**
   * A new reader has taken this subtask's place; all had been started before. `restored`: the latest checkpoint, which the reader begins with;
   * one that is older than this attempt says nothing of the readers.
   */
  reset(subtask: number, restored: RestoredSource | undefined): void {
    try {
      this.giveBack(subtask, restored);
    } catch (error) {
      this.options.fail(error);
    }
  }

  private giveBack(subtask: number, restored: RestoredSource | undefined): void {
    const { assign } = this.options;
    const kept = (this.completed === 0 ? undefined : restored?.splits[subtask]) ?? [];
    if (kept.length > 0) {
      assign(
        subtask,
        kept.map(({ split }) => split),
        kept.map(({ watermark }) => watermark),
      );
    }
    const given = this.assignments[subtask] ?? [];
    this.assignments[subtask] = [];
    if (given.length > 0) this.enumerator.addSplitsBack(given.map(({ split }) => split));
    this.enumerator.addReader(subtask);
    this.watermarkOf[subtask] = Number.NEGATIVE_INFINITY;
    this.lastAligned = Number.NaN;
  }

  /** A reader's watermark; announces how far the fastest may go. */
  reportWatermark(subtask: number, watermark: number): void {
    const { alignment } = this.options.watermarks;
    if (alignment === undefined) return;
    this.watermarkOf[subtask] = watermark;
    const slowest = Math.min(...this.watermarkOf);
    const allowed = slowest + alignment.maxDriftMs;
    if (allowed === this.lastAligned || slowest === Number.NEGATIVE_INFINITY) return;
    this.lastAligned = allowed;
    this.options.align(allowed);
  }

  close(): void {
    this.enumerator.close();
  }
}
