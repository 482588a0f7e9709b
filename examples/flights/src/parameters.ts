/** The job's parameters. They come as strings, are part of the plan, and the same in every slot. */
import { MillstreamError } from 'millstream';
import { DEFAULT_ORDER } from './flight-order.js';

export interface FlightsParameters {
  /** flights-3m.parquet and airports.csv of vega-datasets. */
  readonly flights: string;
  readonly airports: string;
  /** The directory for results. */
  readonly results: string;
  /** Seed of the order within an hour, and of which records are injected. */
  readonly seed: number;
  /** Just the file's first rows; undefined: all. */
  readonly rows: number | undefined;
  /** Flights a second; undefined: as many as the job takes. */
  readonly rate: number | undefined;
}

const DATA = 'node_modules/vega-datasets/data';

/** Throws INVALID_OPTION for what is no parameter or has no such value. */
export function readParameters(params: Readonly<Record<string, string>>): FlightsParameters {
  const known = ['flights', 'airports', 'results', 'seed', 'rows', 'rate'];
  for (const name of Object.keys(params)) {
    if (!known.includes(name)) {
      throw new MillstreamError('INVALID_OPTION', `Cannot use the parameter "${name}": the flights job has ${known.join(', ')}.`);
    }
  }
  if (params.rate !== undefined && Number(params.rate) === 0) {
    throw new MillstreamError('INVALID_OPTION', 'Cannot use "0" as rate: no flight would ever come. Leave it out for full speed.');
  }
  return {
    flights: params.flights ?? `${DATA}/flights-3m.parquet`,
    airports: params.airports ?? `${DATA}/airports.csv`,
    results: params.results ?? 'results/flights',
    seed: integer('seed', params.seed) ?? DEFAULT_ORDER.seed,
    rows: integer('rows', params.rows),
    rate: integer('rate', params.rate),
  };
}

function integer(name: string, text: string | undefined): number | undefined {
  if (text === undefined || /^\d{1,9}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw new MillstreamError('INVALID_OPTION', `Cannot use "${text}" as ${name}: it must be a whole number below a thousand million.`);
}
