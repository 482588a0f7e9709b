/**
 * The results of examples/flights computed by DuckDB from the same files: an independent program in another language on another
 * engine and another Parquet reader. It shares nothing with the job but the definitions in rows.ts.
 */
import { DuckDBInstance } from '@duckdb/node-api';
import { type FlightResults, RESULT_FIELDS } from './rows.js';

export interface InputFiles {
  readonly flights: string;
  readonly airports: string;
  /** Just the file's first rows. Default: all. */
  readonly rows?: number;
}

const HOUR = 3_600_000;

const QUERIES: { readonly [Q in keyof FlightResults]: string } = {
  'delays-by-hour': `
    select origin, date - date % ${HOUR} as hour, count(*) as flights, sum(delay) as delaySum, max(delay) as delayMax,
      count(*) filter (delay > 15) as over15
    from flights group by all`,
  'worst-origins': `
    with sums as (
      select date - date % ${24 * HOUR} as day, origin, sum(delay) as delaySum from flights where delay > 0 group by all
    ), ranked as (
      select *, row_number() over (partition by day order by delaySum desc, origin) as rank from sums
    )
    select day, rank, origin, city, state, delaySum from ranked join airports on iata = origin where rank <= 10`,
  disruptions: `
    with delayed as (
      select origin, date - date % ${HOUR / 2} - slide * ${HOUR / 2} as start
      from flights, range(6) slides(slide) where delay > 60
    )
    select origin, start, start + ${3 * HOUR} as "end", city, state, count(*) as delayed
    from delayed join airports on iata = origin group by all having count(*) >= 20`,
  silences: `
    with pairs as (
      select origin, date as "end", lag(date) over (partition by origin order by date) as start from flights
    )
    select origin, start, "end" from pairs where "end" - start >= ${6 * HOUR}`,
  late: `
    select -1 - row as row, date - (30 + row % 30) * ${24 * HOUR} as date, delay, distance, origin, destination
    from flights where row % 997 = 1 and date >= epoch_ms(timestamp '2001-03-02 00:00:00')`,
};

/** Runs the queries. */
export async function computeExpected(files: InputFiles): Promise<FlightResults> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const limit = files.rows === undefined ? '' : `where file_row_number < ${files.rows}`;
    await connection.run(`
      create table flights as
      select file_row_number as row, epoch_ms(date) as date, delay, distance, origin, destination
      from read_parquet('${files.flights}', file_row_number = true) ${limit}`);
    await connection.run(`create table airports as select iata, city, state from read_csv('${files.airports}', all_varchar = true)`);
    const results: Partial<Record<keyof FlightResults, unknown>> = {};
    for (const query of Object.keys(QUERIES) as (keyof FlightResults)[]) {
      const reader = await connection.runAndReadAll(QUERIES[query]);
      results[query] = reader.getRowObjectsJS().map((row) => plainRow(row, RESULT_FIELDS[query]));
    }
    return results as unknown as FlightResults;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function plainRow(row: Readonly<Record<string, unknown>>, fields: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    fields.map((field) => {
      const value = row[field];
      return [field, typeof value === 'bigint' ? Number(value) : value];
    }),
  );
}
