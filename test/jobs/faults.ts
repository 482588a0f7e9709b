/**
 * Programs that do what they must not, one per name: parameter `fault`. For tests of what a user is told.
 *
 * Parameters besides: file, results, records, rate (per second), at (the record that fails).
 */
import { isMainThread } from 'node:worker_threads';
import {
  type Collector,
  DataGeneratorSource,
  type DataStream,
  defineJob,
  discardingSink,
  FileSink,
  FileSource,
  isMalformedRecord,
  type JobDefinition,
  jsonLines,
  jsonLinesEncoder,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type MalformedRecord,
  OutputTag,
  ProcessFunction,
  type RuntimeContext,
  type SingleOutputStreamOperator,
  type StreamExecutionEnvironment,
  TumblingProcessingTimeWindows,
  type ValueState,
  ValueStateDescriptor,
  WatermarkStrategy,
} from 'millstream';

type Parameters = Readonly<Record<string, string>>;
type Fault = (env: StreamExecutionEnvironment, params: Parameters) => void;

interface Item {
  readonly key: number;
  readonly count: number;
}

function items(env: StreamExecutionEnvironment, params: Parameters): SingleOutputStreamOperator<Item> {
  const source = new DataGeneratorSource<Item>(
    (index) => ({ key: index % 10, count: index }),
    Number(params.records ?? 100),
    params.rate === undefined ? {} : { recordsPerSecond: Number(params.rate) },
  );
  return env.fromSource(source, WatermarkStrategy.noWatermarks<Item>(), 'items').uid('items');
}

/** What TypeScript would refuse. */
function untyped(stream: DataStream<Item>): { map(fn: (item: Item) => unknown): DataStream<unknown> } {
  return stream as never;
}

/** A map to something that no record may be, then an edge: local, or encoded. */
function emitting(value: (item: Item) => unknown): Fault {
  return (env, params) => {
    const mapped = untyped(items(env, params)).map((item) =>
      item.count === 42 ? { key: 1, count: value(item) } : item,
    ) as SingleOutputStreamOperator<Item>;
    const named = mapped.name('make').uid('make');
    (params.edge === 'encoded' ? named.keyBy('key').map((item) => item) : named.map((item) => item)).sinkTo(discardingSink());
  };
}

class Meters {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

class AsyncProcess extends ProcessFunction<Item, Item> {
  override processElement = (async (item: Item, _context: unknown, out: Collector<Item>): Promise<void> => {
    out.collect(item);
  }) as never;
}

interface Total {
  sum: number;
}

class ChangesInPlace extends KeyedProcessFunction<number, Item, number> {
  private total!: ValueState<Total>;

  override open(context: RuntimeContext): void {
    this.total = context.getState(new ValueStateDescriptor<Total>('total'));
  }

  override processElement(item: Item, _context: KeyedProcessContext<number>, out: Collector<number>): void {
    const total = this.total.value();
    if (total === undefined) this.total.update({ sum: item.count });
    else total.sum += item.count;
    out.collect(total?.sum ?? 0);
  }
}

function readItems(
  env: StreamExecutionEnvironment,
  params: Parameters,
  malformed: 'fail' | 'skip' | 'report',
): SingleOutputStreamOperator<Item> {
  const source = FileSource.forRecordFormat(jsonLines<Item>(), params.file ?? '', { malformed });
  return env.fromSource(source, WatermarkStrategy.noWatermarks<Item>(), 'file').uid('file');
}

const MALFORMED = new OutputTag<MalformedRecord>('malformed');

class Route extends ProcessFunction<Item | MalformedRecord, Item> {
  override processElement(
    item: Item | MalformedRecord,
    context: { output<T>(tag: OutputTag<T>, value: T): void },
    out: Collector<Item>,
  ): void {
    if (isMalformedRecord(item)) context.output(MALFORMED, item);
    else out.collect(item);
  }
}

function toFiles<T>(stream: DataStream<T>, directory: string): void {
  stream.sinkTo(FileSink.forRowFormat(directory, jsonLinesEncoder<T>())).uid(`files ${directory.split('/').at(-1)}`);
}

function failAt(item: Item, at: number): Item {
  if (item.count === at) throw new RangeError(`count ${item.count} is out of range`);
  return item;
}

/** Records by a key that TypeScript would refuse; parameter `then`: what follows. */
function keyedBy(selector: (item: Item) => unknown): Fault {
  return (env, params) => {
    const keyed = items(env, params).keyBy(selector as never);
    if (params.then === 'sink') keyed.sinkTo(discardingSink());
    else if (params.then === 'reduce') keyed.reduce((_, item) => item).sinkTo(discardingSink());
    else if (params.then === 'window')
      keyed
        .window(TumblingProcessingTimeWindows.of(1000))
        .reduce((_, item) => item)
        .sinkTo(discardingSink());
    else keyed.map((item) => item).sinkTo(discardingSink());
  };
}

const FAULTS: Readonly<Record<string, Fault>> = {
  function: emitting(() => () => 1),
  'class instance': emitting((item) => new Meters(item.count)),
  promise: emitting(() => Promise.resolve(1)),
  symbol: emitting(() => Symbol('x')),
  'date key': keyedBy(() => new Date(0)),
  'object key': keyedBy(({ key }) => ({ key })),
  'undefined key': keyedBy((item) => (item.count === 42 ? undefined : 1)),
  'async map': (env, params) => {
    untyped(items(env, params))
      .map(async (item) => item)
      .sinkTo(discardingSink());
  },
  'async process': (env, params) => {
    items(env, params)
      .process(() => new AsyncProcess())
      .name('later')
      .uid('later')
      .sinkTo(discardingSink());
  },
  throws: (env, params) => {
    items(env, params)
      .filter(() => true)
      .map((item) => failAt(item, Number(params.at ?? 42)))
      .name('check range')
      .uid('check')
      .sinkTo(discardingSink());
  },
  'throws behind a shuffle': (env, params) => {
    items(env, params)
      .keyBy('key')
      .map((item) => failAt(item, Number(params.at ?? 42)))
      .name('check range')
      .uid('check')
      .sinkTo(discardingSink());
  },
  'two equal uids': (env, params) => {
    items(env, params)
      .map((item) => item)
      .uid('items')
      .sinkTo(discardingSink());
  },
  'another graph in slots': (env, params) => {
    items(env, params)
      .map((item) => item)
      .name(isMainThread ? 'in the client' : 'in a slot')
      .sinkTo(discardingSink());
  },
  'throws in slots': (env, params) => {
    if (!isMainThread) throw new TypeError('only the client has this');
    items(env, params).sinkTo(discardingSink());
  },
  'unknown option': (env, params) => {
    env.configure({ 'execution.checkpointing.intervall': '1 s' } as never);
    items(env, params).sinkTo(discardingSink());
  },
  'malformed: fail': (env, params) => toFiles(readItems(env, params, 'fail'), params.results ?? ''),
  'malformed: skip': (env, params) => toFiles(readItems(env, params, 'skip'), params.results ?? ''),
  'malformed: report': (env, params) => {
    const source = FileSource.forRecordFormat(jsonLines<Item>(), params.file ?? '', { malformed: 'report' });
    const routed = env
      .fromSource(source, WatermarkStrategy.noWatermarks<Item | MalformedRecord>(), 'file')
      .process(() => new Route())
      .uid('route');
    toFiles(routed, `${params.results}/good`);
    toFiles(routed.getSideOutput(MALFORMED), `${params.results}/malformed`);
  },
  'state changed in place': (env, params) => {
    items(env, params)
      .keyBy('key')
      .process(() => new ChangesInPlace())
      .name('sum')
      .uid('sum')
      .sinkTo(discardingSink());
  },
  'changed after emission': (env, params) => {
    const countUp = (item: Item, out: Collector<Item>): void => {
      const copy = { ...item } as { key: number; count: number };
      out.collect(copy);
      copy.count++;
    };
    items(env, params).flatMap(countUp).name('count up').uid('count').sinkTo(discardingSink());
  },
  'map changes its input': (env, params) => {
    untyped(items(env, params))
      .map((item) => {
        (item as { count: number }).count++;
        return item;
      })
      .sinkTo(discardingSink());
  },
  'out of memory': (env, params) => {
    const kept: unknown[] = [];
    items(env, params)
      .map((item) => {
        kept.push(Array.from({ length: 100_000 }, (_, at) => ({ at, item })));
        return item;
      })
      .sinkTo(discardingSink());
  },
};

const job: JobDefinition = defineJob(
  (env, params) => {
    const fault = FAULTS[params.fault ?? ''];
    if (fault === undefined) throw new Error(`no fault '${params.fault}'`);
    fault(env, params);
  },
  { name: 'faults' },
);

export default job;
