/**
 * The source at the head of a chain: asks the reader for batches, keeps event time per split, and combines the splits' watermarks.
 *
 * Invariants: 1. a snapshot is taken only between two batches; 2. the combined watermark never goes back; 3. a split that finished or is
 * idle does not hold others back; 4. the idleness clock of a split stands still while the task cannot read (`activity`) or the split is
 * paused by alignment; 5. before a record of an idle source, the source is active again; 6. a split ahead of the alignment is not polled
 * again before the others have followed.
 */
import type { Clock } from '../common/clock.js';
import type { PollStatus, SourceBatch, SourceReader, SourceSplit } from '../connector/source.js';
import type { RelativeClock } from '../time/idleness.js';
import type { WatermarkGenerator, WatermarkOutput, WatermarkStrategy } from '../time/watermark-strategy.js';
import type { CompiledChain, SplitTime } from './chain.js';

/** Records asked for at once. */
const POLL_RECORDS = 1024;
/** Where fewer than these take a slice, so few slices are asked for at once: a barrier waits for the batch that is being run. */
const SLOW_RECORDS = 256;
const SLOW_SLICES = 4;

class SplitState implements SplitTime, WatermarkOutput {
  maxTimestamp = Number.NEGATIVE_INFINITY;
  readonly onEvent: ((value: unknown, timestamp: number) => void) | undefined;
  private readonly generator: WatermarkGenerator<unknown> | undefined;
  private readonly bound: number | undefined;
  private emitted = Number.NEGATIVE_INFINITY;
  private generatorIdle = false;
  paused = false;
  /** Active time without a record, ms. */
  quietMs = 0;
  /** Records before the current batch, in this attempt; for readers that know no positions. */
  records = 0;

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

  /** Asks the generator, which expects that once per interval. */
  emitPeriodically(): void {
    if (this.bound === undefined) this.generator?.onPeriodicEmit(this);
  }

  /** The split's watermark now. */
  watermark(): number {
    if (this.bound !== undefined) {
      const watermark = this.maxTimestamp - this.bound - 1;
      if (watermark > this.emitted) this.emitted = watermark;
    }
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
  /** Stands still while the task cannot read. */
  readonly activity: RelativeClock;
  /** The source is not idle any more; called before the record. */
  readonly onActive: () => void;
  /** Called when `poll` may find something again. */
  readonly wake: () => void;
  readonly fail: (error: unknown) => void;
}

export class SourceInput {
  private readonly options: SourceInputOptions;
  private readonly batch: SourceBatch<unknown>;
  /** Those that have not finished. */
  private readonly splits = new Map<string, SplitState>();
  private finishedWatermark = Number.NEGATIVE_INFINITY;
  /** Active time without any split, ms. */
  private splitlessMs = 0;
  /** Alignment: splits beyond this are not read. */
  private maxWatermark = Number.POSITIVE_INFINITY;
  /** All splits are ahead of a reader that cannot pause single ones. */
  private held = false;
  /** The split of splitless records. */
  private current: SplitState | undefined;
  private position = 0;
  private pending = false;
  private waiting = false;
  private ended = false;
  private lastWatermark = Number.NEGATIVE_INFINITY;
  private lastIdle = false;
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
    this.lastTick = options.activity.monotonic();
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

  /**
   * For errors: where the record `offset` of the current batch came from. Not `stable` where the reader does not say: then it is counted
   * from where this attempt began to read the split.
   */
  describePosition(offset: number): { readonly position: string; readonly stable: boolean } {
    const { generate, splitId } = this.batch;
    const known = generate === undefined ? this.options.reader.describePosition?.(offset) : `record ${offset}`;
    const position = known ?? `record ${(this.current?.records ?? 0) + offset}`;
    return { position: splitId === '' ? position : `${position} of split '${splitId}'`, stable: known !== undefined };
  }

  /** Record `offset` of the current batch. */
  recordAt(offset: number): unknown {
    const { generate, values } = this.batch;
    return generate === undefined ? values[offset] : generate(offset);
  }

  get hasEventTime(): boolean {
    return this.options.strategy.createGenerator !== undefined;
  }

  /**
   * Runs records until the control says stop, `deadline` has passed, or about `recordsMax` records have run; 0: until the current batch
   * is done (a barrier waits for that). 'records' also when it stopped with more at hand.
   */
  run(control: { stop: boolean }, deadline: number, recordsMax: number): PollStatus {
    const { clock } = this.options;
    let ran = false;
    let polled = 0;
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
      polled += POLL_RECORDS;
      if (polled >= recordsMax && !this.pending) break;
    } while (!control.stop && clock.monotonic() < deadline);
    return 'records';
  }

  /**
   * Runs the rest of the current batch whatever the control says: the reader's position is behind it, and a barrier that overtakes cannot be.
   * 'unfinished': the deadline has passed; 'full': `hasRoom` says that outputs hold enough.
   */
  finishBatch(control: { stop: boolean }, deadline: number, hasRoom: () => boolean): 'done' | 'unfinished' | 'full' {
    while (this.pending && this.options.clock.monotonic() < deadline) {
      if (!hasRoom()) return 'full';
      control.stop = false;
      this.run(control, deadline, 0);
    }
    return this.pending ? 'unfinished' : 'done';
  }

  private poll(): PollStatus {
    if (this.ended) return 'end';
    if (this.waiting || this.held) return 'nothing';
    const { batch } = this;
    batch.values.length = 0;
    batch.count = 0;
    batch.hasTimestamps = false;
    batch.generate = undefined;
    batch.splitFinished = false;
    const status = this.options.reader.poll(batch, this.stride < SLOW_RECORDS ? this.stride * SLOW_SLICES : POLL_RECORDS);
    if (status === 'end') this.ended = true;
    if (status === 'nothing') this.await();
    if (status === 'records') {
      this.pending = true;
      this.position = batch.generate === undefined ? 0 : batch.from;
      this.current = this.splitState(batch.splitId);
      this.current.quietMs = 0;
      if (this.lastIdle && batch.count > 0) {
        this.lastIdle = false;
        this.options.onActive();
      }
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
    if (state === undefined) {
      state = new SplitState(this.options.strategy, Number.NEGATIVE_INFINITY);
      this.splits.set(id, state);
    }
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
    if (!this.pending) this.batchDone(split);
  }

  private batchDone(split: SplitState): void {
    const { batch } = this;
    split.records += batch.count;
    if (batch.splitFinished) {
      this.finishedWatermark = Math.max(this.finishedWatermark, split.watermark());
      this.splits.delete(batch.splitId);
    } else if (!split.paused && split.watermark() > this.maxWatermark) this.pauseAhead();
  }

  private adapt(elapsedMs: number): void {
    if (elapsedMs > 2 && this.stride > 1) this.stride >>>= 1;
    else if (elapsedMs < 0.5 && this.stride < POLL_RECORDS) this.stride <<= 1;
  }

  /** The combined watermark and whether the source is idle; called every watermark interval. */
  tick(): CombinedWatermark {
    const now = this.options.activity.monotonic();
    const elapsed = now - this.lastTick;
    this.lastTick = now;
    const { idlenessMs } = this.options.strategy;
    let lowest = Number.POSITIVE_INFINITY;
    let active = 0;
    for (const split of this.splits.values()) {
      if (!split.paused) {
        split.quietMs += elapsed;
        split.emitPeriodically();
      }
      const watermark = split.watermark();
      if (split.isIdle(idlenessMs)) continue;
      active++;
      if (watermark < lowest) lowest = watermark;
    }
    if (this.splits.size > 0) {
      this.splitlessMs = 0;
      this.lastIdle = active === 0;
      if (active > 0 && lowest > this.lastWatermark) this.lastWatermark = lowest;
    } else {
      // More splits may come; nothing holds back what the finished ones had promised.
      this.lastWatermark = Math.max(this.lastWatermark, this.finishedWatermark);
      this.splitlessMs += elapsed;
      this.lastIdle = idlenessMs !== undefined && this.splitlessMs >= idlenessMs;
    }
    return { watermark: this.lastWatermark, idle: this.lastIdle };
  }

  /** The combined watermark if it is to be reported for alignment now. Ended and idle sources hold nobody back. */
  watermarkDue(now: number): number | undefined {
    const { alignment } = this.options.strategy;
    if (alignment === undefined || now - this.lastReport < alignment.updateIntervalMs) return undefined;
    this.lastReport = now;
    return this.ended || this.lastIdle ? Number.POSITIVE_INFINITY : this.lastWatermark;
  }

  /** Alignment: splits ahead of `maxWatermark` are not read for now. */
  align(maxWatermark: number): void {
    this.maxWatermark = maxWatermark;
    this.pauseAhead();
    this.waiting = false;
  }

  private pauseAhead(): void {
    const { reader } = this.options;
    const ahead = [...this.splits].filter(([, split]) => split.watermark() > this.maxWatermark).map(([id]) => id);
    this.held = reader.pauseOrResumeSplits === undefined && ahead.length > 0 && ahead.length === this.splits.size;
    const paused = new Set(reader.pauseOrResumeSplits !== undefined || this.held ? ahead : []);
    for (const [id, split] of this.splits) split.paused = paused.has(id);
    reader.pauseOrResumeSplits?.(paused);
  }

  snapshot(): { readonly split: SourceSplit; readonly watermark: number }[] {
    return this.options.reader
      .snapshotState()
      .map((split) => ({ split, watermark: this.splits.get(split.id)?.watermark() ?? Number.NEGATIVE_INFINITY }));
  }

  async close(): Promise<void> {
    await this.options.reader.close();
  }
}
