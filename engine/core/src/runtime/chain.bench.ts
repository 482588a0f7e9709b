/**
 * CPU time per record of a chain filter → map → map → filter → sink: `node engine/core/dist/runtime/chain.bench.js [case …]`, without
 * arguments all cases, each in a process of its own: the generated chain, its interpreted twin, and the loop that one would write by hand.
 * Each is measured twice: alone, and after three other chains with other functions and records have run in the isolate. The filters let
 * about three quarters and half of their records pass; every map makes a new object.
 */
import { execFileSync } from 'node:child_process';
import { seededRandom } from '../common/random.js';
import { BATCH_RECORDS } from '../network/element.js';
import type { ChainSpec, ChainStep, CompiledChain } from './chain.js';
import { generateChain } from './chain-generator.js';
import { interpretChain } from './chain-interpreter.js';

const BATCHES = 256;
const RECORDS = BATCH_RECORDS * BATCHES;
/** How often a round goes through all batches. */
const PASSES = 40;
const ROUNDS = 15;
const WARM_UP_ROUNDS = 3;
const HOUR_MS = 3_600_000;

interface Trade {
  readonly account: number;
  readonly price: number;
  readonly at: number;
}
interface Fee {
  readonly account: number;
  readonly fee: number;
  readonly hour: number;
}
interface Charge {
  readonly account: number;
  readonly cents: number;
}

type Compile = (spec: ChainSpec) => CompiledChain;
type Write = (value: unknown, timestamp: number) => void;
/** A step without its place in a chain. */
type StepFunction = readonly ['map', (value: unknown) => unknown] | readonly ['filter', (value: unknown) => boolean];
/** Runs the records of one batch. */
type RunBatch = (values: readonly unknown[], timestamps: Float64Array) => void;

/** What the sink got. */
const total = { records: 0, cents: 0, time: 0 };

const FUNCTIONS: readonly StepFunction[] = [
  ['filter', (trade) => (trade as Trade).account % 4 !== 0],
  ['map', feeOf],
  ['map', (fee) => ({ account: (fee as Fee).account + (fee as Fee).hour, cents: Math.round((fee as Fee).fee * 100) })],
  ['filter', (charge) => (charge as Charge).cents % 2 === 0],
];

function feeOf(value: unknown): Fee {
  const trade = value as Trade;
  return { account: trade.account, fee: trade.price * 0.0125, hour: Math.floor(trade.at / HOUR_MS) % 24 };
}

function writeTotal(value: unknown, timestamp: number): void {
  total.records++;
  total.cents += (value as Charge).cents;
  total.time += timestamp % 1000;
}

function byHand(values: readonly unknown[], timestamps: Float64Array): void {
  for (let i = 0; i < values.length; i++) {
    const trade = values[i] as Trade;
    if (trade.account % 4 === 0) continue;
    const fee = { account: trade.account, fee: trade.price * 0.0125, hour: Math.floor(trade.at / HOUR_MS) % 24 };
    const charge = { account: fee.account + fee.hour, cents: Math.round(fee.fee * 100) };
    if (charge.cents % 2 !== 0) continue;
    total.records++;
    total.cents += charge.cents;
    total.time += (timestamps[i] as number) % 1000;
  }
}

/** The functions one after the other, then the sink. */
function chained(compile: Compile, name: string, functions: readonly StepFunction[], write: Write): RunBatch {
  const base = (index: number, next: readonly number[]): Pick<ChainStep, 'label' | 'main' | 'sides'> => ({
    label: `step ${index}`,
    main: { operators: next, edges: [] },
    sides: new Map(),
  });
  const steps: ChainStep[] = functions.map(([type, fn], index) =>
    type === 'map'
      ? { ...base(index, [index + 1]), type, fn, onError: undefined }
      : { ...base(index, [index + 1]), type, fn, onError: undefined },
  );
  steps.push({ ...base(steps.length, []), type: 'write', write: () => ({ write }) });
  const recordsIn = new Float64Array(steps.length);
  const chain = compile({ name, steps, control: { stop: false }, recordsIn, checkEmitted: undefined });
  chain.bind();
  return (values, timestamps) => void chain.runBatch(values, timestamps, 0, values.length, 0);
}

interface OtherChain {
  readonly make: (i: number) => unknown;
  readonly functions: readonly StepFunction[];
}

const OTHER_CHAINS: readonly OtherChain[] = [
  {
    make: (i) => i,
    functions: [
      ['map', (value) => (value as number) * 1.5],
      ['filter', (value) => (value as number) % 3 !== 0],
    ],
  },
  {
    make: (i) => `word-${i}`,
    functions: [
      ['filter', (value) => (value as string).endsWith('7')],
      ['map', (value) => ({ word: value, size: (value as string).length })],
      ['map', (value) => [(value as { word: string }).word, 1]],
    ],
  },
  {
    make: (i) => ({ id: i, name: `name-${i}`, active: i % 2 === 0 }),
    functions: [
      ['map', (value) => ({ ...(value as object), seen: true })],
      ['map', (value) => ({ key: (value as { id: number }).id % 10, user: value })],
      ['filter', (value) => (value as { key: number }).key > 2],
      ['map', (value) => (value as { user: unknown }).user],
    ],
  },
];

function runOthers(compile: Compile): void {
  OTHER_CHAINS.forEach(({ make, functions }, index) => {
    let seen = 0;
    const run = chained(compile, `other ${index}`, functions, () => {
      seen++;
    });
    const batches = batchesOf(make);
    for (let pass = 0; pass < PASSES; pass++) for (const { values, timestamps } of batches) run(values, timestamps);
    if (seen === 0) throw new Error(`Nothing came through chain ${index}`);
  });
}

interface Batch {
  readonly values: readonly unknown[];
  readonly timestamps: Float64Array;
}

function batchesOf(make: (i: number) => unknown): readonly Batch[] {
  return Array.from({ length: BATCHES }, (_, batch) => ({
    values: Array.from({ length: BATCH_RECORDS }, (__, i) => make(batch * BATCH_RECORDS + i)),
    timestamps: Float64Array.from({ length: BATCH_RECORDS }, (__, i) => 1_700_000_000_000 + batch * BATCH_RECORDS + i),
  }));
}

/** The median of the rounds, ns of all threads per record. */
function cpuNsPerRecord(run: RunBatch, batches: readonly Batch[]): number {
  const times = Array.from({ length: WARM_UP_ROUNDS + ROUNDS }, () => {
    const before = process.cpuUsage();
    for (let pass = 0; pass < PASSES; pass++) for (const { values, timestamps } of batches) run(values, timestamps);
    const { user, system } = process.cpuUsage(before);
    return ((user + system) * 1000) / (PASSES * RECORDS);
  });
  return times.slice(WARM_UP_ROUNDS).sort((a, b) => a - b)[ROUNDS >> 1] as number;
}

/** The totals of one pass: the same for all cases. */
function totalsOf(run: RunBatch, batches: readonly Batch[]): string {
  Object.assign(total, { records: 0, cents: 0, time: 0 });
  for (const { values, timestamps } of batches) run(values, timestamps);
  return JSON.stringify(total);
}

const CASES: Readonly<Record<string, { readonly run: () => RunBatch; readonly others: Compile }>> = {
  generated: { run: () => chained(generateChain, 'generated', FUNCTIONS, writeTotal), others: generateChain },
  interpreted: { run: () => chained(interpretChain, 'interpreted', FUNCTIONS, writeTotal), others: interpretChain },
  'by hand': { run: () => byHand, others: generateChain },
};

function measure(name: string): void {
  const { run: create, others } = CASES[name] as (typeof CASES)[string];
  const random = seededRandom(7);
  const batches = batchesOf((i) => ({
    account: random.below(100_000),
    price: random.below(1_000_000) / 8,
    at: 1_700_000_000_000 + i * 500,
  }));
  const run = create();
  const alone = cpuNsPerRecord(run, batches);
  runOthers(others);
  const afterOthers = cpuNsPerRecord(run, batches);
  const got = totalsOf(run, batches);
  const expected = totalsOf(byHand, batches);
  if (got !== expected) throw new Error(`The ${name} chain made ${got}, not ${expected}`);
  console.log(`${name.padEnd(12)} ${alone.toFixed(1).padStart(6)} ns alone ${afterOthers.toFixed(1).padStart(6)} ns after others`);
}

const wanted = process.argv.slice(2);
if (wanted.length === 0) {
  console.log(`Node ${process.version}, CPU time per record (all threads), median of ${ROUNDS}`);
  for (const name of Object.keys(CASES)) execFileSync(process.execPath, [import.meta.filename, name], { stdio: 'inherit' });
} else {
  for (const name of wanted) measure(name);
}
