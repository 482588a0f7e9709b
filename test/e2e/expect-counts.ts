/** What running counts say of losses and repetitions. */
import { expect } from 'vitest';

/** Every key has each count from 1 to its number of records exactly once: no record is missing, none counts twice. */
export function expectCountsOnce(
  lines: readonly { readonly key: number; readonly count: number }[],
  { records, keys }: { readonly records: number; readonly keys: number },
): void {
  const byKey = new Map<number, number[]>();
  for (const { key, count } of lines) {
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [count]);
    else known.push(count);
  }
  expect(byKey.size).toBe(keys);
  const expected = Array.from({ length: records / keys }, (_, at) => at + 1);
  for (const counts of byKey.values()) expect(counts.sort((a, b) => a - b)).toEqual(expected);
}
