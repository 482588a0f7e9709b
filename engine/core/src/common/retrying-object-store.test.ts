import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.js';
import { MemoryObjectStore } from './memory-object-store.js';
import type { ObjectStore } from './object-store.js';
import { seededRandom } from './random.js';
import { RetryingObjectStore } from './retrying-object-store.js';

/** A store whose reads fail so often, and when they were tried. */
function failing(clock: VirtualClock, failures: number, retryable: boolean): { store: ObjectStore; times: number[] } {
  const times: number[] = [];
  const memory = new MemoryObjectStore();
  const get: ObjectStore['get'] = async (key) => {
    times.push(clock.now());
    if (times.length <= failures) throw Object.assign(new Error(`failure ${times.length}`), { retryable });
    return await memory.get(key);
  };
  return { store: Object.assign(Object.create(memory) as ObjectStore, { get }), times };
}

async function passTime<T>(clock: VirtualClock, operation: Promise<T>): Promise<T> {
  let isDone = false;
  const watched = operation.finally(() => {
    isDone = true;
  });
  watched.catch(() => undefined);
  while (!isDone) {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    if (!isDone && clock.nextTime < Number.POSITIVE_INFINITY) clock.advanceTo(clock.nextTime);
  }
  return await watched;
}

describe('RetryingObjectStore', () => {
  it('tries again, with pauses that double up to a limit, and jitter', async () => {
    const clock = new VirtualClock();
    const { store, times } = failing(clock, 5, true);
    const options = { initialBackoffMs: 100, maxBackoffMs: 400 };
    expect(await passTime(clock, new RetryingObjectStore(store, clock, seededRandom(1), options).get('k'))).toBeUndefined();
    const pauses = times.slice(1).map((time, at) => time - (times[at] as number));
    expect(pauses).toHaveLength(5);
    for (const [at, longest] of [100, 200, 400, 400, 400].entries()) {
      expect(pauses[at]).toBeGreaterThanOrEqual(longest / 2);
      expect(pauses[at]).toBeLessThanOrEqual(longest);
    }
    expect(new Set(pauses).size).toBe(5);
  });

  it('ends with the last error after its tries', async () => {
    const clock = new VirtualClock();
    const { store, times } = failing(clock, 99, true);
    const retrying = new RetryingObjectStore(store, clock, seededRandom(1), { attempts: 3 });
    await expect(passTime(clock, retrying.get('k'))).rejects.toThrow('failure 3');
    expect(times).toHaveLength(3);
  });

  it('does not try again what another try would not change', async () => {
    const clock = new VirtualClock();
    const { store, times } = failing(clock, 99, false);
    await expect(passTime(clock, new RetryingObjectStore(store, clock, seededRandom(1)).get('k'))).rejects.toThrow('failure 1');
    expect(times).toHaveLength(1);
  });

  it('passes all requests on', async () => {
    const store = new RetryingObjectStore(new MemoryObjectStore(), new VirtualClock(), seededRandom(1));
    expect(store.root).toBe('s3://memory');
    await store.put('d/a', Buffer.from('a'));
    expect([await store.sizeOf('d/a'), await store.list('d/')]).toEqual([1, ['a']]);
    const upload = await store.startUpload('d/b');
    const part = await store.uploadPart('d/b', upload, 1, Buffer.from('b'));
    expect(await store.unfinishedUploads('d/')).toEqual([{ key: 'd/b', upload }]);
    await store.completeUpload('d/b', upload, [part]);
    await store.abortUpload('d/c', await store.startUpload('d/c'));
    await store.delete('d/a');
    expect([await store.list('d/'), await store.unfinishedUploads('')]).toEqual([['b'], []]);
  });
});
