/**
 * The job of the cluster simulation, and what it must come to: keyed state, timers and windows over a paced source, into three
 * exactly-once sinks. No result depends on the order in which records of different source subtasks meet.
 *
 *     source ─keyBy─▶ running count per key ─▶ counts          one line per record
 *                     └ timers: count per key and bucket ─▶ buckets
 *           └─keyBy─▶ tumbling windows: sum ─▶ sums
 *
 * Parameter `forgetful`: the running counts are kept in fields of the function, which no checkpoint has.
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
  type MapState,
  MapStateDescriptor,
  OutputTag,
  type RuntimeContext,
  TumblingEventTimeWindows,
  type ValueState,
  ValueStateDescriptor,
  WatermarkStrategy,
} from 'millstream';

interface Event {
  readonly key: number;
  readonly at: number;
  readonly amount: number;
}

interface Bucket {
  readonly key: number;
  readonly bucket: number;
  readonly events: number;
}

interface Sum {
  readonly key: number;
  readonly window: number;
  readonly amount: number;
}

const KEYS = 13;
const EVENT_MS = 7;
const BUCKET_MS = 500;
const WINDOW_MS = 1_000;
const BUCKETS = new OutputTag<Bucket>('buckets');

export const RECORDS = 4_000;
const RECORDS_PER_SECOND = 700;

function eventOf(index: number): Event {
  return { key: (index * 31) % KEYS, at: index * EVENT_MS, amount: (index * 7919) % 101 };
}

class Counts extends KeyedProcessFunction<number, Event, { key: number; count: number }> {
  private count!: ValueState<number>;
  private buckets!: MapState<number, number>;
  private readonly fields: Map<number, number> | undefined;

  constructor(isForgetful: boolean) {
    super();
    this.fields = isForgetful ? new Map() : undefined;
  }

  override open(context: RuntimeContext): void {
    this.count = context.getState(new ValueStateDescriptor<number>('count'));
    this.buckets = context.getMapState(new MapStateDescriptor<number, number>('buckets'));
  }

  override processElement(event: Event, context: KeyedProcessContext<number>, out: Collector<{ key: number; count: number }>): void {
    const count = ((this.fields === undefined ? this.count.value() : this.fields.get(event.key)) ?? 0) + 1;
    this.count.update(count);
    this.fields?.set(event.key, count);
    const end = (Math.floor(event.at / BUCKET_MS) + 1) * BUCKET_MS;
    this.buckets.put(end, (this.buckets.get(end) ?? 0) + 1);
    context.timerService().registerEventTimeTimer(end - 1);
    out.collect({ key: event.key, count });
  }

  override onTimer(timestamp: number, context: KeyedProcessContext<number>): void {
    const bucket = timestamp + 1;
    const events = this.buckets.get(bucket) ?? 0;
    this.buckets.remove(bucket);
    context.output(BUCKETS, { key: context.getCurrentKey(), bucket, events });
  }
}

const job: JobDefinition = defineJob(
  (env, params) => {
    const source = new DataGeneratorSource<Event>(eventOf, RECORDS, { recordsPerSecond: RECORDS_PER_SECOND });
    const watermarks = WatermarkStrategy.forMonotonousTimestamps<Event>().withTimestampAssigner((event) => event.at);
    const events = env.fromSource(source, watermarks, 'events').uid('events');
    const counts = events
      .keyBy('key')
      .process(() => new Counts(params.forgetful === 'true'))
      .uid('counts');
    counts.sinkTo(FileSink.forRowFormat('/results/counts', jsonLinesEncoder())).uid('count files');
    counts.getSideOutput(BUCKETS).sinkTo(FileSink.forRowFormat('/results/buckets', jsonLinesEncoder<Bucket>())).uid('bucket files');
    events
      .map((event): Sum => ({ key: event.key, window: Math.floor(event.at / WINDOW_MS), amount: event.amount }))
      .uid('assign')
      .keyBy('key')
      .window(TumblingEventTimeWindows.of(WINDOW_MS))
      .reduce((sum, next) => ({ key: sum.key, window: sum.window, amount: sum.amount + next.amount }))
      .uid('sums')
      .sinkTo(FileSink.forRowFormat('/results/sums', jsonLinesEncoder<Sum>()))
      .uid('sum files');
  },
  { name: 'simulated' },
);

export default job;

/** All lines of results, computed record by record. */
export function expectedLines(): readonly string[] {
  const lines: string[] = [];
  const counts = new Map<number, number>();
  const buckets = new Map<string, Bucket>();
  const sums = new Map<string, Sum>();
  for (let index = 0; index < RECORDS; index++) {
    const { key, at, amount } = eventOf(index);
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    lines.push(JSON.stringify({ key, count }));
    const bucket = (Math.floor(at / BUCKET_MS) + 1) * BUCKET_MS;
    buckets.set(`${key} ${bucket}`, { key, bucket, events: (buckets.get(`${key} ${bucket}`)?.events ?? 0) + 1 });
    const window = Math.floor(at / WINDOW_MS);
    sums.set(`${key} ${window}`, { key, window, amount: (sums.get(`${key} ${window}`)?.amount ?? 0) + amount });
  }
  for (const result of [...buckets.values(), ...sums.values()]) lines.push(JSON.stringify(result));
  return lines;
}
