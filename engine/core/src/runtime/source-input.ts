/**
 * The source at the head of a chain: asks the reader for batches, keeps event time per split, and combines the splits' watermarks.
 *
 * Invariants: 1. a snapshot is taken only between two batches; 2. the combined watermark never goes back; 3. a split that finished or is
 * idle does not hold others back; 4. the idleness clock of a split stands still while the task is blocked by its outputs or the split is
 * paused by alignment.
 */
import type { Clock } from '../common/clock.js';
import type { PollStatus, SourceBatch, SourceReader, SourceSplit } from '../connector/source.js';
import type { WatermarkGenerator, WatermarkOutput, WatermarkStrategy } from '../time/watermark-strategy.js';
import type { CompiledChain, SplitTime } from './chain.js';

/** Records asked for at once. */
const POLL_RECORDS = 1024;

class SplitState implements SplitTime, WatermarkOutput {
  maxTimestamp = Number.NEGATIVE_INFINITY;
  readonly onEvent: ((value: unknown, timestamp: number) => void) | undefined;
  private readonly generator: WatermarkGenerator<unknown> | undefined;
  private readonly bound: number | undefined;
  private emitted = Number.NEGATIVE_INFINITY;
  private generatorIdle = false;
  finished = false;
  paused = false;
  /** Active time without a record, ms. */
  quietMs = 0;

  constructor(strategy: WatermarkStrategy<unknown>, restoredWatermark: number) {
    this.generator = strategy.createGenerator?.();
    this.bound = this.generator?.boundedOutOfOrdernessMs;
    this.emitted = restoredWatermark;
    const generator = this.generator;
    if (generator !== undefined && this.bound === undefined) {
      this.onEvent = (value, timestamp) => generator.onEvent(value, timestamp, this);
    }
  }

  emitWatermark(watermark: number): void {
    this.generatorIdle = false;
    if (watermark > this.emitted) this.emitted = watermark;
  }

  markIdle(): void {
    this.generatorIdle = true;
  }

  markActive(): void {
    this.generatorIdle = false;
  }

  /** The split's watermark now. */
  watermark(): number {
    if (this.bound !== undefined) {
      const watermark = this.maxTimestamp - this.bound - 1;
      if (watermark > this.emitted) this.emitted = watermark;
    } else this.generator?.onPeriodicEmit(this);
    return this.emitted;
  }

  isIdle(idlenessMs: number | undefined): boolean {
    return this.generatorIdle || (idlenessMs !== undefined && this.quietMs >= idlenessMs);
  }
}

export interface CombinedWatermark {
  readonly watermark: number;
  readonly idle: boolean;
}

export interface SourceInputOptions {
  readonly reader: SourceReader<unknown, SourceSplit>;
  readonly strategy: WatermarkStrategy<unknown>;
  readonly chain: CompiledChain;
  readonly clock: Clock;
  /** Called when `poll` may find something again. */
  readonly wake: () => void;
  readonly fail: (error: unknown) => void;
}

export class SourceInput {
  private readonly options: SourceInputOptions;
  private readonly batch: SourceBatch<unknown>;
  private readonly splits = new Map<string, SplitState>();
  /** The split of splitless records. */
  private current: SplitState | undefined;
  private position = 0;
  private pending = false;
  private waiting = false;
  private ended = false;
  private lastWatermark = Number.NEGATIVE_INFINITY;
  private lastTick: number;
  private lastReport = Number.NEGATIVE_INFINITY;
  /** How many records to run at once, so that a turn of slow functions stays short. */
  private stride = POLL_RECORDS;

  constructor(options: SourceInputOptions) {
    this.options = options;
    this.batch = {
      splitId: '',
      values: [],
      count: 0,
      hasTimestamps: false,
      timestamps: new Float64Array(POLL_RECORDS),
      generate: undefined,
      from: 0,
      to: 0,
      step: 1,
      splitFinished: false,
    };
    this.lastTick = options.clock.monotonic();
  }

  /** Before the first turn. */
  start(): void {
    this.options.reader.start();
  }

  addSplits(splits: readonly SourceSplit[], watermarks: readonly number[]): void {
    splits.forEach((split, at) => {
      this.splits.set(split.id, new SplitState(this.options.strategy, watermarks[at] ?? Number.NEGATIVE_INFINITY));
    });
    this.options.reader.addSplits(splits);
    this.waiting = false;
  }

  noMoreSplits(): void {
    this.options.reader.notifyNoMoreSplits();
    this.waiting = false;
  }

  /** A batch is half run: no snapshot now. */
  get inBatch(): boolean {
    return this.pending;
  }

  /** For errors: where the record `offset` of the current batch came from. */
  describePosition(offset: number): string {
    const what = this.batch.generate === undefined ? `record ${offset} of a batch` : `record ${offset}`;
    return this.batch.splitId === '' ? what : `${what} of split '${this.batch.splitId}'`;
  }

  /**
   * Runs records until the control says stop or `deadline` has passed; with `betweenBatches` until the current batch is done (a barrier
   * waits for that). 'records' also when it stopped with more at hand.
   */
  run(control: { stop: boolean }, deadline: number, betweenBatches: boolean): PollStatus {
    const { clock } = this.options;
    let ran = false;
    do {
      if (!this.pending) {
        const status = this.poll();
        if (status === 'end') return 'end';
        if (status === 'nothing') return ran ? 'records' : 'nothing';
      }
      const before = clock.monotonic();
      this.runBatch();
      this.adapt(clock.monotonic() - before);
      ran = true;
      if (betweenBatches && !this.pending) break;
    } while (!control.stop && clock.monotonic() < deadline);
    return 'records';
  }

  private poll(): PollStatus {
    if (this.ended) return 'end';
    if (this.waiting) return 'nothing';
    const { batch } = this;
    batch.values.length = 0;
    batch.count = 0;
    batch.hasTimestamps = false;
    batch.generate = undefined;
    batch.splitFinished = false;
    const status = this.options.reader.poll(batch, POLL_RECORDS);
    if (status === 'end') this.ended = true;
    if (status === 'nothing') this.await();
    if (status === 'records') {
      this.pending = true;
      this.position = batch.generate === undefined ? 0 : batch.from;
      this.current = this.splitState(batch.splitId);
      this.current.quietMs = 0;
    }
    return status;
  }

  private await(): void {
    this.waiting = true;
    this.options.reader.whenAvailable().then(
      () => {
        this.waiting = false;
        this.options.wake();
      },
      (error: unknown) => this.options.fail(error),
    );
  }

  private splitState(id: string): SplitState {
    let state = this.splits.get(id);
    if (state === undefined) this.splits.set(id, (state = new SplitState(this.options.strategy, Number.NEGATIVE_INFINITY)));
    return state;
  }

  private runBatch(): void {
    const { batch } = this;
    const { chain } = this.options;
    const split = this.current as SplitState;
    if (batch.generate === undefined) {
      const to = Math.min(batch.count, this.position + this.stride);
      this.position = chain.runSourceBatch(batch.values, batch.hasTimestamps ? batch.timestamps : undefined, this.position, to, split);
      this.pending = this.position < batch.count;
    } else {
      const to = Math.min(batch.to, this.position + this.stride * batch.step);
      this.position = chain.runGenerated(batch.generate, this.position, to, batch.step, split);
      this.pending = this.position < batch.to;
    }
    if (!this.pending && batch.splitFinished) split.finished = true;
  }

  private adapt(elapsedMs: number): void {
    if (elapsedMs > 2 && this.stride > 1) this.stride >>>= 1;
    else if (elapsedMs < 0.5 && this.stride < POLL_RECORDS) this.stride <<= 1;
  }

  /** The combined watermark if it moved or idleness changed since; called every watermark interval. `stalled`: time does not count. */
  tick(stalled: boolean): CombinedWatermark {
    const now = this.options.clock.monotonic();
    const elapsed = now - this.lastTick;
    this.lastTick = now;
    const { idlenessMs } = this.options.strategy;
    let lowest = Number.POSITIVE_INFINITY;
    let active = 0;
    let counted = 0;
    for (const split of this.splits.values()) {
      if (split.finished) continue;
      counted++;
      if (!stalled && !split.paused) split.quietMs += elapsed;
      const watermark = split.watermark();
      if (split.isIdle(idlenessMs)) continue;
      active++;
      if (watermark < lowest) lowest = watermark;
    }
    if (active === 0) {
      // All splits finished (more may come) or idle: the watermark stays where it is.
      if (counted === 0) for (const split of this.splits.values()) this.lastWatermark = Math.max(this.lastWatermark, split.watermark());
      return { watermark: this.lastWatermark, idle: counted > 0 };
    }
    if (lowest > this.lastWatermark) this.lastWatermark = lowest;
    return { watermark: this.lastWatermark, idle: false };
  }

  /** The combined watermark if it is to be reported for alignment now. Ended sources hold nobody back. */
  watermarkDue(now: number): number | undefined {
    const { alignment } = this.options.strategy;
    if (alignment === undefined || now - this.lastReport < alignment.updateIntervalMs) return undefined;
    this.lastReport = now;
    return this.ended ? Number.POSITIVE_INFINITY : this.lastWatermark;
  }

  /** Alignment: splits ahead of `maxWatermark` are not read for now. */
  align(maxWatermark: number): void {
    const paused = new Set<string>();
    for (const [id, split] of this.splits) {
      split.paused = !split.finished && split.watermark() > maxWatermark;
      if (split.paused) paused.add(id);
    }
    this.options.reader.pauseOrResumeSplits?.(paused);
    this.waiting = false;
  }

  snapshot(): { readonly split: SourceSplit; readonly watermark: number }[] {
    return this.options.reader.snapshotState().map((split) => ({ split, watermark: this.splits.get(split.id)?.watermark() ?? Number.NEGATIVE_INFINITY }));
  }

  async close(): Promise<void> {
    await this.options.reader.close();
  }
}
