/** (b) The ten origins with the most minutes of delay of each day: sums per origin in keyed windows, then the top ten of each day. */
import { type AggregateFunction, type Collector, type ProcessWindowContext, ProcessWindowFunction, type TimeWindow } from 'millstream';
import type { EnrichedFlight } from './enrichment.js';

export interface DayOfOrigin {
  readonly day: number;
  readonly origin: string;
  readonly city: string;
  readonly state: string;
  /** Minutes. */
  readonly delaySum: number;
}

export interface WorstOrigin extends DayOfOrigin {
  /** From 1. */
  readonly rank: number;
}

export type DelayOfOrigin = Pick<EnrichedFlight, 'origin' | 'city' | 'state' | 'delay'>;

interface DelaySum {
  readonly city: string;
  readonly state: string;
  readonly delaySum: number;
}

/** The sum of delays; its flights are delayed ones. */
export const delaySumOfOrigin: AggregateFunction<DelayOfOrigin, DelaySum, DelaySum> = {
  createAccumulator: () => ({ city: '', state: '', delaySum: 0 }),
  add: ({ city, state, delay }, { delaySum }) => ({ city, state, delaySum: delaySum + delay }),
  getResult: (sum) => sum,
};

export class LabelDay extends ProcessWindowFunction<DelaySum, DayOfOrigin, string> {
  process(origin: string, context: ProcessWindowContext<TimeWindow>, [sum]: readonly DelaySum[], out: Collector<DayOfOrigin>): void {
    const { city, state, delaySum } = sum as DelaySum;
    out.collect({ day: context.window().start, origin, city, state, delaySum });
  }
}

const RANKS = 10;

/** Ties are broken by the origin's code. */
export class WorstOfDay extends ProcessWindowFunction<DayOfOrigin, WorstOrigin, number> {
  process(_day: number, _context: ProcessWindowContext<TimeWindow>, origins: readonly DayOfOrigin[], out: Collector<WorstOrigin>): void {
    const worst = [...origins].sort((left, right) => right.delaySum - left.delaySum || (left.origin < right.origin ? -1 : 1));
    for (const [index, origin] of worst.slice(0, RANKS).entries()) out.collect({ rank: index + 1, ...origin });
  }
}
