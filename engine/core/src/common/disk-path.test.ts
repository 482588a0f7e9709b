import { describe, expect, it } from 'vitest';
import { isAbsolutePath, normalizeDirectory, storageRoot } from './disk-path.js';

describe('disk paths', () => {
  it('have one spelling', () => {
    for (const path of ['/a/b', '/a/b/', '/a//b', '/a/./b', '/a/c/../b/']) expect(normalizeDirectory(path)).toBe('/a/b');
    expect(normalizeDirectory('/')).toBe('/');
    expect(normalizeDirectory('x/../y')).toBe(`${process.cwd()}/y`);
  });

  it('have one spelling in object stores', () => {
    for (const path of ['s3://b/a/c', 's3://b//a/./c/', 's3://b/a/x/../c', 's3://b/../a/c'])
      expect(normalizeDirectory(path)).toBe('s3://b/a/c');
    for (const path of ['s3://b', 's3://b/', 's3://b//']) expect(normalizeDirectory(path)).toBe('s3://b');
    expect(['s3://b/a', '/s3://b', 's3:/b', 'a/s3://b'].map(storageRoot)).toEqual(['s3://b', undefined, undefined, undefined]);
    expect(isAbsolutePath('s3://b/a')).toBe(true);
  });

  it('are absolute on POSIX and Windows', () => {
    expect(['/a', 'C:/a', 'c:\\a'].every(isAbsolutePath)).toBe(true);
    expect(['a', './a', '../a', 'C', ''].some(isAbsolutePath)).toBe(false);
  });
});
