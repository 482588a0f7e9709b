import { expect, it } from 'vitest';
import { readFingerprint } from './fingerprint.js';

it('reads a fingerprint as openssl prints it, and names the option of one that is none', () => {
  const digits = '0123456789abcdef'.repeat(4);
  const printed = digits.toUpperCase().replaceAll(/(..)(?!$)/g, '$1:');
  expect(printed).toHaveLength(95);
  expect([printed, digits, ` ${digits}\n`].map((text) => readFingerprint('a.b', text))).toEqual([digits, digits, digits]);
  // SHA-1 is shorter.
  for (const wrong of [digits.slice(0, 40), digits.replace('0', 'g'), `${digits}00`, ':']) {
    expect(() => readFingerprint('a.b', wrong)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(`"a.b" to ${JSON.stringify(wrong)}`) }),
    );
  }
});
