import { beforeEach, describe, expect, it } from 'vitest';
import { MillstreamError } from '../../common/errors.js';
import { seededRandom } from '../../common/random.js';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { OperationRegistry } from './operation-registry.js';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const ID = 'a'.repeat(32);

let clock: VirtualClock;
let operations: OperationRegistry;

beforeEach(() => {
  clock = new VirtualClock(0);
  operations = new OperationRegistry({ clock, random: seededRandom(1), max: 3 });
});

describe('OperationRegistry', () => {
  it('runs an operation once per id', async () => {
    let runs = 0;
    const work = Promise.withResolvers<unknown>();
    const start = (): string =>
      operations.start('savepoint of job 1', ID, () => {
        runs++;
        return work.promise;
      });
    expect([start(), start()]).toEqual([ID, ID]);
    await settled();
    expect(operations.status('savepoint of job 1', ID)).toEqual({ status: { id: 'IN_PROGRESS' } });
    work.resolve({ location: '/s' });
    await settled();
    expect(start()).toBe(ID);
    expect(operations.status('savepoint of job 1', ID)).toEqual({ status: { id: 'COMPLETED' }, operation: { location: '/s' } });
    expect(runs).toBe(1);
  });

  it('refuses an id that belongs to another operation', async () => {
    operations.start('savepoint of job 1', ID, async () => ({}));
    expect(() => operations.start('savepoint of job 2', ID, async () => ({}))).toThrow(
      expect.objectContaining({ code: 'REQUEST_CONFLICT' }),
    );
    expect(() => operations.status('savepoint of job 2', ID)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  });

  it('tells how an operation failed, also one that throws at once', async () => {
    const failures: [() => Promise<unknown>, unknown][] = [
      [() => Promise.reject(new MillstreamError('DISK_FULL', 'no room')), { class: 'DISK_FULL', 'stack-trace': 'no room' }],
      [() => Promise.reject(new TypeError('odd')), { class: 'INTERNAL', 'stack-trace': 'odd' }],
      [
        () => {
          throw 'text';
        },
        { class: 'INTERNAL', 'stack-trace': 'text' },
      ],
    ];
    for (const [work, cause] of failures) {
      const id = operations.start('x', undefined, work);
      expect(id).toMatch(/^[0-9a-f]{32}$/);
      await settled();
      expect(operations.status('x', id)).toEqual({ status: { id: 'COMPLETED' }, operation: { 'failure-cause': cause } });
    }
  });

  it('forgets what has ended for five minutes', async () => {
    operations.start('x', ID, async () => ({}));
    await settled();
    clock.advanceBy(300_000);
    expect(operations.status('x', ID).status.id).toBe('COMPLETED');
    clock.advanceBy(1);
    expect(() => operations.status('x', ID)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
    expect(operations.has(ID)).toBe(false);
  });

  it('is bounded: ended ones make room, running ones do not', async () => {
    const never = new Promise<unknown>(() => undefined);
    const ended = operations.start('x', undefined, async () => ({}));
    await settled();
    const running = [1, 2].map(() => operations.start('x', undefined, () => never));
    running.push(operations.start('x', undefined, () => never));
    expect(operations.has(ended)).toBe(false);
    expect(() => operations.start('x', undefined, () => never)).toThrow(
      expect.objectContaining({ code: 'CLUSTER_UNAVAILABLE', retryable: true }),
    );
    expect(running.every((id) => operations.status('x', id).status.id === 'IN_PROGRESS')).toBe(true);
  });
});
