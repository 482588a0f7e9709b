import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { compareRows } from './compare.js';
import { computeExpected } from './expected.js';
import { computeNaively } from './naive.js';
import { type FlightResults, RESULT_FIELDS } from './rows.js';

const data = new URL('../data/', import.meta.resolve('vega-datasets'));
const files = {
  flights: fileURLToPath(new URL('flights-3m.parquet', data)),
  airports: fileURLToPath(new URL('airports.csv', data)),
};

describe('the SQL of the flights check', () => {
  /** Half of the file: enough for every query to have results, and plain loops take their time. */
  const half = { ...files, rows: 1_500_000 };
  let expected: FlightResults;
  let naive: FlightResults;

  beforeAll(async () => {
    expected = await computeExpected(half);
    naive = await computeNaively(half);
  });

  it.each(Object.keys(RESULT_FIELDS) as (keyof FlightResults)[])('agrees with plain loops on %s, in every row', (query) => {
    const { missing, unexpected } = compareRows(expected[query], naive[query], RESULT_FIELDS[query]);
    expect(naive[query].length).toBeGreaterThan(500);
    expect({ missing, unexpected }).toEqual({ missing: [], unexpected: [] });
  });

  it('sees all flights', async () => {
    const all = await computeExpected(files);
    const flights = all['delays-by-hour'].reduce((sum, row) => sum + row.flights, 0);
    const sizes = Object.fromEntries(Object.entries(all).map(([query, rows]) => [query, rows.length]));
    expect({ flights, ...sizes }).toMatchInlineSnapshot(`
      {
        "delays-by-hour": 424259,
        "disruptions": 4376,
        "flights": 3000000,
        "late": 2023,
        "silences": 40574,
        "worst-origins": 1813,
      }
    `);
  });
});

describe('compareRows', () => {
  const rows = [
    { key: 'a', value: 1 },
    { key: 'b', value: 2 },
  ];

  it.each([
    ['a value', [rows[0], { key: 'b', value: 3 }]],
    ['a missing row', [rows[0]]],
    ['a row too many', [...rows, rows[1]]],
    ['a field too many', [rows[0], { ...rows[1], more: 0 }]],
    ['a missing field', [rows[0], { key: 'b' }]],
  ])('finds %s', (_what, found) => {
    const { missing, unexpected } = compareRows(rows, found, ['key', 'value']);
    expect(missing.length + unexpected.length).toBeGreaterThan(0);
  });

  it('does not mind order', () => {
    expect(compareRows(rows, [{ value: 2, key: 'b' }, rows[0]], ['key', 'value'])).toEqual({
      expected: 2,
      found: 2,
      missing: [],
      unexpected: [],
    });
  });
});
