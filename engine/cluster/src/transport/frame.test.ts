/** Whatever the cuts, the same messages come out; whatever the bytes, nothing breaks. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FRAME_HEADER_BYTES, FrameParser, framed, GOODBYE } from './frame.js';
import { FrameWriter } from './frame-writer.js';

const FRAME_MAX = 1000;
const PROPERTY = { seed: 4, numRuns: 300 };

/** Parses chunks and says what was heard: messages as hex, then how it ended. */
function parse(chunks: readonly Buffer[], frameBytesMax = FRAME_MAX): { readonly parser: FrameParser; readonly heard: string[] } {
  const heard: string[] = [];
  const parser = new FrameParser(
    {
      onFrame: (frame) => heard.push(frame.toString('hex')),
      onGoodbye: () => heard.push('goodbye'),
      onTooLarge: (length, header) => heard.push(`too large: ${length} ${header.readUInt32LE(0)}`),
    },
    frameBytesMax,
  );
  for (const chunk of chunks) if (parser.push(chunk) < chunk.length) break;
  return { parser, heard };
}

/** Cuts bytes at the given places. */
function cut(bytes: Buffer, places: readonly number[]): readonly Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1))), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const mark = (value: number): Buffer => {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES);
  bytes.writeUInt32LE(value);
  return bytes;
};

describe('FrameParser', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 });
  const places = fc.array(fc.nat(), { maxLength: 30 });

  it('finds the same messages however they are cut', () => {
    fc.assert(
      fc.property(messages, places, fc.boolean(), (sent, at, bye) => {
        const bytes = Buffer.concat([...sent.map(framed), ...(bye ? [mark(GOODBYE)] : [])]);
        const { parser, heard } = parse(cut(bytes, at));
        expect(heard).toEqual([...sent.map((message) => Buffer.from(message).toString('hex')), ...(bye ? ['goodbye'] : [])]);
        expect(parser.isWithinFrame).toBe(false);
      }),
      PROPERTY,
    );
  });

  it('knows that it is within a message', () => {
    fc.assert(
      fc.property(messages, fc.uint8Array({ minLength: 1, maxLength: 40 }), places, fc.nat(), (sent, last, at, kept) => {
        const whole = framed(last);
        const bytes = Buffer.concat([...sent.map(framed), whole.subarray(0, 1 + (kept % (whole.length - 1)))]);
        const { parser, heard } = parse(cut(bytes, at));
        expect(heard).toHaveLength(sent.length);
        expect(parser.isWithinFrame).toBe(true);
      }),
      PROPERTY,
    );
  });

  it('survives any bytes, and hears the same however they are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), places, fc.integer({ min: 0, max: 2 }), (rubbish, at, zeros) => {
        // Random lengths are nearly always too large; some are made small.
        const bytes = Buffer.concat([mark(zeros), Buffer.from(rubbish), mark(zeros), Buffer.from(rubbish)]);
        const whole = parse([bytes]).heard;
        expect(parse(cut(bytes, at)).heard).toEqual(whole);
        expect(whole.filter((what) => what.startsWith('too large')).length).toBeLessThanOrEqual(1);
      }),
      PROPERTY,
    );
  });

  it('refuses a length above the limit, with the bytes that it read', () => {
    for (const at of [[], [1], [2, 3]]) {
      const bytes = Buffer.concat([framed(Buffer.alloc(FRAME_MAX)), mark(FRAME_MAX + 1), Buffer.alloc(10)]);
      const { heard } = parse(
        cut(
          bytes,
          at.map((place) => FRAME_HEADER_BYTES + FRAME_MAX + place),
        ),
      );
      expect(heard.slice(1)).toEqual([`too large: ${FRAME_MAX + 1} ${FRAME_MAX + 1}`]);
    }
  });

  it('hands on messages of one chunk without a copy, and stops where it is told', () => {
    const chunk = Buffer.concat([framed(Buffer.from('one')), framed(Buffer.from('two')), framed(Buffer.from('three'))]);
    const frames: Buffer[] = [];
    const parser: FrameParser = new FrameParser(
      {
        onFrame(frame) {
          frames.push(frame);
          if (frames.length === 2) parser.stop();
        },
        onGoodbye: () => expect.unreachable(),
        onTooLarge: () => expect.unreachable(),
      },
      FRAME_MAX,
    );
    expect(parser.push(chunk)).toBe(14);
    expect(frames.map((frame) => [frame.toString(), frame.buffer === chunk.buffer])).toEqual([
      ['one', true],
      ['two', true],
    ]);
    expect(parser.push(chunk.subarray(14))).toBe(9);
    expect(String(frames[2])).toBe('three');
  });
});

describe('FrameWriter', () => {
  it('writes what the parser reads, in few writes, and from its own memory', async () => {
    const sizes = fc.array(fc.oneof(fc.nat(100), fc.integer({ min: 16_000, max: 17_000 }), fc.integer({ min: 60_000, max: 70_000 })), {
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(sizes, async (all) => {
        const written: Buffer[] = [];
        const writer = new FrameWriter((bytes) => written.push(bytes));
        const expected = all.map((size, index) => {
          const message = Buffer.alloc(size, index + 1);
          const hex = message.toString('hex');
          writer.send(message);
          message.fill(0);
          return hex;
        });
        await Promise.resolve();
        expect(writer.pendingBytes).toBe(0);
        expect(parse(written, 100_000).heard).toEqual(expected);
        expect(written.length).toBeLessThanOrEqual(2 * all.filter((size) => size > 10_000).length + 1);
      }),
      { seed: 4, numRuns: 60 },
    );
  });

  it('leaves the bytes alone until they are written, and uses their memory again then', async () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 100_000 }), fc.boolean()), { minLength: 1, maxLength: 60 });
    const seen = new Set<ArrayBufferLike>();
    let writes = 0;
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const onTheirWay: { readonly bytes: Buffer; readonly written: () => void }[] = [];
        const arrived: Buffer[] = [];
        const arrive = (): void => {
          const first = onTheirWay.shift();
          if (first === undefined) return;
          arrived.push(Buffer.from(first.bytes));
          seen.add(first.bytes.buffer);
          writes++;
          first.written();
        };
        const writer = new FrameWriter((bytes, written) => onTheirWay.push({ bytes, written }));
        const expected: string[] = [];
        for (const [index, [size, arrives]] of all.entries()) {
          const message = Buffer.alloc(size, index + 1);
          expected.push(message.toString('hex'));
          writer.send(message);
          if (arrives) arrive();
          if (index % 3 === 0) await Promise.resolve();
        }
        writer.flush();
        while (onTheirWay.length > 0) arrive();
        expect(parse(arrived, 100_000).heard).toEqual(expected);
      }),
      { seed: 6, numRuns: 60 },
    );
    expect(seen.size).toBeLessThan(writes / 4);
  });

  it('copies from shared memory', () => {
    const written: Buffer[] = [];
    const writer = new FrameWriter((bytes) => written.push(Buffer.from(bytes)));
    const shared = new Uint8Array(new SharedArrayBuffer(100), 8, 50).fill(7);
    writer.send(shared);
    writer.flush();
    expect(parse(written).heard).toEqual([Buffer.alloc(50, 7).toString('hex')]);
  });

  it('keeps bytes until the end of the turn, or until it is flushed', () => {
    const written: Buffer[] = [];
    const writer = new FrameWriter((bytes) => written.push(bytes));
    writer.send(Buffer.alloc(10));
    writer.sendMark(GOODBYE);
    expect([written.length, writer.pendingBytes]).toEqual([0, 18]);
    writer.flush();
    writer.flush();
    expect([written.map(({ length }) => length), writer.pendingBytes]).toEqual([[18], 0]);
  });
});
