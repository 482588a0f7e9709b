/** The jobs, as a user would write them; ../flink/…/Workloads.java has the same ones for Flink. */
import {
  type AggregateFunction,
  type Collector,
  DataGeneratorSource,
  type DataStream,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type ProcessWindowContext,
  ProcessWindowFunction,
  type RuntimeContext,
  type StreamExecutionEnvironment,
  schema,
  type TimeWindow,
  TumblingEventTimeWindows,
  type ValueState,
  ValueStateDescriptor,
  WatermarkStrategy,
} from 'millstream';
import { CountSink } from './count-sink.js';
import { type Auction, auction, type Bid, bid, eventOfBid, kind, MAX_JITTER_MS, type Person, person } from './generator.js';
import { LineSink } from './line-sink.js';
import { ProbedSource } from './probed-source.js';
import {
  type AuctionWindow,
  type AuctionWithBid,
  auctionWindowLine,
  auctionWithBidLine,
  type EuroBid,
  hashAuctionWindow,
  hashAuctionWithBid,
  hashBid,
  hashEuroBid,
  hashRunningCount,
  type RunningCount,
} from './results.js';
import type { WorkloadParameters } from './workload-parameters.js';

const WINDOW_MS = 10_000;

/** Adds the job to the environment. */
export function buildWorkload(env: StreamExecutionEnvironment, parameters: WorkloadParameters): void {
  switch (parameters.workload) {
    case 'w1':
      filter(env, parameters);
      break;
    case 'w2':
      map(env, parameters);
      break;
    case 'w3':
      count(bids(env, parameters), parameters, false);
      break;
    case 'w3lat':
      count(pacedBids(env, parameters), parameters, true);
      break;
    case 'w4':
      window(env, parameters);
      break;
    case 'w5':
      join(env, parameters);
      break;
  }
}

const generateBid = (index: number): Bid => bid(eventOfBid(index));

function bids(
  env: StreamExecutionEnvironment,
  { records, directory }: WorkloadParameters,
  watermarks = WatermarkStrategy.noWatermarks<Bid>(),
): DataStream<Bid> {
  const source = new ProbedSource(new DataGeneratorSource(generateBid, records), records, directory);
  return env.fromSource(source, watermarks, 'bids').uid('bids');
}

/** Record i of a subtask that starts with record f is due (i - f) / rate after the subtask's start; `dateTime` is that moment. */
function pacedBids(env: StreamExecutionEnvironment, { records, rate, directory }: WorkloadParameters): DataStream<Bid> {
  const msPerRecord = 1000 / rate;
  let startMs = Number.NaN;
  let first = -1;
  const generate = (index: number): Bid => {
    if (first < 0) first = index;
    const record = generateBid(index);
    record.dateTime = startMs + (index - first) * msPerRecord;
    return record;
  };
  const source = new DataGeneratorSource(generate, records, { recordsPerSecond: rate });
  const probed = new ProbedSource(source, records, directory, (atMs) => {
    startMs = atMs;
  });
  return env.fromSource(probed, WatermarkStrategy.noWatermarks(), 'bids').uid('bids');
}

function filter(env: StreamExecutionEnvironment, parameters: WorkloadParameters): void {
  bids(env, parameters)
    .filter((b) => b.auction % 123 === 0)
    .sinkTo(new CountSink(hashBid, parameters))
    .uid('sink');
}

function toEuro(b: Readonly<Bid>): EuroBid {
  const { auction, bidder, price, channel, url, dateTime, extra } = b;
  return { auction, bidder, priceEuro: price * 0.908, channel, url, dateTime, extra };
}

function map(env: StreamExecutionEnvironment, parameters: WorkloadParameters): void {
  bids(env, parameters).map(toEuro).sinkTo(new CountSink(hashEuroBid, parameters)).uid('sink');
}

interface Running {
  count: number;
  sum: number;
}

class RunningFunction extends KeyedProcessFunction<number, Bid, RunningCount> {
  private readonly carryTime: boolean;
  private running!: ValueState<Running>;

  constructor(carryTime: boolean) {
    super();
    this.carryTime = carryTime;
  }

  override open(context: RuntimeContext): void {
    this.running = context.getState(new ValueStateDescriptor('running', { schema: schema({ count: 'float64', sum: 'float64' }) }));
  }

  override processElement(b: Readonly<Bid>, _context: KeyedProcessContext<number>, out: Collector<RunningCount>): void {
    const running = this.running.value() ?? { count: 0, sum: 0 };
    running.count++;
    running.sum += b.price;
    this.running.update(running);
    out.collect({ auction: b.auction, count: running.count, stamp: this.carryTime ? b.dateTime : running.sum });
  }
}

function count(stream: DataStream<Bid>, { directory }: WorkloadParameters, latency: boolean): void {
  const due = latency ? (running: RunningCount): number => running.stamp : undefined;
  stream
    .keyBy((b) => b.auction)
    .process(new RunningFunction(latency))
    .uid('running')
    .sinkTo(new CountSink(hashRunningCount, { directory, due }))
    .uid('sink');
}

interface CountAndMax {
  count: number;
  max: number;
}

const countAndMax: AggregateFunction<Bid, CountAndMax, CountAndMax> = {
  accumulatorSchema: schema({ count: 'float64', max: 'float64' }),
  createAccumulator: () => ({ count: 0, max: Number.NEGATIVE_INFINITY }),
  add(b, accumulator) {
    accumulator.count++;
    if (b.price > accumulator.max) accumulator.max = b.price;
    return accumulator;
  },
  getResult: (accumulator) => accumulator,
};

class WithKeyAndWindow extends ProcessWindowFunction<CountAndMax, AuctionWindow, number, TimeWindow> {
  override process(
    key: number,
    context: ProcessWindowContext<TimeWindow>,
    results: Iterable<CountAndMax>,
    out: Collector<AuctionWindow>,
  ): void {
    for (const { count, max } of results) out.collect({ auction: key, windowStart: context.window().start, count, max });
  }
}

function window(env: StreamExecutionEnvironment, parameters: WorkloadParameters): void {
  const watermarks = WatermarkStrategy.forBoundedOutOfOrderness<Bid>(MAX_JITTER_MS).withTimestampAssigner((b) => b.dateTime);
  const results = bids(env, parameters, watermarks)
    .keyBy((b) => b.auction)
    .window(TumblingEventTimeWindows.of(WINDOW_MS))
    .aggregate(countAndMax, new WithKeyAndWindow())
    .uid('window');
  if (parameters.dump) results.map(auctionWindowLine).sinkTo(new LineSink(parameters.directory)).uid('sink');
  else results.sinkTo(new CountSink(hashAuctionWindow, parameters)).uid('sink');
}

/** One event of the mixed stream; just the field of its kind is set. */
interface MarketEvent {
  kind: 0 | 1 | 2;
  dateTime: number;
  person: Person | undefined;
  auction: Auction | undefined;
  bid: Bid | undefined;
}

function generateEvent(event: number): MarketEvent {
  const of = kind(event);
  if (of === 2) {
    const found = bid(event);
    return { kind: of, dateTime: found.dateTime, person: undefined, auction: undefined, bid: found };
  }
  if (of === 1) {
    const found = auction(event);
    return { kind: of, dateTime: found.dateTime, person: undefined, auction: found, bid: undefined };
  }
  const found = person(event);
  return { kind: of, dateTime: found.dateTime, person: found, auction: undefined, bid: undefined };
}

function joinRecords(a: Readonly<Auction>, b: Readonly<Bid>): AuctionWithBid {
  return { auction: a.id, seller: a.seller, category: a.category, bidder: b.bidder, price: b.price, dateTime: b.dateTime };
}

function join(env: StreamExecutionEnvironment, parameters: WorkloadParameters): void {
  const { records, directory } = parameters;
  const watermarks = WatermarkStrategy.forBoundedOutOfOrderness<MarketEvent>(MAX_JITTER_MS).withTimestampAssigner((e) => e.dateTime);
  const source = new ProbedSource(new DataGeneratorSource(generateEvent, records), records, directory);
  const events = env.fromSource(source, watermarks, 'events').uid('events');
  const auctions = events.filter((e) => e.kind === 1).map((e) => e.auction!);
  const bidsOfEvents = events.filter((e) => e.kind === 2).map((e) => e.bid!);
  const results = auctions
    .join(bidsOfEvents)
    .where((a) => a.id)
    .equalTo((b) => b.auction)
    .window(TumblingEventTimeWindows.of(WINDOW_MS))
    .apply(joinRecords)
    .uid('join');
  if (parameters.dump) results.map(auctionWithBidLine).sinkTo(new LineSink(directory)).uid('sink');
  else results.sinkTo(new CountSink(hashAuctionWithBid, parameters)).uid('sink');
}
