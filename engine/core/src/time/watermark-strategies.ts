/** The watermark strategies that programs use: Flink's WatermarkStrategy factories. */
import { MillstreamError } from '../common/errors.js';
import type {
  TimestampAssigner,
  WatermarkGenerator,
  WatermarkOutput,
  WatermarkStrategy as WatermarkStrategyOf,
} from './watermark-strategy.js';

/** How timestamps and watermarks come about; see the factories of the value with the same name. */
export type WatermarkStrategy<T> = WatermarkStrategyOf<T>;

/** Watermarks trail the largest timestamp by the bound plus 1 ms: a record with that very timestamp may still come. */
class BoundedOutOfOrdernessWatermarks implements WatermarkGenerator<unknown> {
  readonly boundedOutOfOrdernessMs: number;
  private maxTimestamp: number = Number.NEGATIVE_INFINITY;

  constructor(boundMs: number) {
    this.boundedOutOfOrdernessMs = boundMs;
  }

  onEvent(_value: unknown, timestamp: number): void {
    if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp;
  }

  onPeriodicEmit(output: WatermarkOutput): void {
    if (this.maxTimestamp > Number.NEGATIVE_INFINITY) output.emitWatermark(this.maxTimestamp - this.boundedOutOfOrdernessMs - 1);
  }
}

interface StrategyParts<T> {
  readonly timestampAssigner: TimestampAssigner<T> | undefined;
  readonly createGenerator: (() => WatermarkGenerator<T>) | undefined;
  readonly idlenessMs: number | undefined;
  readonly alignment: { readonly group: string; readonly maxDriftMs: number; readonly updateIntervalMs: number } | undefined;
}

/** Flink's default interval between two updates of aligned splits. */
const ALIGNMENT_UPDATE_INTERVAL_MS = 1000;

function positive(value: number, what: string): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new MillstreamError('INVALID_OPTION', `Cannot use '${value}' as ${what}: it must be a number of ms above 0.`);
}

class ImmutableWatermarkStrategy<T> implements WatermarkStrategyOf<T> {
  readonly timestampAssigner: TimestampAssigner<T> | undefined;
  readonly createGenerator: (() => WatermarkGenerator<T>) | undefined;
  readonly idlenessMs: number | undefined;
  readonly alignment: StrategyParts<T>['alignment'];

  constructor(parts: StrategyParts<T>) {
    this.timestampAssigner = parts.timestampAssigner;
    this.createGenerator = parts.createGenerator;
    this.idlenessMs = parts.idlenessMs;
    this.alignment = parts.alignment;
    Object.freeze(this);
  }

  withTimestampAssigner(timestampAssigner: TimestampAssigner<T>): WatermarkStrategyOf<T> {
    return new ImmutableWatermarkStrategy({ ...this, timestampAssigner });
  }

  withIdleness(idlenessMs: number): WatermarkStrategyOf<T> {
    return new ImmutableWatermarkStrategy({ ...this, idlenessMs: positive(idlenessMs, 'idleness') });
  }

  withWatermarkAlignment(
    group: string,
    maxDriftMs: number,
    updateIntervalMs: number = ALIGNMENT_UPDATE_INTERVAL_MS,
  ): WatermarkStrategyOf<T> {
    positive(maxDriftMs, 'the largest drift between aligned splits');
    positive(updateIntervalMs, 'the update interval of watermark alignment');
    return new ImmutableWatermarkStrategy({ ...this, alignment: { group, maxDriftMs, updateIntervalMs } });
  }
}

function strategy<T>(createGenerator: (() => WatermarkGenerator<T>) | undefined): WatermarkStrategyOf<T> {
  return new ImmutableWatermarkStrategy({ timestampAssigner: undefined, createGenerator, idlenessMs: undefined, alignment: undefined });
}

interface WatermarkStrategyFactories {
  /** Records may be at most `maxOutOfOrdernessMs` behind the latest one; those further behind are late. */
  forBoundedOutOfOrderness<T>(maxOutOfOrdernessMs: number): WatermarkStrategyOf<T>;
  /** Timestamps never go down within a split. */
  forMonotonousTimestamps<T>(): WatermarkStrategyOf<T>;
  /** Own watermarks: one generator for each split. */
  forGenerator<T>(createGenerator: () => WatermarkGenerator<T>): WatermarkStrategyOf<T>;
  /** No watermarks before the end of the input: for processing time. */
  noWatermarks<T>(): WatermarkStrategyOf<T>;
}

/**
 * Factories of strategies.
 * @example
 * WatermarkStrategy.forBoundedOutOfOrderness<Flight>(60_000).withTimestampAssigner((flight) => flight.date).withIdleness(10_000)
 */
export const WatermarkStrategy: WatermarkStrategyFactories = {
  forBoundedOutOfOrderness<T>(maxOutOfOrdernessMs: number) {
    if (!Number.isFinite(maxOutOfOrdernessMs) || maxOutOfOrdernessMs < 0) {
      throw new MillstreamError(
        'INVALID_OPTION',
        `Cannot bound out-of-orderness by '${maxOutOfOrdernessMs}': it must be a number of ms, 0 or more.`,
      );
    }
    return strategy<T>(() => new BoundedOutOfOrdernessWatermarks(maxOutOfOrdernessMs));
  },
  forMonotonousTimestamps: <T>() => strategy<T>(() => new BoundedOutOfOrdernessWatermarks(0)),
  forGenerator: (createGenerator) => strategy(createGenerator),
  noWatermarks: <T>() => strategy<T>(undefined),
};
