/** The stream classes, made for each other. */
import { DataStream } from './data-stream.js';
import { KeyedStream } from './keyed-stream.js';
import { SingleOutputStreamOperator } from './single-output-stream-operator.js';
import type { StreamFactory } from './stream-factory.js';

export const streams: StreamFactory = {
  stream: (job, taps) => new DataStream(job, taps),
  operator: (job, node) => new SingleOutputStreamOperator(job, node),
  keyed: (job, taps) => new KeyedStream(job, taps),
};
