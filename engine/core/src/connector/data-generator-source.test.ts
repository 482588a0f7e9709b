import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../common/clock.js';
import { runInterrupted, SourceRig } from '../testing/source-rig.js';
import { DataGeneratorSource, sequenceSource } from './data-generator-source.js';

const ascending = (left: number, right: number): number => left - right;

describe('DataGeneratorSource', () => {
  it('gives subtask s of P the indices i with i % P == s, in order', async () => {
    const rig = await SourceRig.start(new DataGeneratorSource((index) => index, 11), { parallelism: 3 });
    await rig.drain(2);
    const ofSubtask = (subtask: number) => rig.records.filter((record) => record.subtask === subtask).map(({ value }) => value);
    expect([0, 1, 2].map(ofSubtask)).toEqual([
      [0, 3, 6, 9],
      [1, 4, 7, 10],
      [2, 5, 8],
    ]);
    expect(rig.finishedSplits).toHaveLength(3);
  });

  it('loses and repeats nothing when interrupted anywhere and resumed at another parallelism', async () => {
    const stop = fc.record({ polls: fc.nat(6), parallelism: fc.integer({ min: 1, max: 7 }), limit: fc.integer({ min: 1, max: 9 }) });
    await fc.assert(
      fc.asyncProperty(fc.nat(150), fc.array(stop, { maxLength: 5 }), async (count, stops) => {
        const values = await runInterrupted(new DataGeneratorSource((index) => index, count), stops);
        expect(values.sort(ascending)).toEqual(Array.from({ length: count }, (_, index) => index));
      }),
      { numRuns: 300, seed: 2 },
    );
  });

  it('gives every reader work when it resumes at a higher parallelism', async () => {
    const source = new DataGeneratorSource((index) => index, 1000);
    const first = await SourceRig.start(source, { parallelism: 2 });
    first.poll(0, 100);
    const second = await SourceRig.start(source, { parallelism: 5, restored: first.snapshot() });
    for (const reader of second.readers) expect(reader.snapshotState()).not.toEqual([]);
    expect([...first.values(), ...(await second.drain())].sort(ascending)).toEqual(Array.from({ length: 1000 }, (_, index) => index));
  });

  it('keeps several classes of one reader together', async () => {
    const source = new DataGeneratorSource((index) => index, 4000);
    const first = await SourceRig.start(source, { parallelism: 4 });
    const second = await SourceRig.start(source, { parallelism: 1, restored: first.snapshot() });
    for (let polls = 0; polls < 40; polls++) {
      second.poll(0, 10);
      const positions = second.readers[0]?.snapshotState().map(({ next }) => next) as number[];
      expect(Math.max(...positions) - Math.min(...positions)).toBeLessThanOrEqual(43);
    }
  });

  it('does not poll paused splits', async () => {
    const source = new DataGeneratorSource((index) => index, 100);
    const first = await SourceRig.start(source, { parallelism: 2 });
    const [[even], [odd]] = first.readers.map((reader) => reader.snapshotState()) as unknown as [[{ id: string }], [{ id: string }]];
    const rig = await SourceRig.start(source, { parallelism: 1, restored: first.snapshot() });
    rig.readers[0]?.pauseOrResumeSplits?.(new Set([even.id]));
    rig.poll(0, 5);
    rig.poll(0, 5);
    expect(rig.values()).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    rig.readers[0]?.pauseOrResumeSplits?.(new Set([even.id, odd.id]));
    expect(rig.poll(0, 5)).toBe('nothing');
    rig.readers[0]?.pauseOrResumeSplits?.(new Set());
    expect((await rig.drain()).sort(ascending)).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });

  it('holds the rate by the clock, evenly among subtasks, and catches up', async () => {
    const clock = new ManualClock();
    const source = new DataGeneratorSource((index) => index, 1000, { recordsPerSecond: 200 });
    const rig = await SourceRig.start(source, { parallelism: 2, clock });
    expect(rig.poll(0, 50)).toBe('records');
    expect(rig.values()).toEqual([0]);
    expect(rig.poll(0, 50)).toBe('nothing');
    const available = rig.readers[0]?.whenAvailable();
    expect(clock.nextDelay()).toBe(10);
    clock.advance(10);
    await available;
    rig.poll(0, 50);
    expect(rig.values()).toEqual([0, 2]);
    clock.advance(95);
    rig.poll(0, 50);
    expect(rig.values()).toHaveLength(11);
    expect(rig.poll(0, 50)).toBe('nothing');
  });

  it('cancels its timer when closed', async () => {
    const clock = new ManualClock();
    const rig = await SourceRig.start(new DataGeneratorSource((index) => index, 10, { recordsPerSecond: 1 }), { clock });
    rig.poll(0);
    void rig.readers[0]?.whenAvailable();
    expect(clock.pending()).toBe(1);
    await rig.close();
    expect(clock.pending()).toBe(0);
  });

  it('is unbounded with an infinite count', async () => {
    const source = new DataGeneratorSource((index) => index, Number.POSITIVE_INFINITY);
    expect(source.boundedness).toBe('continuous-unbounded');
    const rig = await SourceRig.start(source);
    for (let polls = 0; polls < 100; polls++) rig.poll(0, 100);
    expect(rig.values()).toHaveLength(10_000);
  });

  it('refuses impossible options', () => {
    expect(() => new DataGeneratorSource(String, -1)).toThrow(/generate -1 records/);
    expect(() => new DataGeneratorSource(String, 5, { recordsPerSecond: 0 })).toThrow(/recordsPerSecond 0/);
    expect(() => sequenceSource(3, 2)).toThrow(/from 3 to 2/);
  });
});

describe('sequenceSource', () => {
  it('includes both ends', async () => {
    const rig = await SourceRig.start(sequenceSource(-2, 3), { parallelism: 4 });
    expect((await rig.drain()).sort(ascending)).toEqual([-2, -1, 0, 1, 2, 3]);
  });
});

/** A clock that moves only by hand. */
class ManualClock implements Clock {
  #now = 0;
  readonly #calls = new Set<{ at: number; callback: () => void }>();

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  schedule(delayMs: number, callback: () => void): { cancel(): void } {
    const call = { at: this.#now + delayMs, callback };
    this.#calls.add(call);
    return { cancel: () => this.#calls.delete(call) };
  }

  nextDelay(): number {
    return Math.min(...[...this.#calls].map(({ at }) => at)) - this.#now;
  }

  pending(): number {
    return this.#calls.size;
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const call of [...this.#calls]) {
      if (call.at > this.#now) continue;
      this.#calls.delete(call);
      call.callback();
    }
  }
}
