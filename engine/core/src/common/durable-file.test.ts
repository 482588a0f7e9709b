import { describe, expect, it } from 'vitest';
import { crc32 } from './checksum.js';
import { createDiskError } from './disk-error.js';
import { checksumOfFile, DurableFile, makeDurableDirectory } from './durable-file.js';
import { MillstreamError } from './errors.js';
import { MemoryDisk } from './memory-disk.js';

describe('DurableFile', () => {
  it('takes chunks synchronously and is durable with its checksum when finished', async () => {
    const disk = new MemoryDisk();
    const file = new DurableFile(disk, '/a', 'write the file');
    for (const part of ['one,', 'two,', 'three']) file.write(Buffer.from(part));
    expect(file.length).toBe(13);
    expect(file.pendingBytes).toBe(13);
    await file.drained();
    expect(file.pendingBytes).toBe(0);
    const expected = { length: 13, crc32: crc32(Buffer.from('one,two,three')) };
    expect(await file.finish()).toEqual(expected);
    await disk.syncDirectory('/');
    disk.crash();
    expect(disk.files().get('a')).toBe('one,two,three');
    expect(await checksumOfFile(disk, '/a', 4)).toEqual(expected);
  });

  it.each(['create', 'write', 'sync'])('turns a full disk at %s into DISK_FULL and leaves no file', async (operation) => {
    const disk = new MemoryDisk();
    disk.fault = (now, path) => (now === operation ? createDiskError('ENOSPC', now, path) : undefined);
    const file = new DurableFile(disk, '/a', 'write the file');
    file.write(Buffer.from('x'));
    await expect(file.finish()).rejects.toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining("'/a'") });
    expect(file.failure).toBeInstanceOf(MillstreamError);
    expect(file.pendingBytes).toBe(0);
    expect([...disk.files()]).toEqual([]);
  });

  it('leaves a file alone that was there before', async () => {
    const disk = new MemoryDisk();
    const first = new DurableFile(disk, '/a', 'write the file');
    first.write(Buffer.from('first'));
    await first.finish();
    await expect(new DurableFile(disk, '/a', 'write the file').finish()).rejects.toMatchObject({ code: 'EEXIST' });
    expect(disk.files().get('a')).toBe('first');
  });

  it('is removed by abort', async () => {
    const disk = new MemoryDisk();
    const file = new DurableFile(disk, '/a', 'write the file');
    file.write(Buffer.from('x'));
    await file.abort();
    expect([...disk.files()]).toEqual([]);
    await expect(file.finish()).rejects.toThrow('given up');
  });
});

describe('makeDurableDirectory', () => {
  it('survives a crash with all its parents', async () => {
    const disk = new MemoryDisk();
    await makeDurableDirectory(disk, '/a/b/c');
    disk.crash();
    expect(await disk.exists('/a/b/c')).toBe(true);
  });

  it('works on relative paths', async () => {
    const disk = new MemoryDisk();
    await makeDurableDirectory(disk, 'a/b');
    disk.crash();
    expect(await disk.exists('a/b')).toBe(true);
  });
});
