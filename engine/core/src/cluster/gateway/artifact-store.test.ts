import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../common/clock.js';
import { createDiskError } from '../../common/disk-error.js';
import { MemoryDisk } from '../../common/memory-disk.js';
import { ArtifactStore } from './artifact-store.js';

const DIRECTORY = '/artifacts';
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield new TextEncoder().encode(text);
}

let disk: MemoryDisk;
let store: ArtifactStore;

async function open(): Promise<ArtifactStore> {
  return await ArtifactStore.open({ disk, clock: systemClock, directory: DIRECTORY, uploadBytesMax: 20, artifactsMax: 3 });
}

beforeEach(async () => {
  disk = new MemoryDisk();
  store = await open();
});

describe('ArtifactStore', () => {
  it('keeps a program under its hash, over a crash', async () => {
    const artifact = await store.upload({ name: 'job.mjs', content: chunks('export ', 'default 1') });
    const digest = sha256('export default 1');
    expect(artifact).toMatchObject({ id: `${digest.slice(0, 32)}_job.mjs`, name: 'job.mjs', size: 16, sha256: digest });
    disk.crash();
    store = await open();
    expect(store.list()).toEqual([{ ...artifact, uploaded: expect.any(Number) }]);
    expect(new TextDecoder().decode(await disk.readFile(store.get(artifact.id).path))).toBe('export default 1');
    await store.verify(store.get(artifact.id));
  });

  it('takes the same bytes again as the same artifact', async () => {
    const first = await store.upload({ name: 'a.js', content: chunks('x') });
    await store.upload({ name: 'b.js', content: chunks('x') });
    expect((await store.upload({ name: 'a.js', content: chunks('x'), sha256: sha256('x').toUpperCase() })).id).toBe(first.id);
    expect(store.list().map(({ name }) => name)).toEqual(['a.js', 'b.js']);
  });

  it.each(['../a.js', 'a/b.js', '.js', '.hidden.js', 'a.jar', 'a.js\0', 'a\n.js', '', `${'a'.repeat(200)}.js`, 'upload-1.part'])(
    'refuses the name %j',
    async (name) => {
      await expect(store.upload({ name, content: chunks('x') })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      expect(await disk.list(DIRECTORY)).toEqual([]);
    },
  );

  it('refuses what is too large, empty, changed or one too many, and leaves nothing', async () => {
    const refused = async (code: string, ...texts: string[]): Promise<void> => {
      await expect(store.upload({ name: 'a.js', content: chunks(...texts), sha256: sha256('announced') })).rejects.toMatchObject({ code });
      expect(await disk.list(DIRECTORY)).toEqual([]);
    };
    await refused('REQUEST_TOO_LARGE', 'x'.repeat(15), 'x'.repeat(6));
    await refused('INVALID_REQUEST');
    await refused('INVALID_REQUEST', 'other');
    for (const name of ['a.js', 'b.js', 'c.js']) await store.upload({ name, content: chunks(name) });
    await expect(store.upload({ name: 'd.js', content: chunks('d') })).rejects.toMatchObject({ code: 'REQUEST_CONFLICT' });
  });

  it('says that the disk is full, and works again when it is not', async () => {
    disk.fault = (operation, path) => (operation === 'write' ? createDiskError('ENOSPC', operation, path) : undefined);
    await expect(store.upload({ name: 'a.js', content: chunks('x') })).rejects.toMatchObject({ code: 'DISK_FULL' });
    disk.fault = undefined;
    expect(await disk.list(DIRECTORY)).toEqual([]);
    expect((await store.upload({ name: 'a.js', content: chunks('x') })).size).toBe(1);
  });

  it('removes what a crash left, and what is not what its name says', async () => {
    const { id } = await store.upload({ name: 'a.js', content: chunks('x') });
    const other = `${sha256('x').slice(0, 32)}_other.js`;
    for (const name of ['upload-7.part', other, 'readme.txt']) {
      const writer = await disk.create(`${DIRECTORY}/${name}`);
      await writer.write(new TextEncoder().encode('y'));
      await writer.close();
    }
    store = await open();
    expect(await disk.list(DIRECTORY)).toEqual([id, 'readme.txt'].sort());
    expect(store.list().map((artifact) => artifact.id)).toEqual([id]);
  });

  it('does not let a changed file run', async () => {
    const artifact = await store.upload({ name: 'a.js', content: chunks('x') });
    const writer = await disk.create(artifact.path, { overwrite: true });
    await writer.write(new TextEncoder().encode('evil'));
    await writer.close();
    await expect(store.verify(artifact)).rejects.toMatchObject({ code: 'CORRUPT_DATA' });
  });

  it('removes', async () => {
    const { id } = await store.upload({ name: 'a.js', content: chunks('x') });
    await store.remove(id);
    expect(await disk.list(DIRECTORY)).toEqual([]);
    await expect(store.remove(id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('bounds the uploads under way', async () => {
    const hold = Promise.withResolvers<void>();
    async function* slow(): AsyncGenerator<Uint8Array> {
      await hold.promise;
      yield new Uint8Array([1]);
    }
    const uploads = Array.from({ length: 8 }, () => store.upload({ name: 'a.js', content: slow() }));
    await expect(store.upload({ name: 'b.js', content: chunks('x') })).rejects.toMatchObject({ code: 'CLUSTER_UNAVAILABLE' });
    hold.resolve();
    expect(new Set((await Promise.all(uploads)).map(({ id }) => id)).size).toBe(1);
    await store.upload({ name: 'b.js', content: chunks('x') });
  });
});
