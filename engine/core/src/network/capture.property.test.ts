/**
 * What a barrier overtakes in a channel is captured exactly once, however sending, relaying, polling and capturing interleave: what had
 * been polled before, then what the receiver captured, then what the sender handed over, is what was sent before the barrier. The receiver
 * may also have read on until the barrier came.
 */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { BatchDecoder } from '../codec/batch-decoder.js';
import { BatchEncoder } from '../codec/batch-encoder.js';
import { type Random, seededRandom } from '../common/random.js';
import { type Capture, type InputChannel, OutputChannel, type Transport } from './channel.js';
import { RecordBatch } from './element.js';
import type { Frame } from './frame.js';
import { LocalChannel } from './local-channel.js';
import { allocateRing, type RingLayout, RingReader, RingWriter } from './ring.js';
import { RingReceiver, RingSender } from './ring-channel.js';

interface Ends {
  readonly sender: Transport;
  readonly receiver: InputChannel;
  /** Between two processes: moves a few frames. */
  relay(): void;
}

function localEnds(): Ends {
  const channel = new LocalChannel();
  return { sender: channel, receiver: channel, relay: () => undefined };
}

function ringEnds(layout: RingLayout): Ends {
  const memory = allocateRing(layout);
  return {
    sender: new RingSender(new RingWriter(memory, layout), new BatchEncoder(), () => undefined),
    receiver: new RingReceiver(new RingReader(memory, layout), new BatchDecoder(), () => undefined),
    relay: () => undefined,
  };
}

/** Two rings, and a queue without bound between them, as credit would give it. */
function relayedEnds(layout: RingLayout): Ends {
  const near = allocateRing(layout);
  const far = allocateRing(layout);
  const reader = new RingReader(near, layout);
  const writer = new RingWriter(far, layout);
  const queue: Frame[] = [];
  return {
    sender: new RingSender(new RingWriter(near, layout), new BatchEncoder(), () => undefined),
    receiver: new RingReceiver(new RingReader(far, layout), new BatchDecoder(), () => undefined),
    relay: () => {
      const payload = reader.peek();
      const news = reader.news();
      if (news !== undefined) writer.announce(news, news.place);
      if (payload !== undefined && queue.length < 5) {
        queue.push({ kind: reader.kind, bytes: new Uint8Array(payload.subarray(0, reader.length)) });
        reader.release();
      }
      while (queue.length > 0 && writer.room() > 0) {
        const { kind, bytes } = queue.shift() as Frame;
        writer.next().set(bytes);
        writer.publish(kind, bytes.length);
      }
    },
  };
}

/** Records as numbers, watermarks as text, barriers as 'barrier'. */
type Seen = number | string;

function take(receiver: InputChannel): Seen[] | undefined {
  const element = receiver.poll();
  if (element === undefined) return undefined;
  if (!(element instanceof RecordBatch)) return [element.type === 'watermark' ? `watermark ${element.watermark}` : element.type];
  const values = element.values.slice(0, element.count) as number[];
  receiver.recycle(element);
  return values;
}

class World {
  private readonly ends: Ends;
  private readonly random: Random;
  private readonly output: OutputChannel;
  private next = 0;
  readonly sent: Seen[] = [];
  readonly polled: Seen[] = [];
  readonly unsent: Frame[] = [];
  readonly captured: Frame[] = [];
  private capture: Capture | undefined;
  polledBefore: Seen[] = [];

  constructor(ends: Ends, seed: number) {
    this.ends = ends;
    this.random = seededRandom(seed);
    this.output = new OutputChannel(ends.sender, { stop: false });
  }

  /** Something happens to the channel. */
  step(): void {
    const { random, output, ends } = this;
    const choice = random.below(10);
    if (choice < 3) {
      for (let count = 1 + random.below(200); count > 0; count--) {
        output.append(this.next, 0);
        this.sent.push(this.next++);
      }
      if (random.below(2) === 0) output.flush();
    } else if (choice === 3) {
      output.send({ type: 'watermark', watermark: this.next });
      this.sent.push(`watermark ${this.next}`);
    } else if (choice < 6) output.drain();
    else if (choice < 8) ends.relay();
    else this.poll();
  }

  poll(): void {
    const seen = take(this.ends.receiver);
    if (seen === undefined) return;
    // The receiver has read on until the barrier came.
    if (seen[0] === 'barrier' && this.capture === undefined) {
      this.polledBefore = [...this.polled];
      this.ends.receiver.captureGathered(this.captured);
    }
    this.polled.push(...seen);
  }

  /** The barrier goes out: it waits for what has overflowed, or overtakes that. */
  barrier(overtakes: boolean): void {
    this.sent.push('barrier');
    const barrier = { epoch: 1, completed: 0, overtakeInMs: 0 };
    if (overtakes) this.unsent.push(...this.output.overtake(barrier));
    else this.output.send({ type: 'barrier', ...barrier });
  }

  /** The barrier that waited overtakes after all. */
  overtakeLate(): void {
    if (this.output.holdsBarrier) this.unsent.push(...this.output.overtake({ epoch: 1, completed: 0, overtakeInMs: 0 }));
  }

  get hasPassed(): boolean {
    return this.polled.includes('barrier');
  }

  begin(): void {
    this.polledBefore = [...this.polled];
    this.capture = this.ends.receiver.beginCapture(1, this.captured);
  }

  /** Everything arrives. */
  settle(): void {
    for (let quiet = 0; quiet < 500; quiet++) {
      const before = this.polled.length;
      this.output.flush();
      this.output.drain();
      this.ends.relay();
      this.ends.receiver.goOnCapturing();
      this.poll();
      if (this.polled.length > before) quiet = 0;
    }
    expect(this.capture?.isComplete ?? true).toBe(true);
  }
}

describe.each<[string, () => Ends]>([
  ['a local channel', localEnds],
  ['a ring', () => ringEnds({ slots: 8, slotBytes: 1024 })],
  ['a ring with frames in pieces', () => ringEnds({ slots: 4, slotBytes: 32 })],
  ['two rings and a relay', () => relayedEnds({ slots: 4, slotBytes: 1024 })],
  ['two rings and a relay, with frames in pieces', () => relayedEnds({ slots: 4, slotBytes: 32 })],
])('%s', (_name, create) => {
  it('has each element in exactly one of: polled before, captured, handed over by the sender', () => {
    let overtaken = 0;
    let handedOver = 0;
    const plan = fc.record({
      seed: fc.integer(),
      before: fc.nat(60),
      between: fc.nat(10),
      after: fc.nat(20),
      overtakes: fc.boolean(),
      beginsFirst: fc.boolean(),
    });
    fc.assert(
      fc.property(plan, ({ seed, before, between, after, overtakes, beginsFirst }) => {
        const world = new World(create(), seed);
        for (let step = 0; step < before; step++) world.step();
        // The receiver may hear of the barrier from another channel first.
        if (beginsFirst) world.begin();
        for (let step = 0; step < between; step++) world.step();
        world.barrier(overtakes);
        for (let step = 0; step < between; step++) world.step();
        world.overtakeLate();
        if (!beginsFirst && !world.hasPassed) world.begin();
        for (let step = 0; step < after; step++) world.step();
        world.settle();
        const place = world.sent.indexOf('barrier');
        const restored = create().receiver;
        restored.restore([...world.captured, ...world.unsent]);
        const replayed: Seen[] = [];
        for (let seen = take(restored); seen !== undefined; seen = take(restored)) replayed.push(...seen);
        expect([...world.polledBefore, ...replayed]).toEqual(world.sent.slice(0, place));
        // Nothing is lost or changes places for those who go on.
        expect(world.polled.filter((seen) => seen !== 'barrier')).toEqual(world.sent.filter((seen) => seen !== 'barrier'));
        if (replayed.length > 0) overtaken++;
        if (world.unsent.length > 0) handedOver++;
      }),
      { seed: 11, numRuns: 300 },
    );
    expect(overtaken).toBeGreaterThan(50);
    expect(handedOver).toBeGreaterThan(20);
  });
});

/** Two threads: the producer goes on between any two looks of the consumer at the ring. */
describe('a barrier that is announced, with a frame after it, while frames before it are copied', () => {
  const layout = { slots: 8, slotBytes: 1024 };

  function open(): { readonly output: OutputChannel; readonly receiver: RingReceiver; readonly later: () => void } {
    const memory = allocateRing(layout);
    const output = new OutputChannel(new RingSender(new RingWriter(memory, layout), new BatchEncoder(), () => undefined), { stop: false });
    const ring = new RingReader(memory, layout);
    const copyAt = ring.copyAt.bind(ring);
    const later = vi.fn(() => {
      output.send({ type: 'barrier', epoch: 1, completed: 0, overtakeInMs: 0 });
      send(output, 2);
    });
    vi.spyOn(ring, 'copyAt').mockImplementation((offset) => {
      const frame = copyAt(offset);
      if (later.mock.calls.length === 0) later();
      return frame;
    });
    return { output, receiver: new RingReceiver(ring, new BatchDecoder(), () => undefined), later };
  }

  function send(output: OutputChannel, value: number): void {
    output.append(value, 0);
    output.flush();
  }

  function valuesOf(frames: readonly Frame[]): Seen[] {
    const { receiver } = ringEnds(layout);
    receiver.restore(frames);
    const seen: Seen[] = [];
    for (let next = take(receiver); next !== undefined; next = take(receiver)) seen.push(...next);
    return seen;
  }

  it('bounds the capture that has begun', () => {
    const { output, receiver, later } = open();
    send(output, 1);
    const capture = receiver.beginCapture(1, []);
    expect(later).toHaveBeenCalledOnce();
    receiver.goOnCapturing();
    expect([valuesOf(capture.frames), capture.isComplete]).toEqual([[1], true]);
    expect([take(receiver), take(receiver), take(receiver)]).toEqual([[1], ['barrier'], [2]]);
  });

  it('bounds a capture that goes on as frames are polled', () => {
    const { output, receiver, later } = open();
    const capture = receiver.beginCapture(1, []);
    send(output, 1);
    expect(take(receiver)).toEqual([1]);
    expect(later).toHaveBeenCalledOnce();
    expect([take(receiver), take(receiver)]).toEqual([['barrier'], [2]]);
    expect([valuesOf(capture.frames), capture.isComplete]).toEqual([[1], true]);
  });
});
