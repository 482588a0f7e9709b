import { describe, expect, it } from 'vitest';
import { Crc32, crc32, formatCrc32 } from './checksum.js';

describe('crc32', () => {
  it('is the CRC-32 of zlib, PNG and Ethernet', () => {
    expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array(0))).toBe(0);
  });

  it('gives the same in chunks of any size', () => {
    const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 31) & 0xff));
    for (const size of [1, 7, 999, 1000]) {
      const sum = new Crc32();
      for (let at = 0; at < bytes.length; at += size) sum.update(bytes.subarray(at, at + size));
      expect(sum.value).toBe(crc32(bytes));
      expect(sum.length).toBe(1000);
    }
  });

  it('prints eight digits', () => {
    expect(formatCrc32(0xab)).toBe('000000ab');
    expect(formatCrc32(0xcbf43926)).toBe('cbf43926');
  });
});
