import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyGroupOf } from '../common/hash.js';
import type { Key } from '../common/key.js';
import { seededRandom } from '../common/random.js';
import type { Partitioning } from '../plan/plan.js';
import { keyGroupRangeOf } from '../state/key-group.js';
import type { OutputChannel } from './channel.js';
import { createPartitionWriter, type PartitionOptions, type PartitionWriter } from './partition-writer.js';

/** A writer over `count` channels, and what each of them gets. */
function rig(
  partitioning: Partitioning,
  count: number,
  options: Partial<PartitionOptions> = {},
): { writer: PartitionWriter; got: [unknown, number][][] } {
  const got: [unknown, number][][] = Array.from({ length: count }, () => []);
  const channels = got.map(
    (list) => ({ append: (value: unknown, timestamp: number) => list.push([value, timestamp]) }) as unknown as OutputChannel,
  );
  const writer = createPartitionWriter({
    partitioning,
    channels,
    maxParallelism: 128,
    consumerChecksKeys: true,
    subtaskIndex: 0,
    random: seededRandom(3),
    keySelector: undefined,
    partition: undefined,
    ...options,
  });
  return { writer, got };
}

const arbitraryKey: fc.Arbitrary<Key> = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.string(),
  fc.boolean(),
  fc.bigInt(),
  fc.tuple(fc.string(), fc.integer()),
);

describe('partition writers', () => {
  it('hash: an unsupported key is refused with one channel, too, where no consumer would refuse it', () => {
    const keySelector = (value: unknown): Key => value as Key;
    const { writer, got } = rig('hash', 1, { consumerChecksKeys: false, keySelector });
    writer.append('key', 1);
    for (const key of [new Date(0), {}, undefined, null, [new Date(0)]]) {
      expect(() => writer.append(key, 2)).toThrow(/^Cannot use a (value|tuple)/);
    }
    expect(got).toEqual([[['key', 1]]]);
    const { writer: unchecked } = rig('hash', 1, { keySelector });
    unchecked.append(new Date(0), 1);
  });

  it('hash: every record goes to the subtask that owns its key group', () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryKey, { minLength: 1, maxLength: 50 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 40, max: 300 }),
        (keys, count, maxParallelism) => {
          const { writer, got } = rig('hash', count, { maxParallelism, keySelector: (value) => (value as { key: Key }).key });
          keys.forEach((key, at) => {
            writer.append({ key }, at);
          });
          expect(got.flat().length).toBe(keys.length);
          got.forEach((records, subtask) => {
            const { start, end } = keyGroupRangeOf(maxParallelism, count, subtask);
            for (const [value, timestamp] of records) {
              expect(value).toEqual({ key: keys[timestamp] });
              const group = keyGroupOf((value as { key: Key }).key, maxParallelism);
              expect(group).toBeGreaterThanOrEqual(start);
              expect(group).toBeLessThanOrEqual(end);
            }
          });
        },
      ),
      { seed: 1 },
    );
  });

  it.each(['rebalance', 'rescale'] as const)('%s: takes turns, so that no channel is more than one record ahead', (partitioning) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 100 }), (count, records) => {
        const { writer, got } = rig(partitioning, count);
        for (let i = 0; i < records; i++) writer.append(i, 0);
        const sizes = got.map((list) => list.length);
        expect(sizes.reduce((a, b) => a + b, 0)).toBe(records);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
      { seed: 2 },
    );
  });

  it('rebalance: subtasks start at different channels', () => {
    const starts = new Set<number>();
    for (let seed = 0; seed < 40; seed++) {
      const { writer, got } = rig('rebalance', 4, { random: seededRandom(seed) });
      writer.append(1, 0);
      starts.add(got.findIndex((list) => list.length === 1));
    }
    expect(starts).toEqual(new Set([0, 1, 2, 3]));
  });

  it('shuffle: reaches all channels about equally', () => {
    const { writer, got } = rig('shuffle', 5);
    for (let i = 0; i < 10_000; i++) writer.append(i, 0);
    for (const list of got) expect(Math.abs(list.length - 2000)).toBeLessThan(200);
  });

  it('broadcast: gives every channel every record', () => {
    const { writer, got } = rig('broadcast', 3);
    writer.append('a', 1);
    writer.append('b', 2);
    expect(got).toEqual(
      Array.from({ length: 3 }, () => [
        ['a', 1],
        ['b', 2],
      ]),
    );
  });

  it('global: gives the first channel all records', () => {
    const { writer, got } = rig('global', 3);
    for (let i = 0; i < 5; i++) writer.append(i, 0);
    expect(got.map((list) => list.length)).toEqual([5, 0, 0]);
  });

  it('custom: asks the partitioner, with the key where there is one', () => {
    const { writer, got } = rig('custom', 3, {
      keySelector: (value) => (value as number) * 2,
      partition: (key, count) => (key as number) % count,
    });
    for (let i = 0; i < 6; i++) writer.append(i, 0);
    expect(got.map((list) => list.map(([value]) => value))).toEqual([
      [0, 3],
      [2, 5],
      [1, 4],
    ]);
  });

  it.each([-1, 3, 0.5, Number.NaN, undefined])('custom: refuses channel %s, also where there is only one', (channel) => {
    for (const count of [1, 3]) {
      const { writer } = rig('custom', count, { partition: () => channel as number });
      const refused = expect.objectContaining({
        code: 'INVALID_PARTITION',
        message: expect.stringContaining(`an integer from 0 to ${count - 1}`),
      });
      expect(() => writer.append(1, 0)).toThrow(refused);
    }
  });
});
