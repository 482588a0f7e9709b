/** Output channels over both transports: every allowed value arrives, in order, with control elements between, whatever the credit. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryValue, difference, moneyRegistry } from '../codec/allowed-values.test.support.js';
import { BatchDecoder } from '../codec/batch-decoder.js';
import { BatchEncoder } from '../codec/batch-encoder.js';
import type { MillstreamError } from '../common/errors.js';
import { type InputChannel, OutputChannel, type OutputChannelOptions, type Transport } from './channel.js';
import { BATCH_RECORDS, type ControlElement, RecordBatch } from './element.js';
import { LocalChannel } from './local-channel.js';
import { allocateRing, type RingLayout, RingReader, RingWriter } from './ring.js';
import { RingReceiver, RingSender } from './ring-channel.js';

const registry = moneyRegistry();

interface Ends {
  readonly sender: Transport;
  readonly receiver: InputChannel;
  /** Wake-ups: of the consumer, of the producer. */
  readonly wakes: { consumer: number; producer: number };
}

function localEnds(): Ends {
  const channel = new LocalChannel(registry);
  return { sender: channel, receiver: channel, wakes: { consumer: 0, producer: 0 } };
}

function ringEnds(layout: RingLayout): Ends {
  const memory = allocateRing(layout);
  const wakes = { consumer: 0, producer: 0 };
  return {
    sender: new RingSender(new RingWriter(memory, layout), new BatchEncoder({ registry }), () => wakes.consumer++),
    receiver: new RingReceiver(new RingReader(memory, layout), new BatchDecoder({ registry }), () => wakes.producer++),
    wakes,
  };
}

const TRANSPORTS: readonly [string, () => Ends][] = [
  ['a local channel', localEnds],
  ['a ring', () => ringEnds({ slots: 8, slotBytes: 1 << 16 })],
  ['a ring with frames in pieces', () => ringEnds({ slots: 2, slotBytes: 32 })],
  ['a ring of one slot', () => ringEnds({ slots: 1, slotBytes: 64 })],
];

/** What went in and what came out: records as [value, timestamp], control elements as they are. */
type SentRecord = readonly [unknown, number];
type Item = SentRecord | ControlElement;

class Wire {
  readonly sent: Item[] = [];
  readonly received: Item[] = [];
  readonly control = { stop: false };
  readonly output: OutputChannel;
  private readonly ends: Ends;

  constructor(ends: Ends, options: OutputChannelOptions = {}) {
    this.ends = ends;
    this.output = new OutputChannel(ends.sender, this.control, { registry, ...options });
  }

  append(value: unknown, timestamp: number): void {
    this.sent.push([value, timestamp]);
    this.output.append(value, timestamp);
  }

  send(element: ControlElement): void {
    this.sent.push(element);
    this.output.send(element);
  }

  /** Takes up to `count` elements. */
  receive(count: number): number {
    for (let taken = 0; taken < count; taken++) {
      const element = this.ends.receiver.poll();
      if (element === undefined) return taken;
      if (!(element instanceof RecordBatch)) {
        this.received.push(element);
        continue;
      }
      for (let at = 0; at < element.count; at++) this.received.push([element.values[at], element.timestamps[at] as number]);
      this.ends.receiver.recycle(element);
    }
    return count;
  }

  /** Both sides go on until nothing moves. */
  settle(): void {
    this.output.flush();
    for (let rounds = 0; ; rounds++) {
      const free = this.output.drain();
      const taken = this.receive(1);
      if (free && taken === 0) return;
      if (rounds > 100_000) throw new Error('the channel is stuck');
    }
  }
}

const arbitraryControl: fc.Arbitrary<ControlElement> = fc.oneof(
  fc.record({
    type: fc.constant('watermark' as const),
    watermark: fc.oneof(fc.double({ noNaN: true }), fc.constant(Number.POSITIVE_INFINITY)),
  }),
  fc.record({ type: fc.constant('idle' as const), idle: fc.boolean() }),
  fc.record(
    { type: fc.constant('barrier' as const), epoch: fc.nat(), completed: fc.nat(), savepoint: fc.constant(true as const) },
    { requiredKeys: ['type', 'epoch', 'completed'] },
  ),
  fc.constant({ type: 'end' as const }),
);

type Action =
  | { readonly do: 'append'; readonly count: number }
  | { readonly do: 'send'; readonly element: ControlElement }
  | { readonly do: 'flush' | 'drain' | 'receive' };

const arbitraryAction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 700 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('send' as const), element: arbitraryControl }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('flush' as const, 'drain' as const, 'receive' as const) }) },
);

describe.each(TRANSPORTS)('over %s', (_, ends) => {
  it('every allowed value arrives as it was, with its timestamp', () => {
    const timestamp = fc.oneof(fc.double(), fc.constant(Number.NaN));
    fc.assert(
      fc.property(fc.array(fc.tuple(arbitraryValue, timestamp), { maxLength: 20 }), (records) => {
        const wire = new Wire(ends());
        for (const [value, time] of records) wire.append(value, time);
        wire.settle();
        expect(wire.received.length).toBe(records.length);
        wire.received.forEach((received, at) => {
          expect(difference((records[at] as SentRecord)[0], (received as SentRecord)[0])).toBeUndefined();
          expect(Object.is((records[at] as SentRecord)[1], (received as SentRecord)[1])).toBe(true);
        });
      }),
      { numRuns: 300, seed: 11 },
    );
  });

  it('nothing is lost and all is in order, control elements among the records', () => {
    fc.assert(
      fc.property(fc.array(arbitraryAction, { maxLength: 40 }), (actions) => {
        const wire = new Wire(ends());
        let next = 0;
        for (const action of actions) {
          if (action.do === 'append') for (let i = 0; i < action.count; i++) wire.append({ number: next }, next++);
          else if (action.do === 'send') wire.send(action.element);
          else if (action.do === 'flush') wire.output.flush();
          else if (action.do === 'drain') wire.output.drain();
          else wire.receive(1);
        }
        wire.settle();
        expect(wire.received).toEqual(wire.sent);
      }),
      { numRuns: 60, seed: 12 },
    );
  });

  it('says stop when there is no more room, keeps the rest, and sends it in order when there is', () => {
    const { sender, receiver, wakes } = ends();
    const wire = new Wire({ sender, receiver, wakes });
    let records = 0;
    while (!wire.control.stop) wire.append(records, records++);
    expect(wire.output.drain()).toBe(false);
    for (let more = 0; more < BATCH_RECORDS * 3; more++) wire.append(records, records++);
    wire.send({ type: 'barrier', epoch: 7, completed: 6 });
    wire.append(records, records++);
    wire.settle();
    expect(wire.received).toEqual(wire.sent);
    expect(wire.output.drain()).toBe(true);
  });
});

describe('a ring', () => {
  it('wakes the consumer when it was empty, and the producer when it was full', () => {
    const layout: RingLayout = { slots: 2, slotBytes: 1 << 16 };
    const ends = ringEnds(layout);
    const wire = new Wire(ends);
    wire.append(1, 0);
    wire.output.flush();
    wire.append(2, 0);
    wire.output.flush();
    expect(ends.wakes).toEqual({ consumer: 1, producer: 0 });
    wire.receive(1);
    wire.receive(1);
    expect(ends.wakes).toEqual({ consumer: 1, producer: 1 });
  });
});

describe('a local channel', () => {
  it('passes records by reference, and gives emptied batches back', () => {
    const wire = new Wire(localEnds());
    const record = { at: 1 };
    const { batch } = wire.output;
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < BATCH_RECORDS; i++) wire.append(record, i);
      wire.settle();
    }
    expect((wire.received[0] as SentRecord)[0]).toBe(record);
    for (let i = 0; i < BATCH_RECORDS; i++) wire.append(record, i);
    wire.receive(1);
    // Two batches go round; neither holds on to what it carried.
    expect(batch.values.filter((value) => value !== undefined)).toEqual([]);
    expect(batch.count).toBe(0);
  });

  it('keeps no more spare batches than its queue has room for', () => {
    const channel = new LocalChannel();
    const batches = Array.from({ length: 20 }, () => new RecordBatch());
    for (const batch of batches) channel.recycle(batch);
    const kept = new Set(Array.from({ length: 20 }, () => channel.takeSpare()).filter((batch) => batches.includes(batch)));
    expect(kept.size).toBe(8);
  });

  it.each([
    ['in the first record', 0],
    ['in the hundredth', 99],
  ])('refuses a value that the record model does not allow, %s', (_, bad) => {
    const wire = new Wire(localEnds());
    const emit = (): void => {
      for (let i = 0; i < BATCH_RECORDS; i++) wire.append({ inner: i === bad ? [() => 1] : i }, 0);
    };
    expect(emit).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_VALUE', message: expect.stringContaining('value.inner[0]') }));
  });

  it('finds values that are not allowed soon, also later in the stream', () => {
    const wire = new Wire(localEnds());
    for (let i = 0; i < 10 * BATCH_RECORDS; i++) {
      wire.append({ inner: i }, 0);
      if (i % BATCH_RECORDS === BATCH_RECORDS - 1) wire.settle();
    }
    let emitted = 0;
    const emit = (): void => {
      for (; emitted < 50_000; emitted++) {
        wire.append({ inner: emitted % 8 === 0 ? Symbol('no') : emitted }, 0);
        if (emitted % BATCH_RECORDS === 0) wire.settle();
      }
    };
    expect(emit).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_VALUE' }));
    expect(emitted).toBeLessThan(20 * BATCH_RECORDS);
  });
});

describe('the overflow', () => {
  it.each(TRANSPORTS)('of %s is limited by bytes, not by records', (_, ends) => {
    const limit = 2 * 1024 * 1024;
    const emit = (value: unknown, records: number): void => {
      const wire = new Wire(ends(), { overflowBytesMax: limit });
      for (let i = 0; i < records; i++) wire.append(value, 0);
    };
    expect(() => emit(1, 200_000)).not.toThrow();
    let error: unknown;
    try {
      emit('x'.repeat(1000), 200_000);
    } catch (thrown) {
      error = thrown;
    }
    expect((error as MillstreamError).code).toBe('RECORD_OUTPUT_TOO_LARGE');
    const { bytes } = (error as MillstreamError).details;
    expect(bytes).toBeGreaterThan(limit);
    expect(bytes).toBeLessThan(limit * 1.2);
  });

  it('counts anew when it has drained', () => {
    const wire = new Wire(localEnds(), { overflowBytesMax: 4096 * BATCH_RECORDS });
    const text = 'x'.repeat(1000);
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 11 * BATCH_RECORDS; i++) wire.append(text, 0);
      wire.settle();
    }
    expect(wire.received.length).toBe(20 * 11 * BATCH_RECORDS);
  });
});
