/** Alignment of barriers over several channels. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BatchDecoder } from '../codec/batch-decoder.js';
import { BatchEncoder } from '../codec/batch-encoder.js';
import { type InputChannel, OutputChannel } from '../network/channel.js';
import { type ControlElement, RecordBatch, type StreamElement } from '../network/element.js';
import { type Frame, FrameEncoder } from '../network/frame.js';
import { LocalChannel } from '../network/local-channel.js';
import { allocateRing, RingReader, RingWriter } from '../network/ring.js';
import { RingReceiver, RingSender } from '../network/ring-channel.js';
import { type ChannelCapture, type GateChannel, InputGate } from './input-gate.js';

/** A channel of scripted elements; watermarks stand for records, since they are as easily told apart. */
class ScriptedChannel extends LocalChannel {
  readonly elements: StreamElement[] = [];

  override poll(): StreamElement | undefined {
    return this.elements.shift();
  }
}

function gateChannel(channel: InputChannel): GateChannel {
  return { channel, input: 0, name: '', frames: new FrameEncoder({}) };
}

interface Delivered {
  readonly channel: number;
  /** Barriers that the channel had delivered before. */
  readonly epoch: number;
}

interface Run {
  readonly delivered: Delivered[];
  /** Epochs in the order of their alignment, with the number of elements that were delivered before. */
  readonly aligned: { readonly epoch: number; readonly completed: number; readonly after: number }[];
  readonly gate: InputGate;
}

/** Each script is a list of: 0 an element, n > 0 the barrier n. `turns` says which channel's next element arrives, then the gate is emptied. */
function run(scripts: readonly (readonly number[])[], turns: readonly number[], align: boolean): Run {
  const channels = scripts.map(() => new ScriptedChannel());
  const waiting = scripts.map((script) => [...script]);
  const gate = new InputGate(channels.map(gateChannel), align);
  const epochs = scripts.map(() => 0);
  const result: Run = { delivered: [], aligned: [], gate };
  const empty = (): void => {
    for (let element = gate.poll(); element !== undefined; element = gate.poll()) {
      const channel = gate.polled;
      if ('type' in element && element.type === 'barrier') {
        epochs[channel] = element.epoch;
        const barrier = gate.barrier(element, 0);
        if (barrier !== undefined) result.aligned.push({ ...barrier, after: result.delivered.length });
      } else result.delivered.push({ channel, epoch: epochs[channel] as number });
    }
  };
  const order = [...turns, ...scripts.flatMap((script, channel) => script.map(() => channel))];
  for (const turn of order) {
    const channel = turn % scripts.length;
    const next = waiting[channel]?.shift();
    if (next === undefined) continue;
    channels[channel]?.elements.push(
      next === 0 ? { type: 'watermark', watermark: 1 } : { type: 'barrier', epoch: next, completed: next - 1 },
    );
    empty();
  }
  return result;
}

/** Every channel sends barriers 1 to `epochs`, with elements between. */
const arbitraryScripts = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5 })).chain(([epochs, count]) =>
  fc.array(
    fc
      .array(fc.nat(3), { minLength: epochs + 1, maxLength: epochs + 1 })
      .map((gaps) => gaps.flatMap((gap, at) => [...new Array<number>(gap).fill(0), ...(at < epochs ? [at + 1] : [])])),
    { minLength: count, maxLength: count },
  ),
);

const arbitraryTurns = fc.array(fc.nat(20), { maxLength: 40 });

describe('an aligning gate', () => {
  it('delivers nothing of a channel after its barrier before all channels have delivered it', () => {
    fc.assert(
      fc.property(arbitraryScripts, arbitraryTurns, (scripts, turns) => {
        const { delivered, aligned, gate } = run(scripts, turns, true);
        const epochs = Math.max(...scripts.flat());
        expect(aligned.map(({ epoch, completed }) => [epoch, completed])).toEqual(Array.from({ length: epochs }, (_, at) => [at + 1, at]));
        for (const { epoch, after } of aligned) {
          expect(delivered.slice(0, after).every((element) => element.epoch < epoch)).toBe(true);
          expect(delivered.slice(after).every((element) => element.epoch >= epoch)).toBe(true);
        }
        expect(delivered.length).toBe(scripts.flat().filter((entry) => entry === 0).length);
        expect(gate.isAligning).toBe(false);
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  it('gives an alignment up when a newer barrier comes', () => {
    // Channel 1 never sends barrier 1: its producer was given barrier 2 before it answered.
    const { delivered, aligned } = run(
      [
        [0, 1, 0, 2, 0],
        [0, 2, 0],
      ],
      [0, 0, 0, 1, 1, 1],
      true,
    );
    expect(aligned.map(({ epoch }) => epoch)).toEqual([2]);
    expect(delivered.length).toBe(5);
    expect(delivered.slice(aligned[0]?.after).every((element) => element.epoch === 2)).toBe(true);
  });

  it('ignores barriers older than the one that is aligned', () => {
    const { aligned, delivered } = run(
      [
        [2, 0],
        [1, 0, 2, 0],
      ],
      [0, 0],
      true,
    );
    expect(aligned).toEqual([{ epoch: 2, completed: 1, after: 1 }]);
    expect(delivered.length).toBe(3);
  });

  it('does not let a blocked channel hide the others, and takes turns', () => {
    const channels = [new ScriptedChannel(), new ScriptedChannel(), new ScriptedChannel()];
    const gate = new InputGate(channels.map(gateChannel));
    for (const channel of channels) for (let i = 0; i < 2; i++) channel.elements.push({ type: 'watermark', watermark: i });
    const polled = Array.from({ length: 7 }, () => (gate.poll() === undefined ? -1 : gate.polled));
    expect(polled).toEqual([0, 1, 2, 0, 1, 2, -1]);
    channels[1]?.elements.push({ type: 'barrier', epoch: 1, completed: 0 });
    gate.poll();
    expect(gate.barrier({ type: 'barrier', epoch: 1, completed: 0 }, 0)).toBeUndefined();
    expect(gate.isAligning).toBe(true);
    for (const channel of channels) channel.elements.push({ type: 'watermark', watermark: 9 });
    expect(Array.from({ length: 3 }, () => (gate.poll() === undefined ? -1 : gate.polled))).toEqual([2, 0, -1]);
  });
});

describe('a gate that does not align', () => {
  it('reads all channels on, and reports a barrier when the last one has come', () => {
    fc.assert(
      fc.property(arbitraryScripts, arbitraryTurns, (scripts, turns) => {
        const { delivered, aligned } = run(scripts, turns, false);
        expect(delivered.length).toBe(scripts.flat().filter((entry) => entry === 0).length);
        // A channel that runs ahead by a barrier makes the gate give up the one before.
        const epochs = aligned.map(({ epoch }) => epoch);
        expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b));
        expect(epochs.at(-1)).toBe(Math.max(...scripts.flat()));
        for (const { epoch, after } of aligned) expect(delivered.slice(after).every((element) => element.epoch >= epoch)).toBe(true);
      }),
      { numRuns: 300, seed: 2 },
    );
    const { delivered, aligned } = run(
      [
        [1, 0],
        [0, 1],
      ],
      [0, 0, 1, 1],
      false,
    );
    expect(aligned).toEqual([{ epoch: 1, completed: 0, after: 2 }]);
    expect(delivered[0]).toEqual({ channel: 0, epoch: 1 });
  });
});

type BarrierElement = ControlElement & { readonly type: 'barrier' };

/** Two ends of a ring whose slots hold a part of a batch. */
function ringOfPieces(): { readonly output: OutputChannel; readonly receiver: RingReceiver } {
  const layout = { slots: 2, slotBytes: 32 };
  const memory = allocateRing(layout);
  const sender = new RingSender(new RingWriter(memory, layout), new BatchEncoder(), () => undefined);
  const receiver = new RingReceiver(new RingReader(memory, layout), new BatchDecoder(), () => undefined);
  return { output: new OutputChannel(sender, { stop: false }), receiver };
}

/** Records of all batches of a channel. */
function recordsOf(frames: readonly Frame[]): unknown[] {
  const { receiver } = ringOfPieces();
  receiver.restore(frames);
  const records: unknown[] = [];
  for (let element = receiver.poll(); element !== undefined; element = receiver.poll()) {
    if (element instanceof RecordBatch) records.push(...element.values.slice(0, element.count));
  }
  return records;
}

describe('a barrier that has overtaken a batch that was half sent', () => {
  const records = Array.from({ length: 40 }, (_, at) => at * 1.5);

  /** Sends the first pieces of a batch, and the barrier; returns what the producer's snapshot has. */
  function sendHalf(output: OutputChannel): readonly Frame[] {
    for (const record of records) output.append(record, 0);
    output.flush();
    return output.overtake({ epoch: 1, completed: 0, overtakeInMs: 0 });
  }

  it('leaves the pieces before it to the snapshot when it is aligned', () => {
    const { output, receiver } = ringOfPieces();
    const gate = new InputGate([gateChannel(receiver)]);
    const unsent = sendHalf(output);
    const barrier = gate.barrier(gate.poll() as BarrierElement, 0);
    expect(barrier).toMatchObject({ epoch: 1, overtakeAt: 0 });
    const [piece] = gate.piecesBefore(1);
    expect(piece).toMatchObject({ index: 0, capture: { isComplete: true } });
    expect(recordsOf([...(piece?.capture.frames ?? []), ...unsent])).toEqual(records);
  });

  it('leaves them to the snapshot when it overtakes in another channel', () => {
    const { output, receiver } = ringOfPieces();
    const gate = new InputGate([receiver, new LocalChannel()].map(gateChannel));
    const unsent = sendHalf(output);
    expect(gate.barrier(gate.poll() as BarrierElement, 0)).toBeUndefined();
    expect(gate.overtakeAt).toBe(0);
    const captures: ChannelCapture[] = [];
    gate.overtake(undefined, undefined, captures);
    expect(recordsOf([...(captures[0]?.capture.frames ?? []), ...unsent])).toEqual(records);
  });
});

describe('a barrier that was given up', () => {
  it('does not overtake a newer one that may not', () => {
    const channels = [new LocalChannel(), new LocalChannel()] as const;
    const gate = new InputGate(channels.map(gateChannel));
    const take = (): ReturnType<InputGate['barrier']> => gate.barrier(gate.poll() as BarrierElement, 0);
    channels[0].announce({ epoch: 1, completed: 0, overtakeInMs: 50 });
    gate.listen(0);
    expect(gate.overtakeAt).toBe(50);
    expect(take()).toBeUndefined();
    // A savepoint: checkpoint 1 has failed elsewhere.
    channels[1].offerControl({ type: 'barrier', epoch: 2, completed: 0, savepoint: true });
    expect(take()).toBeUndefined();
    expect(gate.overtakeAt).toBe(Number.POSITIVE_INFINITY);
    channels[0].offerControl({ type: 'barrier', epoch: 2, completed: 0, savepoint: true });
    expect(take()).toEqual({ epoch: 2, completed: 0, savepoint: true });
  });
});

describe('what was on its way', () => {
  it('comes before anything new of all channels', () => {
    const { output, receiver } = ringOfPieces();
    const local = new LocalChannel();
    const gate = new InputGate([local, receiver, new LocalChannel()].map(gateChannel));
    const encoder = new FrameEncoder({});
    const framesOf = (...records: readonly unknown[]): Frame[] => {
      const batch = new RecordBatch();
      for (const record of records) batch.values[batch.count++] = record;
      const frames: Frame[] = [];
      encoder.add(batch, 0, frames);
      return frames;
    };
    receiver.restore([...framesOf('a'), ...framesOf('b')]);
    local.restore(framesOf('c'));
    const added = new OutputChannel(local, { stop: false });
    for (const [channel, record] of [
      [output, 'new'],
      [added, 'newer'],
    ] as const) {
      channel.append(record, 0);
      channel.flush();
    }
    const seen = Array.from({ length: 5 }, () => {
      const { values } = gate.poll() as RecordBatch;
      return [gate.polled, values[0]];
    });
    expect(seen.slice(0, 3)).toEqual([
      [0, 'c'],
      [1, 'a'],
      [1, 'b'],
    ]);
    expect(seen.slice(3).sort()).toEqual([
      [0, 'newer'],
      [1, 'new'],
    ]);
    expect(gate.poll()).toBeUndefined();
  });
});
