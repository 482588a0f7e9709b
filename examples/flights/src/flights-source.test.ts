import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { nodeDisk, runInterrupted, SourceRig } from 'millstream/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DAY_MS, type Flight } from './flight.js';
import { DEFAULT_ORDER, type FlightOrder, shuffledRange } from './flight-order.js';
import { FlightsSource, SPLITS } from './flights-source.js';

const disk = nodeDisk;
const directory = mkdtempSync(join(tmpdir(), 'millstream-flights-'));
const path = join(directory, 'flights.parquet');

/** The first 60,001 flights in row groups of 2,048, so that few rows cross many of them. */
beforeAll(async () => {
  const original = fileURLToPath(new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')));
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  await connection.run(`copy (from '${original}' limit 60001) to '${path}' (format parquet, row_group_size 2048)`);
  connection.closeSync();
  instance.closeSync();
});

afterAll(() => rmSync(directory, { recursive: true }));

/** Late copies from the third day on, many of them, so that few rows show everything. */
const order: FlightOrder = { ...DEFAULT_ORDER, injectEvery: 97, injectFrom: Date.UTC(2001, 0, 3) };

function source(rows: number, changes: Partial<FlightOrder> = {}): FlightsSource {
  return new FlightsSource({ path, rows, order: { ...order, ...changes } });
}

async function drain(rows: number, parallelism: number, changes?: Partial<FlightOrder>) {
  const rig = await SourceRig.start(source(rows, changes), { disk, parallelism });
  await rig.drain(1000);
  return rig;
}

const isLate = ({ row }: Flight): boolean => row < 0;

describe('shuffledRange', () => {
  it('is a permutation that depends on the seed alone', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(1000), fc.nat(200), (seed, start, length) => {
        const order = shuffledRange(seed, start, start + length);
        expect(shuffledRange(seed, start, start + length)).toEqual(order);
        expect([...order].sort((left, right) => left - right)).toEqual(Array.from({ length }, (_, index) => start + index));
      }),
      { numRuns: 100, seed: 6 },
    );
    expect(shuffledRange(1, 0, 100)).not.toEqual(shuffledRange(2, 0, 100));
  });
});

describe('FlightsSource', () => {
  it('emits every row once, in the split of its number modulo 8, at every parallelism', async () => {
    for (const parallelism of [1, 3, 8, 9]) {
      const rig = await drain(60_001, parallelism);
      const rows = rig.records.filter(({ value }) => !isLate(value));
      expect(rows.every(({ split, value }) => split === `rows-${value.row % SPLITS}`)).toBe(true);
      expect(rows.map(({ value }) => value.row).sort((left, right) => left - right)).toEqual(
        Array.from({ length: 60_001 }, (_, row) => row),
      );
      expect(rig.finishedSplits).toHaveLength(SPLITS);
    }
  });

  it('keeps each split in the order of event time but for the bound', async () => {
    const rig = await drain(60_000, 2);
    for (let residue = 0; residue < SPLITS; residue++) {
      const dates = rig.records.filter(({ split, value }) => split === `rows-${residue}` && !isLate(value)).map(({ value }) => value.date);
      let latest = 0;
      let behind = 0;
      for (const date of dates) {
        latest = Math.max(latest, date);
        behind = Math.max(behind, latest - date);
      }
      expect(behind).toBeLessThan(order.boundMs);
      expect(behind).toBeGreaterThan(order.boundMs / 2);
    }
  });

  it('emits the same sequence per split whatever the parallelism, and another with another seed', async () => {
    const sequence = async (parallelism: number, changes?: Partial<FlightOrder>) => {
      const rig = await drain(20_000, parallelism, changes);
      return Array.from({ length: SPLITS }, (_, residue) =>
        rig.records.filter(({ split }) => split === `rows-${residue}`).map(({ value }) => value.row),
      );
    };
    const expected = await sequence(1);
    expect(await sequence(4)).toEqual(expected);
    expect(await sequence(1, { seed: 2 })).not.toEqual(expected);
  });

  it('follows every row that was chosen by a copy which is at least 30 days older', async () => {
    const rig = await drain(60_000, 1);
    const late = rig.records.filter(({ value }) => isLate(value));
    const byRow = new Map(rig.records.map(({ value }) => [value.row, value]));
    expect(late.length).toBeGreaterThan(100);
    const chosen = [...byRow.values()].filter(({ row, date }) => row >= 0 && row % 97 === 1 && date >= order.injectFrom);
    expect(late.map(({ value }) => -1 - value.row).sort()).toEqual(chosen.map(({ row }) => row).sort());
    for (const { value } of late) {
      const { row, date, ...rest } = byRow.get(-1 - value.row) as Flight;
      expect(value).toEqual({ ...rest, row: value.row, date: value.date });
      expect((date - value.date) % DAY_MS).toBe(0);
      expect(date - value.date).toBeGreaterThanOrEqual(30 * DAY_MS);
      expect(date - value.date).toBeLessThan(60 * DAY_MS);
    }
  });

  it('lets splits of one reader drift apart by no more than a poll', async () => {
    const rig = await SourceRig.start(source(60_000), { disk });
    const latest = new Map<string, number>();
    for (;;) {
      const before = rig.records.length;
      if ((await rig.pollAvailable(0, 50)) === 'end' || rig.finishedSplits.length > 0) break;
      for (const { split, value } of rig.records.slice(before)) latest.set(split, Math.max(latest.get(split) ?? 0, value.date));
      if (latest.size < SPLITS) continue;
      // At night an hour may have no flights of a split; a poll takes about an hour by day.
      expect(Math.max(...latest.values()) - Math.min(...latest.values())).toBeLessThan(10 * order.boundMs);
    }
    expect(rig.records.length).toBeGreaterThan(50_000);
    await rig.close();
  });

  it('does not poll paused splits, and starts only when all splits are there', async () => {
    const rig = await SourceRig.start(source(20_000), { disk });
    const others = Array.from({ length: SPLITS - 1 }, (_, index) => `rows-${index}`);
    rig.readers[0]?.pauseOrResumeSplits?.(new Set(others));
    for (let polls = 0; polls < 20; polls++) await rig.pollAvailable(0, 100);
    expect(new Set(rig.records.map(({ split }) => split))).toEqual(new Set(['rows-7']));
    rig.readers[0]?.pauseOrResumeSplits?.(new Set());
    expect((await rig.drain(500)).filter((flight) => !isLate(flight))).toHaveLength(20_000);

    const lonely = source(100).createReader({
      subtaskIndex: 0,
      parallelism: 1,
      disk,
      requestSplit: () => {},
      reportError: () => {},
    } as unknown as Parameters<FlightsSource['createReader']>[0]);
    lonely.addSplits([{ id: 'rows-0', residue: 0, block: 0, offset: 0 }]);
    expect(lonely.poll({} as never, 10)).toBe('nothing');
    await lonely.close();
  });

  it('loses and repeats nothing when interrupted anywhere and resumed at another parallelism', async () => {
    const rows = 3000;
    const expected = (await drain(rows, 1, { injectEvery: 7, injectFrom: 0 }))
      .values()
      .map(({ row }) => row)
      .sort();
    const stop = fc.record({ polls: fc.nat(12), parallelism: fc.integer({ min: 1, max: 9 }), limit: fc.integer({ min: 1, max: 300 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(stop, { minLength: 1, maxLength: 3 }), async (stops) => {
        const flights = await runInterrupted(source(rows, { injectEvery: 7, injectFrom: 0 }), stops, { disk });
        expect(flights.map(({ row }) => row).sort()).toEqual(expected);
      }),
      { numRuns: 25, seed: 7 },
    );
  });
});
