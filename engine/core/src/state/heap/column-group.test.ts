import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashKey } from '../../common/hash.js';
import { ChangeClock } from './change-clock.js';
import { ColumnGroup } from './column-group.js';
import { rowLayoutOf } from './row-layout.js';

const layout = rowLayoutOf('state', [{ name: 'n', type: 'int32' }]);

/** A group with what its codec was asked to write. */
function groupOf(): { group: ColumnGroup; clock: ChangeClock; saved: number[] } {
  const clock = new ChangeClock();
  const saved: number[] = [];
  const group = new ColumnGroup(
    0,
    clock,
    {
      writeRow: (_cut, target, row) => void saved.push((layout.read(target.f64, target.i32, row) as { n: number }).n),
      writeRemoval: () => {},
    },
    layout,
  );
  return { group, clock, saved };
}

function put(group: ColumnGroup, key: number, n: number): void {
  const found = group.find(hashKey(key), key);
  const row = found >= 0 ? found : group.add(hashKey(key), key);
  group.touch(row);
  layout.write(group.f64, group.i32, row, { n });
}

function get(group: ColumnGroup, key: number): number | undefined {
  const row = group.find(hashKey(key), key);
  return row < 0 ? undefined : (layout.read(group.f64, group.i32, row) as { n: number }).n;
}

describe('ColumnGroup', () => {
  it('finds what a Map would find, whatever was added and removed', () => {
    const key = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(-0, 0.5, 1e300, -(2 ** 31), 2 ** 31));
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.boolean()), { maxLength: 400, size: 'max' }), (operations) => {
        const { group, clock } = groupOf();
        const model = new Map<number, number>();
        operations.forEach(([k, isPut], n) => {
          if (isPut) {
            put(group, k, n);
            model.set(k, n);
          } else if (model.delete(k)) {
            group.remove(group.find(hashKey(k), k));
          }
        });
        expect(group.count).toBe(model.size);
        expect(clock.entries).toBe(model.size);
        expect(new Set(group.keys())).toEqual(new Set(model.keys()));
        for (const [k] of operations) expect(get(group, k)).toBe(model.get(k));
      }),
      { seed: 11, numRuns: 300 },
    );
  });

  it('uses the rows of removed keys again instead of growing', () => {
    const { group, clock } = groupOf();
    for (let key = 0; key < 100; key++) put(group, key, key);
    const { columnBytes } = clock;
    for (let round = 1; round < 200; round++) {
      for (let key = 0; key < 100; key++) group.remove(group.find(hashKey(key + (round - 1) * 100), key + (round - 1) * 100));
      for (let key = 0; key < 100; key++) put(group, key + round * 100, key);
    }
    expect(group.count).toBe(100);
    expect(group.rows).toBe(100);
    expect(clock.columnBytes).toBe(columnBytes);
  });

  it('lists rows that are used again for keys of another interval', () => {
    const { group, clock, saved } = groupOf();
    const keys = 1000;
    for (let key = 0; key < keys; key++) put(group, key, key);
    clock.nextInterval();
    for (let key = 0; key < keys; key += 2) group.remove(group.find(hashKey(key), key));
    for (let key = 10_000; key < 10_200; key++) put(group, key, key);
    expect(group.rows).toBe(keys);
    const cut = { file: {} as never, after: 1, closing: 2, walks: [] };
    clock.cut = cut;
    clock.nextInterval();
    expect(group.walk(cut).step(10_000)).toBeGreaterThan(0);
    expect(saved.sort()).toEqual(Array.from({ length: 200 }, (_, n) => 10_000 + n));
  });

  it('saves each row once when the group grows in the middle of a walk', () => {
    for (const after of [0, 1]) {
      const { group, clock, saved } = groupOf();
      clock.nextInterval();
      for (let key = 0; key < 1000; key++) put(group, key, key);
      const cut = { file: {} as never, after, closing: 2, walks: [] };
      clock.cut = cut;
      clock.nextInterval();
      const walk = group.walk(cut);
      expect(walk.step(300)).toBe(0);
      const { columnBytes } = clock;
      for (let key = 1000; key < 3000; key++) put(group, key, key);
      for (let key = 0; key < 1000; key += 3) put(group, key, -1);
      expect(clock.columnBytes).toBeGreaterThan(columnBytes);
      for (let key = 3000; walk.step(100) === 0; key++) put(group, key, key);
      expect(saved.sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, n) => n));
    }
  });

  it('takes at most one and a half rows and 16 bytes a key once there are some', () => {
    const { group, clock } = groupOf();
    for (let key = 0; key < 50_000; key++) {
      put(group, key, key);
      if (key > 100) expect(clock.columnBytes / (key + 1)).toBeLessThan(1.52 * layout.stride * 8 + 16);
    }
  });

  it('has one zero, without a sign', () => {
    const { group } = groupOf();
    put(group, -0, 5);
    expect(get(group, 0)).toBe(5);
    expect([...group.keys()].map((key) => Object.is(key, 0))).toEqual([true]);
  });

  it('moves nothing while keys are added that room was made for, and finds them and the earlier ones', () => {
    const { group } = groupOf();
    for (let key = 0; key < 5; key++) put(group, key, key);
    group.remove(group.find(hashKey(3), 3));
    group.reserve(1000);
    const { f64 } = group;
    for (let key = 10; key < 1010; key++) put(group, key, key);
    expect(group.f64).toBe(f64);
    expect(group.count).toBe(1004);
    for (const key of [0, 1, 2, 4, 10, 500, 1009]) expect(get(group, key)).toBe(key);
    expect(get(group, 3)).toBeUndefined();
    expect(f64.length).toBeLessThan(1010 * layout.stride);
  });
});
