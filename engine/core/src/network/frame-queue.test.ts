import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocateRawBuffer } from '../common/raw-buffer.js';
import { frameCost } from './exchange-frames.js';
import { ChunkPool, FrameQueue } from './frame-queue.js';
import { allocateRing, FRAME_CONTROL, FRAME_LAST, type RingLayout, RingReader, RingWriter } from './ring.js';

const LAYOUT: RingLayout = { slots: 2, slotBytes: 64 * 1024 };

describe('a queue of frames', () => {
  it('gives back what was pushed, in order, across chunks', () => {
    const source = allocateRawBuffer(LAYOUT.slotBytes + 16);
    const length = fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: LAYOUT.slotBytes }));
    fc.assert(
      fc.property(fc.array(fc.oneof(length, fc.constant(-1)), { maxLength: 60 }), (steps) => {
        const memory = allocateRing(LAYOUT);
        const ring = new RingWriter(memory, LAYOUT);
        const reader = new RingReader(memory, LAYOUT);
        const queue = new FrameQueue(new ChunkPool());
        const expected: { kind: number; length: number; fill: number }[] = [];
        const takeOne = (): void => {
          const frame = expected.shift();
          if (frame === undefined) return;
          queue.moveTo(ring);
          const slot = reader.peek();
          expect([reader.kind, reader.length]).toEqual([frame.kind, frame.length]);
          expect(slot?.subarray(0, frame.length).every((byte) => byte === frame.fill)).toBe(true);
          reader.release();
        };
        for (const [index, step] of steps.entries()) {
          if (step < 0) {
            takeOne();
          } else {
            const frame = { kind: index % 2 === 0 ? FRAME_LAST : FRAME_CONTROL, length: step, fill: 1 + (index % 250) };
            source.fill(0).fill(frame.fill, 8, 8 + step);
            queue.push(frame.kind, source, 8, step);
            expected.push(frame);
          }
          expect(queue.bytes).toBe(expected.reduce((sum, frame) => sum + frameCost(frame.length), 0));
        }
        while (expected.length > 0) takeOne();
        expect(queue.bytes).toBe(0);
      }),
      { seed: 3, numRuns: 25 },
    );
  });

  it('has no memory of its own when it is empty', () => {
    const pool = new ChunkPool();
    const chunk = allocateRawBuffer(64 * 1024);
    pool.give(chunk);
    const queue = new FrameQueue(pool);
    queue.push(FRAME_LAST, allocateRawBuffer(8), 0, 8);
    const other = pool.take();
    expect(other).not.toBe(chunk);
    queue.moveTo(new RingWriter(allocateRing(LAYOUT), LAYOUT));
    expect(pool.take()).toBe(chunk);
  });
});
