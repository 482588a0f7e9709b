/** The whole way with nothing simulated: two slot threads with random pauses, rings, drivers, and sockets between two exchanges. */
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../common/clock.js';
import type { MillstreamError } from '../common/errors.js';
import type { NetworkAddress } from '../common/transport.js';
import type { Exchange } from './exchange.js';
import { ExchangeDriver } from './exchange-driver.js';
import { ExchangeService } from './exchange-service.js';
import { allocateRing, type RingLayout } from './ring.js';
import { expectedChecksum, type RingPeerData, type RingPeerResult } from './ring-peer.test.support.js';
import { tcpNetwork } from './tcp-network.test.support.js';

const ATTEMPT = { job: 'job', run: 'run', attempt: 1, region: 0, term: 1 };

/** A TaskManager's exchange with one channel, and its driver. `words`: the slot's and the main thread's. */
class Relay {
  readonly memory: SharedArrayBuffer;
  readonly words: SharedArrayBuffer = new SharedArrayBuffer(8);
  readonly failures: MillstreamError[] = [];
  readonly service: ExchangeService;
  exchange: Exchange | undefined;
  private readonly driver: ExchangeDriver;
  private readonly slot: 0 | 1;

  private constructor(service: ExchangeService, driver: ExchangeDriver, layout: RingLayout, slot: 0 | 1, words: SharedArrayBuffer) {
    this.service = service;
    this.driver = driver;
    this.slot = slot;
    this.words = words;
    this.memory = allocateRing(layout);
  }

  /** `slot`: which of the two words is the slot's. */
  static async create(taskManager: string, layout: RingLayout, slot: 0 | 1, creditBytes: number): Promise<Relay> {
    const network = await tcpNetwork(taskManager);
    const words = new SharedArrayBuffer(8);
    const service = new ExchangeService({ taskManager, network, clock: systemClock, creditBytes, requestPump: () => driver.wake() });
    const driver = new ExchangeDriver({ pump: () => service.pump(), words: new Int32Array(words), index: 1 - slot, clock: systemClock });
    driver.start();
    return new Relay(service, driver, layout, slot, words);
  }

  open(layout: RingLayout, peer: string, address: NetworkAddress | undefined): void {
    const words = new Int32Array(this.words);
    const wake = (): void => {
      Atomics.add(words, this.slot, 1);
      Atomics.notify(words, this.slot);
    };
    const channel = { name: 'channel', ring: this.memory, taskManager: peer, wake };
    this.exchange = this.service.open({
      attempt: ATTEMPT,
      token: 'token',
      layout,
      outgoing: address === undefined ? [channel] : [],
      incoming: address === undefined ? [] : [{ ...channel, address }],
      onFailure: (error) => this.failures.push(error),
    });
  }

  async close(): Promise<void> {
    await this.service.close();
    this.driver.stop();
  }
}

interface ThreadOptions {
  readonly slots: number;
  readonly slotBytes: number;
  readonly frames: number;
  /** Of 1000 frames, so many are followed by a pause. */
  readonly pauses: number;
  readonly creditBytes: number;
}

async function startRelays(layout: RingLayout, creditBytes: number): Promise<{ readonly a: Relay; readonly b: Relay }> {
  const a = await Relay.create('a', layout, 0, creditBytes);
  const b = await Relay.create('b', layout, 1, creditBytes);
  const address = await a.service.listen({ host: '127.0.0.1', port: 0 });
  a.open(layout, 'b', undefined);
  b.open(layout, 'a', address);
  return { a, b };
}

function startSlot(role: RingPeerData['role'], { memory, words }: Relay, layout: RingLayout, seed: number, options: ThreadOptions): Worker {
  const { frames, pauses } = options;
  // Workers run what `tsc -b` has built.
  return new Worker(new URL('../../dist/network/ring-peer.test.support.js', import.meta.url), {
    workerData: { role, memory, layout, words, seed, frames, pauses } satisfies RingPeerData,
  });
}

describe('two slot threads of two TaskManagers', () => {
  it.each<[number, ThreadOptions]>([
    [1, { slots: 4, slotBytes: 64, frames: 6_000, pauses: 2, creditBytes: 1000 }],
    [2, { slots: 16, slotBytes: 4096, frames: 4_000, pauses: 2, creditBytes: 100_000 }],
    [3, { slots: 16, slotBytes: 65_536, frames: 200, pauses: 0, creditBytes: 2_000_000 }],
    [4, { slots: 1, slotBytes: 64, frames: 1_000, pauses: 20, creditBytes: 10 }],
  ])('exchange every byte in order over sockets (%i)', async (seed, options) => {
    const layout = { slots: options.slots, slotBytes: options.slotBytes };
    const { a, b } = await startRelays(layout, options.creditBytes);
    const workers = [startSlot('consumer', b, layout, seed, options), startSlot('producer', a, layout, seed, options)];
    const result = await new Promise<RingPeerResult>((resolve, reject) => {
      workers[0]?.once('message', resolve);
      for (const worker of workers) worker.once('error', reject);
    });
    expect(result).toEqual({ frames: options.frames, checksum: expectedChecksum(seed, options.frames, options.slotBytes) });
    expect([a.exchange?.isConnected, b.exchange?.isConnected, a.failures, b.failures]).toEqual([true, true, [], []]);
    await Promise.all(workers.map((worker) => worker.terminate()));
    await Promise.all([a.close(), b.close()]);
    expect([a.failures, b.failures]).toEqual([[], []]);
  });

  it('fail together when one attempt fails while records flow', async () => {
    const options: ThreadOptions = { slots: 4, slotBytes: 64, frames: 10_000_000, pauses: 0, creditBytes: 1000 };
    const layout = { slots: 4, slotBytes: 64 };
    const { a, b } = await startRelays(layout, options.creditBytes);
    const workers = [startSlot('consumer', b, layout, 9, options), startSlot('producer', a, layout, 9, options)];
    while (b.service.counters.framesIn < 1000) await new Promise((resolve) => setImmediate(resolve));
    b.exchange?.close(new Error('a slot has crashed'));
    while (a.failures.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(a.failures.map(({ code, details }) => [code, details.failure])).toEqual([['EXCHANGE_FAILED', 'peer failed']]);
    expect(b.failures).toEqual([]);
    await Promise.all(workers.map((worker) => worker.terminate()));
    await Promise.all([a.close(), b.close()]);
  });
});
