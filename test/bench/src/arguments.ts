/** The command line: `bench <workload> [options]` and `bench compare [options]`. */
import { parseArgs } from 'node:util';
import type { BenchCluster } from './cluster-executor.js';
import type { RunOptions } from './run-workload.js';
import { WORKLOADS, type Workload } from './workload-parameters.js';

export const USAGE: string = `usage:
  bench <${WORKLOADS.join('|')}> [options]     measures Millstream in a fresh process
  bench <workload> --cluster N [options]       N TaskManagers against one process, in alternation
  bench compare [options]                      Flink and Millstream in alternation (needs Java 17 and Maven)

  --parallelism P     subtasks; for compare a list (1; compare: 1,2)
  --records N         bids, for w5 mixed events (w1 80M, w2 24M, w3 and w4 30M, w5 20M, w3lat 4M)
  --ckpt MS           checkpoint interval of w3 to w5, 0 for none (400)
  --rate R            records a second, w3lat only (200000)
  --buffer MS         buffer timeout (100; w3lat 5)
  --runs R            measured runs after the warm-up (1)
  --force-codec       encodes records between subtasks of one slot too
  --pauses            samples the delay of each slot's loop every millisecond
  --restore           stops a second run after two checkpoints, restores it, and compares the results
  --dump              prints the results of w4 or w5 as sorted lines of JSON
  --json              prints lines of JSON

with --cluster only:
  --cluster N         N TaskManagers of one slot each, and parallelism N
  --tls               TLS between all processes
  --pairs N           (1)

compare only:
  --workloads W,W     (w1,w2,w3,w4,w5)
  --pairs N           (5)
  --flink-ckpt MS     checkpoint interval of Flink (3000)
  --results FILE      all measurements and rows as lines of JSON (results/bench.jsonl)
`;

/** A command line that cannot be run; the message says why. */
export class UsageError extends Error {}

const DEFAULT_RECORDS: Readonly<Record<Workload, number>> = {
  w1: 80_000_000,
  w2: 24_000_000,
  w3: 30_000_000,
  w3lat: 4_000_000,
  w4: 30_000_000,
  w5: 20_000_000,
};

export type Command =
  | { readonly command: 'measure' | 'restore'; readonly run: RunOptions; readonly runs: number; readonly json: boolean }
  | { readonly command: 'dump'; readonly run: RunOptions }
  | {
      readonly command: 'cluster';
      readonly run: RunOptions;
      readonly cluster: BenchCluster;
      readonly pairs: number;
      readonly json: boolean;
    }
  | {
      readonly command: 'compare';
      readonly runs: readonly RunOptions[];
      readonly pairs: number;
      readonly flinkCheckpointMs: number;
      readonly results: string;
      readonly json: boolean;
    };

const OPTIONS = {
  parallelism: { type: 'string' },
  records: { type: 'string' },
  ckpt: { type: 'string' },
  rate: { type: 'string' },
  buffer: { type: 'string' },
  runs: { type: 'string' },
  'force-codec': { type: 'boolean' },
  pauses: { type: 'boolean' },
  restore: { type: 'boolean' },
  dump: { type: 'boolean' },
  json: { type: 'boolean' },
  cluster: { type: 'string' },
  tls: { type: 'boolean' },
  workloads: { type: 'string' },
  pairs: { type: 'string' },
  'flink-ckpt': { type: 'string' },
  results: { type: 'string' },
} as const;

type Values = { readonly [K in keyof typeof OPTIONS]?: ((typeof OPTIONS)[K]['type'] extends 'boolean' ? boolean : string) | undefined };
type TextOption = { [K in keyof typeof OPTIONS]: (typeof OPTIONS)[K]['type'] extends 'string' ? K : never }[keyof typeof OPTIONS];

const ONLY_COMPARE = ['workloads', 'flink-ckpt', 'results'] as const;
const NOT_COMPARE = ['runs', 'restore', 'dump', 'cluster', 'tls'] as const;
const NOT_CLUSTER = ['parallelism', 'runs', 'force-codec', 'pauses', 'restore', 'dump'] as const;
const NOT_DUMP = ['runs', 'restore', 'ckpt', 'json', 'pauses'] as const;

function numberOf(values: Values, name: TextOption, unless: number, least: number): number {
  const text = values[name];
  if (text === undefined) return unless;
  const value = Number(text.replaceAll('_', ''));
  if (Number.isSafeInteger(value) && value >= least && text !== '') return value;
  throw new UsageError(`Cannot use --${name} '${text}': it must be an integer of at least ${least}.`);
}

function workloadOf(text: string): Workload {
  const found = WORKLOADS.find((workload) => workload === text);
  if (found !== undefined) return found;
  throw new UsageError(`Cannot run workload '${text}': there are ${WORKLOADS.join(', ')}, and 'compare'.`);
}

function runOf(values: Values, workload: Workload, parallelism: number): RunOptions {
  const paced = workload === 'w3lat';
  return {
    workload,
    parallelism,
    records: numberOf(values, 'records', DEFAULT_RECORDS[workload], 1),
    checkpointMs: numberOf(values, 'ckpt', 400, 0),
    rate: paced ? numberOf(values, 'rate', 200_000, 1) : 0,
    bufferTimeoutMs: numberOf(values, 'buffer', paced ? 5 : 100, 0),
    forceCodec: values['force-codec'] === true,
    pauses: values.pauses === true,
  };
}

function refuse(values: Values, names: readonly (keyof Values)[], where: string): void {
  const name = names.find((option) => values[option] !== undefined);
  if (name !== undefined) throw new UsageError(`Cannot use --${name} ${where}: leave it out.`);
}

function compareCommand(values: Values): Command {
  refuse(values, NOT_COMPARE, 'with compare');
  const workloads = (values.workloads ?? 'w1,w2,w3,w4,w5').split(',').map(workloadOf);
  const parallelisms = (values.parallelism ?? '1,2').split(',').map((text) => numberOf({ parallelism: text }, 'parallelism', 1, 1));
  return {
    command: 'compare',
    runs: workloads.flatMap((workload) => parallelisms.map((parallelism) => runOf(values, workload, parallelism))),
    pairs: numberOf(values, 'pairs', 5, 1),
    flinkCheckpointMs: numberOf(values, 'flink-ckpt', 3000, 0),
    results: values.results ?? 'results/bench.jsonl',
    json: values.json === true,
  };
}

function clusterCommand(values: Values, workload: Workload): Command {
  refuse(values, NOT_CLUSTER, 'with --cluster');
  const taskManagers = numberOf(values, 'cluster', 1, 1);
  return {
    command: 'cluster',
    run: runOf(values, workload, taskManagers),
    cluster: { taskManagers, tls: values.tls === true },
    pairs: numberOf(values, 'pairs', 1, 1),
    json: values.json === true,
  };
}

export function parseCommand(args: readonly string[]): Command {
  const { values, positionals } = parse(args);
  const [first, ...rest] = positionals;
  if (first === undefined || rest.length > 0)
    throw new UsageError(`Cannot run '${positionals.join(' ')}': name one workload, or 'compare'.`);
  if (first === 'compare') return compareCommand(values);
  const workload = workloadOf(first);
  refuse(values, ONLY_COMPARE, `with ${workload}: it belongs to compare`);
  if (workload !== 'w3lat') refuse(values, ['rate'], `with ${workload}: it belongs to w3lat`);
  if (values.cluster !== undefined) return clusterCommand(values, workload);
  refuse(values, ['pairs', 'tls'], 'without --cluster');
  const run = runOf(values, workload, numberOf(values, 'parallelism', 1, 1));
  if (values.dump === true) {
    refuse(values, NOT_DUMP, 'with --dump');
    if (workload !== 'w4' && workload !== 'w5') throw new UsageError(`Cannot dump ${workload}: only w4 and w5 have results to print.`);
    return { command: 'dump', run };
  }
  const restore = values.restore === true;
  if (restore && !['w3', 'w4', 'w5'].includes(workload)) throw new UsageError(`Cannot restore ${workload}: only w3, w4 and w5 can be.`);
  if (restore && run.checkpointMs === 0) throw new UsageError(`Cannot restore ${workload} without checkpoints: ask for --ckpt above 0.`);
  return { command: restore ? 'restore' : 'measure', run, runs: numberOf(values, 'runs', 1, 1), json: values.json === true };
}

function parse(args: readonly string[]): { values: Values; positionals: string[] } {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`Cannot read the command line: ${(error as Error).message}`);
  }
}
