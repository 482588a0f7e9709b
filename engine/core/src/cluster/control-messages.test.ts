import { describe, expect, it } from 'vitest';
import { decodeControl, encodeControl, type ToTaskManager } from './control-messages.js';

const key = { job: 'j', run: 'r', attempt: 1, region: 0, term: 1 };

describe('a control message', () => {
  it('does not change when the bytes that it came in are used again', () => {
    const splits = [Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)];
    const sent: ToTaskManager = {
      type: 'slot',
      key,
      slot: 0,
      message: { type: 'assign', vertexId: 'v', subtask: 0, splits, watermarks: [0] },
    };
    const bytes = Uint8Array.from(encodeControl(sent));
    const received = decodeControl<ToTaskManager>(bytes);
    bytes.fill(0xdd);
    expect(received).toEqual(sent);
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['other bytes', Uint8Array.of(1, 2, 3)],
  ])('is not made of %s', (_what, bytes) => {
    expect(() => decodeControl(bytes)).toThrow(expect.objectContaining({ code: 'PROTOCOL_MISMATCH' }));
  });
});
