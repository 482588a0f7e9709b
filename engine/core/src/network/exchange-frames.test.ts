import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MillstreamError } from '../common/errors.js';
import { rawBufferOver } from '../common/raw-buffer.js';
import {
  CreditWriter,
  countFrames,
  decodeGoodbye,
  decodeHello,
  decodeRefused,
  EXCHANGE_VERSION,
  encodeGoodbye,
  encodeHello,
  encodeRefused,
  type Hello,
  readCredit,
} from './exchange-frames.js';

const HELLO_MESSAGE: Hello = {
  version: EXCHANGE_VERSION,
  attempt: { job: 'job', run: 'run', attempt: 3, region: 0, term: 2 },
  token: 'secret',
  producer: 'a',
  consumer: 'b',
  channels: ['e:0>0', 'e:0>1'],
  creditBytes: 4096,
};

describe('messages of an exchange', () => {
  it('come back as they were sent', () => {
    expect(decodeHello(encodeHello(HELLO_MESSAGE))).toEqual(HELLO_MESSAGE);
    expect(decodeRefused(encodeRefused('no'))).toBe('no');
    expect(decodeGoodbye(encodeGoodbye({ failed: true, reason: 'why' }))).toEqual({ failed: true, reason: 'why' });
    const credit = new CreditWriter();
    credit.add(7, 100);
    credit.add(0, 2 ** 31 - 1);
    const found: number[][] = [];
    readCredit(rawBufferOver(credit.take()), (channel, bytes) => found.push([channel, bytes]));
    expect(found).toEqual([
      [7, 100],
      [0, 2 ** 31 - 1],
    ]);
    expect(credit.isEmpty).toBe(true);
  });

  it('that are damaged give CORRUPT_DATA or a value of the declared type', () => {
    const hello = encodeHello(HELLO_MESSAGE);
    const damage = fc.array(fc.tuple(fc.nat(hello.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(damage, fc.nat(hello.length), (changes, length) => {
        const bytes = Uint8Array.from(hello);
        for (const [at, value] of changes) bytes[at] = value;
        for (const message of [bytes, bytes.subarray(0, length)]) {
          try {
            const { version, attempt, token, channels, creditBytes } = decodeHello(message);
            expect([typeof version, typeof creditBytes, typeof attempt.job, typeof attempt.term, typeof token]).toEqual([
              'number',
              'number',
              'string',
              'number',
              'string',
            ]);
            expect(channels.every((name) => typeof name === 'string')).toBe(true);
          } catch (error) {
            expect(error).toBeInstanceOf(MillstreamError);
            expect((error as MillstreamError).code).toBe('CORRUPT_DATA');
          }
        }
      }),
      { seed: 11, numRuns: 2000 },
    );
  });

  it.each([
    ['a hello', (bytes: Uint8Array) => decodeHello(bytes)],
    ['a refusal', (bytes: Uint8Array) => decodeRefused(bytes)],
    ['a goodbye', (bytes: Uint8Array) => decodeGoodbye(bytes)],
    ['credit', (bytes: Uint8Array) => readCredit(rawBufferOver(bytes), () => undefined)],
  ])('refuse what is not %s', (_what, decode) => {
    for (const bytes of [Uint8Array.of(), encodeGoodbye({ failed: 1 } as never), Uint8Array.of(16, 9, 9, 9)]) {
      expect(() => decode(bytes)).toThrow(expect.objectContaining({ code: 'CORRUPT_DATA' }));
    }
  });

  it('are counted by their frames, also when cut', () => {
    const message = rawBufferOver(new Uint8Array(8 + 3 + 8 + 5));
    message.writeInt32LE(1, 0);
    message.writeInt32LE(3, 4);
    message.writeInt32LE(3 | (9 << 8), 11);
    message.writeInt32LE(5, 15);
    expect(countFrames(message)).toBe(2);
    expect(countFrames(rawBufferOver(message.subarray(0, 15)))).toBe(1);
    expect(countFrames(rawBufferOver(encodeRefused('x')))).toBe(0);
  });
});
