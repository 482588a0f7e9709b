/**
 * A job of four failover regions, and what it must come to. Two of its three pipelines are keyed; the third one has no channel between
 * slots, so each of its two subtasks is a region of its own.
 *
 *     group 'counts', slots 0, 1   source ─keyBy─▶ running count per key ─▶ counts
 *     group 'copies', slots 2, 3   source ─▶ map ─▶ copies
 *     group 'sums', slot 4         source ─keyBy─▶ windows ─▶ sums
 *
 * Parameters: records, rate (records per second and source), results (directory), until (a file that records wait for), free (how many of
 * each source do not), failure (a file: a copy fails, and makes it, unless it is there).
 */
import { existsSync, writeFileSync } from 'node:fs';
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
  TumblingEventTimeWindows,
  type ValueState,
  ValueStateDescriptor,
  WatermarkStrategy,
} from 'millstream';
import { heldSource } from './held-source.js';

interface Event {
  readonly key: number;
  readonly at: number;
}

interface Count {
  readonly key: number;
  readonly count: number;
}

interface Sum {
  readonly key: number;
  readonly window: number;
  readonly events: number;
}

const KEYS = 7;
const EVENT_MS = 7;
const WINDOW_MS = 700;
function eventOf(index: number): Event {
  return { key: (index * 31) % KEYS, at: index * EVENT_MS };
}

class Counts extends KeyedProcessFunction<number, Event, Count> {
  private count!: ValueState<number>;

  override open(context: RuntimeContext): void {
    this.count = context.getState(new ValueStateDescriptor<number>('count'));
  }

  override processElement(event: Event, _context: KeyedProcessContext<number>, out: Collector<Count>): void {
    const count = (this.count.value() ?? 0) + 1;
    this.count.update(count);
    out.collect({ key: event.key, count });
  }
}

const job: JobDefinition = defineJob(
  (env, params) => {
    const { results = '/results', until, failure } = params;
    const records = Number(params.records ?? 2_000);
    const watermarks = WatermarkStrategy.forMonotonousTimestamps<Event>().withTimestampAssigner((event) => event.at);
    const events = (name: string, parallelism: number) => {
      const source = new DataGeneratorSource<Event>(eventOf, records, { recordsPerSecond: Number(params.rate ?? 300) });
      const held = heldSource(source, Number(params.free ?? records / 2), until);
      return env.fromSource(held, watermarks, name).uid(name).setParallelism(parallelism).slotSharingGroup(name);
    };
    events('counts', 2)
      .keyBy('key')
      .process(() => new Counts())
      .uid('count')
      .setParallelism(2)
      .sinkTo(FileSink.forRowFormat(`${results}/counts`, jsonLinesEncoder<Count>()))
      .uid('count files')
      .setParallelism(2);
    events('copies', 2)
      .map(({ at }) => {
        if (failure !== undefined && at === (records / 10) * EVENT_MS && !existsSync(failure)) {
          writeFileSync(failure, '');
          throw new Error('this copy fails once');
        }
        return { copy: at };
      })
      .uid('copy')
      .setParallelism(2)
      .sinkTo(FileSink.forRowFormat(`${results}/copies`, jsonLinesEncoder<{ copy: number }>()))
      .uid('copy files')
      .setParallelism(2);
    events('sums', 1)
      .map(({ key, at }): Sum => ({ key, window: Math.floor(at / WINDOW_MS), events: 1 }))
      .uid('assign')
      .setParallelism(1)
      .keyBy('key')
      .window(TumblingEventTimeWindows.of(WINDOW_MS))
      .reduce((sum, next) => ({ key: sum.key, window: sum.window, events: sum.events + next.events }))
      .uid('sum')
      .setParallelism(1)
      .sinkTo(FileSink.forRowFormat(`${results}/sums`, jsonLinesEncoder<Sum>()))
      .uid('sum files')
      .setParallelism(1);
  },
  { name: 'regions' },
);

export default job;

/** All lines of results, computed record by record. */
export function expectedLines(records: number = 2_000): readonly string[] {
  const lines: string[] = [];
  const counts = new Map<number, number>();
  const sums = new Map<string, Sum>();
  for (let index = 0; index < records; index++) {
    const { key, at } = eventOf(index);
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    const window = Math.floor(at / WINDOW_MS);
    sums.set(`${key} ${window}`, { key, window, events: (sums.get(`${key} ${window}`)?.events ?? 0) + 1 });
    lines.push(JSON.stringify({ key, count }), JSON.stringify({ copy: at }));
  }
  for (const sum of sums.values()) lines.push(JSON.stringify(sum));
  return lines;
}
