/**
 * Type tests of the fluent API: the compiler checks this file with the rest of the sources, nothing runs. What must compile stands
 * plain, with the types that are inferred; what must not has `@ts-expect-error` above. compile-error.test.ts checks the sentences.
 */
import type { Key } from '../common/key.js';
import {
  type AggregateFunction,
  type BroadcastContext,
  BroadcastProcessFunction,
  type Collector,
  CoMapFunction,
  CountTrigger,
  type DataStream,
  EventTimeSessionWindows,
  type FailedRecord,
  type KeyedBroadcastContext,
  KeyedBroadcastProcessFunction,
  KeyedCoProcessFunction,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type KeyedReadOnlyBroadcastContext,
  type KeyedStream,
  MapStateDescriptor,
  OutputTag,
  type ProcessWindowContext,
  ProcessWindowFunction,
  PurgingTrigger,
  type ReadOnlyBroadcastContext,
  type StreamExecutionEnvironment,
  schema,
  type TimeWindow,
  TumblingEventTimeWindows,
  WatermarkStrategy,
} from '../index.js';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type RecordOf<S> = S extends DataStream<infer T> ? T : never;

/** Compiles if the stream's records have exactly type `T`. */
function recordsAre<T>() {
  return <S>(_stream: S, _same: Same<RecordOf<S>, T>): void => {};
}

interface Flight {
  origin: string;
  date: number;
  delay: number;
  tags: string[];
  when: Date;
  carrier?: string;
}

interface Airport {
  iata: string;
  name: string;
}

interface Enriched extends Flight {
  airport: string;
}

const hour = TumblingEventTimeWindows.of(3_600_000);

export function oneStream(flights: DataStream<Flight>): void {
  recordsAre<{ o: string; kind: string }>()(
    flights.map((flight) => ({ o: flight.origin, kind: 'a' })),
    true,
  );
  const literal: DataStream<{ kind: 'a' }> = flights.map(() => ({ kind: 'a' }));
  recordsAre<string>()(
    flights.map((flight) => flight.carrier).filter((carrier) => carrier !== undefined),
    true,
  );
  recordsAre<string>()(
    flights.flatMap((flight) => flight.tags),
    true,
  );
  recordsAre<string>()(
    flights.flatMap<string>((flight, out) => out.collect(flight.origin)),
    true,
  );
  recordsAre<string>()(
    flights.mapAsync(async (flight) => flight.origin, { ordered: false, capacity: 5, retry: { attempts: 3, delayMs: 1 } }),
    true,
  );
  recordsAre<Flight | { kind: 'a' }>()(flights.union(literal), true);
  flights.partitionCustom(
    (flight) => flight.delay,
    (delay, subtasks) => delay % subtasks,
  );
  flights.assignTimestampsAndWatermarks(
    WatermarkStrategy.forBoundedOutOfOrderness<Flight>(5).withTimestampAssigner((flight) => flight.date),
  );
  recordsAre<{ origin: string; delay: number }>()(flights.withSchema(schema({ origin: 'string', delay: 'int32' })), true);
  // @ts-expect-error a schema with a field that records lack
  flights.withSchema(schema({ color: 'string' }));
  // @ts-expect-error records are not changed
  flights.map((flight) => (flight.delay = 5));
  // @ts-expect-error mapAsync needs a promise
  flights.mapAsync((flight) => flight.origin);
}

export function keys(flights: DataStream<Flight>): void {
  const byField: KeyedStream<Flight, string> = flights.keyBy('origin');
  const byTuple: KeyedStream<Flight, readonly [string, number]> = flights.keyBy((flight) => [flight.origin, flight.delay]);
  byField.connect(byField);
  byTuple.countWindow(3);
  // @ts-expect-error a Date is no key
  flights.keyBy('when');
  // @ts-expect-error no such field
  flights.keyBy('orgin');
  // @ts-expect-error sums need numbers
  byField.sum('origin');
}

class Mean implements AggregateFunction<Flight, { count: number; sum: number }, number> {
  createAccumulator() {
    return { count: 0, sum: 0 };
  }
  add(flight: Flight, accumulator: { count: number; sum: number }) {
    return { count: accumulator.count + 1, sum: accumulator.sum + flight.delay };
  }
  getResult(accumulator: { count: number; sum: number }) {
    return accumulator.sum / accumulator.count;
  }
}

class Labelled extends ProcessWindowFunction<number, { origin: string; start: number }, string> {
  process(
    origin: string,
    context: ProcessWindowContext<TimeWindow>,
    _means: readonly number[],
    out: Collector<{ origin: string; start: number }>,
  ) {
    out.collect({ origin, start: context.window().start });
  }
}

class PassOn extends KeyedProcessFunction<string, Flight, Flight> {
  override processElement(flight: Flight, _ctx: KeyedProcessContext<string>, out: Collector<Flight>): void {
    out.collect(flight);
  }
}

export function keyedStreams(flights: DataStream<Flight>): void {
  const byOrigin = flights.keyBy('origin');
  recordsAre<Flight>()(byOrigin.process(new PassOn()), true);
  recordsAre<Flight>()(
    byOrigin.process(() => new PassOn()),
    true,
  );
  recordsAre<Flight>()(
    byOrigin.reduce((left, right) => (left.delay > right.delay ? left : right)),
    true,
  );
  recordsAre<number>()(byOrigin.aggregate(new Mean()), true);
  recordsAre<{ origin: string; start: number }>()(byOrigin.window(hour).aggregate(new Mean(), new Labelled()), true);
  recordsAre<Flight>()(
    byOrigin
      .window(hour)
      .trigger(PurgingTrigger.of(CountTrigger.of(3)))
      .maxBy('delay'),
    true,
  );
  recordsAre<Flight>()(flights.windowAll(hour).sum('delay'), true);
  recordsAre<Flight>()(byOrigin.countWindow(10, 5).min('delay'), true);
  const late = new OutputTag<Flight>('late');
  recordsAre<Flight>()(byOrigin.window(hour).allowedLateness(5).sideOutputLateData(late).sum('delay').getSideOutput(late), true);
  // @ts-expect-error the key is a string, not a number
  flights.keyBy('delay').process(new PassOn());
  // @ts-expect-error late records are flights
  byOrigin.window(hour).sideOutputLateData(new OutputTag<string>('late'));
}

const airportState = new MapStateDescriptor<string, Airport>('airports');

class KeyedEnrich extends KeyedBroadcastProcessFunction<string, Flight, Airport, Enriched> {
  processElement(flight: Flight, ctx: KeyedReadOnlyBroadcastContext<string>, out: Collector<Enriched>): void {
    out.collect({ ...flight, airport: ctx.getBroadcastState(airportState).get(flight.origin)?.name ?? '' });
  }
  processBroadcastElement(airport: Airport, ctx: KeyedBroadcastContext<string>): void {
    ctx.getBroadcastState(airportState).put(airport.iata, airport);
  }
}

class Enrich extends BroadcastProcessFunction<Flight, Airport, Enriched> {
  processElement(flight: Flight, _ctx: ReadOnlyBroadcastContext, out: Collector<Enriched>): void {
    out.collect({ ...flight, airport: '' });
  }
  processBroadcastElement(_airport: Airport, _ctx: BroadcastContext): void {}
}

class Meet extends KeyedCoProcessFunction<string, Flight, Airport, Enriched> {
  processElement1(flight: Flight, _ctx: KeyedProcessContext<string>, out: Collector<Enriched>): void {
    out.collect({ ...flight, airport: '' });
  }
  processElement2(): void {}
}

class Names extends CoMapFunction<Flight, Airport, string> {
  map1(flight: Flight): string {
    return flight.origin;
  }
  map2(airport: Airport): string {
    return airport.iata;
  }
}

export function twoStreams(flights: DataStream<Flight>, airports: DataStream<Airport>): void {
  recordsAre<Enriched>()(flights.keyBy('origin').connect(airports.broadcast(airportState)).process(new KeyedEnrich()), true);
  recordsAre<Enriched>()(flights.connect(airports.broadcast(airportState)).process(new Enrich()), true);
  recordsAre<Enriched>()(flights.keyBy('origin').connect(airports.keyBy('iata')).process(new Meet()), true);
  recordsAre<Enriched>()(flights.connect(airports).keyBy('origin', 'iata').process(new Meet()), true);
  recordsAre<string>()(flights.connect(airports).map(new Names()), true);
  const join = flights
    .join(airports)
    .where((flight) => flight.origin)
    .equalTo((airport) => airport.iata);
  recordsAre<string>()(
    join.window(hour).apply((flight, airport) => `${flight.date} ${airport.name}`),
    true,
  );
  recordsAre<number>()(
    flights
      .coGroup(airports)
      .where((flight) => flight.origin)
      .equalTo((airport) => airport.iata)
      .window(EventTimeSessionWindows.withGap(5))
      .apply<number>((left, right, out) => out.collect(left.length + right.length)),
    true,
  );
  const byOrigin = flights.join(airports).where((flight) => flight.origin);
  // @ts-expect-error keys of different types
  byOrigin.equalTo((airport) => airport.name.length);
}

/** A stream of a subtype is a stream of the supertype; generic code over streams compiles. */
export function variance(flights: DataStream<Flight>): void {
  const origins: DataStream<{ origin: string }> = flights;
  origins.print();
  const keyed: DataStream<{ origin: string }> = flights.keyBy('origin');
  keyed.print();
}

export function withHour<T extends { date: number }>(stream: DataStream<T>): DataStream<T & { hour: number }> {
  return stream.map((value) => ({ ...value, hour: Math.floor(value.date / 3_600_000) }));
}

export function keyedBy<T, K extends Key>(stream: DataStream<T>, key: (value: T) => K): KeyedStream<T, K> {
  return stream.keyBy((value) => key(value));
}

export function options(env: StreamExecutionEnvironment): void {
  env.configure({ 'parallelism.default': 4, 'execution.checkpointing.interval': '10 s', 'restart-strategy.type': 'fixed-delay' });
  // @ts-expect-error no such option
  env.configure({ 'paralelism.default': 3 });
  // @ts-expect-error no such mode
  env.configure({ 'execution.checkpointing.mode': 'ONCE' });
}

export function errors(flights: DataStream<Flight>): void {
  const failed = new OutputTag<FailedRecord<Flight>>('failed');
  const hours = flights.map((flight) => flight.date).onError(failed);
  recordsAre<FailedRecord<Flight>>()(hours.getSideOutput(failed), true);
  hours.onError('skip');
  // @ts-expect-error the side output receives failed records, not the records themselves
  hours.onError(new OutputTag<Flight>('failed'));
  flights
    .mapAsync(async (flight) => flight.delay)
    .onError(failed)
    .getSideOutput(failed)
    .map(({ value, error }) => `${value.origin}: ${error.length}`);
}

class Money {
  readonly cents: number;

  constructor(cents: number) {
    this.cents = cents;
  }
}

export function classes(env: StreamExecutionEnvironment): void {
  env
    .registerClass('Money', Money, { encode: (money) => money.cents, decode: (cents) => new Money(cents) })
    // @ts-expect-error what encode gives is a number, which decode must take
    .registerClass('Money2', Money, { encode: (money) => money.cents, decode: (text: string) => new Money(text.length) });
  // @ts-expect-error decode must give an instance
  env.registerClass('Money3', Money, { encode: (money) => money.cents, decode: (cents) => ({ value: cents }) });
}
