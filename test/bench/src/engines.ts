/** Measures one engine in a fresh process. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { BenchCluster } from './cluster-executor.js';
import { type Measurement, parseMeasurements } from './measurement.js';
import type { RunOneRequest } from './run-one.js';
import type { RunOptions } from './run-workload.js';

const RUN_ONE = fileURLToPath(new URL('./run-one.js', import.meta.url));
/** From the compiled file to the sources. */
const FLINK = fileURLToPath(new URL('../../../bench/flink/run', import.meta.url));

/** What a process wrote to its standard output; its standard error is passed through. */
async function outputOf(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
  });
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) => resolve(exitCode ?? signal ?? 'nothing'));
  });
  const output = Buffer.concat(chunks).toString('utf8');
  if (code !== 0) throw new Error(`Cannot measure: '${command} ${args.join(' ')}' ended with ${code}. ${output}`);
  return output;
}

/** A warm-up with a third of the records on a fresh cluster, then one measured run. */
export async function measureCluster(run: RunOptions, cluster: BenchCluster): Promise<Measurement> {
  const request: RunOneRequest = { run, mode: 'measure', runs: 1, warmUpRecords: Math.floor(run.records / 3), cluster };
  const [measurement] = parseMeasurements(await outputOf(process.execPath, [RUN_ONE, JSON.stringify(request)]));
  if (measurement === undefined) throw new Error(`Cannot measure ${run.workload} on a cluster: it printed no measurement.`);
  return { ...measurement, ...cluster };
}

/** A warm-up with a third of the records, then the measured runs. */
export async function measureMillstream(run: RunOptions, runs: number, mode: 'measure' | 'restore' = 'measure'): Promise<Measurement[]> {
  const request: RunOneRequest = { run, mode, runs, warmUpRecords: Math.floor(run.records / 3) };
  const measurements = parseMeasurements(await outputOf(process.execPath, [RUN_ONE, JSON.stringify(request)]));
  const expected = mode === 'restore' ? 2 * runs : runs;
  if (measurements.length === expected) return measurements;
  throw new Error(`Cannot measure ${run.workload}: its process printed ${measurements.length} of ${expected} measurements.`);
}

/** The results of w4 or w5, a line of JSON each, sorted. */
export async function dumpMillstream(run: RunOptions): Promise<string> {
  const request: RunOneRequest = { run, mode: 'dump', runs: 1, warmUpRecords: 0 };
  return await outputOf(process.execPath, [RUN_ONE, JSON.stringify(request)]);
}

/** Fetches and builds the Flink peer; rejects where Java or Maven is missing. */
export async function buildFlink(): Promise<void> {
  await outputOf(FLINK, ['build']);
}

export async function measureFlink(run: RunOptions): Promise<Measurement> {
  const args = ['bench', run.workload, '--parallelism', run.parallelism, '--records', run.records, '--buffer', run.bufferTimeoutMs];
  args.push('--ckpt', run.checkpointMs, ...(run.rate > 0 ? ['--rate', run.rate] : []));
  const [measurement] = parseMeasurements(await outputOf(FLINK, args.map(String)));
  if (measurement === undefined) throw new Error(`Cannot measure Flink: '${FLINK} ${args.join(' ')}' printed no line of JSON.`);
  return measurement;
}
