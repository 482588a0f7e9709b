import { describe, expect, it } from 'vitest';
import { MemoryObjectStore } from '../common/memory-object-store.js';
import type { ObjectStore, PutCondition } from '../common/object-store.js';
import { ObjectRegister } from './object-register.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** The same store with another `put`. */
function withPut(store: MemoryObjectStore, put: ObjectStore['put']): ObjectStore {
  return Object.assign(Object.create(store) as ObjectStore, { put });
}

async function contentOf(store: ObjectStore): Promise<unknown> {
  const found = await new ObjectRegister(store, 'job').read();
  return found === undefined ? undefined : [found.version, Buffer.from(found.content).toString()];
}

describe('ObjectRegister', () => {
  it('is not changed by requests that were taken for lost and arrive late', async () => {
    const store = new MemoryObjectStore();
    const late: (() => Promise<unknown>)[] = [];
    const hanging = withPut(store, (key, content, condition) => {
      late.push(() => store.put(key, content, condition));
      return Promise.reject(new Error('no answer'));
    });
    await expect(new ObjectRegister(hanging, 'job').compareAndSet(0, bytes('late'))).rejects.toThrow('no answer');
    await new ObjectRegister(store, 'job').compareAndSet(0, bytes('one'));
    const overtaken = new ObjectRegister(hanging, 'job');
    await overtaken.read();
    await expect(overtaken.compareAndSet(1, bytes('late'))).rejects.toThrow('no answer');
    await new ObjectRegister(store, 'job').compareAndSet(1, bytes('two'));
    for (const request of late) await request();
    expect(late).toHaveLength(2);
    expect(await contentOf(store)).toEqual([2, 'two']);
  });

  it('is done when its request arrives late, and a repetition finds that', async () => {
    const store = new MemoryObjectStore();
    let late: (() => Promise<unknown>) | undefined;
    const once = withPut(store, (key, content, condition) => {
      if (late !== undefined) return store.put(key, content, condition);
      late = () => store.put(key, content, condition);
      return Promise.reject(new Error('no answer'));
    });
    const register = new ObjectRegister(once, 'job');
    await expect(register.compareAndSet(0, bytes('one'))).rejects.toThrow('no answer');
    await late?.();
    expect(await register.compareAndSet(0, bytes('one'))).toBe(true);
    expect(await contentOf(store)).toEqual([1, 'one']);
  });

  it.each([
    ['all conditions', (): PutCondition | undefined => undefined],
    ['If-Match', (condition?: PutCondition) => (condition?.type === 'tag' ? undefined : condition)],
    ['If-None-Match', (condition?: PutCondition) => (condition?.type === 'absent' ? undefined : condition)],
  ])('finds out a store that ignores %s', async (_, obeyed) => {
    const store = new MemoryObjectStore();
    const careless = withPut(store, (key, content, condition) => store.put(key, content, obeyed(condition)));
    await expect(new ObjectRegister(careless, 'job').compareAndSet(0, bytes('one'))).rejects.toMatchObject({
      code: 'STORAGE_NOT_CONDITIONAL',
      message: expect.stringContaining('s3://memory/job'),
    });
  });

  it.each([1, 4])('tries again where a store refuses %i times although nothing has changed', async (times) => {
    const store = new MemoryObjectStore();
    await new ObjectRegister(store, 'job').compareAndSet(0, bytes('one'));
    let refusals = 0;
    const refusing = withPut(store, async (...request) => (refusals++ < times ? undefined : await store.put(...request)));
    expect(await new ObjectRegister(refusing, 'job').compareAndSet(1, bytes('two'))).toBe(true);
    expect(await contentOf(store)).toEqual([2, 'two']);
  });

  it('does not try for ever where a store refuses everything', async () => {
    const store = new MemoryObjectStore();
    await new ObjectRegister(store, 'job').compareAndSet(0, bytes('one'));
    const refusing = withPut(store, () => Promise.resolve(undefined));
    const refused = new ObjectRegister(refusing, 'job').compareAndSet(1, bytes('two'));
    await expect(refused).rejects.toMatchObject({ code: 'STORAGE_NOT_CONDITIONAL' });
  });

  it.each(['', 'something else', 'millstream register 0\n', 'millstream register x\nabc'])('takes %j for no register', async (content) => {
    const store = new MemoryObjectStore();
    await store.put('job', bytes(content));
    const found = { code: 'CHECKPOINT_CORRUPT', message: expect.stringContaining("'s3://memory/job'") };
    await expect(new ObjectRegister(store, 'job').read()).rejects.toMatchObject(found);
    await expect(new ObjectRegister(store, 'job').compareAndSet(1, bytes('two'))).rejects.toMatchObject(found);
  });
});
