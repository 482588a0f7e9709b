/**
 * What taking records of about 166 bytes (bids, mostly strings) from one subtask to another costs:
 * `node engine/core/dist/network/exchange.bench.js [case …]`, without arguments all cases, each in a process of its own.
 *  - 'ring 64', 'ring 256', 'ring 1024': encoded through a ring to another thread, so many records a batch; the ring is of the same size
 *    with each, its slots hold a batch. CPU time of the whole process per record, CPU time of either thread in it, and throughput.
 *  - 'local': by reference within a thread, 256 records a batch.
 * The consumer reads all fields. The producer sends the same records again and again: making them is not counted.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { BatchDecoder } from '../codec/batch-decoder.js';
import { BatchEncoder } from '../codec/batch-encoder.js';
import { type Bid, bids } from '../codec/bids.test.support.js';
import { systemClock } from '../common/clock.js';
import { type ChainControl, OutputChannel } from './channel.js';
import { RecordBatch } from './element.js';
import { LocalChannel } from './local-channel.js';
import { allocateRing, type RingLayout, RingReader, RingWriter } from './ring.js';
import { RingReceiver, RingSender } from './ring-channel.js';

const POOL = 16_384;
/** How often a round sends the records of the pool. */
const PASSES = 32;
const RECORDS = POOL * PASSES;
const ROUNDS = 15;
const WARM_UP_ROUNDS = 3;
/** All of a ring: as much as the engine's have. */
const RING_BYTES = 1024 * 1024;
const RECORD_BYTES_MAX = 256;
const SILENCE_MS = 5000;
/** As slots have it. */
const YOUNG_GENERATION_MB = 96;

const PRODUCER = 0;
const CONSUMER = 1;

interface PeerData {
  readonly role: typeof PRODUCER | typeof CONSUMER;
  readonly batchRecords: number;
  readonly layout: RingLayout;
  readonly memory: SharedArrayBuffer;
  /** Two words: either side sleeps on its own. */
  readonly words: SharedArrayBuffer;
}

/** What either thread says after a round. */
interface PeerRound {
  readonly cpuMs: number;
  readonly checksum: number;
}

function pool(): readonly Bid[] {
  return Array.from({ length: POOL }, (_, i) => i).map(bids());
}

function read(bid: Bid): number {
  return bid.auction + bid.bidder + bid.price + (bid.dateTime % 1000) + (bid.channel?.length ?? 0) + bid.url.length + bid.extra.length;
}

function readAll(batch: RecordBatch): number {
  let sum = 0;
  for (let i = 0; i < batch.count; i++) sum += read(batch.values[i] as Bid);
  return sum;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}

function cpuMs({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1000;
}

// ---- the two threads

class Peer {
  private readonly data: PeerData;
  private readonly words: Int32Array;

  constructor(data: PeerData) {
    this.data = data;
    this.words = new Int32Array(data.words);
  }

  private wakeOther(): void {
    Atomics.add(this.words, 1 - this.data.role, 1);
    Atomics.notify(this.words, 1 - this.data.role);
  }

  /** Sleeps as slots do while they wait for each other. */
  private sleep(seen: number): void {
    if (Atomics.wait(this.words, this.data.role, seen, SILENCE_MS) === 'timed-out') throw new Error('The other thread is silent');
  }

  /** Makes the function that does a round and returns the checksum of what it read. */
  prepare(): () => number {
    return this.data.role === PRODUCER ? this.producer() : this.consumer();
  }

  private producer(): () => number {
    const { memory, layout, batchRecords, role } = this.data;
    const sender = new RingSender(new RingWriter(memory, layout), new BatchEncoder(), () => this.wakeOther());
    const records = pool();
    let batch = new RecordBatch(batchRecords);
    return () => {
      for (let i = 0; i < RECORDS; i++) {
        batch.values[batch.count] = records[i % POOL];
        batch.timestamps[batch.count++] = i;
        if (batch.count < batchRecords) continue;
        for (let seen = Atomics.load(this.words, role); !sender.offerBatch(batch); seen = Atomics.load(this.words, role)) this.sleep(seen);
        batch = sender.takeSpare();
      }
      return 0;
    };
  }

  private consumer(): () => number {
    const { memory, layout, batchRecords, role } = this.data;
    const receiver = new RingReceiver(new RingReader(memory, layout), new BatchDecoder(), () => this.wakeOther());
    receiver.recycle(new RecordBatch(batchRecords));
    return () => {
      let checksum = 0;
      for (let received = 0; received < RECORDS; ) {
        const seen = Atomics.load(this.words, role);
        const batch = receiver.poll();
        if (batch === undefined || !('values' in batch)) {
          this.sleep(seen);
          continue;
        }
        received += batch.count;
        checksum += readAll(batch);
        receiver.recycle(batch);
      }
      return checksum;
    };
  }
}

function servePeer(): void {
  const round = new Peer(workerData as PeerData).prepare();
  parentPort?.on('message', () => {
    const before = process.threadCpuUsage();
    const checksum = round();
    const done: PeerRound = { cpuMs: cpuMs(process.threadCpuUsage(before)), checksum };
    parentPort?.postMessage(done);
  });
  parentPort?.postMessage('ready');
}

// ---- measuring

async function measureRing(name: string, batchRecords: number, expected: number): Promise<void> {
  const slotBytes = batchRecords * RECORD_BYTES_MAX;
  const layout: RingLayout = { slots: RING_BYTES / slotBytes, slotBytes };
  const shared = { batchRecords, layout, memory: allocateRing(layout), words: new SharedArrayBuffer(8) };
  setFlagsFromString(`--min-semi-space-size=${YOUNG_GENERATION_MB / 3}`);
  const workers = [PRODUCER, CONSUMER].map(
    (role) =>
      new Worker(new URL(import.meta.url), {
        workerData: { ...shared, role },
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
      }),
  );
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const rounds: { readonly all: number; readonly producer: number; readonly consumer: number; readonly elapsed: number }[] = [];
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    const start = systemClock.monotonic();
    const before = process.cpuUsage();
    const answers = workers.map((worker) => once(worker, 'message') as Promise<[PeerRound]>);
    for (const worker of workers) worker.postMessage('round');
    const [[producer], [consumer]] = (await Promise.all(answers)) as [[PeerRound], [PeerRound]];
    check(consumer.checksum, expected);
    const all = cpuMs(process.cpuUsage(before));
    rounds.push({ all, producer: producer.cpuMs, consumer: consumer.cpuMs, elapsed: systemClock.monotonic() - start });
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
  const measured = rounds.slice(WARM_UP_ROUNDS);
  const ns = (ms: readonly number[]): string => ((median(ms) * 1e6) / RECORDS).toFixed(0).padStart(4);
  const producer = ns(measured.map((round) => round.producer));
  const consumer = ns(measured.map((round) => round.consumer));
  const throughput = RECORDS / 1000 / median(measured.map(({ elapsed }) => elapsed));
  console.log(
    `${name.padEnd(10)} ${ns(measured.map(({ all }) => all))} ns  (producer ${producer}, consumer ${consumer})  ${throughput.toFixed(2)} M records/s`,
  );
}

function measureLocal(name: string, expected: number): void {
  const control: ChainControl = { stop: false };
  const channel = new LocalChannel();
  const output = new OutputChannel(channel, control);
  const records = pool();
  let checksum = 0;
  const consume = (): void => {
    for (let batch = channel.poll(); batch instanceof RecordBatch; batch = channel.poll()) {
      checksum += readAll(batch);
      channel.recycle(batch);
    }
    control.stop = false;
  };
  const times = Array.from({ length: WARM_UP_ROUNDS + ROUNDS }, () => {
    checksum = 0;
    const before = process.cpuUsage();
    for (let i = 0; i < RECORDS; i++) {
      output.append(records[i % POOL], i);
      if (control.stop) consume();
    }
    consume();
    const used = cpuMs(process.cpuUsage(before));
    check(checksum, expected);
    return (used * 1e6) / RECORDS;
  });
  const ns = median(times.slice(WARM_UP_ROUNDS));
  console.log(`${name.padEnd(10)} ${ns.toFixed(0).padStart(4)} ns  ${(1000 / ns).toFixed(2)} M records/s of CPU time`);
}

function check(checksum: number, expected: number): void {
  if (checksum !== expected) throw new Error(`The records that arrived sum up to ${checksum}, not ${expected}`);
}

async function main(wanted: readonly string[]): Promise<void> {
  if (wanted.length === 0) {
    console.log(`Node ${process.version}, CPU time per record (all threads), median of ${ROUNDS}`);
    for (const name of ['ring 64', 'ring 256', 'ring 1024', 'local']) {
      execFileSync(process.execPath, [import.meta.filename, name], { stdio: 'inherit' });
    }
  }
  const expected = pool().reduce((sum, bid) => sum + read(bid), 0) * PASSES;
  for (const name of wanted) {
    if (name === 'local') measureLocal(name, expected);
    else await measureRing(name, Number(name.split(' ')[1]), expected);
  }
}

if (isMainThread) await main(process.argv.slice(2));
else servePeer();
