/** Source and sinks of the bench, driven by hand through the connector contract, and the figures that they leave. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataGeneratorSource } from 'millstream';
import type { SinkWriter, SinkWriterContext, SourceBatch, SourceReaderContext, SplitEnumeratorContext } from 'millstream/connector';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CountSink } from './count-sink.js';
import { readFigures } from './figures.js';
import { Histogram } from './histogram.js';
import { LineSink, readLines } from './line-sink.js';
import { ProbedSource } from './probed-source.js';
import { sharedNowMs } from './shared-clock.js';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millstream-bench-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const sinkContext = (subtaskIndex: number): SinkWriterContext => ({ subtaskIndex }) as SinkWriterContext;

/** Reads all of a source's records at a parallelism into one writer a subtask. */
async function drive(parallelism: number, records: number, writers: readonly SinkWriter<number, unknown, unknown>[]): Promise<void> {
  const source = new ProbedSource(new DataGeneratorSource((index) => index, records), records, directory);
  const readers = writers.map((_, subtaskIndex) => source.createReader({ subtaskIndex, parallelism } as SourceReaderContext));
  const enumerator = source.createEnumerator(
    {
      parallelism,
      assign: (split, subtask) => readers[subtask]!.addSplits([split]),
      noMoreSplits: (subtask) => readers[subtask]!.notifyNoMoreSplits(),
    } as SplitEnumeratorContext<Parameters<(typeof readers)[0]['addSplits']>[0][0]>,
    undefined,
  );
  const batch = { values: [], from: 0, to: 0, step: 1 } as unknown as SourceBatch<number>;
  expect(readers[0]!.poll(batch, 10)).toBe('nothing');
  await enumerator.start();
  readers.forEach((reader, subtask) => {
    enumerator.addReader(subtask);
    while (reader.poll(batch, 10) === 'records') {
      for (let i = batch.from; i < batch.to; i += batch.step) writers[subtask]!.write(batch.generate!(i), Number.NaN);
      expect(writers[subtask]!.ready?.()).toBeUndefined();
    }
  });
  for (const writer of writers) await writer.close();
}

test('records are counted over all subtasks, and start and end are known', async () => {
  const before = sharedNowMs();
  const sink = new CountSink<number>((n) => n | 0, { directory });
  await drive(2, 101, [sink.createWriter(sinkContext(0), []), sink.createWriter(sinkContext(1), [])]);
  const figures = readFigures(directory);
  expect(figures).toMatchObject({ out: 101, checksum: 5050, latencies: undefined });
  expect(figures.firstRecordMs).toBeGreaterThanOrEqual(before);
  expect(figures.endOfInputMs).toBeGreaterThanOrEqual(figures.firstRecordMs);
  expect(figures.lastRecordMs).toBeGreaterThanOrEqual(figures.firstRecordMs);
  expect(figures.startCpuMs.get(process.pid)).toBeGreaterThan(0);
});

test('counts go on from restored states, and checksums wrap', async () => {
  const sink = new CountSink<number>(() => 2 ** 31 - 1, { directory });
  const first = sink.createWriter(sinkContext(0), []);
  first.write(1, Number.NaN);
  expect(await first.prepareCommit(1)).toEqual([]);
  const state = first.snapshotState!(1);
  first.write(2, Number.NaN);
  await drive(1, 1, [sink.createWriter(sinkContext(0), [...state, ...state])]);
  expect(readFigures(directory)).toMatchObject({ out: 3, checksum: (3 * (2 ** 31 - 1)) | 0 });
});

test('latencies of all subtasks are put together', async () => {
  const start = sharedNowMs();
  const sink = new CountSink<number>((n) => n, { directory, due: (n) => start - n });
  await drive(2, 100, [sink.createWriter(sinkContext(0), []), sink.createWriter(sinkContext(1), [])]);
  const { latencies } = readFigures(directory);
  expect(latencies!.total).toBe(100);
  expect(latencies!.quantile(0.5)).toBeGreaterThanOrEqual(49);
  expect(latencies!.quantile(0.5)).toBeLessThan(10_000);
});

test('a run that left nothing cannot be measured', () => {
  expect(() => readFigures(directory)).toThrow('Cannot measure the run');
});

test('lines are sorted by code unit', async () => {
  const sink = new LineSink(directory);
  const [left, right] = [sink.createWriter(sinkContext(0)), sink.createWriter(sinkContext(1))];
  for (const line of ['b', 'a']) left!.write(line, Number.NaN);
  right!.write('B', Number.NaN);
  await left!.close();
  await right!.close();
  expect(readLines(directory)).toEqual(['B', 'a', 'b']);
});

test('quantiles', () => {
  const histogram = new Histogram();
  expect(() => histogram.quantile(0.5)).toThrow('nothing was recorded');
  for (let i = 1; i <= 100; i++) histogram.record(i);
  histogram.record(-5);
  histogram.record(1e9);
  expect([0, 0.5, 0.99, 1].map((q) => histogram.quantile(q))).toEqual([0, 50, 100, 20_000]);
});
