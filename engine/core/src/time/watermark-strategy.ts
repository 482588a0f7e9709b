/** Watermark strategies: Flink's WatermarkStrategy, TimestampAssigner and WatermarkGenerator. */

/** Extracts event time, ms since 1970. `recordTimestamp`: what the source attached, NaN if nothing. */
export type TimestampAssigner<T> = (value: T, recordTimestamp: number) => number;

/** Receives a generator's watermarks. */
export interface WatermarkOutput {
  /** Watermarks below the last one are ignored. */
  emitWatermark(watermark: number): void;
  markIdle(): void;
  markActive(): void;
}

/** Generates watermarks for one split (or one subtask, where there are no splits). */
export interface WatermarkGenerator<T> {
  onEvent(value: T, timestamp: number, output: WatermarkOutput): void;
  /** Called every `pipeline.auto-watermark-interval` (200 ms by default) of active time. */
  onPeriodicEmit(output: WatermarkOutput): void;
  /** The largest timestamp seen, where the generator is 'timestamp - bound': lets the runtime keep it in a local. */
  readonly boundedOutOfOrdernessMs?: number;
}

/** How timestamps and watermarks come about. Immutable; each `with…` returns a new one. */
export interface WatermarkStrategy<T> {
  readonly timestampAssigner: TimestampAssigner<T> | undefined;
  readonly createGenerator: (() => WatermarkGenerator<T>) | undefined;
  /** A split without records for this long does not hold others back. Undefined: never idle. */
  readonly idlenessMs: number | undefined;
  readonly alignment: { readonly group: string; readonly maxDriftMs: number; readonly updateIntervalMs: number } | undefined;
  withTimestampAssigner(assigner: TimestampAssigner<T>): WatermarkStrategy<T>;
  withIdleness(idlenessMs: number): WatermarkStrategy<T>;
  withWatermarkAlignment(group: string, maxDriftMs: number, updateIntervalMs?: number): WatermarkStrategy<T>;
}
