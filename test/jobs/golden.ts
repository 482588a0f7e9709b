/**
 * The job of the golden checkpoints (test/compatibility): state of every kind, and no result before the input has ended, so that all of them
 * depend on what a checkpoint held. Its operators and states must stay as they are; a change needs another job beside this one.
 *
 * Parameters: records, rate (per second, 0: unlimited), results (directory), until (a file that the last half of the records waits for).
 */
import {
  AggregatingStateDescriptor,
  type BroadcastContext,
  BroadcastProcessFunction,
  type Collector,
  DataGeneratorSource,
  type DataStream,
  defineJob,
  EventTimeSessionWindows,
  FileSink,
  type JobDefinition,
  jsonLinesEncoder,
  type KeyedProcessContext,
  KeyedProcessFunction,
  ListStateDescriptor,
  MapStateDescriptor,
  type OnTimerContext,
  type ReadOnlyBroadcastContext,
  ReducingStateDescriptor,
  type RuntimeContext,
  schema,
  TumblingEventTimeWindows,
  ValueStateDescriptor,
  WatermarkStrategy,
} from 'millstream';
import { heldSource } from './held-source.js';

export const KEYS = 20;
export const RULES = 400;
/** Later than every event. */
const FAR_MS = 1_000_000_000;
/** The last events, which ask for rules. */
export const ASKING = 50;

export interface Event {
  readonly index: number;
  readonly key: string;
  readonly time: number;
}

export interface GoldenLine {
  readonly branch: string;
  readonly [field: string]: unknown;
}

export function eventOf(index: number): Event {
  return { index, key: `key ${index % KEYS}`, time: index * 10 };
}

export function ruleOf(id: number): string {
  return `rule ${id}: ${'-'.repeat(60)}`;
}

/** All kinds of keyed state; they are told when the timer of the end fires. */
class AllKinds extends KeyedProcessFunction<string, Event, GoldenLine> {
  private context!: RuntimeContext;

  override open(context: RuntimeContext): void {
    this.context = context;
  }

  private states() {
    const { context } = this;
    return {
      totals: context.getState(new ValueStateDescriptor('totals', { schema: schema({ count: 'int32', sum: 'float64' }) })),
      highest: context.getState(new ValueStateDescriptor<Event>('highest')),
      sevenths: context.getListState(new ListStateDescriptor<number>('sevenths')),
      residues: context.getMapState(new MapStateDescriptor<string, number>('residues')),
      smallest: context.getReducingState(new ReducingStateDescriptor<number>('smallest', (a, b) => Math.min(a, b))),
      mean: context.getAggregatingState(
        new AggregatingStateDescriptor<number, { sum: number; count: number }, number>('mean', {
          createAccumulator: () => ({ sum: 0, count: 0 }),
          add: (value, { sum, count }) => ({ sum: sum + value, count: count + 1 }),
          getResult: ({ sum, count }) => sum / count,
        }),
      ),
    };
  }

  override processElement(event: Event, context: KeyedProcessContext<string>): void {
    const { totals, highest, sevenths, residues, smallest, mean } = this.states();
    const { count, sum } = totals.value() ?? { count: 0, sum: 0 };
    totals.update({ count: count + 1, sum: sum + event.index });
    if (event.index > (highest.value()?.index ?? -1)) highest.update(event);
    if (event.index % 7 === 0) sevenths.add(event.index);
    const residue = `${event.index % 3}`;
    residues.put(residue, (residues.get(residue) ?? 0) + 1);
    smallest.add(event.index);
    mean.add(event.index);
    context.timerService().registerEventTimeTimer(FAR_MS);
  }

  override onTimer(_timestamp: number, context: OnTimerContext<string>, out: Collector<GoldenLine>): void {
    const { totals, highest, sevenths, residues, smallest, mean } = this.states();
    out.collect({
      branch: 'states',
      key: context.getCurrentKey(),
      totals: totals.value(),
      highest: highest.value(),
      sevenths: [...sevenths.get()].sort((a, b) => a - b),
      residues: [...residues.entries()].sort(),
      smallest: smallest.get(),
      mean: mean.get(),
    });
  }
}

const RULE_STATE = new MapStateDescriptor<number, string>('rules');

class Ask extends BroadcastProcessFunction<Event, number, GoldenLine> {
  private readonly from: number;

  constructor(from: number) {
    super();
    this.from = from;
  }

  override processElement({ index }: Event, context: ReadOnlyBroadcastContext, out: Collector<GoldenLine>): void {
    if (index >= this.from) out.collect({ branch: 'rules', index, rule: context.getBroadcastState(RULE_STATE).get(index % RULES) });
  }

  override processBroadcastElement(id: number, context: BroadcastContext): void {
    context.getBroadcastState(RULE_STATE).put(id, ruleOf(id));
  }
}

function windowed(events: DataStream<Event>): DataStream<GoldenLine>[] {
  return [
    events
      .keyBy('key')
      .window(TumblingEventTimeWindows.of(FAR_MS))
      .aggregate({
        createAccumulator: () => ({ count: 0 }),
        add: (_, { count }) => ({ count: count + 1 }),
        getResult: ({ count }) => ({ count }),
      })
      .uid('tumbling')
      .map(({ count }): GoldenLine => ({ branch: 'tumbling', count })),
    events
      .keyBy('key')
      .window(EventTimeSessionWindows.withGap(1000))
      .reduce((a, b) => (a.index < b.index ? a : b))
      .uid('session')
      .map(({ index }): GoldenLine => ({ branch: 'session', first: index })),
  ];
}

const job: JobDefinition = defineJob(
  (env, { records = '3000', rate = '0', results = 'results', until }) => {
    const count = Number(records);
    const source = new DataGeneratorSource(eventOf, count, Number(rate) > 0 ? { recordsPerSecond: Number(rate) } : {});
    const strategy = WatermarkStrategy.forBoundedOutOfOrderness<Event>(100).withTimestampAssigner((event) => event.time);
    const events = env
      .fromSource(heldSource(source, count / 2, until), strategy, 'events')
      .uid('events')
      .mapAsync(async (event) => await Promise.resolve(event))
      .uid('async');
    const rules = env
      .fromSource(new DataGeneratorSource((id) => id, RULES), WatermarkStrategy.noWatermarks<number>(), 'rules')
      .uid('rules');
    const lines = [
      events
        .keyBy('key')
        .process(() => new AllKinds())
        .uid('states'),
      events
        .connect(rules.broadcast(RULE_STATE))
        .process(() => new Ask(count - ASKING))
        .uid('ask'),
      ...windowed(events),
    ];
    const [first, ...others] = lines as [DataStream<GoldenLine>, ...DataStream<GoldenLine>[]];
    first
      .union(...others)
      .sinkTo(FileSink.forRowFormat(results, jsonLinesEncoder<GoldenLine>()))
      .uid('files');
  },
  { name: 'golden' },
);

export default job;
