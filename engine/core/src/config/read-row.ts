/**
 * Reads one option's value by its row. What is wrong is said by key, value, what is allowed, and for an unknown key the nearest one. The
 * value of a secret is never quoted, nor that of an unknown key, which may be a secret's key misspelt.
 */
import type { OptionRows, OptionScalar } from './option-declaration.js';
import { allowedValues, readOption } from './option-type.js';

/** A value, or a sentence on what is wrong with it. */
export type RowReading =
  | { readonly value: OptionScalar }
  | { readonly problem: string; readonly details: Readonly<Record<string, unknown>> };

/** The rows that may be set. */
export function settableRows(rows: OptionRows): OptionRows {
  return Object.fromEntries(Object.entries(rows).filter(([, row]) => row.pending !== true));
}

/** Reads `input`. `spell` writes a key as its layer wants it; of `rows`, pending ones count as unknown. */
export function readRow(rows: OptionRows, key: string, input: unknown, spell: (key: string) => string = (same) => same): RowReading {
  const row = Object.hasOwn(rows, key) ? rows[key] : undefined;
  if (row === undefined || row.pending === true) return unknownKey(rows, key, spell);
  const value = readOption(row, input);
  if (value !== undefined) return { value };
  const secret = row.secret === true;
  const allowed = row.advice === undefined ? allowedValues(row) : `${allowedValues(row)}: ${row.advice}`;
  return {
    problem: `Cannot set option "${key}"${secret ? '' : ` to ${quote(input)}`}: it must be ${allowed}.`,
    details: { option: key, ...(!secret && { value: input }) },
  };
}

function unknownKey(rows: OptionRows, key: string, spell: (key: string) => string): RowReading {
  const known = Object.keys(settableRows(rows));
  const below = known.filter((each) => each.startsWith(`${key}.`));
  const nearest = below.length > 0 ? undefined : nearestKey(known, key);
  const hint =
    below.length > 0
      ? `Options that begin so: ${below.map(spell).join(', ')}.`
      : nearest === undefined
        ? '"millstream config --all" lists all options.'
        : `Did you mean "${spell(nearest)}"?`;
  return { problem: `Cannot set option "${key}": there is no such option. ${hint}`, details: { option: key, nearest } };
}

function quote(input: unknown): string {
  return typeof input === 'number' ? String(input) : (JSON.stringify(input) ?? String(input));
}

/** The known key with the fewest edits to `key`, if these are at most a third of its length. */
function nearestKey(known: readonly string[], key: string): string | undefined {
  let nearest: string | undefined;
  let best = Math.floor(key.length / 3) + 1;
  for (const each of known) {
    if (Math.abs(each.length - key.length) >= best) continue;
    const distance = editDistance(key.toLowerCase(), each.toLowerCase());
    if (distance < best) {
      best = distance;
      nearest = each;
    }
  }
  return nearest;
}

/** Levenshtein distance, one row at a time. */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const replaced = (row[j - 1] as number) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[right.length] as number;
}
