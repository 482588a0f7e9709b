import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryValue, difference, Money, moneyRegistry } from '../../codec/allowed-values.test.support.js';
import { BatchEncoder } from '../../codec/batch-encoder.js';
import { ClassRegistry } from '../../codec/class-registry.js';
import { ByteReader, ByteWriter } from '../../common/bytes.js';
import { keyGroupOf } from '../../common/hash.js';
import type { Key } from '../../common/key.js';
import { ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor } from '../descriptors.js';
import { CollectedSnapshot, takeSnapshot } from './heap.test.support.js';
import { HeapStateBackend, type HeapStateBackendOptions } from './heap-state-backend.js';
import { ValueColumn, ValueColumnReader } from './value-column.js';

const GROUPS = 16;
const values = new ValueStateDescriptor<unknown>('values');
const lists = new ListStateDescriptor<unknown>('lists');
const maps = new MapStateDescriptor<Key, unknown>('maps');

function backendOf(options: Partial<HeapStateBackendOptions> = {}): HeapStateBackend {
  return new HeapStateBackend({ keyGroupRange: { start: 0, end: GROUPS - 1 }, maxParallelism: GROUPS, ...options });
}

interface Sides {
  left: unknown[];
  right: unknown[];
}

/** Everything that each key has in all kinds of tables. */
function contentOf(backend: HeapStateBackend, keys: number): unknown[] {
  const state = { value: backend.value(values), list: backend.list(lists), map: backend.map(maps) };
  const windows = backend.windows('windows');
  return Array.from({ length: keys }, (_, key) => {
    backend.setCurrentKey(key);
    return [state.value.value(), [...state.list.get()], [...state.map.entries()], windows.entry(key % 3, key)?.value];
  });
}

function fill(backend: HeapStateBackend, contents: readonly unknown[]): void {
  const state = { value: backend.value(values), list: backend.list(lists), map: backend.map(maps) };
  const windows = backend.windows('windows');
  contents.forEach((content, key) => {
    backend.setCurrentKey(key);
    state.value.update(content);
    state.list.update([content, key, content]);
    state.map.put([key, 'tuple'], content);
    state.map.put(key, content);
    const sides = { left: [content], right: contents.slice(0, key % 4) };
    windows.insert(key % 3, key, key % 5 === 0 ? content : key % 5 === 1 ? [content, content] : sides);
  });
}

describe('entries by columns', () => {
  for (const generateCode of [true, false]) {
    it(`come back exactly, whatever the record model allows, ${generateCode ? 'generated' : 'interpreted'}`, () => {
      const classes = moneyRegistry();
      fc.assert(
        fc.property(fc.array(arbitraryValue, { maxLength: 25 }), fc.integer({ min: 1, max: 40 }), (contents, rows) => {
          const backend = backendOf({ classes, generateCode });
          fill(backend, contents);
          const file = new CollectedSnapshot(backend, 1, 0).finish(rows);
          const copy = backendOf({ classes, generateCode });
          copy.restore([[file]]);
          expect(difference(contentOf(copy, contents.length), contentOf(backend, contents.length))).toBeUndefined();
        }),
        { seed: 20260102, numRuns: 200 },
      );
    });
  }

  it('hold lists of any length, and each slice has a bounded number of elements', () => {
    const backend = backendOf();
    const windows = backend.windows<Sides>('windows');
    const sides = (key: number): Sides => ({
      left: [],
      right: Array.from({ length: key === 7 ? 70_000 : 100 }, (_, n) => (key === 7 && n % 1000 === 0 ? { n } : n)),
    });
    for (let key = 0; key < 1000; key++) windows.insert(0, key, sides(key));
    const snapshot = new CollectedSnapshot(backend, 1, 0);
    let slices = 1;
    while (!snapshot.snapshot.step(500)) slices++;
    expect(slices).toBeGreaterThan(25);
    const copy = backendOf();
    copy.restore([[snapshot.file()]]);
    for (const key of [0, 7, 999]) expect(copy.windows<Sides>('windows').entry(0, key)?.value).toEqual(sides(key));
    expect(copy.size().entries).toBe(1000);
  });

  it('are what they were at the barrier, though lists are changed in place before their slice', () => {
    const backend = backendOf();
    const windows = backend.windows<Sides>('windows');
    for (let key = 0; key < 500; key++) windows.insert(key % 2, key, { left: [{ key }], right: [] });
    const snapshot = new CollectedSnapshot(backend, 1, 0);
    for (let key = 499; key >= 0; key -= 7) {
      const sides = windows.entry(key % 2, key)?.value as Sides;
      sides.left.push({ key: -1 });
      (sides.left[0] as { key: number }).key = -1;
      sides.right = [1];
    }
    const copy = backendOf();
    copy.restore([[snapshot.finish(10)]]);
    for (let key = 0; key < 500; key++) expect(copy.windows('windows').entry(key % 2, key)?.value).toEqual({ left: [{ key }], right: [] });
  });

  it('that are touched take others along: the walk is over long before all are touched', () => {
    const backend = backendOf();
    const windows = backend.windows<unknown>('windows');
    for (let key = 0; key < 1000; key++) windows.insert(0, key, { key });
    const snapshot = new CollectedSnapshot(backend, 1, 0);
    for (let key = 0; key < 100; key++) windows.entry(0, 999 - key);
    expect(snapshot.snapshot.step(200)).toBe(true);
    expect(snapshot.file().info.rows).toBe(1000);
  });

  it('of key groups that a backend does not own are left encoded', () => {
    let decoded = 0;
    class Counted {
      readonly n: number;
      constructor(n: number) {
        this.n = n;
      }
    }
    const classes = new ClassRegistry();
    classes.registerClass('Counted', Counted, {
      encode: ({ n }) => n,
      decode(n) {
        decoded++;
        return new Counted(n as number);
      },
    });
    const backend = backendOf({ classes });
    const keys = Array.from({ length: 500 }, (_, key) => key);
    for (const key of keys) {
      backend.setCurrentKey(key);
      backend.value(values).update(new Counted(key));
    }
    const file = new CollectedSnapshot(backend, 1, 0).finish(20);
    const last = backendOf({ classes, keyGroupRange: { start: GROUPS - 1, end: GROUPS - 1 } });
    last.restore([[file]]);
    const own = keys.filter((key) => keyGroupOf(key, GROUPS) === GROUPS - 1);
    expect(new Set(last.keys(values as never))).toEqual(new Set(own));
    expect(decoded).toBeGreaterThanOrEqual(own.length);
    expect(decoded).toBeLessThan(own.length + 50);
  });

  it.each([
    ['a value', (backend: HeapStateBackend): void => backend.value(values).update({ callback: () => {} })],
    ['a hole', (backend: HeapStateBackend): void => backend.value(values).update(new Array(3))],
  ])('that cannot be encoded because of %s end their snapshot, and the next one is whole', (_, spoil) => {
    const backend = backendOf();
    const contents = [1, 'a', [2], { left: [3], right: [] }, new Date(4)];
    fill(backend, contents);
    backend.setCurrentKey(2);
    spoil(backend);
    const failed = new CollectedSnapshot(backend, 1, 0);
    expect(() => failed.finish()).toThrow(/Cannot snapshot the state "values"/);
    expect(() => failed.snapshot.step(1)).toThrow(/was aborted/);
    backend.abort(1);
    backend.setCurrentKey(2);
    backend.value(values).update([5]);
    const copy = backendOf();
    copy.restore([[takeSnapshot(backend, 2)]]);
    expect(contentOf(copy, contents.length)).toEqual(contentOf(backend, contents.length));
    expect(copy.size()).toEqual(backend.size());
  });
});

describe('an entry that cannot be encoded', () => {
  it('ends the snapshot when it goes on, not the access to a neighbour that came upon it', () => {
    const backend = backendOf();
    const state = backend.value(values);
    for (let key = 0; key < 3; key++) {
      backend.setCurrentKey(key);
      state.update(key === 1 ? { run: () => 1 } : { n: key });
    }
    const { snapshot } = new CollectedSnapshot(backend, 1, 0);
    // Touching one entry writes its neighbours, too. Where errors of records are skipped, this one must not make a hole in the checkpoint.
    backend.setCurrentKey(0);
    expect(state.value()).toEqual({ n: 0 });
    expect(() => snapshot.step(1)).toThrow(/Cannot snapshot the state "values"/);
    backend.abort(1);
    expect(state.value()).toEqual({ n: 0 });
  });
});

describe('ValueColumn', () => {
  function written(column: ValueColumn, content: readonly unknown[]): Uint8Array {
    const out = new ByteWriter();
    for (const value of content) column.add(value);
    column.write(out);
    return out.toBytes();
  }

  it('makes smaller batches where one would be too long for a string', () => {
    class Narrow extends BatchEncoder {
      override encode(...parameters: Parameters<BatchEncoder['encode']>): void {
        super.encode(...parameters);
        if (parameters[3] > 10) throw new RangeError('Invalid string length');
      }
    }
    const content = Array.from({ length: 1000 }, (_, n) => `text ${n}`);
    const bytes = written(new ValueColumn({}, new Narrow()), content);
    expect(new ValueColumnReader({}).read(new ByteReader(bytes), 1000)).toEqual(content);
  });

  it('hands over an error that smaller batches do not mend', () => {
    class Failing extends BatchEncoder {
      override encode(): void {
        throw new RangeError('never');
      }
    }
    expect(() => written(new ValueColumn({}, new Failing()), [1, 2, 3])).toThrow('never');
  });

  it('reads as many values as are asked for, and notices a batch with more or none', () => {
    const registry = moneyRegistry();
    const bytes = written(new ValueColumn({ registry }), [new Money(1n, 'EUR'), 2, 'three']);
    const read = (count: number, source = bytes): unknown[] => new ValueColumnReader({ registry }).read(new ByteReader(source), count);
    expect(read(3)).toEqual([new Money(1n, 'EUR'), 2, 'three']);
    expect(read(0)).toEqual([]);
    expect(() => read(2)).toThrow(/a column that has 0 of 2/);
    expect(() => read(4)).toThrow(/cut or damaged/);
    const empty = new ByteWriter();
    empty.u32(0);
    new BatchEncoder().encode([], undefined, 0, 0, empty);
    empty.buffer.writeUInt32LE(empty.length - 4, 0);
    expect(() => read(1, empty.toBytes())).toThrow(/A batch of 0 values/);
  });
});
