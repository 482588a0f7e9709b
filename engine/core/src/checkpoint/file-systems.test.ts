import { describe, expect, it } from 'vitest';
import { MemoryDisk } from '../common/memory-disk.js';
import { MemoryObjectStore } from '../common/memory-object-store.js';
import { seededRandom } from '../common/random.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { FileSystems, type StorageOptions } from './file-systems.js';
import { ObjectCheckpointFiles } from './object-checkpoint-files.js';

function fileSystems(): { files: FileSystems; disk: MemoryDisk; stores: Map<string, MemoryObjectStore>; opened: StorageOptions[] } {
  const disk = new MemoryDisk();
  const stores = new Map<string, MemoryObjectStore>();
  const opened: StorageOptions[] = [];
  const files = new FileSystems({
    disk,
    clock: new VirtualClock(),
    random: seededRandom(1),
    options: { s3: { endpoint: 'http://127.0.0.1:1' } },
    load: async (name) => {
      if (name !== '@millstream/s3') throw new Error(`There is no ${name}`);
      return {
        openCheckpointFiles: (bucket, options) => {
          opened.push(options);
          const store = new MemoryObjectStore(`s3://${bucket}`);
          stores.set(bucket, store);
          return new ObjectCheckpointFiles(store);
        },
      };
    },
  });
  return { files, disk, stores, opened };
}

describe('FileSystems', () => {
  it('puts files where their paths say, and opens each bucket once, with its options', async () => {
    const { files, disk, stores, opened } = fileSystems();
    await files.prepareDirectory('/job');
    for (const path of ['/job/a', 's3://one/job/b', 's3://one/job/c', 's3://two/d']) {
      const file = files.create(path, 'write the test file');
      file.write(Buffer.from(path));
      await file.finish();
      expect(Buffer.from((await files.read(path)) ?? []).toString()).toBe(path);
    }
    expect([...disk.files('/job').keys()]).toEqual(['a']);
    expect([...(stores.get('one')?.contents().keys() ?? [])]).toEqual(['job/b', 'job/c']);
    expect([...(stores.get('two')?.contents().keys() ?? [])]).toEqual(['d']);
    expect(opened).toEqual([{ endpoint: 'http://127.0.0.1:1' }, { endpoint: 'http://127.0.0.1:1' }]);
    expect(await files.list('s3://one/job')).toEqual(['b', 'c']);
    await files.remove('s3://one/job/b');
    expect([await files.exists('s3://one/job/b'), await files.exists('s3://one/job/c')]).toEqual([false, true]);
  });

  it('has registers everywhere', async () => {
    const { files, stores } = fileSystems();
    await files.prepareDirectory('/job');
    for (const path of ['/job/job', 's3://one/job/job']) {
      expect(await files.register(path, 'w').compareAndSet(0, Buffer.from('x'))).toBe(true);
      expect((await files.register(path, 'r').read())?.version).toBe(1);
    }
    expect([...(stores.get('one')?.contents().keys() ?? [])]).toEqual(['job/job']);
  });

  it.each([
    ['gs://bucket/x', 'there is no such kind of storage'],
    ['s3:///x', 'it names no bucket'],
  ])('refuses %s', async (path, found) => {
    const { files } = fileSystems();
    const refused = { code: 'STORAGE_UNKNOWN', message: expect.stringContaining(found) };
    await expect(files.open(path)).rejects.toMatchObject(refused);
    const file = files.create(path, 'write the test file');
    file.write(Buffer.from('lost'));
    await expect(file.finish()).rejects.toMatchObject(refused);
    expect(file.pendingBytes).toBe(0);
    await file.abort();
  });

  it('gives up a file before its bucket is open', async () => {
    const { files, stores } = fileSystems();
    const file = files.create('s3://one/a', 'write the test file');
    file.write(Buffer.from('given up'));
    expect(file.pendingBytes).toBe(8);
    await file.abort();
    expect(stores.get('one')?.contents().size).toBe(0);
  });

  it('names the package that is missing, and tries again later', async () => {
    const options = { disk: new MemoryDisk(), clock: new VirtualClock(), random: seededRandom(1) };
    let isInstalled = false;
    const files = new FileSystems({
      ...options,
      load: async () => {
        if (!isInstalled) throw new Error('not installed');
        return { openCheckpointFiles: (bucket) => new ObjectCheckpointFiles(new MemoryObjectStore(`s3://${bucket}`)) };
      },
    });
    await expect(files.exists('s3://one/a')).rejects.toThrow('not installed');
    isInstalled = true;
    expect(await files.exists('s3://one/a')).toBe(false);
  });
});
