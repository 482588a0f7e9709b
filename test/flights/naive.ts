/**
 * The same results by plain loops in TypeScript, to check the SQL: slow, without any part of the engine but the Parquet reader.
 */
import { readFileSync } from 'node:fs';
import { ParquetFile } from '@millstream/parquet';
import { nodeDisk } from 'millstream/testing';
import type { InputFiles } from './expected.js';
import type { DelaysByHour, Disruption, FlightResults, LateFlight, Silence, WorstOrigin } from './rows.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export async function computeNaively(files: InputFiles): Promise<FlightResults> {
  const flights = await readFlights(files);
  const airports = readAirports(files.airports);
  return {
    'delays-by-hour': delaysByHour(flights),
    'worst-origins': worstOrigins(flights, airports),
    disruptions: disruptions(flights, airports),
    silences: silences(flights),
    late: lateCopies(flights),
  };
}

async function readFlights({ flights: path, rows = Number.POSITIVE_INFINITY }: InputFiles): Promise<LateFlight[]> {
  const columns = { date: 'timestamp', delay: 'integer', distance: 'integer', origin: 'string', destination: 'string' } as const;
  const file = await ParquetFile.open(nodeDisk, path, columns);
  const flights: LateFlight[] = [];
  for (const index of file.rowGroups.keys()) {
    const { firstRow, rows: groupRows, columns } = await file.readRowGroup(index);
    for (let at = 0; at < groupRows && firstRow + at < rows; at++) {
      flights.push({
        row: firstRow + at,
        date: columns.date[at] as number,
        delay: columns.delay[at] as number,
        distance: columns.distance[at] as number,
        origin: columns.origin[at] as string,
        destination: columns.destination[at] as string,
      });
    }
  }
  await file.close();
  return flights;
}

interface Airport {
  readonly city: string;
  readonly state: string;
}

/** Origins have no quotes in their lines' last fields, and all fields before are cut off by the code. */
function readAirports(path: string): Map<string, Airport> {
  const airports = new Map<string, Airport>();
  for (const line of readFileSync(path, 'utf8').split('\n').slice(1)) {
    const match = /^([^,]*),(?:"(?:[^"]|"")*"|[^,]*),("(?:[^"]|"")*"|[^,]*),([^,]*),/.exec(line);
    if (match !== null) airports.set(match[1] as string, { city: (match[2] as string).replace(/^"|"$/g, ''), state: match[3] as string });
  }
  return airports;
}

function floorTo(time: number, unit: number): number {
  return Math.floor(time / unit) * unit;
}

function group<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  return Map.groupBy(items, keyOf) as Map<string, T[]>;
}

function delaysByHour(flights: readonly LateFlight[]): DelaysByHour[] {
  const groups = group(flights, ({ origin, date }) => `${origin} ${floorTo(date, HOUR)}`);
  return [...groups.values()].map((members) => {
    const { origin, date } = members[0] as LateFlight;
    const delays = members.map(({ delay }) => delay);
    return {
      origin,
      hour: floorTo(date, HOUR),
      flights: delays.length,
      delaySum: sum(delays),
      delayMax: Math.max(...delays),
      over15: delays.filter((delay) => delay > 15).length,
    };
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((left, right) => left + right, 0);
}

function worstOrigins(flights: readonly LateFlight[], airports: ReadonlyMap<string, Airport>): WorstOrigin[] {
  const delayed = flights.filter(({ delay }) => delay > 0);
  const days = group(delayed, ({ date }) => String(floorTo(date, DAY)));
  return [...days].flatMap(([day, members]) => {
    const origins = [...group(members, ({ origin }) => origin)];
    const sums = origins.map(([origin, flights]) => ({ origin, delaySum: sum(flights.map(({ delay }) => delay)) }));
    sums.sort((left, right) => right.delaySum - left.delaySum || (left.origin < right.origin ? -1 : 1));
    return sums.slice(0, 10).map(({ origin, delaySum }, index) => ({
      day: Number(day),
      rank: index + 1,
      origin,
      ...(airports.get(origin) as Airport),
      delaySum,
    }));
  });
}

function disruptions(flights: readonly LateFlight[], airports: ReadonlyMap<string, Airport>): Disruption[] {
  const found: Disruption[] = [];
  for (const [origin, members] of group(
    flights.filter(({ delay }) => delay > 60),
    ({ origin }) => origin,
  )) {
    const dates = members.map(({ date }) => date);
    const first = floorTo(dates[0] as number, HOUR / 2) - 3 * HOUR;
    const last = dates.at(-1) as number;
    // The file is in the order of event time, so a window's flights are neighbours.
    let from = 0;
    for (let start = first; start <= last; start += HOUR / 2) {
      while (from < dates.length && (dates[from] as number) < start) from++;
      let to = from;
      while (to < dates.length && (dates[to] as number) < start + 3 * HOUR) to++;
      if (to - from >= 20) found.push({ origin, ...(airports.get(origin) as Airport), start, end: start + 3 * HOUR, delayed: to - from });
    }
  }
  return found;
}

function silences(flights: readonly LateFlight[]): Silence[] {
  return [...group(flights, ({ origin }) => origin)].flatMap(([origin, members]) =>
    members
      .map(({ date }, index) => ({ origin, start: members[index - 1]?.date ?? date, end: date }))
      .filter(({ start, end }) => end - start >= 6 * HOUR),
  );
}

function lateCopies(flights: readonly LateFlight[]): LateFlight[] {
  return flights
    .filter(({ row, date }) => row % 997 === 1 && date >= Date.UTC(2001, 2, 2))
    .map((flight) => ({ ...flight, row: -1 - flight.row, date: flight.date - (30 + (flight.row % 30)) * DAY }));
}
