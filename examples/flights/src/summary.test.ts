import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { QUERIES } from './results.js';
import { summarize } from './summary.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-summary-'));
  for (const query of Object.values(QUERIES)) mkdirSync(join(directory, query));
});

afterEach(() => rmSync(directory, { recursive: true }));

function write(query: string, file: string, rows: readonly object[]): void {
  writeFileSync(join(directory, query, file), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

it('says what is in committed files', async () => {
  const hour = Date.UTC(2001, 0, 1);
  write(QUERIES.delaysByHour, 'part-0.jsonl', [
    { origin: 'ORD', hour, flights: 3, delaySum: 31, delayMax: 30, over15: 1 },
    { origin: 'ATL', hour, flights: 1, delaySum: -5, delayMax: -5, over15: 0 },
  ]);
  write(QUERIES.delaysByHour, 'part-1.jsonl', [{ origin: 'ORD', hour: hour + 3_600_000, flights: 1, delaySum: 9, delayMax: 9, over15: 0 }]);
  write(QUERIES.delaysByHour, 'part-2.jsonl.pending', [{ origin: 'XXX', hour, flights: 1000, delaySum: 0, delayMax: 0, over15: 0 }]);
  const place = { city: 'Chicago', state: 'IL' };
  write(QUERIES.worstOrigins, 'part-0.jsonl', [
    { rank: 1, day: hour, origin: 'ORD', ...place, delaySum: 1234 },
    { rank: 2, day: hour, origin: 'ATL', city: 'Atlanta', state: 'GA', delaySum: 12 },
  ]);
  write(QUERIES.disruptions, 'part-0.jsonl', [
    { origin: 'ORD', ...place, start: hour, end: hour + 10_800_000, delayed: 20 },
    { origin: 'ORD', ...place, start: hour + 1_800_000, end: hour + 12_600_000, delayed: 21 },
  ]);
  write(QUERIES.silences, 'part-0.jsonl', [{ origin: 'ATL', start: hour, end: hour + 25_000_000 }]);
  write(QUERIES.late, 'part-0.jsonl', [{ row: -2 }, { row: -3 }]);
  expect(await summarize(directory)).toMatchInlineSnapshot(`
    "(a) delays by hour:  3 hours of 2 origins, 5 flights, 20.0 % over 15 minutes late
                         mean delay of the five busiest, minutes: ORD 10.0, ATL -5.0
    (b) worst origins:   days as the worst of all: ORD 1
                         worst day: ORD (Chicago, IL) on 2001-01-01, 1,234 minutes of delay
    (c) disruptions:     2 windows; largest: ORD (Chicago, IL), three hours from 2001-01-01 00:30, 21 flights over an hour late
    (d) silences:        1; longest: ATL from 2001-01-01 00:00, 6 hours
    (e) late records:    2, at least 30 days behind"
  `);
});

it('says that there is nothing', async () => {
  expect(await summarize(directory)).toMatchInlineSnapshot(`
    "(a) delays by hour:  none
    (b) worst origins:   none
    (c) disruptions:     none
    (d) silences:        none
    (e) late records:    0, at least 30 days behind"
  `);
});
