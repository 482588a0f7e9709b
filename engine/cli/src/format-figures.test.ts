import { describe, expect, it } from 'vitest';
import { clip, formatBytes, formatCount, formatSeconds, formatShare, formatWatermark } from './format-figures.js';

describe('figures', () => {
  it.each([
    [0, '0'],
    [9999, '9999'],
    [12_345, '12 k'],
    [1_234_567, '1.23 M'],
    [5e9, '5.00 G'],
  ])('%f records are %s', (value, text) => expect(formatCount(value)).toBe(text));

  it.each([
    [12, '12 B'],
    [1500, '1.5 KB'],
    [2_500_000, '2.5 MB'],
    [3e9, '3.0 GB'],
  ])('%f bytes are %s', (value, text) => expect(formatBytes(value)).toBe(text));

  it.each([
    [0.04, '0.0 s'],
    [9.94, '9.9 s'],
    [59.4, '59 s'],
    [59.6, '1 min 0 s'],
    [119.7, '2 min 0 s'],
    [3599.9, '1 h 0 min'],
    [7260, '2 h 1 min'],
    [Number.POSITIVE_INFINITY, '?'],
  ])('%f seconds are %s', (value, text) => expect(formatSeconds(value)).toBe(text));

  it.each([
    [Number.NEGATIVE_INFINITY, '-'],
    [Number.POSITIVE_INFINITY, 'end'],
    [Number.MAX_SAFE_INTEGER, 'end'],
    [Date.UTC(2001, 5, 30, 23, 59), '2001-06-30 23:59'],
  ])('the watermark %f is %s', (value, text) => expect(formatWatermark(value)).toBe(text));

  it('clip and share', () => {
    expect(clip('operator', 8)).toBe('operator');
    expect(clip('operators', 8)).toBe('operato…');
    expect(formatShare(0.414)).toBe('41 %');
  });
});
