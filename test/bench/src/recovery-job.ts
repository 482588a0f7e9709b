/**
 * The program of `bench recovery` and `bench failover`: running sums in declared keyed state of rows of 100 bytes. All keys come once, as
 * fast as it goes; from then on records are paced. Source and first outputs leave traces (test/jobs/progress-source.ts).
 *
 * Parameters: keys, rate (records per second), traces (directory).
 */
import {
  type Collector,
  DataGeneratorSource,
  defineJob,
  discardingSink,
  type JobDefinition,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type RuntimeContext,
  schema,
  type ValueState,
  ValueStateDescriptor,
  WatermarkStrategy,
} from 'millstream';
import { FirstOutput, progressSource } from '../../jobs/progress-source.js';

interface Sums {
  a: number;
  b: number;
  c: number;
  d: number;
  e: number;
  f: number;
  g: number;
  h: number;
  i: number;
  j: number;
  k: number;
}

/** Eleven numbers and the key: 96 bytes, and what the table needs to find them. */
const NUMBER = 'float64';
const SUMS = schema({
  a: NUMBER,
  b: NUMBER,
  c: NUMBER,
  d: NUMBER,
  e: NUMBER,
  f: NUMBER,
  g: NUMBER,
  h: NUMBER,
  i: NUMBER,
  j: NUMBER,
  k: NUMBER,
});

class Summing extends KeyedProcessFunction<number, { readonly key: number }, number> {
  private readonly firstOutput: FirstOutput;
  private state!: ValueState<Sums>;

  constructor(traces: string) {
    super();
    this.firstOutput = new FirstOutput(traces);
  }

  override open(context: RuntimeContext): void {
    this.state = context.getState(new ValueStateDescriptor('sums', { schema: SUMS }));
  }

  override processElement({ key }: { readonly key: number }, context: KeyedProcessContext<number>, out: Collector<number>): void {
    const sums = this.state.value() ?? { a: 0, b: 1, c: 2, d: 3, e: 4, f: 5, g: 6, h: 7, i: 8, j: 9, k: 10 };
    sums.a++;
    sums.b += key;
    this.state.update(sums);
    out.collect(sums.b);
    this.firstOutput.note(context);
  }
}

const job: JobDefinition = defineJob(
  (env, { keys = '1000', rate = '10000', traces = 'traces' }) => {
    const count = Number(keys);
    const generator = new DataGeneratorSource((index) => ({ key: index % count }), Number.MAX_SAFE_INTEGER);
    const source = progressSource(generator, traces, { recordsPerSecond: Number(rate), until: '', from: count });
    env
      .fromSource(source, WatermarkStrategy.noWatermarks<{ readonly key: number }>(), 'events')
      .uid('events')
      .keyBy('key')
      .process(() => new Summing(traces))
      .uid('sums')
      .sinkTo(discardingSink())
      .uid('sink');
  },
  { name: 'recovery' },
);

export default job;
