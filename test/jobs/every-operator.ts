/**
 * A job with every operator of the API, whose results do not depend on parallelism, execution mode or failures: each branch writes lines
 * `{ branch, … }` that are determined by the input alone (compared as a multiset).
 *
 * Parameters: records, results (directory), until (a file that half of the records wait for).
 */
import {
  AggregatingStateDescriptor,
  type Collector,
  CoMapFunction,
  CountTrigger,
  DataGeneratorSource,
  defineJob,
  EventTimeSessionWindows,
  FileSink,
  GlobalWindows,
  type JobDefinition,
  jsonLinesEncoder,
  type KeyedBroadcastContext,
  KeyedBroadcastProcessFunction,
  KeyedCoProcessFunction,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type KeyedReadOnlyBroadcastContext,
  ListStateDescriptor,
  MapStateDescriptor,
  type OnTimerContext,
  OutputTag,
  type ProcessContext,
  ProcessFunction,
  ReducingStateDescriptor,
  type RuntimeContext,
  SlidingEventTimeWindows,
  TumblingEventTimeWindows,
  WatermarkStrategy,
} from 'millstream';
import { heldSource } from './held-source.js';

interface Event {
  readonly id: number;
  readonly key: string;
  readonly time: number;
  readonly value: number;
}

export interface Line {
  readonly branch: string;
  readonly [field: string]: string | number;
}

const ODD = new OutputTag<Event>('odd');
const FAILED = new OutputTag<{ value: Event; error: string }>('failed');
const FACTORS = new MapStateDescriptor<number, number>('factors');

class SplitOdd extends ProcessFunction<Event, Event> {
  override processElement(event: Event, context: ProcessContext, out: Collector<Event>): void {
    if (event.value % 2 === 1) context.output(ODD, event);
    else out.collect(event);
  }
}

/** All kinds of keyed state, and a timer that reports once per key and 1,000 ms of event time. */
class AllStates extends KeyedProcessFunction<string, Event, Line> {
  private context!: RuntimeContext;

  override open(context: RuntimeContext): void {
    this.context = context;
  }

  private states() {
    return {
      ids: this.context.getListState(new ListStateDescriptor<number>('ids')),
      perBucket: this.context.getMapState(new MapStateDescriptor<number, number>('per-bucket')),
      sum: this.context.getReducingState(new ReducingStateDescriptor<number>('sum', (a, b) => a + b)),
      largest: this.context.getAggregatingState(
        new AggregatingStateDescriptor<number, { max: number }, number>('largest', {
          createAccumulator: () => ({ max: 0 }),
          add: (value, accumulator) => ({ max: Math.max(value, accumulator.max) }),
          getResult: ({ max }) => max,
        }),
      ),
    };
  }

  override processElement(event: Event, context: KeyedProcessContext<string>): void {
    const { ids, perBucket, sum, largest } = this.states();
    const bucket = Math.floor(event.time / 1000);
    if (event.value % 7 === 0) ids.add(event.id);
    perBucket.put(bucket, (perBucket.get(bucket) ?? 0) + 1);
    sum.add(event.value);
    largest.add(event.value);
    context.timerService().registerEventTimeTimer((bucket + 1) * 1000 - 1);
  }

  override onTimer(timestamp: number, context: OnTimerContext<string>, out: Collector<Line>): void {
    const { perBucket } = this.states();
    const bucket = Math.floor(timestamp / 1000);
    out.collect({ branch: 'states', key: context.getCurrentKey(), bucket, count: perBucket.get(bucket) ?? 0 });
    perBucket.remove(bucket);
  }
}

class Label extends CoMapFunction<Event, number, Line> {
  override map1(event: Event): Line {
    return { branch: 'co-map', left: event.id };
  }
  override map2(value: number): Line {
    return { branch: 'co-map', right: value };
  }
}

/** Counts both sides of a key; the last line of a key has both totals, so each total is a line once. */
class CountBoth extends KeyedCoProcessFunction<string, Event, Event, Line> {
  private context!: RuntimeContext;

  override open(context: RuntimeContext): void {
    this.context = context;
  }

  private count(side: string, key: string, out: Collector<Line>): void {
    const counts = this.context.getMapState(new MapStateDescriptor<string, number>('counts'));
    const next = (counts.get(side) ?? 0) + 1;
    counts.put(side, next);
    out.collect({ branch: 'co-process', key, side, count: next });
  }

  override processElement1(event: Event, _context: unknown, out: Collector<Line>): void {
    this.count('even', event.key, out);
  }

  override processElement2(event: Event, _context: unknown, out: Collector<Line>): void {
    this.count('odd', event.key, out);
  }
}

/** The factors come before the events that need them by waiting for them in state. */
class Scale extends KeyedBroadcastProcessFunction<string, Event, number, Line> {
  private readonly waiting = new ListStateDescriptor<Event>('waiting');
  private context!: RuntimeContext;

  override open(context: RuntimeContext): void {
    this.context = context;
  }

  override processElement(event: Event, context: KeyedReadOnlyBroadcastContext<string>, out: Collector<Line>): void {
    const factor = context.getBroadcastState(FACTORS).get(event.id % 3);
    if (factor === undefined) this.context.getListState(this.waiting).add(event);
    else out.collect({ branch: 'broadcast', id: event.id, scaled: event.value * factor });
  }

  override processBroadcastElement(value: number, context: KeyedBroadcastContext<string>, out: Collector<Line>): void {
    const factors = context.getBroadcastState(FACTORS);
    factors.put(value % 3, value);
    if ([0, 1, 2].some((residue) => factors.get(residue) === undefined)) return;
    context.applyToKeyedState(this.waiting, (_key, state) => {
      for (const event of state.get())
        out.collect({ branch: 'broadcast', id: event.id, scaled: event.value * (factors.get(event.id % 3) as number) });
      state.clear();
    });
  }
}

const job: JobDefinition = defineJob(
  (env, params) => {
    const records = Number(params.records ?? 20_000);
    const results = params.results ?? 'results/every-operator';
    const generate = (index: number): Event => ({
      id: index,
      key: `key-${(index * 31) % 17}`,
      time: index * 2 - ((index * 13) % 5) * 10 + 100,
      value: (index * 7919) % 1000,
    });
    const strategy = WatermarkStrategy.forBoundedOutOfOrderness<Event>(100).withTimestampAssigner((event) => event.time);
    const source = heldSource(new DataGeneratorSource<Event>(generate, records), records / 2, params.until);
    const events = env.fromSource(source, strategy, 'events').uid('events');
    const factors = env.fromElements(3, 4, 5).uid('factors');

    const even = events.process(() => new SplitOdd()).uid('split');
    const odd = even.getSideOutput(ODD);

    const lines = [
      even
        .rebalance()
        .map((event): Line => ({ branch: 'rebalance', id: event.id }))
        .shuffle()
        .filter((line) => Number(line.id) % 3 === 0)
        .rescale()
        .flatMap<Line>((line, out) => {
          out.collect(line);
          if (Number(line.id) % 2 === 0) out.collect({ branch: 'flat-map', id: line.id as number });
        }),
      odd
        .partitionCustom(
          (event) => event.id,
          (id, subtasks) => id % subtasks,
        )
        .map((event): Line => ({ branch: 'odd', id: event.id })),
      even
        .union(odd)
        .keyBy('key')
        .process(() => new AllStates())
        .uid('all-states'),
      even
        .connect(factors.broadcast())
        .map(() => new Label())
        .filter((line) => 'left' in line),
      even
        .connect(odd)
        .keyBy('key', 'key')
        .process(() => new CountBoth())
        .uid('count-both'),
      odd
        .keyBy('key')
        .connect(factors.broadcast(FACTORS))
        .process(() => new Scale())
        .uid('scale'),
      events
        .keyBy('key')
        .window(SlidingEventTimeWindows.of(3000, 1000))
        .reduce((a, b) => ({ id: a.id, key: a.key, time: a.time, value: a.value + b.value }))
        .uid('sliding')
        .map((event): Line => ({ branch: 'sliding', key: event.key, value: event.value })),
      events
        .filter((event) => event.id % 100 < 20)
        .keyBy('key')
        .window(EventTimeSessionWindows.withGap(100))
        .aggregate({
          createAccumulator: () => ({ count: 0, key: '' }),
          add: (event, accumulator) => ({ count: accumulator.count + 1, key: event.key }),
          getResult: (accumulator) => accumulator,
          merge: (a, b) => ({ count: a.count + b.count, key: a.key }),
        })
        .uid('sessions')
        .map(({ key, count }): Line => ({ branch: 'session', key, count })),
      events
        .keyBy((event) => event.id % 10)
        .countWindow(7)
        .aggregate({ createAccumulator: () => 0, add: (_, count: number) => count + 1, getResult: (count) => count })
        .uid('count-windows')
        .map((count): Line => ({ branch: 'count-window', count })),
      events
        .keyBy((event) => [event.id % 5, event.id % 2 === 0])
        .window(GlobalWindows.create())
        .trigger(CountTrigger.of(50))
        .reduce((a) => a)
        .uid('global-windows')
        .map((): Line => ({ branch: 'global' })),
      even
        .join(odd)
        .where((event) => event.key)
        .equalTo((event) => event.key)
        .window(TumblingEventTimeWindows.of(200))
        .apply((left, right): Line => ({ branch: 'join', left: left.id, right: right.id }))
        .uid('join'),
      even
        .coGroup(odd)
        .where((event) => event.key)
        .equalTo((event) => event.key)
        .window(TumblingEventTimeWindows.of(500))
        .apply((left: readonly Event[], right: readonly Event[], out: Collector<Line>) => {
          out.collect({ branch: 'co-group', left: left.length, right: right.length });
        })
        .uid('co-group'),
      events.mapAsync(async (event): Promise<Line> => ({ branch: 'async', id: event.id }), { capacity: 16, ordered: false }).uid('async'),
      events
        .mapAsync(async (event): Promise<Line> => ({ branch: 'async-ordered', id: event.id }), { capacity: 5, timeoutMs: 60_000 })
        .uid('async-ordered'),
      events
        .keyBy('key')
        .reduce((a, b) => ({ ...b, value: a.value + b.value }))
        .uid('running-reduce')
        .keyBy('key')
        .max('id')
        .uid('running-max')
        .global()
        // Which record of a key is last depends on timing; that there is one result per record does not.
        .map((event): Line => ({ branch: 'running', key: event.key })),
    ];
    const parsed = events
      .map((event): Line => {
        if (event.id % 97 === 0) throw new Error(`cannot parse ${event.id}`);
        return { branch: 'parsed', id: event.id };
      })
      .onError(FAILED);
    lines.push(
      parsed,
      parsed.getSideOutput(FAILED).map(({ value, error }): Line => ({ branch: 'failed', id: value.id, error })),
    );
    const [first, ...others] = lines as [(typeof lines)[0], ...typeof lines];
    first
      .union(...others)
      .sinkTo(FileSink.forRowFormat(`${results}/lines`, jsonLinesEncoder<Line>()))
      .uid('lines');
  },
  { name: 'every-operator' },
);

export default job;
