/**
 * Micro-benchmark of the heap backend: `node dist/state/heap/heap.bench.js [columns|objects keys]`, without arguments all cases, each
 * in a process of its own. One JSON line per case:
 *  - ns per update with random int32 keys and with one key (CPU time of the thread; setCurrentKey, value, update, and drawing the key);
 *  - elapsed: the longest single insert while filling with changes tracked (garbage collections included), the median and the longest
 *    slice of 2,000 rows of a snapshot, ns per update between its slices;
 *  - bytes per key after filling, and bytes of columns per key at the worst moment of it.
 */
import { execFileSync } from 'node:child_process';
import { schema } from '../../codec/schema.js';
import { systemClock } from '../../common/clock.js';
import { seededRandom } from '../../common/random.js';
import { ValueStateDescriptor } from '../descriptors.js';
import { HeapStateBackend } from './heap-state-backend.js';

const GROUPS = 128;
const SLICE_ROWS = 2000;
const UPDATES = 4_000_000;
const RUNS = 5;

interface Counter {
  count: number;
  sum: number;
}

const LAYOUTS = {
  objects: new ValueStateDescriptor<Counter>('counter'),
  columns: new ValueStateDescriptor<Counter>('counter', { schema: schema({ count: 'int32', sum: 'float64' }) }),
};

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] as number;
}

/** CPU time of this thread: what others do on the machine shows less than in elapsed time. Garbage collection's helpers are not in it. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function usedBytes(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

class Bench {
  readonly backend = new HeapStateBackend({ keyGroupRange: { start: 0, end: GROUPS - 1 }, maxParallelism: GROUPS });
  private readonly state;
  private readonly random = seededRandom(7);
  private readonly keyCount: number;
  private epoch = 0;

  constructor(layout: keyof typeof LAYOUTS, keyCount: number) {
    this.state = this.backend.value(LAYOUTS[layout]);
    this.keyCount = keyCount;
  }

  update(key: number): void {
    this.backend.setCurrentKey(key);
    const current = this.state.value();
    if (current === undefined) {
      this.state.update({ count: 1, sum: key + 0.5 });
    } else {
      current.count++;
      current.sum += 0.5;
      this.state.update(current);
    }
  }

  /** Inserts all keys while changes are tracked. */
  fill(): { readonly longestInsertMs: number; readonly worstColumnBytesPerKey: number } {
    this.snapshot(() => {});
    let longestInsertMs = 0;
    let worstColumnBytesPerKey = 0;
    for (let key = 0; key < this.keyCount; key++) {
      const start = systemClock.monotonic();
      this.update(key);
      longestInsertMs = Math.max(longestInsertMs, systemClock.monotonic() - start);
      if (key > this.keyCount / 8 && key % 100 === 0)
        worstColumnBytesPerKey = Math.max(worstColumnBytesPerKey, this.backend.size().columnBytes / key);
    }
    return { longestInsertMs, worstColumnBytesPerKey };
  }

  /** ns per update. */
  updates(count: number, keyCount: number): number {
    const start = threadMs();
    for (let i = 0; i < count; i++) this.update(this.random.below(keyCount));
    return ((threadMs() - start) / count) * 1e6;
  }

  /** Takes a snapshot that is confirmed; returns the time of each slice in ms, elapsed. */
  snapshot(between: () => void): number[] {
    const epoch = ++this.epoch;
    const running = this.backend.startSnapshot(epoch, epoch - 1, { write() {} });
    const slices: number[] = [];
    for (;;) {
      const start = systemClock.monotonic();
      const done = running.step(SLICE_ROWS);
      slices.push(systemClock.monotonic() - start);
      if (done) break;
      between();
    }
    this.backend.confirm(epoch);
    return slices.sort((left, right) => left - right);
  }
}

function run(layout: keyof typeof LAYOUTS, keyCount: number): void {
  const before = usedBytes();
  const bench = new Bench(layout, keyCount);
  const fill = bench.fill();
  const bytesPerKey = (usedBytes() - before) / keyCount;
  bench.updates(UPDATES, keyCount);
  const randomKeyNs = median(Array.from({ length: RUNS }, () => bench.updates(UPDATES, keyCount)));
  const oneKeyNs = median(Array.from({ length: RUNS }, () => bench.updates(UPDATES, 1)));
  bench.snapshot(() => bench.updates(SLICE_ROWS, keyCount));
  const during: number[] = [];
  const slices = bench.snapshot(() => {
    const start = systemClock.monotonic();
    bench.updates(SLICE_ROWS, keyCount);
    during.push(((systemClock.monotonic() - start) / SLICE_ROWS) * 1e6);
  });
  const result = {
    layout,
    keys: keyCount,
    randomKeyNs,
    oneKeyNs,
    duringSnapshotNs: median(during),
    ...fill,
    bytesPerKey,
    medianSliceMs: slices[slices.length >> 1],
    longestSliceMs: slices.at(-1),
  };
  console.log(JSON.stringify(result, (_, value) => (typeof value === 'number' ? Math.round(value * 100) / 100 : value)));
}

const [layout, keyCount] = process.argv.slice(2);
if (layout === 'columns' || layout === 'objects') {
  run(layout, Number(keyCount));
} else {
  for (const [name, count] of [
    ['columns', 10_000],
    ['objects', 10_000],
    ['columns', 1_000_000],
    ['objects', 1_000_000],
    ['columns', 10_000_000],
  ] as const) {
    execFileSync(process.execPath, ['--expose-gc', import.meta.filename, name, String(count)], { stdio: 'inherit' });
  }
}
