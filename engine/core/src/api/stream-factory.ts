/** Makes the stream classes. An interface, since they extend and make each other; `streams.ts` has the one implementation. */
import type { NodeDraft } from '../plan/draft.js';
import type { DataStream } from './data-stream.js';
import type { JobBuilder } from './job-builder.js';
import type { KeyedStream } from './keyed-stream.js';
import type { SingleOutputStreamOperator } from './single-output-stream-operator.js';
import type { Tap } from './tap.js';

export interface StreamFactory {
  stream<T>(job: JobBuilder, taps: readonly Tap[]): DataStream<T>;
  operator<T>(job: JobBuilder, node: NodeDraft): SingleOutputStreamOperator<T>;
  /** `taps` are hash-partitioned by key. */
  keyed<T, K>(job: JobBuilder, taps: readonly Tap[]): KeyedStream<T, K>;
}
