import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Disk } from './disk.js';
import { createDiskError } from './disk-error.js';
import { MemoryDisk } from './memory-disk.js';
import { nodeDisk } from './node-disk.js';
import { seededRandom } from './random.js';

const made: string[] = [];
afterAll(async () => {
  for (const directory of made) await rm(directory, { recursive: true });
});

async function nodeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millstream-disk-'));
  made.push(directory);
  return directory;
}

async function memoryDirectory(disk: Disk): Promise<string> {
  await disk.makeDirectory('/base');
  return '/base';
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

async function put(disk: Disk, path: string, content: string): Promise<void> {
  const writer = await disk.create(path);
  await writer.write(Buffer.from(content));
  await writer.sync();
  await writer.close();
}

const disks: [string, () => Promise<{ disk: Disk; base: string }>][] = [
  ['nodeDisk', async () => ({ disk: nodeDisk, base: await nodeDirectory() })],
  [
    'MemoryDisk',
    async () => {
      const disk = new MemoryDisk();
      return { disk, base: await memoryDirectory(disk) };
    },
  ],
];

describe.each(disks)('%s', (_name, make) => {
  it('keeps overlapping writes in order', async () => {
    const { disk, base } = await make();
    const writer = await disk.create(`${base}/a`);
    const writes: Promise<void>[] = [];
    let expected = '';
    for (let i = 0; i < 3000; i++) {
      expected += `${i},`;
      writes.push(writer.write(Buffer.from(`${i},`)));
      if (i % 1000 === 0) await writes[i];
    }
    await writer.write(new Uint8Array(0));
    await writer.sync();
    await Promise.all(writes);
    await writer.close();
    expect(text(await disk.readFile(`${base}/a`))).toBe(expected);
  });

  it('creates anew only what is not there, unless told to overwrite', async () => {
    const { disk, base } = await make();
    await put(disk, `${base}/a`, 'first');
    await expect(disk.create(`${base}/a`)).rejects.toMatchObject({ code: 'EEXIST' });
    const writer = await disk.create(`${base}/a`, { overwrite: true });
    await writer.write(Buffer.from('2'));
    await writer.close();
    expect(text(await disk.readFile(`${base}/a`))).toBe('2');
    await expect(disk.create(`${base}/none/a`)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(disk.create(base, { overwrite: true })).rejects.toMatchObject({ code: 'EISDIR' });
  });

  it('reads ranges, short only at the end', async () => {
    const { disk, base } = await make();
    await put(disk, `${base}/a`, '0123456789');
    const reader = await disk.open(`${base}/a`);
    expect(await reader.size()).toBe(10);
    expect(text(await reader.read(2, 3))).toBe('234');
    expect(text(await reader.read(8, 5))).toBe('89');
    expect(text(await reader.read(20, 5))).toBe('');
    await reader.close();
    await expect(disk.open(`${base}/b`)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(disk.readFile(`${base}/b`)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('links without overwriting; both names are one file', async () => {
    const { disk, base } = await make();
    await put(disk, `${base}/a`, 'content');
    await put(disk, `${base}/taken`, 'other');
    await expect(disk.link(`${base}/a`, `${base}/taken`)).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(disk.link(`${base}/none`, `${base}/b`)).rejects.toMatchObject({ code: 'ENOENT' });
    await disk.link(`${base}/a`, `${base}/b`);
    await disk.unlink(`${base}/a`);
    expect(text(await disk.readFile(`${base}/b`))).toBe('content');
    await disk.link(`${base}/b`, `${base}/c`);
    await disk.truncate(`${base}/b`, 4);
    expect(text(await disk.readFile(`${base}/c`))).toBe('cont');
    await expect(disk.unlink(`${base}/a`)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('has directories', async () => {
    const { disk, base } = await make();
    await disk.makeDirectory(`${base}/x/y`);
    await disk.makeDirectory(`${base}/x/y`);
    await put(disk, `${base}/x/2`, '');
    await put(disk, `${base}/x/1`, '');
    expect(await disk.list(`${base}/x`)).toEqual(['1', '2', 'y']);
    expect(await disk.exists(`${base}/x/y`)).toBe(true);
    expect(await disk.exists(`${base}/x/z`)).toBe(false);
    expect(await disk.exists(`${base}/x/1/z`)).toBe(false);
    await disk.syncDirectory(`${base}/x`);
    await expect(disk.list(`${base}/none`)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(disk.syncDirectory(`${base}/none`)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(disk.removeDirectory(`${base}/x`)).rejects.toMatchObject({ code: 'ENOTEMPTY' });
    await disk.removeDirectory(`${base}/x/y`);
    expect(await disk.exists(`${base}/x/y`)).toBe(false);
  });
});

describe('nodeDisk', () => {
  it('makes no directory below what cannot have one, and says so', async () => {
    const base = await nodeDirectory();
    await symlink(`${base}/none`, `${base}/link`);
    await expect(nodeDisk.makeDirectory(`${base}/link/a/b`)).rejects.toMatchObject({ code: 'EEXIST' });
    await put(nodeDisk, `${base}/file`, '');
    await expect(nodeDisk.makeDirectory(`${base}/file/a`)).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(nodeDisk.makeDirectory(`${base}/file`)).rejects.toMatchObject({ code: 'EEXIST' });
    await nodeDisk.makeDirectory('/');
    if (await nodeDisk.exists('/proc/self')) await expect(nodeDisk.makeDirectory('/proc/none/a')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('makes a directory that others make at the same time', async () => {
    const base = await nodeDirectory();
    await Promise.all(Array.from({ length: 8 }, async () => await nodeDisk.makeDirectory(`${base}/a/b/c`)));
    expect(await nodeDisk.list(`${base}/a/b`)).toEqual(['c']);
  });

  it('fails every later call after a failed write', async () => {
    // /dev/full accepts the opening and refuses every write.
    if (!(await nodeDisk.exists('/dev/full'))) return;
    const writer = await nodeDisk.create('/dev/full', { overwrite: true });
    await expect(writer.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(writer.write(new Uint8Array(0))).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(writer.sync()).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(writer.close()).rejects.toMatchObject({ code: 'ENOSPC' });
  });
});

describe('MemoryDisk', () => {
  it('forgets unsynced content and names in a crash', async () => {
    const disk = new MemoryDisk();
    await disk.makeDirectory('/d');
    await disk.syncDirectory('/');
    await put(disk, '/d/durable', 'kept');
    await disk.syncDirectory('/d');
    await put(disk, '/d/unnamed', 'lost with its name');
    await disk.link('/d/durable', '/d/other');
    await disk.unlink('/d/durable');
    const writer = await disk.create('/d/unsynced');
    await writer.write(Buffer.from('x'));
    await disk.makeDirectory('/e');
    disk.crash();
    expect([...disk.files()]).toEqual([['d/durable', 'kept']]);
    expect(await disk.list('/')).toEqual(['d']);
    await expect(writer.write(Buffer.from('y'))).rejects.toMatchObject({ code: 'ESTALE' });
  });

  it('keeps a synced name with the content of the last sync', async () => {
    const disk = new MemoryDisk();
    const writer = await disk.create('/a');
    await writer.write(Buffer.from('one'));
    await writer.sync();
    await writer.write(Buffer.from('two'));
    await disk.syncDirectory('/');
    disk.crash();
    expect([...disk.files()]).toEqual([['a', 'one']]);
  });

  it('with a random source loses some of it and cuts content', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 100; seed++) {
      const disk = new MemoryDisk();
      const writer = await disk.create('/a');
      await writer.write(Buffer.from('12'));
      await disk.syncDirectory('/');
      await disk.link('/a', '/b');
      disk.crash(seededRandom(seed));
      seen.add(JSON.stringify([...disk.files()]));
    }
    const contents = ['', '1', '12'];
    const expected = contents.flatMap((content) => [
      [['a', content]],
      [
        ['a', content],
        ['b', content],
      ],
    ]);
    expect([...seen].sort()).toEqual(expected.map((files) => JSON.stringify(files)).sort());
  });

  it('fails where the hook says so, and a failed writer stays failed', async () => {
    const disk = new MemoryDisk();
    const writer = await disk.create('/a');
    disk.fault = (operation, path) => (operation === 'write' ? createDiskError('ENOSPC', operation, path) : undefined);
    await expect(writer.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'ENOSPC' });
    disk.fault = undefined;
    await expect(writer.sync()).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(disk.files().get('a')).toBe('');
  });

  it('rots a byte on request', async () => {
    const disk = new MemoryDisk();
    await put(disk, '/a', 'abc');
    disk.corrupt('/a', 1);
    expect((await disk.readFile('/a'))[1]).toBe('b'.charCodeAt(0) ^ 0xff);
  });
});
