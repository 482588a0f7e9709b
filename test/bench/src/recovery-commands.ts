/** The commands of the bench that measure the engine's behaviour instead of a workload: their arguments, and what they print. */
import { parseArgs } from 'node:util';
import { UsageError } from './arguments.js';
import { describeCheckpointCost, measureCheckpointCost } from './checkpoint-cost.js';
import { measureClusterStart } from './cluster-start.js';
import { describeMeasurement } from './measurement.js';
import { describeRecovery, measureRecovery, type Recovery } from './recovery.js';
import { measureTenRecords } from './ten-records.js';

export const RECOVERY_USAGE: string = `
  bench recovery [--state-mb M] [--parallelism P] [--rate R] [--ckpt MS]   kills a TaskManager (200 MB, 2, 20000, 2000)
  bench failover [--state-mb M] [--parallelism P] [--rate R] [--ckpt MS]   kills the leading JobManager (1 MB, 2, 20000, 1000)
  bench cluster-start                               from the command until the slots of two TaskManagers are free
  bench ten-records                                 millstream run of a job of ten records, until its process has ended
  bench checkpoint-cost [--records N] [--parallelism P] [--ckpt MS] [--pairs N]   w3 with and without (18M, 1, 1000, 3)
  each with [--runs R] and [--json]
`;

interface Settings {
  readonly numbers: Readonly<Record<string, number>>;
  readonly json: boolean;
}

type Measure = (settings: Settings) => Promise<{ readonly figures: object; readonly text: string }>;

const COMMANDS: { readonly [name: string]: { readonly defaults: Readonly<Record<string, number>>; readonly measure: Measure } } = {
  recovery: { defaults: { 'state-mb': 200, parallelism: 2, rate: 20_000, ckpt: 2000 }, measure: recovering('TaskManager') },
  failover: { defaults: { 'state-mb': 1, parallelism: 2, rate: 20_000, ckpt: 1000 }, measure: recovering('JobManager') },
  'cluster-start': {
    defaults: {},
    async measure() {
      const figures = await measureClusterStart();
      return { figures, text: `JobManager and ${figures.taskManagers} TaskManagers are ready after ${figures.readyMs} ms` };
    },
  },
  'ten-records': {
    defaults: {},
    async measure() {
      const figures = await measureTenRecords();
      return { figures, text: `millstream run of a job of ten records has ended after ${figures.durationMs} ms` };
    },
  },
  'checkpoint-cost': {
    defaults: { records: 18_000_000, parallelism: 1, ckpt: 1000, pairs: 3 },
    async measure({ numbers, json }) {
      const { records = 0, parallelism = 0, ckpt = 0, pairs = 0 } = numbers;
      const figures = await measureCheckpointCost(records, parallelism, ckpt, pairs, (measurement) => {
        if (!json) process.stderr.write(`${describeMeasurement(measurement)}\n`);
      });
      return { figures, text: describeCheckpointCost(figures) };
    },
  },
};

function recovering(victim: Recovery['victim']): Measure {
  return async ({ numbers }) => {
    const { 'state-mb': stateMb = 0, parallelism = 0, rate: recordsPerSecond = 0, ckpt: checkpointMs = 0 } = numbers;
    const figures = await measureRecovery({ stateMb, parallelism, recordsPerSecond, checkpointMs }, victim);
    return { figures, text: describeRecovery(figures) };
  };
}

/** Runs the command if it is one of these; false: it is not. Throws UsageError. */
export async function runRecoveryCommand(args: readonly string[], print: (text: string) => void): Promise<boolean> {
  const [name = '', ...rest] = args;
  const command = COMMANDS[name];
  if (command === undefined) return false;
  const { numbers, json } = settingsOf(name, { ...command.defaults, runs: 1 }, rest);
  for (let run = 0; run < (numbers.runs ?? 1); run++) {
    const { figures, text } = await command.measure({ numbers, json });
    print(json ? JSON.stringify(figures) : text);
  }
  return true;
}

function settingsOf(name: string, defaults: Readonly<Record<string, number>>, args: readonly string[]): Settings {
  const options = Object.fromEntries(Object.keys(defaults).map((option) => [option, { type: 'string' as const }]));
  let values: Readonly<Record<string, string | boolean | undefined>>;
  try {
    ({ values } = parseArgs({ args: [...args], options: { ...options, json: { type: 'boolean' } } }));
  } catch (error) {
    throw new UsageError(`Cannot read the arguments of ${name}: ${(error as Error).message}`);
  }
  const numbers: Record<string, number> = { ...defaults };
  for (const option of Object.keys(defaults)) {
    const text = values[option];
    if (text === undefined) continue;
    const number = Number(String(text).replaceAll('_', ''));
    if (!Number.isSafeInteger(number) || number < 1 || text === '')
      throw new UsageError(`Cannot use --${option} '${text}': it must be an integer of at least 1.`);
    numbers[option] = number;
  }
  return { numbers, json: values.json === true };
}
