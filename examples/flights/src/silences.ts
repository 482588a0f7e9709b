/**
 * (d) Silences: six hours and more without a flight, between an origin's first and last. Flights come out of order, so each sets a timer
 * at its own time: timers fire in order, once per time, and two that are six hours apart have nothing in between.
 */
import {
  type Collector,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type OnTimerContext,
  type RuntimeContext,
  schema,
  type ValueState,
  ValueStateDescriptor,
} from 'millstream';
import { type Flight, HOUR_MS } from './flight.js';

export interface Silence {
  readonly origin: string;
  /** The flight before. */
  readonly start: number;
  /** The flight after. */
  readonly end: number;
}

export type Departure = Pick<Flight, 'origin' | 'date'>;

const SILENCE_MS = 6 * HOUR_MS;

const LAST_FLIGHT = new ValueStateDescriptor('last-flight', { schema: schema({ date: 'float64' }) });

export class Silences extends KeyedProcessFunction<string, Departure, Silence> {
  private last!: ValueState<{ date: number }>;

  override open(context: RuntimeContext): void {
    this.last = context.getState(LAST_FLIGHT);
  }

  processElement(flight: Departure, context: KeyedProcessContext<string>): void {
    const time = context.timerService();
    // A late record would end a silence that has been judged already.
    if (flight.date > time.currentWatermark()) time.registerEventTimeTimer(flight.date);
  }

  override onTimer(date: number, context: OnTimerContext<string>, out: Collector<Silence>): void {
    const start = this.last.value()?.date;
    if (start !== undefined && date - start >= SILENCE_MS) out.collect({ origin: context.getCurrentKey(), start, end: date });
    this.last.update({ date });
  }
}
