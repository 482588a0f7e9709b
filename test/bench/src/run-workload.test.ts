/** What is made of a run, with an executor that only leaves figures and reports checkpoints. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BenchJob, Executor, ProcessCpu } from './executor.js';
import { writeFigures } from './figures.js';
import { dumpWorkload, type RunOptions, runWithRestore, runWorkload } from './run-workload.js';
import { sharedNowMs } from './shared-clock.js';
import { decodeParameters } from './workload-parameters.js';

const run: RunOptions = {
  workload: 'w3',
  parallelism: 2,
  records: 1000,
  checkpointMs: 400,
  rate: 0,
  bufferTimeoutMs: 100,
  forceCodec: false,
  pauses: false,
};

/** One has sources, the other has none. */
const processes: readonly ProcessCpu[] = [
  { pid: 1, startMs: 5000, endMs: 9000 },
  { pid: 2, startMs: 200, endMs: 1200 },
];

/** Completes `before` checkpoints before the end of input and one after it. */
function fakeExecutor(before: number): Executor & { readonly jobs: BenchJob[] } {
  const jobs: BenchJob[] = [];
  return {
    jobs,
    async run(job) {
      jobs.push(job);
      const { directory, dump } = decodeParameters(job.parameters);
      const end = { longestPauseMs: job.samplePauses ? 12.34 : undefined, processes };
      const now = sharedNowMs();
      writeFigures(directory, 'source-0-first', { atMs: now - 2000, pid: 1, cpuMs: 6000 });
      writeFigures(directory, 'source-1-first', { atMs: now - 1900, pid: 1, cpuMs: 6100 });
      for (let i = 1; i <= before; i++) {
        job.onCheckpoint({ path: `/checkpoints/${i}`, bytes: 10 * i });
        if (job.signal.aborted) return { end: 'stopped', ...end };
      }
      writeFigures(directory, 'source-0-end', { atMs: sharedNowMs() });
      writeFigures(directory, 'source-1-end', { atMs: now + 1000 });
      job.onCheckpoint({ path: '/checkpoints/last', bytes: 1000 });
      const latencies = [[20, 99] as const, [500, 1] as const];
      writeFigures(directory, 'sink-0', { count: 600, checksum: 2 ** 31 - 1, lastRecordMs: now - 1000, latencies });
      writeFigures(directory, 'sink-1', { count: 400, checksum: 1, lastRecordMs: now - 1500, latencies: undefined });
      if (dump) writeFileSync(join(directory, 'lines-0.txt'), '{"b":1}\n{"a":1}\n');
      return { end: 'finished', ...end };
    },
    close: async () => {},
  };
}

test('rates, results, and the checkpoints before the end of input', async () => {
  const executor = fakeExecutor(3);
  const measurement = await runWorkload(executor, { ...run, pauses: true });
  expect(measurement).toMatchObject({
    engine: 'millstream',
    workload: 'w3',
    parallelism: 2,
    records: 1000,
    out: 1000,
    checksum: -(2 ** 31),
    checkpointIntervalMs: 400,
    checkpoints: 3,
    checkpointBytes: 60,
    lastCheckpointBytes: 30,
    longestPauseMs: 12.3,
    latencyMs: { p50: 2, p95: 2, p99: 2, max: 50 },
  });
  expect(measurement.seconds).toBeCloseTo(1, 3);
  expect(measurement.recordsPerSecond).toBe(Math.round(measurement.recordsPerSecond));
  expect(measurement.secondsToJobEnd).toBeGreaterThanOrEqual(2);
  // 3 s of the one from its first record on, 1 s of the other from the beginning on.
  expect(measurement.cpuSeconds).toBe(4);
  expect(measurement.recordsPerCpuSecond).toBe(250);
  const [job] = executor.jobs;
  expect(job).toMatchObject({ restoreFrom: undefined, samplePauses: true, forceCodec: false });
  expect(job!.options).toMatchObject({ 'parallelism.default': 2, 'execution.checkpointing.interval': 400 });
  expect(existsSync(job!.parameters.directory!)).toBe(false);
});

test('w1 runs without checkpoints', async () => {
  const executor = fakeExecutor(0);
  expect(await runWorkload(executor, { ...run, workload: 'w1' })).toMatchObject({ checkpointIntervalMs: 0 });
  expect(executor.jobs[0]!.options).not.toHaveProperty('execution.checkpointing.interval');
});

test('a restore stops the first run at its second checkpoint and goes on from there', async () => {
  const executor = fakeExecutor(3);
  expect(await runWithRestore(executor, run)).toMatchObject({ out: 1000, restoredFrom: '/checkpoints/2' });
  expect(executor.jobs.map((job) => job.restoreFrom)).toEqual([undefined, '/checkpoints/2']);
  expect(executor.jobs[0]!.options['execution.checkpointing.dir']).toBe(executor.jobs[1]!.options['execution.checkpointing.dir']);
  expect(executor.jobs[0]!.parameters.directory).not.toBe(executor.jobs[1]!.parameters.directory);
});

test('a run that ends too early cannot be restored', async () => {
  await expect(runWithRestore(fakeExecutor(0), run)).rejects.toThrow('Cannot restore w3');
});

test('a dump is sorted', async () => {
  expect(await dumpWorkload(fakeExecutor(0), { ...run, workload: 'w4' })).toEqual(['{"a":1}', '{"b":1}']);
});
