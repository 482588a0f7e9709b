/** Compares the result files of a run with what was computed independently: every field of every row, in any order. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FlightResults, RESULT_FIELDS } from './rows.js';

/** How the results of one query differ; all empty if they are equal. */
export interface Difference {
  readonly expected: number;
  readonly found: number;
  /** Rows that should be there, as JSON; at most ten. */
  readonly missing: readonly string[];
  /** Rows that should not be there (or not so often), as JSON; at most ten. */
  readonly unexpected: readonly string[];
}

/** Reads the JSON lines of all result files in a directory and below: those that are committed. */
export function readResults(directory: string): unknown[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || entry.name.endsWith('.jsonl'))
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return readResults(path);
      const lines = readFileSync(path, 'utf8').split('\n');
      return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as unknown);
    });
}

/** Compares rows by value. Field order does not count, missing and additional fields do. */
export function compareRows(expected: readonly object[], found: readonly unknown[], fields: readonly string[]): Difference {
  const counts = new Map<string, number>();
  for (const row of expected) {
    const text = canonical(row, fields);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const unexpected: string[] = [];
  for (const row of found) {
    const text = canonical(row, fields);
    const left = counts.get(text) ?? 0;
    if (left === 0) unexpected.push(text);
    else if (left === 1) counts.delete(text);
    else counts.set(text, left - 1);
  }
  return { expected: expected.length, found: found.length, missing: [...counts.keys()].slice(0, 10), unexpected: unexpected.slice(0, 10) };
}

function canonical(row: unknown, fields: readonly string[]): string {
  const record = row as Readonly<Record<string, unknown>>;
  const names = [...fields, ...Object.keys(record).filter((name) => !fields.includes(name))];
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, name in record ? record[name] : 'MISSING'])));
}

/** Compares a run's directory with the expected results; the queries that differ, with their differences. */
export function compareResults(expected: FlightResults, directory: string): Partial<Record<keyof FlightResults, Difference>> {
  const differences: Partial<Record<keyof FlightResults, Difference>> = {};
  for (const query of Object.keys(RESULT_FIELDS) as (keyof FlightResults)[]) {
    const difference = compareRows(expected[query], readResults(join(directory, query)), RESULT_FIELDS[query]);
    if (difference.missing.length > 0 || difference.unexpected.length > 0) differences[query] = difference;
  }
  return differences;
}
