/**
 * Adds the origin's city and state to flights, from airports that arrive by broadcast.
 *
 *     flight, airports complete?  yes ─▶ out
 *                                 no  ─▶ state (per origin, by event time) ─▶ timer at its event time ─▶ out
 *
 * The airports' stream has no watermarks before its end, and the watermark of both inputs is the smaller one: so no timer fires before
 * the airports are complete, and each flight that had to wait comes out with its own timestamp, before the watermark passes it.
 */
import {
  type BroadcastContext,
  type BroadcastOnTimerContext,
  type Collector,
  KeyedBroadcastProcessFunction,
  type KeyedReadOnlyBroadcastContext,
  type MapState,
  MapStateDescriptor,
  type RuntimeContext,
} from 'millstream';
import { type Airport, END_OF_AIRPORTS } from './airports.js';
import type { Flight } from './flight.js';

/** A flight with where it started. */
export interface EnrichedFlight extends Flight {
  readonly city: string;
  readonly state: string;
}

/** Airports by code; {@link END_OF_AIRPORTS} is among them once they are complete. */
export const AIRPORTS: MapStateDescriptor<string, Airport> = new MapStateDescriptor<string, Airport>('airports');

const WAITING = new MapStateDescriptor<number, Flight[]>('waiting');

export class Enrichment extends KeyedBroadcastProcessFunction<string, Flight, Airport, EnrichedFlight> {
  /** Flights that wait for the airports, by event time. */
  private waiting!: MapState<number, Flight[]>;

  override open(context: RuntimeContext): void {
    this.waiting = context.getMapState(WAITING);
  }

  processElement(flight: Flight, context: KeyedReadOnlyBroadcastContext<string>, out: Collector<EnrichedFlight>): void {
    const airports = context.getBroadcastState(AIRPORTS);
    if (airports.contains(END_OF_AIRPORTS.iata)) {
      out.collect(enriched(flight, airports.get(flight.origin)));
      return;
    }
    this.waiting.put(flight.date, [...(this.waiting.get(flight.date) ?? []), flight]);
    context.timerService().registerEventTimeTimer(flight.date);
  }

  processBroadcastElement(airport: Airport, context: BroadcastContext): void {
    context.getBroadcastState(AIRPORTS).put(airport.iata, airport);
  }

  override onTimer(date: number, context: BroadcastOnTimerContext<string>, out: Collector<EnrichedFlight>): void {
    const airport = context.getBroadcastState(AIRPORTS).get(context.getCurrentKey());
    for (const flight of this.waiting.get(date) ?? []) out.collect(enriched(flight, airport));
    this.waiting.remove(date);
  }
}

/** An airport that is not in the file has an empty city and state. */
function enriched(flight: Flight, airport: Airport = END_OF_AIRPORTS): EnrichedFlight {
  const { row, date, delay, distance, origin, destination } = flight;
  return { row, date, delay, distance, origin, destination, city: airport.city, state: airport.state };
}
