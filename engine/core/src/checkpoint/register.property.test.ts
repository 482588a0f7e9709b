/** Registers under every interleaving of the steps of several writers: no change is lost, no version is given twice. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryDisk } from '../common/memory-disk.js';
import { MemoryObjectStore } from '../common/memory-object-store.js';
import { DiskRegister } from './disk-register.js';
import { ObjectRegister } from './object-register.js';
import type { Register } from './register.js';

const WRITERS = ['a', 'b', 'c'];
const CHANGES_EACH = 3;

/** The same object, whose operations are carried out when the scheduler says so. */
function scheduled<T extends object>(target: T, scheduler: fc.Scheduler): T {
  return new Proxy(target, {
    get(object, name) {
      const member: unknown = Reflect.get(object, name, object);
      if (typeof member !== 'function') return member;
      return async (...args: readonly unknown[]) => {
        await scheduler.schedule(Promise.resolve(), String(name));
        return await (member.apply(object, args) as Promise<unknown>);
      };
    },
  });
}

/** Adds the writer's name to the content, with a number, so often; returns the versions that it made. */
async function change(register: Register, name: string): Promise<number[]> {
  const versions: number[] = [];
  while (versions.length < CHANGES_EACH) {
    const found = await register.read();
    const content = `${found === undefined ? '' : Buffer.from(found.content)} ${name}${versions.length}`;
    const version = found?.version ?? 0;
    if (await register.compareAndSet(version, Buffer.from(content))) versions.push(version + 1);
  }
  return versions;
}

const STORES: { readonly [name: string]: () => Promise<(writer: string, scheduler: fc.Scheduler) => Register> } = {
  'objects in memory': async () => {
    const store = new MemoryObjectStore();
    return (_, scheduler) => new ObjectRegister(scheduled(store, scheduler), 'job');
  },
  'a memory disk': async () => {
    const disk = new MemoryDisk();
    await disk.makeDirectory('/job');
    return (writer, scheduler) => new DiskRegister(scheduled(disk, scheduler), '/job', 'job', writer);
  },
  'a memory disk, freeing names early': async () => {
    const disk = new MemoryDisk();
    await disk.makeDirectory('/job');
    return (writer, scheduler) => new DiskRegister(scheduled(disk, scheduler), '/job', 'job', writer, 2);
  },
};

describe.each(Object.entries(STORES))('a register on %s', (_, newStore) => {
  it('loses no change, whatever the order of steps', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const open = await newStore();
        const changes = Promise.all(WRITERS.map((name) => change(open(name, scheduler), name)));
        const versions = await scheduler.waitFor(changes);
        const total = WRITERS.length * CHANGES_EACH;
        expect(versions.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (__, at) => at + 1));
        const reading = open('reader', scheduler).read();
        const found = await scheduler.waitFor(reading);
        expect(found?.version).toBe(total);
        const words = String(Buffer.from(found?.content ?? []))
          .trim()
          .split(' ');
        for (const name of WRITERS) {
          const own = words.filter((word) => word.startsWith(name));
          expect(own).toEqual(Array.from({ length: CHANGES_EACH }, (__, at) => `${name}${at}`));
        }
      }),
      { numRuns: 60, seed: 4 },
    );
  });
});
