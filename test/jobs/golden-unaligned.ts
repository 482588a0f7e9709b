/**
 * The job of the golden unaligned checkpoints (test/compatibility): its last step before the sink may wait for ever, so that everything before
 * it is full, and a checkpoint holds what is on its way. Its operators and states must stay as they are; a change needs another job
 * beside this one.
 *
 * Parameters: records, results (directory), waits ('true': the last step waits).
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
  type OnTimerContext,
  type RuntimeContext,
  type ValueState,
  ValueStateDescriptor,
  WatermarkStrategy,
} from 'millstream';

export const UNALIGNED_KEYS = 20;
/** Of timers: every key has one in each that it has records in. */
export const PERIOD_MS = 10_000;

/** Fields of every kind of column, one of several types, strings that come again and strings that do not. */
export interface UnalignedEvent {
  readonly index: number;
  readonly key: string;
  readonly time: number;
  readonly place: { readonly city: string; readonly since: Date };
  readonly note: string | number | null;
  readonly even: boolean;
}

export type UnalignedLine =
  | { readonly branch: 'event'; readonly event: UnalignedEvent }
  | { readonly branch: 'count'; readonly key: string; readonly count: number }
  | { readonly branch: 'timer'; readonly key: string; readonly time: number };

const CITIES = ['Årjäng', 'Bergen', 'Cork', 'Donegal'];

export function unalignedEventOf(index: number): UnalignedEvent {
  const notes = [null, index / 2, `note ${index}`];
  return {
    index,
    key: `key ${index % UNALIGNED_KEYS}`,
    time: index * 10,
    place: { city: CITIES[index % 4] as string, since: new Date(index * 1000) },
    note: notes[index % 3] as UnalignedEvent['note'],
    even: index % 2 === 0,
  };
}

/** The end of the period after the one that a time is in. */
export function timerOf(time: number): number {
  return (Math.floor(time / PERIOD_MS) + 2) * PERIOD_MS;
}

class Counting extends KeyedProcessFunction<string, UnalignedEvent, UnalignedLine> {
  private counts!: ValueState<number>;

  override open(context: RuntimeContext): void {
    this.counts = context.getState(new ValueStateDescriptor<number>('counts'));
  }

  override processElement(event: UnalignedEvent, context: KeyedProcessContext<string>, out: Collector<UnalignedLine>): void {
    const count = (this.counts.value() ?? 0) + 1;
    this.counts.update(count);
    context.timerService().registerEventTimeTimer(timerOf(event.time));
    out.collect({ branch: 'count', key: context.getCurrentKey(), count });
    out.collect({ branch: 'event', event });
  }

  override onTimer(time: number, context: OnTimerContext<string>, out: Collector<UnalignedLine>): void {
    out.collect({ branch: 'timer', key: context.getCurrentKey(), time });
  }
}

const job: JobDefinition = defineJob(
  (env, { records = '8000', results = 'results', waits }) => {
    const strategy = WatermarkStrategy.forBoundedOutOfOrderness<UnalignedEvent>(100).withTimestampAssigner((event) => event.time);
    env
      .fromSource(new DataGeneratorSource(unalignedEventOf, Number(records)), strategy, 'events')
      .uid('events')
      .keyBy('key')
      .process(() => new Counting())
      .uid('counting')
      .rebalance()
      .mapAsync(async (line) => (waits === 'true' ? await new Promise<UnalignedLine>(() => undefined) : line), { capacity: 10 })
      .uid('waiting')
      .sinkTo(FileSink.forRowFormat(results, jsonLinesEncoder<UnalignedLine>()))
      .uid('files');
  },
  { name: 'golden-unaligned' },
);

export default job;
