/** (a) Delay statistics per origin and hour, and the flights that came too late for them. */
import {
  type AggregateFunction,
  type Collector,
  type ProcessWindowContext,
  ProcessWindowFunction,
  schema,
  type TimeWindow,
} from 'millstream';
import type { EnrichedFlight } from './enrichment.js';

export interface DelayStatistics {
  flights: number;
  /** Minutes. */
  delaySum: number;
  delayMax: number;
  /** Flights with a delay of more than 15 minutes. */
  over15: number;
}

export interface DelaysByHour extends DelayStatistics {
  origin: string;
  hour: number;
}

/** All integers: declared, the accumulators live in typed columns off the heap. */
const STATISTICS = schema({ flights: 'int32', delaySum: 'int32', delayMax: 'int32', over15: 'int32' });

export const delayStatistics: AggregateFunction<EnrichedFlight, DelayStatistics, DelayStatistics> = {
  accumulatorSchema: STATISTICS,
  createAccumulator: () => ({ flights: 0, delaySum: 0, delayMax: -0x8000_0000, over15: 0 }),
  add({ delay }, statistics) {
    statistics.flights++;
    statistics.delaySum += delay;
    if (delay > statistics.delayMax) statistics.delayMax = delay;
    if (delay > 15) statistics.over15++;
    return statistics;
  },
  getResult: (statistics) => statistics,
};

export class LabelHour extends ProcessWindowFunction<DelayStatistics, DelaysByHour, string> {
  process(
    origin: string,
    context: ProcessWindowContext<TimeWindow>,
    [statistics]: readonly DelayStatistics[],
    out: Collector<DelaysByHour>,
  ): void {
    const { flights, delaySum, delayMax, over15 } = statistics as DelayStatistics;
    out.collect({ origin, hour: context.window().start, flights, delaySum, delayMax, over15 });
  }
}
