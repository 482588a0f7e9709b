/**
 * Keyed operators with `onError` whose functions throw for every seventh record, after they have changed state and emitted: for tests that
 * nothing is left of these records but the record itself in the side output.
 *
 * Parameters: records, keys, results (directory), until (a file that records wait for, all but a quarter in each attempt).
 */
import {
  type Collector,
  DataGeneratorSource,
  type DataStream,
  defineJob,
  type FailedRecord,
  FileSink,
  type JobDefinition,
  jsonLinesEncoder,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type ListState,
  ListStateDescriptor,
  type OnTimerContext,
  OutputTag,
  type RuntimeContext,
  schema,
  TumblingEventTimeWindows,
  type ValueState,
  ValueStateDescriptor,
  WatermarkStrategy,
} from 'millstream';
import { heldSource } from './held-source.js';

interface Event {
  readonly key: number;
  readonly id: number;
  readonly at: number;
}

export type Line = Readonly<Record<string, number | string>>;

export const fails = (id: number): boolean => id % 7 === 3;
const FAILED = new OutputTag<FailedRecord<Event>>('failed');

function refuse({ id }: Event): void {
  if (fails(id)) throw new Error(`event ${id} is refused`);
}

class Running extends KeyedProcessFunction<number, Event, Line> {
  private total!: ValueState<{ count: number; sum: number }>;
  private last!: ListState<number>;

  override open(context: RuntimeContext): void {
    this.total = context.getState(new ValueStateDescriptor('total', { schema: schema({ count: 'int32', sum: 'float64' }) }));
    this.last = context.getListState(new ListStateDescriptor('last'));
  }

  override processElement(event: Event, ctx: KeyedProcessContext<number>, out: Collector<Line>): void {
    const { count, sum } = this.total.value() ?? { count: 0, sum: 0 };
    this.total.update({ count: count + 1, sum: sum + event.id });
    this.last.add(event.id);
    out.collect({ what: 'running', key: event.key, count: count + 1 });
    // Of a record that fails, the only thing that would ever fire.
    ctx.timerService().registerEventTimeTimer(fails(event.id) ? event.at + 1 : Number.POSITIVE_INFINITY);
    refuse(event);
  }

  override onTimer(time: number, ctx: OnTimerContext<number>, out: Collector<Line>): void {
    const { count, sum } = this.total.value() ?? { count: 0, sum: 0 };
    const ids = this.last.get();
    out.collect({
      what: 'total',
      key: ctx.getCurrentKey(),
      time: `${time}`,
      count,
      sum,
      listed: ids.length,
      ids: ids.reduce((a, b) => a + b, 0),
    });
  }
}

const job: JobDefinition = defineJob(
  (env, params) => {
    const records = Number(params.records ?? 1000);
    const keys = Number(params.keys ?? 20);
    const generator = new DataGeneratorSource<Event>((index) => ({ key: index % keys, id: index, at: index }), records);
    const source = heldSource(generator, records / 4, params.until);
    const watermarks = WatermarkStrategy.forMonotonousTimestamps<Event>().withTimestampAssigner((event) => event.at);
    const events = env.fromSource(source, watermarks, 'events').uid('events').keyBy('key');
    const running = events
      .process(() => new Running())
      .uid('running')
      .onError(FAILED);
    const windows = events
      .window(TumblingEventTimeWindows.of(1000))
      .aggregate({
        createAccumulator: () => ({ key: -1, ids: [] as number[] }),
        add(event, accumulator) {
          accumulator.key = event.key;
          accumulator.ids.push(event.id);
          refuse(event);
          return accumulator;
        },
        getResult: ({ key, ids }): Line => ({ what: 'window', key, count: ids.length, sum: ids.reduce((a, b) => a + b, 0) }),
      })
      .uid('windows')
      .onError(FAILED);
    const failed = (stream: DataStream<FailedRecord<Event>>, of: string): DataStream<Line> =>
      stream.map(({ value, error }): Line => ({ what: `failed ${of}`, id: value.id, error }));
    running
      .union(windows, failed(running.getSideOutput(FAILED), 'running'), failed(windows.getSideOutput(FAILED), 'window'))
      .sinkTo(FileSink.forRowFormat(params.results ?? 'results', jsonLinesEncoder<Line>()))
      .uid('files');
  },
  { name: 'keyed-errors' },
);

export default job;
