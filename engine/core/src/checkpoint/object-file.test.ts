import { describe, expect, it } from 'vitest';
import { crc32 } from '../common/checksum.js';
import { type Clock, systemClock } from '../common/clock.js';
import { MemoryObjectStore } from '../common/memory-object-store.js';
import type { ObjectStore } from '../common/object-store.js';
import { seededRandom } from '../common/random.js';
import { RetryingObjectStore } from '../common/retrying-object-store.js';
import { withFaults } from '../testing/faults.js';
import { ObjectFile } from './object-file.js';

const OPTIONS = { partBytes: 100, parallelParts: 2 };

function fileOn(store: ObjectStore): ObjectFile {
  return new ObjectFile(store, 'a/file', 'write the checkpoint file', OPTIONS);
}

/** The store, which completes no part until it is told to. */
function slowStore(): { store: ObjectStore; memory: MemoryObjectStore; travelling: (() => void)[] } {
  const memory = new MemoryObjectStore();
  const travelling: (() => void)[] = [];
  const uploadPart: ObjectStore['uploadPart'] = async (...request) => {
    await new Promise<void>((resolve) => {
      travelling.push(resolve);
    });
    return await memory.uploadPart(...request);
  };
  return { store: Object.assign(Object.create(memory) as ObjectStore, { uploadPart }), memory, travelling };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

describe('ObjectFile', () => {
  it('sends a few parts at a time while it is written, and says how much waits', async () => {
    const { store, memory, travelling } = slowStore();
    const file = fileOn(store);
    const content = Uint8Array.from({ length: 1010 }, (_, at) => at & 0xff);
    for (let at = 0; at < content.length; at += 101) file.write(content.slice(at, at + 101));
    await settle();
    expect(travelling).toHaveLength(2);
    expect(file.pendingBytes).toBe(1010);
    travelling.shift()?.();
    await settle();
    expect(travelling).toHaveLength(2);
    expect(file.pendingBytes).toBe(909);
    expect(memory.contents().size).toBe(0);
    const finished = file.finish();
    while (travelling.length > 0) {
      travelling.shift()?.();
      await settle();
    }
    expect(await finished).toEqual({ length: 1010, crc32: crc32(content) });
    expect(Buffer.compare((await memory.get('a/file'))?.content ?? new Uint8Array(0), content)).toBe(0);
    expect(await memory.unfinishedUploads('')).toEqual([]);
  });

  it('frees the parts of a file that was given up, or of which one failed', async () => {
    for (const fails of [false, true]) {
      const memory = new MemoryObjectStore();
      const failing = Object.assign(Object.create(memory) as ObjectStore, {
        uploadPart: async (key: string, upload: string, number: number, content: Uint8Array) => {
          if (fails && number === 2) throw new Error('part 2 failed');
          return await memory.uploadPart(key, upload, number, content);
        },
      });
      const file = fileOn(failing);
      for (let at = 0; at < 5; at++) file.write(new Uint8Array(101));
      if (fails) await expect(file.finish()).rejects.toThrow('part 2 failed');
      else await file.abort();
      expect(await memory.unfinishedUploads('')).toEqual([]);
      expect(memory.contents().size).toBe(0);
      expect(file.pendingBytes).toBe(0);
    }
  });

  it.each(['put', 'completeUpload'])('is finished when the answer to %s was lost', async (operation) => {
    const memory = new MemoryObjectStore();
    let isLost = false;
    const losing = withFaults(memory, (_, name) => {
      if (name !== operation || isLost) return undefined;
      isLost = true;
      return 'loseAnswer';
    });
    const clock: Clock = { ...systemClock, schedule: (_, callback) => systemClock.schedule(0, callback) };
    const file = fileOn(new RetryingObjectStore(losing, clock, seededRandom(1)));
    const length = operation === 'put' ? 50 : 250;
    file.write(new Uint8Array(length));
    expect((await file.finish()).length).toBe(length);
    expect([isLost, await memory.sizeOf('a/file')]).toEqual([true, length]);
  });

  it('leaves the object of another alone', async () => {
    const store = new MemoryObjectStore();
    await store.put('a/file', Buffer.from('of another'));
    const file = fileOn(store);
    file.write(Buffer.from('ours'));
    await expect(file.finish()).rejects.toThrow("'s3://memory/a/file': another object is there");
    expect(store.contents().get('a/file')).toBe('of another');
  });
});
