/**
 * What taking records of about 166 bytes (bids, mostly strings) from a slot of one TaskManager to a slot of another costs, beside the
 * ring between two slots (`exchange.bench`): `node engine/core/dist/network/exchange-network.bench.js`.
 *
 *     producer slot ─▶ ring ─▶ relay ─▶ TCP on loopback ─▶ relay ─▶ ring ─▶ consumer slot       each in a thread of its own
 *
 * CPU time of the whole process per record, that of each thread in it, and throughput, at full speed; then the time that a batch takes
 * when one goes every few ms. With whole bids, and with their four numbers only. Records are made beforehand, and the consumer reads all
 * fields.
 */
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { BatchDecoder } from '../codec/batch-decoder.js';
import { BatchEncoder } from '../codec/batch-encoder.js';
import { type Bid, bids } from '../codec/bids.test.support.js';
import { systemClock } from '../common/clock.js';
import type { NetworkAddress } from '../common/transport.js';
import { BATCH_RECORDS, RecordBatch } from './element.js';
import { ExchangeDriver } from './exchange-driver.js';
import { ExchangeService } from './exchange-service.js';
import { allocateRing, type RingLayout, RingReader, RingWriter } from './ring.js';
import { RingReceiver, RingSender } from './ring-channel.js';
import { tcpNetwork } from './tcp-network.test.support.js';

const POOL = 16_384;
const PASSES = 32;
const RECORDS = POOL * PASSES;
const ROUNDS = 9;
const WARM_UP_ROUNDS = 2;
const SLOW_BATCHES = 200;
const SILENCE_MS = 5000;
/** Between rounds. */
const SETTLE_MS = 5;
const LAYOUT: RingLayout = { slots: 16, slotBytes: 64 * 1024 };
/** As slots have it. */
const YOUNG_GENERATION_MB = 96;

const ROLES = ['producer', 'sending relay', 'receiving relay', 'consumer'] as const;
type Role = (typeof ROLES)[number];

/** Which fields of bids travel. */
type Fields = 'all' | 'numbers';

interface ThreadData {
  readonly role: Role;
  readonly fields: Fields;
  readonly sent: SharedArrayBuffer;
  readonly received: SharedArrayBuffer;
  /** One per role: each sleeps on its own. */
  readonly words: SharedArrayBuffer;
  /** Of the sending relay. */
  readonly address: NetworkAddress;
}

type Round = 'fast' | 'slow';

interface RoundResult {
  readonly cpuMs: number;
  readonly checksum: number;
  /** Of slow rounds, in ms. */
  readonly latencies: readonly number[];
}

type Numbers = Pick<Bid, 'auction' | 'bidder' | 'price' | 'dateTime'>;

function readNumbers(record: Numbers): number {
  return record.auction + record.bidder + record.price + (record.dateTime % 1000);
}

function readAll(bid: Bid): number {
  return readNumbers(bid) + (bid.channel?.length ?? 0) + bid.url.length + bid.extra.length;
}

function readerOf(fields: Fields): (record: unknown) => number {
  return fields === 'all' ? (record) => readAll(record as Bid) : (record) => readNumbers(record as Numbers);
}

function pool(fields: Fields): readonly Numbers[] {
  const all = Array.from({ length: POOL }, (_, i) => i).map(bids());
  if (fields === 'all') return all;
  return all.map(({ auction, bidder, price, dateTime }) => ({ auction, bidder, price, dateTime }));
}

function at(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] as number;
}

/** Of one origin for all threads, ms. */
function sharedTime(): number {
  return performance.timeOrigin + systemClock.monotonic();
}

// ---- the threads

class Words {
  private readonly words: Int32Array;
  private readonly mine: number;

  constructor({ words, role }: ThreadData) {
    this.words = new Int32Array(words);
    this.mine = ROLES.indexOf(role);
  }

  seen(): number {
    return Atomics.load(this.words, this.mine);
  }

  wake(role: Role): void {
    Atomics.add(this.words, ROLES.indexOf(role), 1);
    Atomics.notify(this.words, ROLES.indexOf(role));
  }

  /** As slots do while they wait for each other. */
  sleep(seen: number): void {
    if (Atomics.wait(this.words, this.mine, seen, SILENCE_MS) === 'timed-out') throw new Error('The other threads are silent');
  }
}

type Work = (round: Round) => { readonly checksum: number; readonly latencies: readonly number[] };

/** Timestamps are the time at which a batch was sent. */
function producer(data: ThreadData): Work {
  const words = new Words(data);
  const sender = new RingSender(new RingWriter(data.sent, LAYOUT), new BatchEncoder(), () => words.wake('sending relay'));
  const records = pool(data.fields);
  let batch = new RecordBatch();
  const offer = (): void => {
    for (let seen = words.seen(); !sender.offerBatch(batch); seen = words.seen()) words.sleep(seen);
    batch = sender.takeSpare();
  };
  const quiet = new Int32Array(new SharedArrayBuffer(4));
  return (round) => {
    const count = round === 'fast' ? RECORDS : SLOW_BATCHES * BATCH_RECORDS;
    for (let i = 0; i < count; i++) {
      batch.values[batch.count] = records[i % POOL];
      batch.timestamps[batch.count++] = i;
      if (batch.count < BATCH_RECORDS) continue;
      if (round === 'slow') {
        Atomics.wait(quiet, 0, 0, 3 + (i % 3));
        batch.timestamps.fill(sharedTime());
      }
      offer();
    }
    return { checksum: 0, latencies: [] };
  };
}

function consumer(data: ThreadData): Work {
  const words = new Words(data);
  const receiver = new RingReceiver(new RingReader(data.received, LAYOUT), new BatchDecoder(), () => words.wake('receiving relay'));
  const read = readerOf(data.fields);
  return (round) => {
    const count = round === 'fast' ? RECORDS : SLOW_BATCHES * BATCH_RECORDS;
    const latencies: number[] = [];
    let checksum = 0;
    for (let received = 0; received < count; ) {
      const seen = words.seen();
      const batch = receiver.poll();
      if (!(batch instanceof RecordBatch)) {
        words.sleep(seen);
        continue;
      }
      if (round === 'slow') latencies.push(sharedTime() - (batch.timestamps[0] as number));
      received += batch.count;
      for (let i = 0; i < batch.count; i++) checksum += read(batch.values[i]);
      receiver.recycle(batch);
    }
    return { checksum, latencies };
  };
}

/** Opens the exchange of one of the two TaskManagers. Returns where it listens. */
async function relay(data: ThreadData): Promise<NetworkAddress> {
  const words = new Words(data);
  const { role } = data;
  const network = await tcpNetwork(role);
  const service = new ExchangeService({ taskManager: role, network, clock: systemClock, requestPump: () => driver.wake() });
  const driver = new ExchangeDriver({
    pump: () => service.pump(),
    takeDepth: () => service.takeDepth(),
    words: new Int32Array(data.words),
    index: ROLES.indexOf(role),
    clock: systemClock,
  });
  const address = await service.listen({ host: '127.0.0.1', port: 0 });
  const outgoing = {
    name: 'channel',
    ring: data.sent,
    taskManager: 'receiving relay',
    wake: () => words.wake('producer'),
  };
  const incoming = {
    name: 'channel',
    ring: data.received,
    taskManager: 'sending relay',
    address: data.address,
    wake: () => words.wake('consumer'),
  };
  service.open({
    attempt: { job: 'bench', run: 'bench', attempt: 1, region: 0, term: 1 },
    token: 'token',
    layout: LAYOUT,
    outgoing: role === 'sending relay' ? [outgoing] : [],
    incoming: role === 'receiving relay' ? [incoming] : [],
    onFailure: (error) => {
      throw error;
    },
  });
  driver.start();
  return address;
}

async function serveThread(): Promise<void> {
  const data = workerData as ThreadData;
  const slot = data.role === 'producer' ? producer(data) : data.role === 'consumer' ? consumer(data) : undefined;
  let before = process.threadCpuUsage();
  parentPort?.on('message', (round: Round | 'report') => {
    if (round !== 'report' && slot === undefined) {
      before = process.threadCpuUsage();
      return;
    }
    if (slot !== undefined) before = process.threadCpuUsage();
    const found = slot?.(round as Round) ?? { checksum: 0, latencies: [] };
    const { user, system } = process.threadCpuUsage(before);
    parentPort?.postMessage({ ...found, cpuMs: (user + system) / 1000 } satisfies RoundResult);
  });
  parentPort?.postMessage(slot === undefined ? await relay(data) : data.address);
}

// ---- measuring

async function startThreads(fields: Fields): Promise<Map<Role, Worker>> {
  setFlagsFromString(`--min-semi-space-size=${YOUNG_GENERATION_MB / 3}`);
  const shared = { fields, sent: allocateRing(LAYOUT), received: allocateRing(LAYOUT), words: new SharedArrayBuffer(4 * ROLES.length) };
  const threads = new Map<Role, Worker>();
  let address: NetworkAddress = { host: '127.0.0.1', port: 0 };
  for (const role of ['sending relay', 'receiving relay', 'producer', 'consumer'] as const) {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { ...shared, role, address } satisfies ThreadData,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    worker.on('error', (error) => {
      throw error;
    });
    const [bound] = (await once(worker, 'message')) as [NetworkAddress];
    if (role === 'sending relay') address = bound;
    threads.set(role, worker);
  }
  return threads;
}

interface Measured {
  readonly elapsedMs: number;
  readonly cpuMs: number;
  readonly results: ReadonlyMap<Role, RoundResult>;
}

async function runRound(threads: ReadonlyMap<Role, Worker>, round: Round): Promise<Measured> {
  const answerOf = (role: Role): Promise<RoundResult> =>
    once(threads.get(role) as Worker, 'message').then(([result]) => result as RoundResult);
  for (const role of ['sending relay', 'receiving relay'] as const) threads.get(role)?.postMessage(round);
  await new Promise<void>((resolve) => systemClock.schedule(SETTLE_MS, resolve));
  const start = systemClock.monotonic();
  const before = process.cpuUsage();
  const slots = [answerOf('producer'), answerOf('consumer')];
  for (const role of ['producer', 'consumer'] as const) threads.get(role)?.postMessage(round);
  const [producing, consuming] = (await Promise.all(slots)) as [RoundResult, RoundResult];
  const elapsedMs = systemClock.monotonic() - start;
  const { user, system } = process.cpuUsage(before);
  const relays = [answerOf('sending relay'), answerOf('receiving relay')];
  for (const role of ['sending relay', 'receiving relay'] as const) threads.get(role)?.postMessage('report');
  const [sending, receiving] = (await Promise.all(relays)) as [RoundResult, RoundResult];
  const results = new Map<Role, RoundResult>([
    ['producer', producing],
    ['sending relay', sending],
    ['receiving relay', receiving],
    ['consumer', consuming],
  ]);
  return { elapsedMs, cpuMs: (user + system) / 1000, results };
}

async function measure(fields: Fields): Promise<void> {
  const expected =
    pool(fields)
      .map(readerOf(fields))
      .reduce((sum, value) => sum + value) * PASSES;
  const threads = await startThreads(fields);
  const rounds: Measured[] = [];
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    const measured = await runRound(threads, 'fast');
    const sum = measured.results.get('consumer')?.checksum;
    if (sum !== expected) throw new Error(`The records that arrived sum up to ${sum}, not ${expected}`);
    if (round >= WARM_UP_ROUNDS) rounds.push(measured);
  }
  const { results } = await runRound(threads, 'slow');
  const latencies = results.get('consumer')?.latencies ?? [];
  // Whose connection breaks first now is of no interest.
  for (const worker of threads.values()) worker.removeAllListeners('error').on('error', () => undefined);
  await Promise.all([...threads.values()].map((worker) => worker.terminate()));
  const ns = (ms: (measured: Measured) => number): string => ((at(rounds.map(ms), 0.5) * 1e6) / RECORDS).toFixed(0);
  const parts = ROLES.map((role) => `${role} ${ns((measured) => measured.results.get(role)?.cpuMs ?? 0)}`);
  const elapsed = rounds.map(({ elapsedMs }) => elapsedMs);
  const throughput = (RECORDS / 1000 / at(elapsed, 0.5)).toFixed(2);
  const delay = `median ${at(latencies, 0.5).toFixed(2)} ms, 99 % ${at(latencies, 0.99).toFixed(2)} ms`;
  console.log(`${fields.padEnd(8)} ${ns(({ cpuMs }) => cpuMs)} ns  (${parts.join(', ')})  ${throughput} M records/s`);
  console.log(`${''.padEnd(8)} single batches: ${delay}`);
}

async function main(): Promise<void> {
  console.log(`Node ${process.version}, CPU time per record (all threads), median of ${ROUNDS}`);
  await measure('all');
  await measure('numbers');
}

if (isMainThread) await main();
else await serveThread();
