/** `npm run bench -- …`; see USAGE. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { type Command, parseCommand, USAGE, UsageError } from './arguments.js';
import { compareWithCluster, describeClusterRow } from './cluster-pairs.js';
import { compare, describeRow, type Row } from './compare.js';
import { dumpMillstream, measureMillstream } from './engines.js';
import { describeMeasurement, type Measurement } from './measurement.js';
import { RECOVERY_USAGE, runRecoveryCommand } from './recovery-commands.js';
import { knownResult } from './results.js';

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Where and when; the first line of a results file. */
function conditions(): Record<string, unknown> {
  return {
    date: new Date().toISOString(),
    node: process.version,
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    memoryBytes: totalmem(),
    loadAverage: loadavg(),
  };
}

/** Why the measurement's results are wrong; undefined if they are right or not known. */
function defectOf(measurement: Measurement, expected: { readonly out: number; readonly checksum: number } | undefined): string | undefined {
  if (expected === undefined || (measurement.out === expected.out && measurement.checksum === expected.checksum)) return undefined;
  return `results are wrong: out ${measurement.out}, checksum ${measurement.checksum}; they must be ${expected.out} and ${expected.checksum}`;
}

async function measure(command: Command & { command: 'measure' | 'restore' }): Promise<boolean> {
  const { run, runs, json } = command;
  const measurements = await measureMillstream(run, runs, command.command);
  let right = true;
  for (const measurement of measurements) {
    print(json ? JSON.stringify(measurement) : describeMeasurement(measurement));
    const expected = measurement.restoredFrom === undefined ? undefined : measurements[0];
    const defect = defectOf(measurement, expected ?? knownResult(run.workload, run.records));
    if (defect === undefined) continue;
    process.stderr.write(`${run.workload}: ${defect}\n`);
    right = false;
  }
  return right;
}

async function compareAll(command: Command & { command: 'compare' }): Promise<boolean> {
  const { results, json } = command;
  mkdirSync(dirname(results), { recursive: true });
  writeFileSync(results, `${JSON.stringify({ conditions: conditions() })}\n`);
  const note = (line: object): void => appendFileSync(results, `${JSON.stringify(line)}\n`);
  const rows: Row[] = await compare({
    ...command,
    onPair: (pair, number) => {
      for (const measurement of Object.values(pair) as Measurement[]) {
        note({ ...measurement, pair: number, loadAverage: loadavg()[0] });
        if (!json) process.stderr.write(`${describeMeasurement(measurement)}\n`);
      }
    },
    onRow: (row) => {
      note({ row });
      print(json ? JSON.stringify(row) : describeRow(row));
    },
  });
  return !rows.some((row) => row.flags.some((flag) => flag.startsWith('results differ')));
}

async function measureOnCluster(command: Command & { command: 'cluster' }): Promise<boolean> {
  const { run, json } = command;
  let right = true;
  const row = await compareWithCluster({
    ...command,
    onMeasurement: (measurement) => {
      print(json ? JSON.stringify(measurement) : describeMeasurement(measurement));
      const defect = defectOf(measurement, knownResult(run.workload, run.records));
      if (defect === undefined) return;
      process.stderr.write(`${run.workload}: ${defect}\n`);
      right = false;
    },
  });
  print(json ? JSON.stringify({ row }) : describeClusterRow(row));
  return right && !row.flags.some((flag) => flag.startsWith('results differ'));
}

async function main(args: readonly string[]): Promise<boolean> {
  if (args.length === 0 || args.includes('--help')) {
    print(`${USAGE}${RECOVERY_USAGE}`);
    return args.length > 0;
  }
  if (await runRecoveryCommand(args, print)) return true;
  const command = parseCommand(args);
  if (command.command === 'compare') return await compareAll(command);
  if (command.command === 'cluster') return await measureOnCluster(command);
  if (command.command !== 'dump') return await measure({ ...command, command: command.command });
  process.stdout.write(await dumpMillstream(command.run));
  return true;
}

try {
  if (!(await main(process.argv.slice(2)))) process.exitCode = 1;
} catch (error) {
  process.stderr.write(error instanceof UsageError ? `${error.message}\n\n${USAGE}${RECOVERY_USAGE}` : `${(error as Error).message}\n`);
  process.exitCode = 2;
}
