import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { MillstreamError } from 'millstream/connector';
import { nodeDisk, runInterrupted, SourceRig } from 'millstream/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ParquetColumns, ParquetFile, ParquetSource } from './index.js';

const ROWS = 5000;
const COMPRESSIONS = ['uncompressed', 'snappy', 'gzip', 'zstd', 'lz4_raw', 'brotli'];
let directory: string;

/** DuckDB writes the files: row groups of 2,048 rows, every compression, and one of many types. */
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-parquet-'));
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const rows = `select i::bigint as id, 'name ' || (i % 50) as name, i / 4.0::double as fraction from range(${ROWS}) t(i)`;
  for (const compression of COMPRESSIONS) {
    await connection.run(`copy (${rows}) to '${path(compression)}' (format parquet, row_group_size 2048, compression ${compression})`);
  }
  const types = `select * from (values
    (1::integer, 9007199254740993::bigint, timestamp '2001-07-01 12:34:56.789999', date '2001-01-02', true, 'é', null::integer, [1, 2]),
    (-1::integer, -5::bigint, timestamp_ms '1969-12-31 23:59:59.999', date '1969-12-31', false, '', 7, [])
  ) t(i, big, t, d, b, s, n, list)`;
  await connection.run(`copy (${types}) to '${path('types')}' (format parquet)`);
  connection.closeSync();
  instance.closeSync();
});

afterAll(() => rmSync(directory, { recursive: true }));

function path(name: string): string {
  return join(directory, `${name}.parquet`);
}

const columns = { id: 'integer', name: 'string', fraction: 'number' } as const;
const expected = Array.from({ length: ROWS }, (_, id) => ({ id, name: `name ${id % 50}`, fraction: id / 4 }));

async function codeOf(run: Promise<unknown>): Promise<string> {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof MillstreamError)) throw new Error(`Expected a MillstreamError, got ${String(error)}`);
  return `${error.code}: ${error.message}`;
}

async function firstGroup<const C extends ParquetColumns>(name: string, declared: C) {
  const file = await ParquetFile.open(nodeDisk, path(name), declared);
  try {
    return await file.readRowGroup(0);
  } finally {
    await file.close();
  }
}

describe('ParquetSource', () => {
  it.each(COMPRESSIONS)('reads typed rows, compressed as %s', async (compression) => {
    const rig = await SourceRig.start(ParquetSource.forColumns(columns, path(compression)), { disk: nodeDisk });
    expect(await rig.drain(1000)).toEqual(expected);
    expect(rig.finishedSplits).toHaveLength(3);
  });

  it('reads just the declared columns', async () => {
    const rig = await SourceRig.start(ParquetSource.forColumns({ name: 'string?' }, path('zstd')), { disk: nodeDisk });
    expect((await rig.drain(1000))[51]).toEqual({ name: 'name 1' });
  });

  it('shares row groups of several files among subtasks', async () => {
    const source = ParquetSource.forColumns(columns, [path('zstd'), path('snappy')]);
    const rig = await SourceRig.start(source, { disk: nodeDisk, parallelism: 3 });
    expect(await rig.drain(700)).toHaveLength(2 * ROWS);
    expect(new Set(rig.records.map(({ subtask }) => subtask)).size).toBe(3);
    expect(rig.finishedSplits).toHaveLength(6);
  });

  it('loses and repeats nothing when interrupted anywhere and resumed at another parallelism', async () => {
    const stop = fc.record({ polls: fc.nat(6), parallelism: fc.integer({ min: 1, max: 4 }), limit: fc.integer({ min: 100, max: 1500 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(stop, { maxLength: 3 }), async (stops) => {
        const rows = await runInterrupted(ParquetSource.forColumns(columns, path('zstd')), stops, { disk: nodeDisk });
        expect(rows.map(({ id }) => id).sort((left, right) => left - right)).toEqual(expected.map(({ id }) => id));
      }),
      { numRuns: 20, seed: 5 },
    );
  });
});

describe('ParquetFile', () => {
  it('gives each type its JavaScript form', async () => {
    const { columns } = await firstGroup('types', {
      i: 'integer',
      big: 'bigint',
      t: 'timestamp',
      d: 'timestamp',
      b: 'boolean',
      s: 'string',
      n: 'integer?',
      list: 'any',
    });
    expect(columns).toEqual({
      i: Float64Array.of(1, -1),
      big: [9007199254740993n, -5n],
      t: Float64Array.of(Date.UTC(2001, 6, 1, 12, 34, 56, 789), -1),
      d: Float64Array.of(Date.UTC(2001, 0, 2), -86_400_000),
      b: [true, false],
      s: ['é', ''],
      n: [null, 7],
      list: [[1, 2], []],
    });
  });

  it('knows its row groups', async () => {
    const file = await ParquetFile.open(nodeDisk, path('zstd'), columns);
    expect(file.rowGroups.map(({ firstRow, rows }) => [firstRow, rows])).toEqual([
      [0, 2048],
      [2048, 2048],
      [4096, 904],
    ]);
    expect(await codeOf(file.readRowGroup(3))).toMatch(/^INPUT_CHANGED: Cannot read row group 3 of ".*": it has 3/);
    await file.close();
  });

  it.each([
    [{ id2: 'integer' }, /^INVALID_OPTION: .*"id2" of ".*": the file has "i", "big", "t"/],
    [{ t: 'integer' }, /^INVALID_OPTION: .*"t" of ".*" as integer: the file has it as INT64 TIMESTAMP/],
    [{ s: 'number' }, /^INVALID_OPTION: .*"s" of ".*" as number: the file has it as BYTE_ARRAY/],
    [{ list: 'string' }, /^INVALID_OPTION: .*the file has it as a group of columns/],
    [{ i: 'int' as never }, /^INVALID_OPTION: Cannot read the column "i" as "int": types are integer, number/],
    [{ n: 'integer' }, /^MALFORMED_RECORD: Cannot read row 0 of ".*": its "n" is null\. Declare the column as "integer\?"/],
    [{ big: 'integer' }, /^MALFORMED_RECORD: Cannot read row 0 of ".*": its "big" is beyond 2\^53/],
  ] as const)('refuses %j', async (declared, message) => {
    expect(await codeOf(firstGroup('types', declared))).toMatch(message);
  });

  it('refuses a file that is missing or cut', async () => {
    expect(await codeOf(firstGroup('none', columns))).toMatch(/^INPUT_UNREADABLE: .*none\.parquet/);
    truncateSync(path('uncompressed'), 1000);
    expect(await codeOf(firstGroup('uncompressed', columns))).toMatch(/^INPUT_UNREADABLE: .*It is not a whole Parquet file/);
  });
});
