/** What the queries of examples/flights put out, as the issue words them. Times are ms since 1970, everything else integers and strings. */

/** (a) Delays per origin and hour. */
export interface DelaysByHour {
  readonly origin: string;
  readonly hour: number;
  readonly flights: number;
  readonly delaySum: number;
  readonly delayMax: number;
  readonly over15: number;
}

/** (b) The ten worst origins of a day. */
export interface WorstOrigin {
  readonly day: number;
  readonly rank: number;
  readonly origin: string;
  readonly city: string;
  readonly state: string;
  readonly delaySum: number;
}

/** (c) An origin with many flights that are delayed by more than an hour, within three hours. */
export interface Disruption {
  readonly origin: string;
  readonly city: string;
  readonly state: string;
  readonly start: number;
  readonly end: number;
  readonly delayed: number;
}

/** (d) Six hours and more without a flight. */
export interface Silence {
  readonly origin: string;
  readonly start: number;
  readonly end: number;
}

/** (e) A late record. */
export interface LateFlight {
  readonly row: number;
  readonly date: number;
  readonly delay: number;
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

/** The rows of each query, by the name of its directory. */
export interface FlightResults {
  readonly 'delays-by-hour': readonly DelaysByHour[];
  readonly 'worst-origins': readonly WorstOrigin[];
  readonly disruptions: readonly Disruption[];
  readonly silences: readonly Silence[];
  readonly late: readonly LateFlight[];
}

/** The queries with their fields; what identifies a row comes first. */
export const RESULT_FIELDS: { readonly [Q in keyof FlightResults]: readonly (keyof FlightResults[Q][number])[] } = {
  'delays-by-hour': ['origin', 'hour', 'flights', 'delaySum', 'delayMax', 'over15'],
  'worst-origins': ['day', 'rank', 'origin', 'city', 'state', 'delaySum'],
  disruptions: ['origin', 'start', 'end', 'city', 'state', 'delayed'],
  silences: ['origin', 'start', 'end'],
  late: ['row', 'date', 'delay', 'distance', 'origin', 'destination'],
};
