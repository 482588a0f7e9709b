import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TimerTable } from '../backend.js';
import { HeapStateBackend } from './heap-state-backend.js';

function timers(): TimerTable {
  return new HeapStateBackend({ keyGroupRange: { start: 0, end: 7 }, maxParallelism: 8 }).timers('timers');
}

describe('TimerQueue', () => {
  it('hands out each timer once, in order of time', () => {
    const operation = fc.tuple(
      fc.constantFrom('register', 'register', 'delete', 'poll'),
      fc.integer({ min: 0, max: 20 }),
      fc.integer({ min: 0, max: 5 }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 300, size: 'max' }), (operations) => {
        const table = timers();
        const model = new Map<string, number>();
        for (const [name, time, key] of operations) {
          const id = `${time} ${key}`;
          if (name === 'register') expect(table.register(time, key)).toBe(!model.has(id));
          if (name === 'register') model.set(id, time);
          if (name === 'delete') expect(table.delete(time, key)).toBe(model.delete(id));
          if (name === 'poll') {
            const next = Math.min(...model.values());
            expect(table.nextTime()).toBe(next);
            const polled = table.poll(time);
            expect(polled !== undefined).toBe(next <= time);
            if (polled !== undefined) {
              expect(table.polledTime).toBe(next);
              expect(model.delete(`${next} ${String(polled)}`)).toBe(true);
            }
          }
          expect(table.size).toBe(model.size);
        }
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  it('forgets times whose timers were deleted, wherever they lie', () => {
    const table = timers();
    table.register(0, 'first');
    for (let time = 1; time <= 10_000; time++) table.register(time, 'session');
    for (let time = 1; time <= 10_000; time++) if (time % 10 !== 0) table.delete(time, 'session');
    const polled: number[] = [];
    while (table.poll(Number.POSITIVE_INFINITY) !== undefined) polled.push(table.polledTime);
    expect(polled).toEqual(Array.from({ length: 1001 }, (_, n) => n * 10));
    expect(table.nextTime()).toBe(Number.POSITIVE_INFINITY);
  });

  it('polls many keys of one time in linear time', () => {
    const table = timers();
    for (let key = 0; key < 200_000; key++) table.register(1000, key);
    let sum = 0;
    for (let key = table.poll(1000); key !== undefined; key = table.poll(1000)) sum += key as number;
    expect(sum).toBe((200_000 * 199_999) / 2);
  });

  it('takes a time again in the middle of its own firing', () => {
    const table = timers();
    for (const key of ['a', 'b', 'c']) table.register(5, key);
    expect(table.poll(5)).toBe('a');
    expect(table.register(5, 'a')).toBe(true);
    expect(table.delete(5, 'b')).toBe(true);
    expect([table.poll(5), table.poll(5), table.poll(5)]).toEqual(['c', 'a', undefined]);
  });
});
