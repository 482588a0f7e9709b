import { describe, expect, it } from 'vitest';
import type { KeyedSnapshotFile } from '../backend.js';
import { ValueStateDescriptor } from '../descriptors.js';
import { CollectedSnapshot, contentOf, takeSnapshot } from './heap.test.support.js';
import { HeapStateBackend } from './heap-state-backend.js';

const boxes = new ValueStateDescriptor<{ n: number }>('boxes');

function backendOf(): HeapStateBackend {
  return new HeapStateBackend({ keyGroupRange: { start: 0, end: 15 }, maxParallelism: 16 });
}

function restored(chain: readonly KeyedSnapshotFile[]): HeapStateBackend {
  const backend = backendOf();
  backend.restore([chain]);
  return backend;
}

function boxesOf(backend: HeapStateBackend): Record<string, unknown> {
  const state = backend.value(boxes);
  return contentOf(backend, boxes as never, () => state.value()?.n);
}

/** Sets the boxes of the first keys to `n`. */
function fillBoxes(backend: HeapStateBackend, n: number, keys = 10): void {
  const state = backend.value(boxes);
  for (let key = 0; key < keys; key++) {
    backend.setCurrentKey(key);
    state.update({ n });
  }
}

describe('savepoints', () => {
  /** A checkpoint of ten boxes, then one changed, one removed, one new. */
  function changed(): { readonly backend: HeapStateBackend; readonly base: KeyedSnapshotFile } {
    const backend = backendOf();
    fillBoxes(backend, 0);
    const base = takeSnapshot(backend, 1);
    backend.confirm(1);
    backend.setCurrentKey(3);
    backend.value(boxes).update({ n: 3 });
    backend.setCurrentKey(4);
    backend.value(boxes).clear();
    backend.setCurrentKey('new');
    backend.value(boxes).update({ n: 5 });
    return { backend, base };
  }

  it('hold everything, and the next delta has all that changed since the last checkpoint', () => {
    const { backend, base } = changed();
    // Of a twin, since whoever looks at a value may change it.
    const content = boxesOf(changed().backend);
    const savepoint = takeSnapshot(backend, 2, 1, true);
    expect(savepoint.info).toMatchObject({ kind: 'base', rows: 10 });
    expect(boxesOf(restored([savepoint]))).toEqual(content);
    fillBoxes(backend, 6, 1);
    const delta = takeSnapshot(backend, 3, 1);
    expect(delta.info).toMatchObject({ kind: 'delta', rows: 4 });
    expect(boxesOf(restored([base, delta]))).toEqual(boxesOf(backend));
  });

  it('are not what a delta follows, even where somebody confirms them', () => {
    const { backend, base } = changed();
    takeSnapshot(backend, 2, 1, true);
    backend.confirm(2);
    const delta = takeSnapshot(backend, 3, 1);
    expect(boxesOf(restored([base, delta]))).toEqual(boxesOf(backend));
    expect(takeSnapshot(backend, 4, 2).info.kind).toBe('base');
  });

  it('that are given up half way leave the next delta as it would have been', () => {
    const { backend, base } = changed();
    const savepoint = new CollectedSnapshot(backend, 2, 1, true);
    savepoint.snapshot.step(3);
    fillBoxes(backend, 7, 2);
    backend.abort(2);
    const delta = takeSnapshot(backend, 3, 1);
    expect(delta.info).toMatchObject({ kind: 'delta', rows: 5 });
    expect(boxesOf(restored([base, delta]))).toEqual(boxesOf(backend));
  });

  it('hold what was there at their barrier, and before the first checkpoint, too', () => {
    const backend = backendOf();
    fillBoxes(backend, 0);
    const savepoint = new CollectedSnapshot(backend, 1, 0, true);
    savepoint.snapshot.step(2);
    fillBoxes(backend, 1);
    expect(new Set(Object.values(boxesOf(restored([savepoint.finish(3)]))))).toEqual(new Set([0]));
    expect(takeSnapshot(backend, 2, 0).info).toMatchObject({ kind: 'base', rows: 10 });
  });

  it('after more changes than may be listed are followed by a base', () => {
    const { backend } = changed();
    const state = backend.value(boxes);
    for (let key = 0; key < 2000; key++) {
      backend.setCurrentKey(`short-lived ${key}`);
      state.update({ n: key });
      state.clear();
    }
    takeSnapshot(backend, 2, 1, true);
    const next = takeSnapshot(backend, 3, 1);
    expect(next.info.kind).toBe('base');
    expect(boxesOf(restored([next]))).toEqual(boxesOf(backend));
  });
});
