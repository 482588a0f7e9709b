/** `assignTimestampsAndWatermarks` in mid-stream: replaces timestamps and makes watermarks of its own. */
import type { Operator, OperatorContext } from '../operators/operator.js';
import type { RelativeClock } from '../time/idleness.js';
import type { WatermarkGenerator, WatermarkOutput, WatermarkStrategy } from '../time/watermark-strategy.js';

export class TimestampsOperator implements Operator, WatermarkOutput {
  readonly ownWatermarks = true;
  private readonly strategy: WatermarkStrategy<unknown>;
  private readonly context: OperatorContext;
  private readonly intervalMs: number;
  private readonly activity: RelativeClock;
  private readonly generator: WatermarkGenerator<unknown> | undefined;
  private maxTimestamp = Number.NEGATIVE_INFINITY;
  private nextEmit: number;
  private lastRecordAt: number;
  private idle = false;

  /** `activity` stands still while the task cannot read its input. */
  constructor(strategy: WatermarkStrategy<unknown>, context: OperatorContext, intervalMs: number, activity: RelativeClock) {
    this.strategy = strategy;
    this.context = context;
    this.intervalMs = intervalMs;
    this.activity = activity;
    this.generator = strategy.createGenerator?.();
    this.lastRecordAt = activity.monotonic();
    this.nextEmit = this.generator === undefined ? Number.POSITIVE_INFINITY : context.clock.now() + intervalMs;
  }

  processElement(value: unknown, timestamp: number): void {
    const assigned = this.strategy.timestampAssigner === undefined ? timestamp : this.strategy.timestampAssigner(value, timestamp);
    if (assigned > this.maxTimestamp) this.maxTimestamp = assigned;
    const generator = this.generator;
    if (generator !== undefined && generator.boundedOutOfOrdernessMs === undefined) generator.onEvent(value, assigned, this);
    if (this.strategy.idlenessMs !== undefined) {
      this.lastRecordAt = this.activity.monotonic();
      if (this.idle) this.markActive();
    }
    this.context.output.collect(value, assigned);
  }

  /** The input's watermarks are replaced; only its end counts. */
  advanceEventTime(watermark: number): boolean {
    if (watermark === Number.POSITIVE_INFINITY) this.context.emitWatermark(watermark);
    return true;
  }

  nextProcessingTime(): number {
    return this.nextEmit;
  }

  advanceProcessingTime(now: number): boolean {
    this.nextEmit = now + this.intervalMs;
    const generator = this.generator;
    if (generator === undefined) return true;
    if (generator.boundedOutOfOrdernessMs === undefined) generator.onPeriodicEmit(this);
    else this.context.emitWatermark(this.maxTimestamp - generator.boundedOutOfOrdernessMs - 1);
    const { idlenessMs } = this.strategy;
    if (idlenessMs !== undefined && !this.idle && this.activity.monotonic() - this.lastRecordAt >= idlenessMs) this.markIdle();
    return true;
  }

  emitWatermark(watermark: number): void {
    this.context.emitWatermark(watermark);
  }

  markIdle(): void {
    this.idle = true;
    this.context.emitIdle(true);
  }

  markActive(): void {
    this.idle = false;
    this.context.emitIdle(false);
  }
}
