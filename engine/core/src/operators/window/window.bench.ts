/**
 * CPU time per record of window operators over the heap backend: `node engine/core/dist/operators/window/window.bench.js [case …]`,
 * without arguments all cases, each in a process of its own. Records are random keys in nearly ordered time, a watermark every 256
 * records. 'state access' is what the first case does to the window table, without an operator.
 */
import { execFileSync } from 'node:child_process';
import { systemClock } from '../../common/clock.js';
import type { Key } from '../../common/key.js';
import { seededRandom } from '../../common/random.js';
import type { AggregateFunction } from '../../state/descriptors.js';
import { HeapStateBackend } from '../../state/heap/heap-state-backend.js';
import type { Operator, OperatorContext } from '../operator.js';
import { createWindowJoinOperator } from '../window-join.js';
import { EventTimeSessionWindows, SlidingEventTimeWindows, TumblingEventTimeWindows, windowStart } from './assigners.js';
import { UNLIMITED } from './contents.js';
import { createWindowOperator } from './window-operator.js';

const RECORDS = 1_000_000;
const WATERMARK_EVERY = 256;
const ROUNDS = 5;
const WINDOW_MS = 10_000;
/** Records per ms of event time. */
const RATE = 100;
const JITTER_MS = 500;

interface Bid {
  readonly auction: number;
  readonly price: number;
}

interface CountMax {
  count: number;
  max: number;
}

const countMax: AggregateFunction<Bid, CountMax, CountMax> = {
  createAccumulator: () => ({ count: 0, max: 0 }),
  add(bid, total) {
    total.count++;
    if (bid.price > total.max) total.max = bid.price;
    return total;
  },
  getResult: (total) => total,
  merge: (left, right) => ({ count: left.count + right.count, max: Math.max(left.max, right.max) }),
};

let emitted = 0;

function context(keyed: HeapStateBackend): OperatorContext {
  const key = (bid: unknown): Key => (bid as Bid).auction;
  const parts: Partial<OperatorContext> = {
    name: 'window',
    clock: systemClock,
    counters: { numLateRecordsDropped: 0, numRecordsInErrors: 0, numFiredTimers: 0 },
    keySelectors: [key, key],
    output: {
      collect: () => {
        emitted++;
      },
    },
    keyed,
    restoredWatermarks: undefined,
  };
  return parts as OperatorContext;
}

/** Exactly the state accesses of a tumbling window. */
function stateAccess(create: OperatorContext): Operator {
  const table = create.keyed.windows<CountMax>('windows');
  return {
    processElement(value, timestamp) {
      const bid = value as Bid;
      const start = windowStart(timestamp, 0, WINDOW_MS);
      const entry = table.entry(start, bid.auction);
      if (entry === undefined) table.insert(start, bid.auction, countMax.add(bid, countMax.createAccumulator()));
      else entry.value = countMax.add(bid, entry.value);
    },
    advanceEventTime(watermark) {
      for (const start of table.namespaces()) {
        if (start + WINDOW_MS > watermark) continue;
        for (const entry of table.entries(start)) if (entry.value.count > 0) emitted++;
        table.drop(start);
      }
      return true;
    },
  };
}

interface Case {
  readonly keys: number;
  readonly create: (context: OperatorContext) => Operator;
}

const aggregate = { type: 'aggregate' as const, aggregate: countMax };
const tumbling = TumblingEventTimeWindows.of(WINDOW_MS);
const cases: Record<string, Case> = {
  'state access, 10k keys': { keys: 10_000, create: stateAccess },
  'tumbling aggregate, 10k keys': { keys: 10_000, create: createWindowOperator({ assigner: tumbling, function: aggregate }) },
  'state access, 1M keys': { keys: 1_000_000, create: stateAccess },
  'tumbling aggregate, 1M keys': { keys: 1_000_000, create: createWindowOperator({ assigner: tumbling, function: aggregate }) },
  'sliding aggregate, 6 windows, 10k keys': {
    keys: 10_000,
    create: createWindowOperator({ assigner: SlidingEventTimeWindows.of(6 * WINDOW_MS, WINDOW_MS), function: aggregate }),
  },
  'session aggregate, 10k keys': {
    keys: 10_000,
    create: createWindowOperator({ assigner: EventTimeSessionWindows.withGap(1000), function: aggregate }),
  },
  'join, 1 of 16 left, 100k keys': {
    keys: 100_000,
    create: createWindowJoinOperator({ assigner: tumbling, join: (left: Bid, right: Bid) => left.price - right.price }),
  },
};

function cpuNs(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}

function measure(name: string, { keys, create }: Case): void {
  const random = seededRandom(7);
  const bids: Bid[] = Array.from({ length: 1 << 16 }, () => ({ auction: random.below(keys), price: random.below(1_000_000) }));
  const jitter = Int32Array.from({ length: 1 << 12 }, () => random.below(JITTER_MS));
  const join = name.startsWith('join');
  const round = (): void => {
    const operator = create(context(new HeapStateBackend({ keyGroupRange: { start: 0, end: 127 }, maxParallelism: 128 })));
    void operator.open?.();
    for (let i = 0; i < RECORDS; i++) {
      const time = Math.floor(i / RATE) - (jitter[i & 4095] as number);
      // Other keys in each pass over the records.
      const bid = bids[(i * 7 + (i >> 16)) & 65_535] as Bid;
      if (join && i % 16 === 0) operator.processElement2?.(bid, time);
      else operator.processElement?.(bid, time);
      if (i % WATERMARK_EVERY === 0) operator.advanceEventTime?.(Math.floor(i / RATE) - JITTER_MS - 1, UNLIMITED);
    }
    operator.advanceEventTime?.(Number.POSITIVE_INFINITY, UNLIMITED);
  };
  round();
  const times = Array.from({ length: ROUNDS }, () => cpuNs(round) / RECORDS).sort((a, b) => a - b);
  console.log(`${name.padEnd(40)} ${(times[ROUNDS >> 1] as number).toFixed(0).padStart(5)} ns  (emitted ${emitted / (ROUNDS + 1)})`);
}

const wanted = process.argv.slice(2);
if (wanted.length === 0) {
  console.log(`Node ${process.version}, CPU time per record (all threads), median of ${ROUNDS}`);
  for (const name of Object.keys(cases)) execFileSync(process.execPath, [import.meta.filename, name], { stdio: 'inherit' });
} else {
  for (const name of wanted) measure(name, cases[name] as Case);
}
