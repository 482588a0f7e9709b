import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChannelFrames, type ChannelState, channelFramesFor, decodeChannelState, encodeChannelState } from './channel-state.js';

const frames: fc.Arbitrary<readonly ChannelFrames[]> = fc.array(
  fc.record({
    channel: fc.string(),
    frames: fc.array(fc.record({ kind: fc.integer({ min: 1, max: 3 }), bytes: fc.uint8Array({ maxLength: 300 }) }), { maxLength: 4 }),
  }),
  { maxLength: 4 },
);
const state = fc.record({ inputs: frames, outputs: frames });

const frame = (fill: number): ChannelFrames['frames'][number] => ({ kind: 1, bytes: Uint8Array.of(fill) });

describe('what was on its way', () => {
  it('comes back equal; nothing is undefined', () => {
    fc.assert(
      fc.property(state, (each) => {
        const bytes = encodeChannelState(each);
        if (each.inputs.length + each.outputs.length === 0) expect(bytes).toBeUndefined();
        else expect(plain(decodeChannelState(bytes as Uint8Array))).toEqual(plain(each));
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('that is damaged gives CORRUPT_DATA, or something of the declared type', () => {
    fc.assert(
      fc.property(state, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.nat(), (each, at, byte, cut) => {
        const bytes = encodeChannelState(each);
        if (bytes === undefined) return;
        bytes[at % bytes.length] = byte;
        try {
          const { inputs, outputs } = decodeChannelState(bytes.subarray(0, 1 + (cut % bytes.length)));
          for (const { frames: some } of [...inputs, ...outputs])
            for (const { bytes: content } of some) expect(content).toBeInstanceOf(Uint8Array);
        } catch (error) {
          expect((error as { code?: string }).code).toBe('CORRUPT_DATA');
        }
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  it('begins with what had been sent to a consumer, whoever names it first', () => {
    const producer: ChannelState = { inputs: [], outputs: [{ channel: 'a', frames: [frame(3)] }] };
    const consumer: ChannelState = {
      inputs: [
        { channel: 'a', frames: [frame(1), frame(2)] },
        { channel: 'b', frames: [frame(9)] },
      ],
      outputs: [],
    };
    for (const states of [
      [producer, consumer],
      [consumer, producer],
    ]) {
      const byChannel = channelFramesFor(states);
      expect(byChannel.get('a')?.map(({ bytes }) => bytes[0])).toEqual([1, 2, 3]);
      expect(byChannel.get('b')?.map(({ bytes }) => bytes[0])).toEqual([9]);
    }
  });
});

function plain({ inputs, outputs }: ChannelState): unknown {
  const of = (all: readonly ChannelFrames[]): unknown =>
    all.map(({ channel, frames: some }) => [channel, some.map(({ kind, bytes }) => [kind, ...bytes])]);
  return [of(inputs), of(outputs)];
}
