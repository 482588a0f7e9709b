import { expect, test } from 'vitest';
import { parseCommand, UsageError } from './arguments.js';

const run = { records: 30_000_000, checkpointMs: 400, rate: 0, bufferTimeoutMs: 100, forceCodec: false, pauses: false };

test('a workload with the defaults', () => {
  expect(parseCommand(['w3'])).toEqual({
    command: 'measure',
    run: { ...run, workload: 'w3', parallelism: 1 },
    runs: 1,
    json: false,
  });
});

test('all options of a measurement', () => {
  const args = 'w3lat --parallelism 2 --records 1_000_000 --ckpt 100 --rate 50000 --buffer 0 --runs 3 --force-codec --pauses --json'.split(
    ' ',
  );
  expect(parseCommand(args)).toEqual({
    command: 'measure',
    run: {
      workload: 'w3lat',
      parallelism: 2,
      records: 1_000_000,
      checkpointMs: 100,
      rate: 50_000,
      bufferTimeoutMs: 0,
      forceCodec: true,
      pauses: true,
    },
    runs: 3,
    json: true,
  });
});

test('the rate belongs to w3lat', () => {
  expect(parseCommand(['w3lat'])).toMatchObject({ run: { rate: 200_000, bufferTimeoutMs: 5 } });
  expect(() => parseCommand(['w3', '--rate', '5'])).toThrow(UsageError);
});

test('restore and dump', () => {
  expect(parseCommand(['w4', '--restore'])).toMatchObject({ command: 'restore' });
  expect(parseCommand(['w5', '--dump', '--records', '100'])).toMatchObject({ command: 'dump', run: { records: 100 } });
  expect(() => parseCommand(['w1', '--restore'])).toThrow('Cannot restore w1');
  expect(() => parseCommand(['w3', '--dump'])).toThrow('Cannot dump w3');
  expect(() => parseCommand(['w4', '--dump', '--restore'])).toThrow(UsageError);
  expect(() => parseCommand(['w4', '--restore', '--ckpt', '0'])).toThrow('Cannot restore w4');
});

test('compare runs each workload at each parallelism', () => {
  const command = parseCommand(['compare', '--workloads', 'w3,w1', '--parallelism', '1,2', '--pairs', '2', '--flink-ckpt', '1000']);
  expect(command).toMatchObject({ command: 'compare', pairs: 2, flinkCheckpointMs: 1000, results: 'results/bench.jsonl' });
  const runs = command.command === 'compare' ? command.runs.map(({ workload, parallelism }) => `${workload} ${parallelism}`) : [];
  expect(runs).toEqual(['w3 1', 'w3 2', 'w1 1', 'w1 2']);
});

test('a cluster has as many TaskManagers as the job has subtasks', () => {
  expect(parseCommand(['w4', '--cluster', '2', '--records', '1000', '--pairs', '3', '--json'])).toEqual({
    command: 'cluster',
    run: { ...run, workload: 'w4', parallelism: 2, records: 1000 },
    cluster: { taskManagers: 2, tls: false },
    pairs: 3,
    json: true,
  });
  expect(parseCommand(['w3', '--cluster', '4', '--tls'])).toMatchObject({ cluster: { taskManagers: 4, tls: true }, pairs: 1, json: false });
});

test.each([
  [[], 'Cannot run'],
  [['w9'], "Cannot run workload 'w9'"],
  [['w1', 'w2'], "Cannot run 'w1 w2'"],
  [['w1', '--records', 'many'], "Cannot use --records 'many'"],
  [['w1', '--parallelism', '0'], "Cannot use --parallelism '0'"],
  [['w1', '--pairs', '3'], 'Cannot use --pairs without --cluster'],
  [['w3', '--tls'], 'Cannot use --tls without --cluster'],
  [['w3', '--cluster', '0'], "Cannot use --cluster '0'"],
  [['w3', '--cluster', '2', '--parallelism', '4'], 'Cannot use --parallelism with --cluster'],
  [['compare', '--cluster', '2'], 'Cannot use --cluster with compare'],
  [['compare', '--runs', '3'], 'Cannot use --runs with compare'],
  [['w1', '--unknown'], 'Cannot read the command line'],
])('%j is refused', (args, message) => {
  expect(() => parseCommand(args)).toThrow(message);
  expect(() => parseCommand(args)).toThrow(UsageError);
});
