import { describe, expect, it } from 'vitest';
import { schema } from '../../codec/schema.js';
import { keyGroupOf } from '../../common/hash.js';
import type { Key } from '../../common/key.js';
import type { KeyedSnapshotFile } from '../backend.js';
import { ListStateDescriptor, MapStateDescriptor, ReducingStateDescriptor, ValueStateDescriptor } from '../descriptors.js';
import { CollectedSnapshot, codeOf, contentOf, takeSnapshot, windowContentOf } from './heap.test.support.js';
import { HeapStateBackend, type HeapStateBackendOptions } from './heap-state-backend.js';

interface Counter {
  count: number;
  sum: number;
}

const boxes = new ValueStateDescriptor<{ n: number }>('boxes');
const counters = new ValueStateDescriptor<Counter>('counters', { schema: schema({ count: 'int32', sum: 'float64' }) });

function backendOf(options: Partial<HeapStateBackendOptions> = {}): HeapStateBackend {
  return new HeapStateBackend({ keyGroupRange: { start: 0, end: 15 }, maxParallelism: 16, ...options });
}

function restored(chain: readonly KeyedSnapshotFile[], options: Partial<HeapStateBackendOptions> = {}): HeapStateBackend {
  const backend = backendOf(options);
  backend.restore([chain]);
  return backend;
}

function boxesOf(backend: HeapStateBackend): Record<string, unknown> {
  const state = backend.value(boxes);
  return contentOf(backend, boxes as never, () => state.value()?.n);
}

/** Sets the boxes of keys 0 to 9 to `n`. */
function fillBoxes(backend: HeapStateBackend, n: number, keys = 10): void {
  const state = backend.value(boxes);
  for (let key = 0; key < keys; key++) {
    backend.setCurrentKey(key);
    state.update({ n });
  }
}

describe('snapshots', () => {
  it('hold what was there at the barrier, though objects are changed in place before their slice', () => {
    const backend = backendOf();
    const state = backend.value(boxes);
    const lists = backend.list(new ListStateDescriptor<{ n: number }>('lists'));
    const maps = backend.map(new MapStateDescriptor<string, { n: number }>('maps'));
    const windows = backend.windows<{ n: number }>('windows');
    for (let key = 0; key < 50; key++) {
      backend.setCurrentKey(key);
      state.update({ n: key });
      lists.add({ n: key });
      maps.put('inner', { n: key });
      windows.insert(60_000, key, { n: key });
    }
    const snapshot = new CollectedSnapshot(backend, 1, 0);
    snapshot.snapshot.step(7);
    for (let key = 0; key < 50; key++) {
      backend.setCurrentKey(key);
      (state.value() as { n: number }).n = -1;
      (lists.get()[0] as { n: number }).n = -1;
      (maps.get('inner') as { n: number }).n = -1;
    }
    for (const entry of windows.entries(60_000)) entry.value.n = -1;
    windows.drop(60_000);
    const copy = restored([snapshot.finish(3)]);
    const copies = {
      lists: copy.list(new ListStateDescriptor<{ n: number }>('lists')),
      maps: copy.map(new MapStateDescriptor<string, { n: number }>('maps')),
    };
    const windowContent = windowContentOf(copy.windows('windows'));
    for (let key = 0; key < 50; key++) {
      copy.setCurrentKey(key);
      expect(copy.value(boxes).value()).toEqual({ n: key });
      expect(copies.lists.get()).toEqual([{ n: key }]);
      expect(copies.maps.get('inner')).toEqual({ n: key });
      expect(windowContent[`60000 number ${key}`]).toEqual({ n: key });
    }
  });

  it('write each entry once, however it is touched', () => {
    const backend = backendOf();
    fillBoxes(backend, 1, 100);
    const snapshot = new CollectedSnapshot(backend, 1, 0);
    while (!snapshot.snapshot.step(3)) fillBoxes(backend, 2, 100);
    expect(snapshot.file().info.rows).toBe(100);
  });

  it('are a base first, then deltas of what changed, then a base again', () => {
    const backend = backendOf({ baseEvery: 2 });
    fillBoxes(backend, 0);
    const files = [takeSnapshot(backend, 1)];
    for (let epoch = 2; epoch <= 5; epoch++) {
      backend.confirm(epoch - 1);
      backend.setCurrentKey(epoch);
      backend.value(boxes).update({ n: epoch });
      files.push(takeSnapshot(backend, epoch, epoch - 1));
    }
    expect(files.map(({ info }) => `${info.kind} ${info.rows}`)).toEqual(['base 10', 'delta 1', 'delta 1', 'base 10', 'delta 1']);
    expect(boxesOf(restored(files.slice(3)))).toEqual(boxesOf(backend));
  });

  it('take up again what an aborted snapshot held', () => {
    const backend = backendOf();
    fillBoxes(backend, 0);
    const base = takeSnapshot(backend, 1);
    backend.confirm(1);
    fillBoxes(backend, 1, 3);
    const aborted = new CollectedSnapshot(backend, 2, 1);
    aborted.snapshot.step(1);
    fillBoxes(backend, 2, 1);
    backend.abort(2);
    expect(codeOf(() => aborted.snapshot.step(1))).toBe('INTERNAL');
    const delta = takeSnapshot(backend, 3, 1);
    expect(`${delta.info.kind} ${delta.info.rows}`).toBe('delta 3');
    expect(boxesOf(restored([base, delta]))).toEqual(boxesOf(backend));
  });

  it('are bases where the completed epoch is not one that they can build on', () => {
    const backend = backendOf();
    fillBoxes(backend, 0);
    const kinds = [takeSnapshot(backend, 1).info.kind, takeSnapshot(backend, 2, 0).info.kind, takeSnapshot(backend, 3, 1).info.kind];
    backend.abort(3);
    kinds.push(takeSnapshot(backend, 4, 3).info.kind, takeSnapshot(backend, 5, 99).info.kind);
    expect(kinds).toEqual(['base', 'base', 'base', 'base', 'base']);
    expect(takeSnapshot(restored([takeSnapshot(backend, 6)]), 7, 6).info.kind).toBe('base');
  });

  it('are bases where a delta would be as large, and after more changes than may be listed', () => {
    const backend = backendOf();
    fillBoxes(backend, 0, 2000);
    takeSnapshot(backend, 1);
    fillBoxes(backend, 1, 1500);
    expect(takeSnapshot(backend, 2, 1).info).toMatchObject({ kind: 'delta', rows: 1500 });
    fillBoxes(backend, 2, 2000);
    expect(takeSnapshot(backend, 3, 2).info).toMatchObject({ kind: 'base', rows: 2000 });
    const state = backend.value(boxes);
    for (let key = 0; key < 10_000; key++) {
      backend.setCurrentKey(`short-lived ${key}`);
      state.update({ n: key });
      state.clear();
    }
    const last = takeSnapshot(backend, 4, 3);
    expect(last.info).toMatchObject({ kind: 'base', rows: 2000 });
    fillBoxes(backend, 3, 5);
    const delta = takeSnapshot(backend, 5, 4);
    expect(delta.info).toMatchObject({ kind: 'delta', rows: 5 });
    expect(boxesOf(restored([last, delta]))).toEqual(boxesOf(backend));
  });

  it('are bases after a time without tracking, though there are many entries by then', () => {
    const backend = backendOf();
    fillBoxes(backend, 0, 5);
    takeSnapshot(backend, 1);
    const state = backend.value(boxes);
    for (let key = 0; key < 2000; key++) {
      backend.setCurrentKey(`short-lived ${key}`);
      state.update({ n: key });
      state.clear();
    }
    fillBoxes(backend, 1, 5000);
    expect(takeSnapshot(backend, 2, 1).info).toMatchObject({ kind: 'base', rows: 5000 });
  });

  it('do not begin while another is in progress, or go back', () => {
    const backend = backendOf();
    new CollectedSnapshot(backend, 5, 0);
    expect(codeOf(() => new CollectedSnapshot(backend, 6, 0))).toBe('INTERNAL');
    backend.abort(5);
    expect(codeOf(() => new CollectedSnapshot(backend, 5, 0))).toBe('INTERNAL');
  });

  it('write chunks of about 256 KiB that are not touched again', () => {
    const backend = backendOf();
    const state = backend.value(new ValueStateDescriptor<string>('text'));
    for (let key = 0; key < 3000; key++) {
      backend.setCurrentKey(key);
      state.update(`${'x'.repeat(key === 5 ? 600_000 : 500)}${key}`);
    }
    const chunks: { chunk: Uint8Array; copy: Uint8Array }[] = [];
    const snapshot = backend.startSnapshot(1, 0, { write: (chunk) => void chunks.push({ chunk, copy: Uint8Array.from(chunk) }) });
    while (!snapshot.step(100));
    for (const { chunk, copy } of chunks) expect(Buffer.compare(chunk, copy)).toBe(0);
    expect(chunks.length).toBeGreaterThan(5);
    expect(chunks.filter(({ chunk }) => chunk.length > 300_000).length).toBe(1);
    const bytes = Buffer.concat(chunks.map(({ chunk }) => chunk));
    expect(contentOf(restored([{ info: snapshot.info, bytes, path: 'p' }]), new ValueStateDescriptor('text'), () => 1)).toEqual(
      contentOf(backend, new ValueStateDescriptor('text'), () => 1),
    );
  });
});

describe('restore', () => {
  it('keeps states that nobody declares, and hands them to later snapshots', () => {
    const backend = backendOf();
    fillBoxes(backend, 7);
    backend.windows<number>('forgotten').insert(1, 'key', 5);
    backend.timers('forgotten').register(9, 'key');
    const second = restored([takeSnapshot(restored([takeSnapshot(backend, 1)]), 2)]);
    expect(boxesOf(second)).toEqual(boxesOf(backend));
    expect(second.windows<number>('forgotten').entry(1, 'key')?.value).toBe(5);
    expect(second.timers('forgotten').poll(9)).toBe('key');
  });

  it.each([
    ['another kind', new ListStateDescriptor('counters')],
    ['no schema', new ValueStateDescriptor('counters')],
    ['a removed field', new ValueStateDescriptor('counters', { schema: schema({ count: 'int32' }) })],
    ['an added field', new ValueStateDescriptor('counters', { schema: schema({ count: 'int32', sum: 'float64', max: 'float64' }) })],
    ['a changed type', new ValueStateDescriptor('counters', { schema: schema({ count: 'float64', sum: 'float64' }) })],
  ])('refuses %s, declared before or after', (_, descriptor) => {
    const backend = backendOf();
    backend.setCurrentKey(1);
    backend.value(counters).update({ count: 1, sum: 2 });
    const file = takeSnapshot(backend, 1);
    const declare = (target: HeapStateBackend): unknown => target.keys(descriptor as never);
    expect(() => declare(restored([file]))).toThrow(/"counters".*before is value of \{ count: int32, sum: float64 \}/);
    const declaredBefore = backendOf();
    declare(declaredBefore);
    expect(codeOf(() => declaredBefore.restore([[file]]))).toBe('STATE_INCOMPATIBLE');
  });

  it('takes declared fields by name', () => {
    const backend = backendOf();
    const state = backend.value(counters);
    for (const key of [1, 'text', Number.NaN]) {
      backend.setCurrentKey(key);
      state.update({ count: 3, sum: 0.5 });
    }
    const file = takeSnapshot(backend, 1);
    const reordered = new ValueStateDescriptor<Counter>('counters', { schema: schema({ sum: 'float64', count: 'int32' }) });
    const target = backendOf();
    const restoredState = target.value(reordered);
    target.restore([[file]]);
    for (const key of [1, 'text', Number.NaN]) {
      target.setCurrentKey(key);
      expect(restoredState.value()).toEqual({ count: 3, sum: 0.5 });
    }
  });

  it('refuses another maximum parallelism, and a chain without its base', () => {
    const backend = backendOf();
    fillBoxes(backend, 1);
    const base = takeSnapshot(backend, 1);
    const delta = takeSnapshot(backend, 2, 1);
    expect(codeOf(() => restored([base], { maxParallelism: 32 }))).toBe('MAX_PARALLELISM_MISMATCH');
    expect(() => restored([delta])).toThrow(/"chk-2\/keyed-0".*damaged/);
    expect(codeOf(() => restored([base, { ...delta, info: { ...delta.info, epoch: 3 } }]))).toBe('CORRUPT_DATA');
  });
});

describe('checked mode', () => {
  it.each([boxes, counters])('finds a value changed in place without update', (descriptor) => {
    const backend = backendOf({ checked: true });
    const state = backend.value(descriptor as ValueStateDescriptor<{ n: number } & Counter>);
    const value = { n: 1, count: 1, sum: 1 };
    backend.setCurrentKey('a');
    state.update(value);
    backend.setCurrentKey('a');
    (state.value() as Counter).count = 2;
    expect(codeOf(() => backend.setCurrentKey('b'))).toBe('STATE_CHANGED_WITHOUT_UPDATE');
    backend.setCurrentKey('a');
    (state.value() as Counter).count = 3;
    expect(codeOf(() => takeSnapshot(backend, 1))).toBe('STATE_CHANGED_WITHOUT_UPDATE');
  });

  it('lets pass what was updated, cleared or left alone', () => {
    const backend = backendOf({ checked: true });
    const state = backend.value(boxes);
    backend.setCurrentKey('a');
    state.update({ n: 1 });
    backend.setCurrentKey('a');
    const value = state.value() as { n: number };
    value.n++;
    expect(state.value()).toEqual({ n: 2 });
    state.update(value);
    backend.setCurrentKey('a');
    expect(state.value()).toEqual({ n: 2 });
    (state.value() as { n: number }).n = 9;
    state.clear();
    backend.setCurrentKey('b');
    expect(state.value()).toBeUndefined();
  });
});

describe('keys', () => {
  it('are refused outside of the range, and state without a key', () => {
    const backend = backendOf({ keyGroupRange: { start: 0, end: 3 } });
    const foreign = Array.from({ length: 100 }, (_, key) => key).find((key) => keyGroupOf(key, 16) > 3) as number;
    expect(codeOf(() => backend.setCurrentKey(foreign))).toBe('INTERNAL');
    expect(codeOf(() => backend.setCurrentKey(null as never))).toBe('UNSUPPORTED_KEY');
    for (const descriptor of [boxes, counters]) {
      expect(() =>
        backendOf()
          .value(descriptor as ValueStateDescriptor<unknown>)
          .value(),
      ).toThrow(/no current key/);
    }
  });

  it.each([16, 12])('are in the groups of keyGroupOf with %i groups', (maxParallelism) => {
    const backend = new HeapStateBackend({ keyGroupRange: { start: 3, end: 7 }, maxParallelism });
    const keys: Key[] = [...Array.from({ length: 50 }, (_, n) => n - 25), 2.5, 'a', 5n, true, ['x', 1]];
    for (const key of keys) {
      const group = keyGroupOf(key, maxParallelism);
      expect(codeOf(() => backend.setCurrentKey(key))).toBe(group >= 3 && group <= 7 ? undefined : 'INTERNAL');
    }
  });
});

it('ends the iteration over a window that is dropped in its midst', () => {
  const windows = backendOf().windows<number>('windows');
  for (let key = 0; key < 10; key++) windows.insert(1, key, key);
  const seen: Key[] = [];
  for (const { key } of windows.entries(1)) {
    seen.push(key);
    if (seen.length === 3) windows.drop(1);
  }
  expect(seen).toEqual([0, 1, 2]);
  expect([windows.count(1), [...windows.namespaces()], windows.entry(1, 5)]).toEqual([0, [], undefined]);
});

describe('size', () => {
  it('counts entries and bytes of columns', () => {
    const backend = backendOf();
    fillBoxes(backend, 1, 5);
    expect(backend.size()).toEqual({ entries: 5, columnBytes: 0 });
    const state = backend.value(counters);
    for (let key = 0; key < 1000; key++) {
      backend.setCurrentKey(key);
      state.update({ count: 1, sum: 1 });
    }
    expect(backend.size().entries).toBe(1005);
    expect(backend.size().columnBytes).toBeGreaterThan(1000 * 32);
    expect(backend.size().columnBytes).toBeLessThan(1000 * 32 * 2.2);
  });
});

it('does not keep a key array that its maker changes, and values of undefined are none', () => {
  const backend = backendOf();
  const state = backend.value(boxes);
  const key: [number, string] = [1, 'a'];
  backend.setCurrentKey(key);
  state.update({ n: 1 });
  key[0] = 2;
  expect([...backend.keys(boxes as never)]).toEqual([[1, 'a']]);
  backend.setCurrentKey([1, 'a']);
  state.update(undefined as never);
  expect(backend.size().entries).toBe(0);
});

it('says which state holds a value that cannot be written', () => {
  const backend = backendOf();
  backend.setCurrentKey(1);
  backend.value(new ValueStateDescriptor<unknown>('odd')).update({ callback: () => {} });
  expect(() => takeSnapshot(backend, 1)).toThrow(/the state "odd"/);
});

it('reduces in columns', () => {
  const backend = backendOf();
  const state = backend.reducing(
    new ReducingStateDescriptor<Counter>('reduced', (left, right) => ({ count: left.count + right.count, sum: left.sum + right.sum }), {
      schema: schema({ count: 'int32', sum: 'float64' }),
    }),
  );
  backend.setCurrentKey(1);
  for (let n = 1; n <= 10; n++) state.add({ count: 1, sum: n });
  expect(state.get()).toEqual({ count: 10, sum: 55 });
  expect(() => state.add({ count: 2 ** 31 - 1, sum: 0 })).toThrow(/field "count" of the state "reduced"/);
});

it('reduces in place without changing what was added', () => {
  const backend = backendOf();
  const state = backend.reducing(
    new ReducingStateDescriptor<Counter>('in place', (left, right) => {
      if (right.count > left.count) return right;
      left.sum += right.sum;
      return left;
    }),
  );
  backend.setCurrentKey(1);
  const added = [1, 5, 2].map((count) => ({ count, sum: 1 }));
  for (const counter of added) state.add(counter);
  expect(state.get()).toEqual({ count: 5, sum: 2 });
  expect(added.map(({ sum }) => sum)).toEqual([1, 1, 1]);
});

it('refuses an impossible baseEvery', () => {
  expect(codeOf(() => backendOf({ baseEvery: -1 }))).toBe('INVALID_OPTION');
});
