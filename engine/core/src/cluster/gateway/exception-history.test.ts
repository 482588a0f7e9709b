import { describe, expect, it } from 'vitest';
import { MillstreamError } from '../../common/errors.js';
import { ExceptionHistory } from './exception-history.js';

describe('ExceptionHistory', () => {
  it('keeps the newest failures, with what failed beside them', () => {
    const history = new ExceptionHistory(2);
    history.addConcurrent({ at: 1, error: { name: 'Error', message: 'alone' } });
    history.add({ at: 2, error: new MillstreamError('SLOT_LOST', 'gone'), taskName: 'map (1/2)', labels: { type: 'system' } });
    history.addConcurrent({ at: 3, error: { name: 'Error', message: 'too' } });
    expect(history.toInfo().exceptionHistory).toEqual({
      truncated: false,
      entries: [
        {
          exceptionName: 'SLOT_LOST',
          stacktrace: expect.stringContaining('gone'),
          timestamp: 2,
          failureLabels: { type: 'system' },
          taskName: 'map (1/2)',
          concurrentExceptions: [{ exceptionName: 'Error', stacktrace: 'Error: too', timestamp: 3, failureLabels: {} }],
        },
        { exceptionName: 'Error', stacktrace: 'Error: alone', timestamp: 1, failureLabels: {}, concurrentExceptions: [] },
      ],
    });
    expect(history.toInfo(1).exceptionHistory).toMatchObject({ truncated: true, entries: [{ timestamp: 2 }] });
    history.add({ at: 4, error: new Error('x') });
    expect(history.latest?.timestamp).toBe(4);
    expect(history.toInfo().exceptionHistory).toMatchObject({ truncated: true, entries: [{ timestamp: 4 }, { timestamp: 2 }] });
    for (let i = 0; i < 100; i++) history.addConcurrent({ at: 5, error: new Error('flood') });
    expect(history.latest?.concurrentExceptions).toHaveLength(16);
  });
});
