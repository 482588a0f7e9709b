import { describe, expect, it } from 'vitest';
import { isAbsolutePath, normalizeDirectory } from './disk-path.js';

describe('disk paths', () => {
  it('have one spelling', () => {
    for (const path of ['/a/b', '/a/b/', '/a//b', '/a/./b', '/a/c/../b/']) expect(normalizeDirectory(path)).toBe('/a/b');
    expect(normalizeDirectory('/')).toBe('/');
    expect(normalizeDirectory('x/../y')).toBe(`${process.cwd()}/y`);
  });

  it('are absolute on POSIX and Windows', () => {
    expect(['/a', 'C:/a', 'c:\\a'].every(isAbsolutePath)).toBe(true);
    expect(['a', './a', '../a', 'C', ''].some(isAbsolutePath)).toBe(false);
  });
});
