/** The public interface of `millstream`. What is not named here is internal. */
import './default-executor.js';

export type { BroadcastConnectedStream, BroadcastStream, KeyedBroadcastConnectedStream } from './api/broadcast-streams.js';
export type { CheckpointConfig } from './api/checkpoint-config.js';
export type { CompileError } from './api/compile-error.js';
export type { ConnectedStreams, KeyedConnectedStreams } from './api/connected-streams.js';
export type { DataStream, MapAsyncOptions } from './api/data-stream.js';
export type { DataStreamSink } from './api/data-stream-sink.js';
export { defineJob, type JobDefinition, type JobDefinitionOptions, type JobFunction } from './api/define-job.js';
export type { JobExecutionResult } from './api/job-executor.js';
export type { CoGroupedStreams, JoinedStreams, WindowedCoGroup, WindowedJoin } from './api/joined-streams.js';
export type { KeyedStream } from './api/keyed-stream.js';
export type { OnErrorPolicy } from './api/operator-settings.js';
export type { Received } from './api/received.js';
export type { SingleOutputStreamOperator } from './api/single-output-stream-operator.js';
export { SlotSharingGroup, SlotSharingGroupBuilder } from './api/slot-sharing-group.js';
export { StreamExecutionEnvironment } from './api/stream-execution-environment.js';
export type { CountWindowedStream, WindowedStream } from './api/windowed-stream.js';
export type { ClassCodec } from './codec/class-registry.js';
export { type FieldType, type FieldValue, type Schema, schema } from './codec/schema.js';
export type { ErrorCode, ErrorDomain } from './common/error-codes.js';
export { MillstreamError, type MillstreamErrorOptions } from './common/errors.js';
export type { Key, PrimitiveKey } from './common/key.js';
export type {
  CheckpointingMode,
  ExternalizedCheckpointRetention,
  JobOptions,
  OptionInput,
  OptionKey,
  RestartStrategyType,
} from './config/options.js';
export { type CollectionSource, collectionSource } from './connector/collection-source.js';
export { type CsvColumnType, type CsvOptions, type CsvRow, csv } from './connector/csv.js';
export { type DataGeneratorOptions, DataGeneratorSource } from './connector/data-generator-source.js';
export { FileSink, type FileSinkOptions } from './connector/file-sink.js';
export { type CsvEncoderOptions, csvEncoder, jsonLinesEncoder, type RowEncoder } from './connector/file-sink-encoders.js';
export { FileSource, type FileSourceOptions, type MalformedOption } from './connector/file-source.js';
export { type JsonLinesOptions, jsonLines } from './connector/json-lines.js';
export { discardingSink, printSink } from './connector/print-sink.js';
export { isMalformedRecord, type MalformedRecord, type RecordFormat } from './connector/record-format.js';
export type { Sink } from './connector/sink.js';
export type { Source } from './connector/source.js';
export type { AsyncRetryOptions } from './operators/async-map.js';
export {
  type BroadcastContext,
  type BroadcastOnTimerContext,
  BroadcastProcessFunction,
  type BroadcastState,
  type KeyedBroadcastContext,
  KeyedBroadcastProcessFunction,
  type KeyedReadOnlyBroadcastContext,
  type ReadOnlyBroadcastContext,
  type ReadOnlyBroadcastState,
} from './operators/broadcast.js';
export { CoFlatMapFunction, CoMapFunction, CoProcessFunction, KeyedCoProcessFunction } from './operators/co-process.js';
export type { KeyedProcessContext, OnTimerContext, ProcessContext } from './operators/function-context.js';
export type { Collector, FailedRecord } from './operators/operator.js';
export { OutputTag } from './operators/output-tag.js';
export { KeyedProcessFunction, ProcessFunction } from './operators/process.js';
export type { KeyedStateStore, RuntimeContext } from './operators/runtime-context.js';
export type { TimeDomain, TimerService } from './operators/time-service.js';
export type { UserFunction } from './operators/user-function.js';
export {
  EventTimeSessionWindows,
  GlobalWindows,
  ProcessingTimeSessionWindows,
  type SessionGap,
  SlidingEventTimeWindows,
  SlidingProcessingTimeWindows,
  TumblingEventTimeWindows,
  TumblingProcessingTimeWindows,
  type WindowAssigner,
} from './operators/window/assigners.js';
export {
  ContinuousEventTimeTrigger,
  CountTrigger,
  EventTimeTrigger,
  ProcessingTimeTrigger,
  PurgingTrigger,
  Trigger,
  type TriggerContext,
  TriggerResult,
} from './operators/window/triggers.js';
export {
  GlobalWindow,
  type ProcessWindowContext,
  ProcessWindowFunction,
  TimeWindow,
  type Window,
} from './operators/window/window.js';
export type { CoGroupFunction, JoinFunction } from './operators/window-join.js';
export {
  type AggregateFunction,
  AggregatingStateDescriptor,
  ListStateDescriptor,
  MapStateDescriptor,
  type ReduceFunction,
  ReducingStateDescriptor,
  type StateOptions,
  ValueStateDescriptor,
} from './state/descriptors.js';
export type { AggregatingState, ListState, MapState, ReducingState, ValueState } from './state/state.js';
export { WatermarkStrategy } from './time/watermark-strategies.js';
export type { TimestampAssigner, WatermarkGenerator, WatermarkOutput } from './time/watermark-strategy.js';
