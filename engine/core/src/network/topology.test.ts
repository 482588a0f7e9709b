import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Partitioning } from '../plan/plan.js';
import { channelName, consumersOf, producersOf } from './topology.js';

const ALL: readonly Partitioning[] = ['forward', 'hash', 'rebalance', 'rescale', 'shuffle', 'broadcast', 'global', 'custom'];
const arbitraryParallelism = fc.integer({ min: 1, max: 40 });

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

describe('topology', () => {
  it('is the same from both sides, and reaches everybody', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ALL), arbitraryParallelism, arbitraryParallelism, (partitioning, producers, others) => {
        const consumers = partitioning === 'forward' ? producers : others;
        const sent = range(producers).flatMap((from) => consumersOf(partitioning, producers, consumers, from).map((to) => `${from}>${to}`));
        const heard = range(consumers).flatMap((to) => producersOf(partitioning, producers, consumers, to).map((from) => `${from}>${to}`));
        expect(new Set(sent)).toEqual(new Set(heard));
        expect(sent.length).toBe(heard.length);
        expect(new Set(sent.map((channel) => channel.split('>')[0])).size).toBe(producers);
        expect(new Set(sent.map((channel) => channel.split('>')[1])).size).toBe(consumers);
      }),
      { seed: 1 },
    );
  });

  it('connects pointwise as Flink does', () => {
    // VertexInputInfoComputationUtils: consumer c reads partitions [c · S / T, (c + 1) · S / T), or a partition feeds [⌈p · T / S⌉, ⌈(p + 1) · T / S⌉).
    fc.assert(
      fc.property(arbitraryParallelism, arbitraryParallelism, (producers, consumers) => {
        for (const to of range(consumers)) {
          const expected =
            producers >= consumers
              ? range(producers).filter(
                  (p) => p >= Math.floor((to * producers) / consumers) && p < Math.floor(((to + 1) * producers) / consumers),
                )
              : range(producers).filter(
                  (p) =>
                    to >= Math.floor((p * consumers + producers - 1) / producers) &&
                    to < Math.floor(((p + 1) * consumers + producers - 1) / producers),
                );
          expect(producersOf('rescale', producers, consumers, to)).toEqual(expected);
        }
      }),
      { seed: 2 },
    );
    expect(range(3).map((from) => consumersOf('rescale', 3, 2, from))).toEqual([[0], [1], [1]]);
    expect(range(2).map((from) => consumersOf('rescale', 2, 3, from))).toEqual([[0, 1], [2]]);
  });

  it('names channels by edge and subtasks', () => {
    expect(channelName('sink#0', 1, 2)).toBe('sink#0:1>2');
  });
});
