/**
 * The ring: every interleaving of its atomic operations in a model, the model against the code, and two real threads. Shared memory
 * cannot be simulated, so this is where its protocol is shown.
 */
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { seededRandom } from '../common/random.js';
import { allocateRing, FRAME_CONTROL, FRAME_LAST, type RingLayout, RingReader, RingWriter } from './ring.js';
import { expectedChecksum, type RingPeerData, type RingPeerResult } from './ring-peer.test.support.js';

/**
 * Both sides as step machines, one atomic operation a step:
 *
 *     producer:  seen ─▶ load tail ─┬ room: write, store head ─▶ load tail ─▶ (was empty: bump the consumer's word) ─▶ seen
 *                                   └ full: sleep while its own word is `seen`
 *     consumer:  seen ─▶ load head ─┬ frame: read, store tail ─▶ load head ─▶ (was full: bump the producer's word) ─▶ seen
 *                                   └ empty: sleep while its own word is `seen`
 */
interface Side {
  readonly step: 'seen' | 'look' | 'check' | 'move' | 'wake' | 'asleep' | 'done';
  readonly at: number;
  readonly seen: number;
  /** What `check` has found out. */
  readonly wakes: boolean;
}

interface RingState {
  readonly head: number;
  readonly tail: number;
  readonly words: readonly [number, number];
  readonly slots: readonly number[];
  readonly producer: Side;
  readonly consumer: Side;
}

interface Protocol {
  readonly slots: number;
  readonly frames: number;
  /** The order of the two operations of `publish` and `release`. */
  readonly publish: 'store first' | 'load first';
  readonly release: 'store first' | 'load first';
  /** The word is read before looking for room or frames. */
  readonly seenFirst: boolean;
}

const SOUND: Protocol = { slots: 2, frames: 5, publish: 'store first', release: 'store first', seenFirst: true };

function next(state: RingState, who: 'producer' | 'consumer', protocol: Protocol): RingState | undefined {
  const side = state[who];
  const mine = who === 'producer' ? 0 : 1;
  const become = (changes: Partial<Side>, shared: Partial<RingState> = {}): RingState => ({
    ...state,
    ...shared,
    [who]: { ...side, ...changes },
  });
  const proceed = (moved: Partial<Side>): RingState => become({ ...moved, step: protocol.seenFirst ? 'seen' : 'look' });
  const storeFirst = (who === 'producer' ? protocol.publish : protocol.release) === 'store first';
  switch (side.step) {
    case 'seen':
      return become({ seen: state.words[mine], step: protocol.seenFirst ? 'look' : 'asleep' });
    case 'look': {
      const able = who === 'producer' ? side.at - state.tail < protocol.slots : state.head !== side.at;
      if (!able) return become({ step: protocol.seenFirst ? 'asleep' : 'seen' });
      return become({ step: storeFirst ? 'move' : 'check' });
    }
    case 'move': {
      const shared = who === 'producer' ? publish(state, protocol) : release(state, protocol);
      return become({ at: side.at + 1, step: storeFirst ? 'check' : 'wake' }, shared);
    }
    case 'check': {
      const before = storeFirst ? side.at - 1 : side.at;
      const wakes = who === 'producer' ? state.tail === before : state.head - before === protocol.slots;
      return become({ wakes, step: storeFirst ? 'wake' : 'move' });
    }
    case 'wake': {
      const words: [number, number] = [...state.words];
      if (side.wakes) words[1 - mine] = (words[1 - mine] as number) + 1;
      const after: RingState = { ...state, words };
      if (side.at === protocol.frames) return { ...after, [who]: { ...side, step: 'done' } };
      return { ...after, [who]: proceed({ wakes: false })[who] };
    }
    case 'asleep':
      return state.words[mine] === side.seen ? undefined : proceed({});
    case 'done':
      return undefined;
  }
}

function publish(state: RingState, protocol: Protocol): Partial<RingState> {
  const { at } = state.producer;
  const slot = at % protocol.slots;
  if (state.slots[slot] !== -1) throw new Error(`frame ${at} overwrites frame ${state.slots[slot]}`);
  return { head: at + 1, slots: state.slots.with(slot, at) };
}

function release(state: RingState, protocol: Protocol): Partial<RingState> {
  const { at } = state.consumer;
  const slot = at % protocol.slots;
  if (state.slots[slot] !== at) throw new Error(`frame ${at} was expected, slot ${slot} has ${state.slots[slot]}`);
  return { tail: at + 1, slots: state.slots.with(slot, -1) };
}

/** Visits every reachable state; returns how many there are, and a state in which both sleep for good. */
function explore(protocol: Protocol): { readonly states: number; readonly stuck: RingState | undefined } {
  const begin: Side = { step: protocol.seenFirst ? 'seen' : 'look', at: 0, seen: 0, wakes: false };
  const start: RingState = {
    head: 0,
    tail: 0,
    words: [0, 0],
    slots: new Array<number>(protocol.slots).fill(-1),
    producer: begin,
    consumer: begin,
  };
  const known = new Set<string>();
  const open = [start];
  let stuck: RingState | undefined;
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    const key = JSON.stringify(state);
    if (known.has(key)) continue;
    known.add(key);
    const moves = [next(state, 'producer', protocol), next(state, 'consumer', protocol)].filter((each) => each !== undefined);
    if (moves.length === 0 && !(state.producer.step === 'done' && state.consumer.step === 'done')) stuck ??= state;
    open.push(...moves);
  }
  return { states: known.size, stuck };
}

describe('the model of the ring', () => {
  it.each([1, 2, 3, 4])('with %i slots loses no wake-up and no frame in any interleaving', (slots) => {
    const { states, stuck } = explore({ ...SOUND, slots, frames: slots + 3 });
    expect(stuck).toBeUndefined();
    expect(states).toBeGreaterThan(100);
  });

  it('is found stuck if the producer loads before it stores', () => {
    const { stuck } = explore({ ...SOUND, publish: 'load first' });
    expect(stuck?.consumer.step).toBe('asleep');
    expect(stuck?.head).toBeGreaterThan(stuck?.tail as number);
  });

  it('is found stuck if the consumer loads before it stores', () => {
    const { stuck } = explore({ ...SOUND, release: 'load first' });
    expect(stuck?.producer.step).toBe('asleep');
  });

  it('is found stuck if a side looks before it reads its wake word', () => {
    expect(explore({ ...SOUND, seenFirst: false }).stuck).toBeDefined();
  });
});

describe('the code of the ring', () => {
  afterEach(() => vi.restoreAllMocks());

  it('does the atomic operations of the model, in its order', () => {
    const layout: RingLayout = { slots: 2, slotBytes: 8 };
    const memory = allocateRing(layout);
    const writer = new RingWriter(memory, layout);
    const reader = new RingReader(memory, layout);
    const operations: string[] = [];
    const { load, store } = Atomics;
    vi.spyOn(Atomics, 'load').mockImplementation(((array: Int32Array, index: number) => {
      operations.push(`load ${index === 0 ? 'head' : 'tail'}`);
      return load(array, index);
    }) as typeof Atomics.load);
    vi.spyOn(Atomics, 'store').mockImplementation(((array: Int32Array, index: number, value: number) => {
      operations.push(`store ${index === 0 ? 'head' : 'tail'}`);
      return store(array, index, value);
    }) as typeof Atomics.store);
    const during = (work: () => unknown): string[] => {
      operations.length = 0;
      work();
      return [...operations];
    };
    expect(during(() => writer.room())).toEqual(['load tail']);
    expect(during(() => expect(writer.publish(FRAME_LAST, 3)).toBe(true))).toEqual(['store head', 'load tail']);
    expect(during(() => expect(writer.publish(FRAME_CONTROL, 4)).toBe(false))).toEqual(['store head', 'load tail']);
    expect(during(() => reader.peek())).toEqual(['load head']);
    expect([reader.kind, reader.length]).toEqual([FRAME_LAST, 3]);
    expect(during(() => expect(reader.release()).toBe(true))).toEqual(['store tail', 'load head']);
    expect(during(() => expect(reader.release()).toBe(false))).toEqual(['store tail', 'load head']);
    expect(reader.peek()).toBeUndefined();
  });

  it.each([2 ** 31 - 3, -3])('goes on when its counters wrap (from %i)', (begin) => {
    const layout: RingLayout = { slots: 4, slotBytes: 8 };
    const memory = allocateRing(layout);
    const writer = new RingWriter(memory, layout);
    const reader = new RingReader(memory, layout);
    for (const [side, name] of [
      [writer, 'head'],
      [reader, 'tail'],
    ] as const) {
      Object.assign(side, { [name]: begin });
      Atomics.store(new Int32Array(memory), name === 'head' ? 0 : 16, begin);
    }
    const random = seededRandom(5);
    let sent = 0;
    let received = 0;
    while (received < 200) {
      if (random.below(2) === 0 && writer.room() > 0) {
        writer.next().writeInt32LE(sent++, 0);
        writer.publish(FRAME_LAST, 4);
      } else {
        const slot = reader.peek();
        expect(slot === undefined).toBe(sent === received);
        if (slot === undefined) continue;
        expect(slot.readInt32LE(0)).toBe(received++);
        reader.release();
      }
      expect(writer.room()).toBe(4 - (sent - received));
    }
  });

  it('refuses layouts whose counters could not wrap', () => {
    const layout: RingLayout = { slots: 3, slotBytes: 8 };
    expect(() => new RingWriter(allocateRing(layout), layout)).toThrow('A ring cannot have 3 slots of 8 bytes');
    const uneven: RingLayout = { slots: 4, slotBytes: 12 };
    expect(() => new RingReader(allocateRing(uneven), uneven)).toThrow('4 slots of 12 bytes');
  });
});

/** Two threads; the producer is killed when it has published `killAfter` slots, if that is given. */
async function runThreads(
  seed: number,
  options: { slots: number; frames: number; pauses: number; killAfter?: number },
): Promise<RingPeerResult> {
  const layout: RingLayout = { slots: options.slots, slotBytes: 64 };
  const memory = allocateRing(layout);
  const words = new SharedArrayBuffer(12);
  const shared = { memory, layout, words, seed, frames: options.frames, pauses: options.pauses };
  // Workers run what `tsc -b` has built.
  const file = new URL('../../dist/network/ring-peer.test.support.js', import.meta.url);
  const start = (role: RingPeerData['role']): Worker => new Worker(file, { workerData: { ...shared, role } satisfies RingPeerData });
  const consumer = start('consumer');
  const producer = start('producer');
  const result = new Promise<RingPeerResult>((resolve, reject) => {
    consumer.once('message', resolve);
    consumer.once('error', reject);
    consumer.once('exit', (code) => reject(new Error(`the consumer ended without a result, exit code ${code}`)));
    producer.once('error', reject);
  });
  try {
    if (options.killAfter !== undefined) await Promise.race([killProducer(producer, memory, words, options.killAfter), result]);
    return await result;
  } finally {
    await Promise.all([consumer.terminate(), producer.terminate()]);
  }
}

/** Kills the producer when it has published so many slots, and tells the consumer. */
async function killProducer(producer: Worker, memory: SharedArrayBuffer, words: SharedArrayBuffer, killAfter: number): Promise<void> {
  const head = new Int32Array(memory);
  while (Atomics.load(head, 0) < killAfter) await new Promise((resolve) => setImmediate(resolve));
  await producer.terminate();
  const word = new Int32Array(words);
  Atomics.store(word, 2, 1);
  Atomics.add(word, 1, 1);
  Atomics.notify(word, 1);
}

describe('two threads', () => {
  it.each([
    [1, { slots: 2, frames: 20_000, pauses: 2 }],
    [2, { slots: 8, frames: 20_000, pauses: 0 }],
    [3, { slots: 1, frames: 5_000, pauses: 5 }],
  ])('exchange every byte in order (%i)', async (seed, options) => {
    expect(await runThreads(seed, options)).toEqual({ frames: options.frames, checksum: expectedChecksum(seed, options.frames, 64) });
  });

  it.each([4, 5, 6])('lose nothing that was published when the producer is killed (%i)', async (seed) => {
    const killAfter = 20 + seededRandom(seed).below(5000);
    const { frames, checksum } = await runThreads(seed, { slots: 4, frames: Number.POSITIVE_INFINITY, pauses: 1, killAfter });
    expect(frames).toBeGreaterThan(0);
    expect(checksum).toBe(expectedChecksum(seed, frames, 64));
  });
});
