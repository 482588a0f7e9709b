/**
 * Instances of a registered class everywhere: in records between slots, in all kinds of keyed state, in windows, in broadcast state, in
 * calls that are in flight. What comes out can be told from the input alone, whatever the parallelism.
 *
 * Parameters: records, results (directory), register ('no': the class is not registered), until (a file that records wait for, all but a
 * quarter in each attempt).
 */
import { setImmediate as immediate } from 'node:timers/promises';
import {
  type BroadcastContext,
  type BroadcastOnTimerContext,
  type Collector,
  DataGeneratorSource,
  defineJob,
  FileSink,
  type JobDefinition,
  jsonLinesEncoder,
  KeyedBroadcastProcessFunction,
  type KeyedReadOnlyBroadcastContext,
  type ListState,
  ListStateDescriptor,
  type MapState,
  MapStateDescriptor,
  type ReducingState,
  ReducingStateDescriptor,
  type RuntimeContext,
  TumblingEventTimeWindows,
  type ValueState,
  ValueStateDescriptor,
  WatermarkStrategy,
} from 'millstream';
import { heldSource } from './held-source.js';

/** What it holds no copy of fields gets hold of: only its codec knows it. */
export class Money {
  readonly #cents: number;

  constructor(cents: number) {
    this.#cents = cents;
  }

  get cents(): number {
    return this.#cents;
  }

  plus(other: Money): Money {
    return new Money(this.#cents + other.cents);
  }
}

export interface Payment {
  readonly key: number;
  readonly at: number;
  readonly money: Money;
}

/** A line of the results; sums of cents. */
export type Line = { readonly what: string; readonly key: number } & Readonly<Record<string, number | string>>;

const FEES = new MapStateDescriptor<number, Money>('fees');
/** The payments that state keeps for each key. */
export const KEPT = 5;

/** Keeps money in every kind of state and says at the end what it has. */
class Accounts extends KeyedBroadcastProcessFunction<number, Payment, Money, Line> {
  private total!: ValueState<{ money: Money; count: number }>;
  private smallest!: ListState<Money>;
  private byParity!: MapState<number, Money>;
  private sum!: ReducingState<Money>;

  override open(context: RuntimeContext): void {
    this.total = context.getState(new ValueStateDescriptor('total'));
    this.smallest = context.getListState(new ListStateDescriptor('smallest'));
    this.byParity = context.getMapState(new MapStateDescriptor('by-parity'));
    this.sum = context.getReducingState(new ReducingStateDescriptor<Money>('sum', (left, right) => left.plus(right)));
  }

  override processElement({ money }: Payment, ctx: KeyedReadOnlyBroadcastContext<number>): void {
    const total = this.total.value();
    this.total.update({ money: total?.money.plus(money) ?? money, count: (total?.count ?? 0) + 1 });
    this.smallest.update([...this.smallest.get(), money].sort((left, right) => left.cents - right.cents).slice(0, KEPT));
    const parity = money.cents % 2;
    this.byParity.put(parity, this.byParity.get(parity)?.plus(money) ?? money);
    this.sum.add(money);
    ctx.timerService().registerEventTimeTimer(Number.POSITIVE_INFINITY);
  }

  override processBroadcastElement(fee: Money, ctx: BroadcastContext): void {
    ctx.getBroadcastState(FEES).put(fee.cents, fee);
  }

  override onTimer(_time: number, ctx: BroadcastOnTimerContext<number>, out: Collector<Line>): void {
    const total = this.total.value();
    out.collect({
      what: 'account',
      key: ctx.getCurrentKey(),
      count: total?.count ?? 0,
      total: total?.money.cents ?? 0,
      sum: this.sum.get()?.cents ?? 0,
      smallest: this.smallest
        .get()
        .map((money) => money.cents)
        .join(),
      even: this.byParity.get(0)?.cents ?? 0,
      odd: this.byParity.get(1)?.cents ?? 0,
      fees: [...ctx.getBroadcastState(FEES).entries()].reduce((sum, [, fee]) => sum + fee.cents, 0),
    });
  }
}

export const payment = (index: number): Payment => ({ key: index % 50, at: index * 10, money: new Money((index * 7919) % 10_007) });
export const FEE_COUNT = 10;

const job: JobDefinition = defineJob(
  (env, params) => {
    if (params.register !== 'no') {
      env.registerClass('Money', Money, { encode: (money) => money.cents, decode: (cents) => new Money(cents) });
    }
    const records = Number(params.records ?? 1000);
    const source = heldSource(new DataGeneratorSource(payment, records), records / 4, params.until);
    const watermarks = WatermarkStrategy.forMonotonousTimestamps<Payment>().withTimestampAssigner((each) => each.at);
    const payments = env.fromSource(source, watermarks, 'payments').uid('payments').rebalance();
    const fees = env.fromElements(...Array.from({ length: FEE_COUNT }, (_, index) => new Money(index)));
    const accounts = payments
      .keyBy('key')
      .connect(fees.broadcast(FEES))
      .process(() => new Accounts())
      .uid('accounts');
    const windows = payments
      .keyBy('key')
      .window(TumblingEventTimeWindows.of(5_000))
      .reduce((left, { key, at, money }) => ({ key, at, money: left.money.plus(money) }))
      .uid('windows')
      .map((each): Line => ({ what: 'window', key: each.key, window: Math.floor(each.at / 5_000), cents: each.money.cents }));
    const answers = payments
      .mapAsync(
        async (each) => {
          await immediate();
          return each.money.plus(new Money(1));
        },
        { ordered: false, capacity: 200 },
      )
      .uid('answers')
      .rebalance()
      .map((money): Line => ({ what: 'answer', key: money.cents }));
    accounts
      .union(windows, answers)
      .sinkTo(FileSink.forRowFormat(params.results ?? 'results', jsonLinesEncoder<Line>()))
      .uid('files');
  },
  { name: 'registered-classes' },
);

export default job;
