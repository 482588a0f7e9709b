/** (c) Disruptions: origins with at least 20 flights delayed by more than an hour within three hours, every 30 minutes. */
import { type AggregateFunction, type Collector, type ProcessWindowContext, ProcessWindowFunction, type TimeWindow } from 'millstream';
import type { EnrichedFlight } from './enrichment.js';

export interface Disruption {
  readonly origin: string;
  readonly city: string;
  readonly state: string;
  readonly start: number;
  readonly end: number;
  /** Flights delayed by more than an hour. */
  readonly delayed: number;
}

type Delayed = Pick<Disruption, 'city' | 'state' | 'delayed'>;

const DELAYED_FLIGHTS = 20;

export const countDelayed: AggregateFunction<EnrichedFlight, Delayed, Delayed> = {
  createAccumulator: () => ({ city: '', state: '', delayed: 0 }),
  add: ({ city, state }, { delayed }) => ({ city, state, delayed: delayed + 1 }),
  getResult: (count) => count,
};

export class ReportDisruption extends ProcessWindowFunction<Delayed, Disruption, string> {
  process(origin: string, context: ProcessWindowContext<TimeWindow>, [count]: readonly Delayed[], out: Collector<Disruption>): void {
    const { city, state, delayed } = count as Delayed;
    const { start, end } = context.window();
    if (delayed >= DELAYED_FLIGHTS) out.collect({ origin, city, state, start, end, delayed });
  }
}
