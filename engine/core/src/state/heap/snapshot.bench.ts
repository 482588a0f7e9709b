/**
 * What snapshots of objects cost: `node dist/state/heap/snapshot.bench.js [case …]`, without arguments all cases, each in a process of its
 * own. One JSON line per case, CPU time of the thread, the median of several snapshots:
 *  - `snapshotNs` per element (a record of a list, else an entry) of a base in slices of 500 rows, `longestSliceMs` its longest slice
 *    (elapsed, garbage collections included), `bytes` per element;
 *  - `touchedNs` the same where every entry is touched at random between the slices, without what touching costs in itself;
 *  - `restoreNs` the same for restoring the file at the same parallelism, once.
 */
import { execFileSync } from 'node:child_process';
import { systemClock } from '../../common/clock.js';
import { type Random, seededRandom } from '../../common/random.js';
import type { KeyedSnapshotInfo } from '../backend.js';
import { ListStateDescriptor, ValueStateDescriptor } from '../descriptors.js';
import { HeapStateBackend } from './heap-state-backend.js';

const GROUPS = 128;
const SLICE_ROWS = 500;
const SNAPSHOTS = 5;
const TOUCHES_PER_SLICE = 250;

interface Case {
  readonly entries: number;
  readonly elementsPerEntry: number;
  fill(backend: HeapStateBackend): void;
  touch(backend: HeapStateBackend, entry: number): void;
}

/** A string as it comes from the network: not a rope. */
function text(random: Random, count: number): string {
  let result = '';
  for (let i = 0; i < count; i++) result += String.fromCharCode(97 + random.below(26));
  return Buffer.from(result, 'latin1').toString('latin1');
}

/** Records like the bids of Nexmark. */
function bids(): () => object {
  const random = seededRandom(7);
  const channels = Array.from({ length: 10_000 }, (_, i) => text(random, 6 + (i % 6)));
  const urls = channels.map(() => text(random, 60));
  const extras = Array.from({ length: 1024 }, () => text(random, 30 + random.below(71)));
  return () => {
    const channel = random.below(2) === 0 ? random.below(4) : random.below(10_000);
    return {
      auction: 1000 + random.below(1_000_000),
      bidder: 1000 + random.below(100_000),
      price: 100 + random.below(1_000_000),
      channel: channels[channel] as string,
      url: urls[channel] as string,
      dateTime: 1_700_000_000_000 + random.below(10_000),
      extra: extras[random.below(1024)] as string,
    };
  };
}

const WINDOWS = 2;
const namespaceOf = (entry: number): number => (entry % WINDOWS) * 10_000;
const objects = new ValueStateDescriptor<{ id: number; name: string; count: number; sum: number }>('objects');
const lists = new ListStateDescriptor<object>('lists');

const CASES: Record<string, Case> = {
  join: {
    entries: 100_000,
    elementsPerEntry: 17,
    fill(backend) {
      const bid = bids();
      const table = backend.windows('join');
      for (let key = 0; key < 100_000; key++) {
        const left = [{ id: key, itemName: 'item', initialBid: 100, seller: key >> 3, category: 10, extra: 'x' }];
        table.insert(namespaceOf(key), key, { left, right: Array.from({ length: 16 }, bid) });
      }
    },
    touch: (backend, key) => void backend.windows('join').entry(namespaceOf(key), key),
  },
  accumulators: {
    entries: 200_000,
    elementsPerEntry: 1,
    fill(backend) {
      const table = backend.windows('accumulators');
      for (let key = 0; key < 200_000; key++) table.insert(namespaceOf(key), key, { count: key & 15, max: key + 0.5 });
    },
    touch: (backend, key) => void backend.windows('accumulators').entry(namespaceOf(key), key),
  },
  objects: {
    entries: 200_000,
    elementsPerEntry: 1,
    fill(backend) {
      const state = backend.value(objects);
      const random = seededRandom(3);
      for (let key = 0; key < 200_000; key++) {
        backend.setCurrentKey(`user-${key}`);
        state.update({ id: key, name: text(random, 12), count: key & 15, sum: key / 4 });
      }
    },
    touch(backend, key) {
      backend.setCurrentKey(`user-${key}`);
      backend.value(objects).value();
    },
  },
  lists: {
    entries: 20_000,
    elementsPerEntry: 10,
    fill(backend) {
      const bid = bids();
      const state = backend.list(lists);
      for (let key = 0; key < 20_000; key++) {
        backend.setCurrentKey(key);
        for (let i = 0; i < 10; i++) state.add(bid());
      }
    },
    touch(backend, key) {
      backend.setCurrentKey(key);
      backend.list(lists).get();
    },
  },
};

function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] as number;
}

function backendOf(): HeapStateBackend {
  return new HeapStateBackend({ keyGroupRange: { start: 0, end: GROUPS - 1 }, maxParallelism: GROUPS, baseEvery: 0 });
}

interface Taken {
  readonly ms: number;
  readonly longestSliceMs: number;
  readonly info: KeyedSnapshotInfo;
}

function take(backend: HeapStateBackend, epoch: number, between: () => void, chunks?: Uint8Array[]): Taken {
  let longestSliceMs = 0;
  const start = threadMs();
  const running = backend.startSnapshot(epoch, 0, { write: (chunk) => void chunks?.push(chunk) });
  for (;;) {
    const begin = systemClock.monotonic();
    const done = running.step(SLICE_ROWS);
    longestSliceMs = Math.max(longestSliceMs, systemClock.monotonic() - begin);
    if (done) break;
    between();
  }
  const ms = threadMs() - start;
  return { ms, longestSliceMs, info: running.info };
}

function run(name: string): void {
  const { entries, elementsPerEntry, fill, touch } = CASES[name] as Case;
  const backend = backendOf();
  fill(backend);
  const perElement = (ms: number): number => (ms * 1e6) / (entries * elementsPerEntry);
  const random = seededRandom(11);
  const touchSome = (): void => {
    for (let i = 0; i < TOUCHES_PER_SLICE; i++) touch(backend, random.below(entries));
  };
  let epoch = 1;
  for (; epoch <= 2; epoch++) take(backend, epoch, () => {});
  const quiet = Array.from({ length: SNAPSHOTS }, () => take(backend, epoch++, () => {}));
  const touched = Array.from({ length: SNAPSHOTS }, () => {
    let touchMs = 0;
    let slices = 0;
    const { ms } = take(backend, epoch++, () => {
      touchSome();
      slices++;
    });
    // The same number of touches without a running snapshot.
    const start = threadMs();
    for (let i = 0; i < slices; i++) touchSome();
    touchMs = threadMs() - start;
    return ms - touchMs;
  });
  const chunks: Uint8Array[] = [];
  const { info } = take(backend, epoch, () => {}, chunks);
  const file = { info, bytes: Buffer.concat(chunks), path: 'bench' };
  const start = threadMs();
  backendOf().restore([[file]]);
  const result = {
    name,
    snapshotNs: perElement(median(quiet.map(({ ms }) => ms))),
    longestSliceMs: median(quiet.map(({ longestSliceMs }) => longestSliceMs)),
    touchedNs: perElement(median(touched)),
    bytes: file.bytes.length / (entries * elementsPerEntry),
    restoreNs: perElement(threadMs() - start),
  };
  console.log(JSON.stringify(result, (_, value) => (typeof value === 'number' ? Math.round(value * 100) / 100 : value)));
}

const [first, ...others] = process.argv.slice(2);
if (first !== undefined && others.length === 0) run(first);
else {
  const names = first === undefined ? Object.keys(CASES) : [first, ...others];
  for (const name of names) execFileSync(process.execPath, [import.meta.filename, name], { stdio: 'inherit' });
}
