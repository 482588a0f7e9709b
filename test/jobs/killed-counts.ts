/**
 * Running counts per key whose every line is determined by the input alone, whatever happens in between: a key's records come from one
 * subtask of the source, in order. Its source leaves traces (progress-source.ts), and so does the first line of each attempt.
 *
 * Parameters: records, rate (records per second), results (directory), traces (directory), until (a file that ends the pace).
 */
import {
  type Collector,
  DataGeneratorSource,
  defineJob,
  FileSink,
  type JobDefinition,
  jsonLinesEncoder,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type RuntimeContext,
  schema,
  type ValueState,
  ValueStateDescriptor,
  WatermarkStrategy,
} from 'millstream';
import { FirstOutput, progressSource } from './progress-source.js';

/** Even: two subtasks of the source share no key. */
export const KEYS = 1000;

export interface CountedRecord {
  readonly index: number;
  readonly key: number;
  readonly count: number;
  readonly sum: number;
}

/** The line of record `index`. */
export function countedRecord(index: number): CountedRecord {
  const key = index % KEYS;
  const before = Math.floor(index / KEYS);
  return { index, key, count: before + 1, sum: (before + 1) * key + (KEYS * before * (before + 1)) / 2 };
}

const COUNTER = schema({ count: 'float64', sum: 'float64' });

class Counting extends KeyedProcessFunction<number, { readonly index: number; readonly key: number }, CountedRecord> {
  private readonly firstOutput: FirstOutput;
  private state!: ValueState<{ count: number; sum: number }>;

  constructor(traces: string) {
    super();
    this.firstOutput = new FirstOutput(traces);
  }

  override open(context: RuntimeContext): void {
    this.state = context.getState(new ValueStateDescriptor('counter', { schema: COUNTER }));
  }

  override processElement(
    { index, key }: { readonly index: number; readonly key: number },
    context: KeyedProcessContext<number>,
    out: Collector<CountedRecord>,
  ): void {
    const { count, sum } = this.state.value() ?? { count: 0, sum: 0 };
    this.state.update({ count: count + 1, sum: sum + index });
    out.collect({ index, key, count: count + 1, sum: sum + index });
    this.firstOutput.note(context);
  }
}

const job: JobDefinition = defineJob(
  (env, params) => {
    const traces = params.traces ?? 'traces';
    const generator = new DataGeneratorSource((index) => ({ index, key: index % KEYS }), Number(params.records ?? 100_000));
    const source = progressSource(generator, traces, { recordsPerSecond: Number(params.rate ?? 1000), until: params.until ?? '' });
    env
      .fromSource(source, WatermarkStrategy.noWatermarks<{ readonly index: number; readonly key: number }>(), 'events')
      .uid('events')
      .keyBy('key')
      .process(() => new Counting(traces))
      .uid('counts')
      .sinkTo(FileSink.forRowFormat(params.results ?? 'results', jsonLinesEncoder<CountedRecord>()))
      .uid('files');
  },
  { name: 'killed-counts' },
);

export default job;
