/**
 * A job whose output shows every loss and every repetition: each record yields its key's running count, so the results must be exactly
 * (key, 1), (key, 2), … for every key; and windows count the same records by event time.
 *
 * Parameters: records, keys, rate (records per second, 0: unlimited), results (directory), until (a file that records wait for), free (how
 * many of each attempt do not; half of them).
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
  TumblingEventTimeWindows,
  type ValueState,
  ValueStateDescriptor,
  WatermarkStrategy,
} from 'millstream';
import { heldSource } from './held-source.js';

export interface Event {
  readonly key: number;
  readonly time: number;
  readonly index: number;
}

export interface RunningCount {
  readonly key: number;
  readonly count: number;
  readonly sum: number;
}

const COUNTER = schema({ count: 'float64', sum: 'float64' });

class Running extends KeyedProcessFunction<number, Event, RunningCount> {
  private state!: ValueState<{ count: number; sum: number }>;

  override open(context: RuntimeContext): void {
    this.state = context.getState(new ValueStateDescriptor('running', { schema: COUNTER }));
  }

  override processElement(event: Event, _context: KeyedProcessContext<number>, out: Collector<RunningCount>): void {
    const state = this.state.value() ?? { count: 0, sum: 0 };
    state.count++;
    state.sum += event.index;
    this.state.update(state);
    out.collect({ key: event.key, count: state.count, sum: state.sum });
  }
}

const job: JobDefinition = defineJob(
  (env, params) => {
    const records = Number(params.records ?? 100_000);
    const keys = Number(params.keys ?? 1000);
    const rate = Number(params.rate ?? 0);
    const results = params.results ?? 'results/running-counts';
    const source = new DataGeneratorSource<Event>(
      (index) => ({ key: (index * 7919) % keys, time: index, index }),
      records,
      rate > 0 ? { recordsPerSecond: rate } : {},
    );
    const events = env
      .fromSource(
        heldSource(source, Number(params.free ?? records / 2), params.until),
        WatermarkStrategy.forBoundedOutOfOrderness<Event>(1000).withTimestampAssigner((event) => event.time),
        'events',
      )
      .uid('events');
    events
      .keyBy('key')
      .process(() => new Running())
      .uid('running')
      .sinkTo(FileSink.forRowFormat(`${results}/running`, jsonLinesEncoder<RunningCount>()))
      .uid('running-files');
    events
      .keyBy((event) => `k${event.key % 10}`)
      .window(TumblingEventTimeWindows.of(10_000))
      .aggregate({
        createAccumulator: () => ({ count: 0 }),
        add: (_, accumulator) => ({ count: accumulator.count + 1 }),
        getResult: ({ count }) => ({ count }),
      })
      .uid('windows')
      .sinkTo(FileSink.forRowFormat(`${results}/windows`, jsonLinesEncoder<{ count: number }>()))
      .uid('window-files');
  },
  { name: 'running-counts' },
);

export default job;
