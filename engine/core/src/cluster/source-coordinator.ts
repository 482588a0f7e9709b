/**
 * The enumerator of one source, beside the job's coordinator: hands splits to readers, remembers who has what until a checkpoint covers
 * it, and aligns the readers' watermarks.
 *
 * A checkpoint takes the enumerator's state, then triggers the readers over the same ordered channel: a split that is assigned later
 * reaches its reader after the trigger, so it is in exactly one of both.
 */
import type { SplitSnapshot } from '../checkpoint/snapshot.js';
import type { Clock } from '../common/clock.js';
import type { Disk } from '../common/disk.js';
import type { Source, SourceSplit, SplitEnumerator } from '../connector/source.js';
import { decodeValue, encodeValue } from '../runtime/operator-state.js';
import type { WatermarkStrategy } from '../time/watermark-strategy.js';

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
  readonly restored: { readonly enumeratorState: Uint8Array | undefined; readonly splits: readonly SplitSnapshot[] } | undefined;
}

export class SourceCoordinator {
  private readonly options: SourceCoordinatorOptions;
  private readonly enumerator: SplitEnumerator<SourceSplit, unknown>;
  private readonly ready: Promise<void>;
  /** Watermarks that restored splits had reached. */
  private readonly splitWatermarks = new Map<string, number>();
  private readonly watermarkOf: number[];
  private lastAligned = Number.NaN;

  constructor(options: SourceCoordinatorOptions) {
    this.options = options;
    this.watermarkOf = new Array<number>(options.parallelism).fill(Number.NEGATIVE_INFINITY);
    const state = options.restored?.enumeratorState;
    this.enumerator = options.source.createEnumerator(
      {
        parallelism: options.parallelism,
        clock: options.clock,
        disk: options.disk,
        assign: (split, subtask) =>
          options.assign(subtask, [encodeValue(split)], [this.splitWatermarks.get(split.id) ?? Number.NEGATIVE_INFINITY]),
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
      const restored = this.options.restored?.splits ?? [];
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

  snapshot(): Uint8Array {
    return encodeValue(this.enumerator.snapshotState());
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
