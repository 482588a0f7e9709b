import { describe, expect, it } from 'vitest';
import { schema } from '../../codec/schema.js';
import type { Key } from '../../common/key.js';
import type { KeyedSnapshotFile } from '../backend.js';
import { ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor } from '../descriptors.js';
import { codeOf, takeSnapshot } from './heap.test.support.js';
import { HeapStateBackend } from './heap-state-backend.js';

const counters = new ValueStateDescriptor<{ count: number; sum: number }>('counters', {
  schema: schema({ count: 'int32', sum: 'float64' }),
});

function backendOf(generateCode: boolean): HeapStateBackend {
  return new HeapStateBackend({ keyGroupRange: { start: 0, end: 15 }, maxParallelism: 16, generateCode });
}

function restored(chain: readonly KeyedSnapshotFile[], generateCode = false): HeapStateBackend {
  const backend = backendOf(generateCode);
  backend.restore([chain]);
  return backend;
}

describe('damaged files', () => {
  function fileOfAllKinds(): KeyedSnapshotFile[] {
    const backend = backendOf(false);
    const all = {
      box: backend.value(new ValueStateDescriptor<{ n: number }>('boxes')),
      counter: backend.value(counters),
      list: backend.list(new ListStateDescriptor('list')),
    };
    const map = backend.map(new MapStateDescriptor<Key, string>('map'));
    const write = (): void => {
      for (const key of [1, 2.5, 'text', true, 3n, [1, 'a']] as Key[]) {
        backend.setCurrentKey(key);
        all.box.update({ n: 1 });
        all.counter.update({ count: 1, sum: 2 });
        all.list.add('element');
        map.put([1, 'x'], 'value');
        backend.windows('windows').insert(5, key, { n: 1 });
        backend.windows('joined').insert(6, key, { left: [{ n: 1 }, 'x'], right: [], n: 2 });
        backend.timers('timers').register(5, key);
      }
    };
    write();
    const base = takeSnapshot(backend, 1);
    all.box.clear();
    backend.windows('windows').drop(5);
    backend.timers('timers').poll(5);
    return [base, takeSnapshot(backend, 2, 1)];
  }

  it.each([0, 1])('file %i of a chain: every cut is noticed, and the path is named', (index) => {
    const chain = fileOfAllKinds();
    const file = chain[index] as KeyedSnapshotFile;
    for (let length = 0; length < file.bytes.length; length++) {
      const damaged = chain.with(index, { ...file, bytes: file.bytes.subarray(0, length) });
      expect(() => restored(damaged)).toThrow(file.path);
      expect(codeOf(() => restored(damaged))).toBe('CORRUPT_DATA');
    }
  });

  it.each([0, 1])('file %i of a chain: a changed byte gives a typed error or some state', (index) => {
    const chain = fileOfAllKinds();
    const file = chain[index] as KeyedSnapshotFile;
    let refused = 0;
    for (let at = 0; at < file.bytes.length; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const bytes = Uint8Array.from(file.bytes);
        bytes[at] = (bytes[at] as number) ^ flip;
        if (codeOf(() => restored(chain.with(index, { ...file, bytes }), flip === 0x01)) !== undefined) refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});
