import { setImmediate as immediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HarnessSnapshot, OperatorHarness } from '../testing/operator-harness.js';
import { type AsyncMapOptions, createAsyncMapOperator } from './async-map.js';

/** Calls whose settling the test decides. */
class Calls {
  readonly open: { readonly value: number; resolve(result: string): void; reject(error: unknown): void }[] = [];
  readonly asked: number[] = [];

  readonly fn = (value: number): Promise<string> => {
    this.asked.push(value);
    return new Promise((resolve, reject) => this.open.push({ value, resolve, reject }));
  };

  /** Settles the call of a value that was made first. */
  answer(value: number, error?: Error): void {
    const at = this.open.findIndex((call) => call.value === value);
    const [call] = this.open.splice(at, 1);
    if (error === undefined) call?.resolve(`r${value}`);
    else call?.reject(error);
  }
}

function start(
  options: Partial<AsyncMapOptions<number, string>>,
  restore?: HarnessSnapshot[],
): Promise<{ calls: Calls; harness: OperatorHarness }> {
  const calls = new Calls();
  const create = createAsyncMapOperator({ fn: calls.fn, ordered: true, ...options });
  return OperatorHarness.open(create, restore === undefined ? {} : { restore }).then((harness) => ({ calls, harness }));
}

describe('mapAsync', () => {
  it('ordered: results wait for those before them', async () => {
    const { calls, harness } = await start({});
    for (const n of [1, 2, 3]) harness.processElement(n, n * 10);
    calls.answer(2);
    calls.answer(3);
    await harness.settle();
    expect(harness.emitted).toEqual([]);
    calls.answer(1);
    expect(harness.emitted).toEqual([]);
    await harness.settle();
    expect(harness.emitted).toEqual([
      { value: 'r1', timestamp: 10 },
      { value: 'r2', timestamp: 20 },
      { value: 'r3', timestamp: 30 },
    ]);
    expect(harness.finish()).toBe(true);
  });

  it('unordered: results come as they are ready, but never across a watermark', async () => {
    const { calls, harness } = await start({ ordered: false });
    harness.processElement(1, 1);
    harness.processElement(2, 2);
    harness.advanceEventTime(2);
    harness.processElement(3, 3);
    calls.answer(3);
    calls.answer(2);
    await harness.settle();
    expect(harness.log).toEqual([{ value: 'r2', timestamp: 2 }]);
    calls.answer(1);
    await harness.settle();
    expect(harness.log.slice(1)).toEqual([{ value: 'r1', timestamp: 1 }, { watermark: 2 }, { value: 'r3', timestamp: 3 }]);
    harness.advanceEventTime(9);
    expect(harness.log.at(-1)).toEqual({ watermark: 9 });
  });

  it('suspends its input while the queue is full', async () => {
    const { calls, harness } = await start({ capacity: 2 });
    harness.processElement(1);
    expect(harness.suspended).toBe(false);
    harness.processElement(2);
    expect(harness.suspended).toBe(true);
    calls.answer(2);
    await harness.settle();
    expect(harness.suspended).toBe(true);
    calls.answer(1);
    await harness.settle();
    expect(harness.suspended).toBe(false);
  });

  it('waits at the end of the input', async () => {
    const { calls, harness } = await start({});
    harness.processElement(1);
    harness.advanceEventTime(Number.POSITIVE_INFINITY);
    expect(harness.finish()).toBe(false);
    expect(harness.watermarks()).toEqual([]);
    calls.answer(1);
    await harness.settle();
    expect(harness.watermarks()).toEqual([Number.POSITIVE_INFINITY]);
    expect(harness.finish()).toBe(true);
  });

  it('asks again after a restore, in order and within its capacity', async () => {
    const before = await start({ capacity: 4 });
    for (const n of [1, 2, 3, 4]) before.harness.processElement(n, n);
    before.calls.answer(2);
    before.calls.answer(1);
    await before.harness.settle();
    const after = await start({ capacity: 1 }, [before.harness.snapshot()]);
    expect(after.calls.asked).toEqual([3]);
    expect(after.harness.suspended).toBe(true);
    after.calls.answer(3);
    await after.harness.settle();
    expect(after.calls.asked).toEqual([3, 4]);
    after.calls.answer(4);
    await after.harness.settle();
    expect(after.harness.suspended).toBe(false);
    expect(after.harness.emitted).toEqual([
      { value: 'r3', timestamp: 3 },
      { value: 'r4', timestamp: 4 },
    ]);
    expect((await start({}, [after.harness.snapshot()])).calls.asked).toEqual([]);
  });

  it('fails the task with the error of a call, thrown ones too', async () => {
    const { calls, harness } = await start({});
    harness.processElement(1);
    calls.answer(1, new Error('no route'));
    await harness.settle();
    expect(harness.failure).toEqual(new Error('no route'));
    const throwing = await start({
      fn: () => {
        throw new Error('at once');
      },
    });
    throwing.harness.processElement(1);
    await throwing.harness.settle();
    expect(throwing.harness.failure).toEqual(new Error('at once'));
  });

  it('skips what failed, or puts it into a side output', async () => {
    for (const onError of [{ type: 'skip' as const }, { type: 'sideOutput' as const, tag: 'errors' }]) {
      const { calls, harness } = await start({ onError });
      harness.processElement(1, 1);
      harness.processElement(2, 2);
      calls.answer(1, new Error('no'));
      calls.answer(2);
      await harness.settle();
      expect(harness.values()).toEqual(['r2']);
      expect(harness.side('errors')).toEqual(onError.type === 'skip' ? [] : [{ value: { value: 1, error: 'no' }, timestamp: 1 }]);
      expect(harness.counters.numRecordsInErrors).toBe(1);
      expect(harness.failure).toBeUndefined();
    }
  });

  it('repeats failed calls with growing pauses, as often as it may', async () => {
    const { calls, harness } = await start({ retry: { attempts: 3, delayMs: 100, backoff: 2 } });
    harness.processElement(1);
    for (const [failedAt, pause] of [
      [0, 100],
      [100, 200],
    ] as const) {
      expect(harness.clock.now()).toBe(failedAt);
      calls.answer(1, new Error('busy'));
      await harness.settle();
      harness.clock.advanceBy(pause - 1);
      expect(calls.open).toHaveLength(0);
      harness.clock.advanceBy(1);
      expect(calls.open).toHaveLength(1);
    }
    calls.answer(1, new Error('still busy'));
    await harness.settle();
    expect(harness.failure).toEqual(new Error('still busy'));
    expect(calls.asked).toHaveLength(3);
  });

  it('does not repeat errors that are not worth it', async () => {
    const { calls, harness } = await start({
      retry: { attempts: 3, delayMs: 1, retryIf: (error) => (error as Error).message !== 'fatal' },
    });
    harness.processElement(1);
    calls.answer(1, new Error('fatal'));
    await harness.settle();
    expect(harness.failure).toEqual(new Error('fatal'));
  });

  it('times out each element on its own, over all its calls; late answers are ignored', async () => {
    const { calls, harness } = await start({ timeoutMs: 100, onError: { type: 'skip' }, retry: { attempts: 9, delayMs: 30 } });
    harness.processElement(1);
    harness.clock.advanceTo(60);
    harness.processElement(2);
    calls.answer(1, new Error('busy'));
    await harness.settle();
    harness.clock.advanceTo(99);
    await harness.settle();
    expect(harness.counters.numRecordsInErrors).toBe(0);
    harness.clock.advanceTo(100);
    await harness.settle();
    expect(harness.counters.numRecordsInErrors).toBe(1);
    calls.answer(1);
    calls.answer(2);
    await harness.settle();
    expect(harness.values()).toEqual(['r2']);
    harness.clock.advanceTo(1000);
    await harness.settle();
    expect(harness.counters.numRecordsInErrors).toBe(1);
    const failing = await start({ timeoutMs: 100 });
    failing.harness.processElement(1);
    failing.harness.clock.advanceTo(100);
    expect(failing.harness.failure).toMatchObject({ code: 'ASYNC_TIMEOUT', message: expect.stringContaining('100 ms') });
  });

  it('has one timer, whatever waits for a call', async () => {
    const { harness } = await start({ capacity: 2, timeoutMs: 100, onError: { type: 'skip' } });
    harness.processElement(1);
    harness.clock.advanceTo(50);
    for (const n of [2, 3]) harness.processElement(n);
    // The first has no result, so the third is asked.
    harness.clock.advanceTo(100);
    await harness.close();
    expect(harness.clock.nextTime).toBe(Number.POSITIVE_INFINITY);
  });

  it('does not keep an element that has its result until its time would be over', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const create = createAsyncMapOperator({ fn: async () => 'done', ordered: true, timeoutMs: 60_000 });
    const harness = await OperatorHarness.open(create);
    const process = (): WeakRef<object> => {
      const value = { id: 1 };
      harness.processElement(value);
      return new WeakRef(value);
    };
    const reference = process();
    await harness.settle();
    expect(harness.values()).toEqual(['done']);
    // What a WeakRef was made for lives until the end of its turn.
    await immediate();
    collectGarbage();
    expect(reference.deref()).toBeUndefined();
  });

  it('becomes idle after its results, active at once', async () => {
    const { calls, harness } = await start({});
    harness.processElement(1, 1);
    harness.setIdle(true);
    expect(harness.log).toEqual([]);
    calls.answer(1);
    await harness.settle();
    expect(harness.log).toEqual([{ value: 'r1', timestamp: 1 }, { idle: true }]);
    harness.setIdle(false);
    expect(harness.log.at(-1)).toEqual({ idle: false });
  });

  it('closing cancels what is scheduled', async () => {
    const { calls, harness } = await start({ timeoutMs: 100, retry: { attempts: 2, delayMs: 10 } });
    harness.processElement(1);
    calls.answer(1, new Error('busy'));
    await harness.settle();
    await harness.close();
    expect(harness.clock.nextTime).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([{ capacity: 0 }, { timeoutMs: 0 }, { retry: { attempts: 0, delayMs: 1 } }, { retry: { attempts: 1, delayMs: 1, backoff: 0 } }])(
    'refuses impossible options (%o)',
    (options) => {
      expect(() => createAsyncMapOperator({ fn: async (value: number) => value, ordered: true, ...options })).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTION' }),
      );
    },
  );

  it('property: every element once, in order where it must be, whatever settles when, across restores', async () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.constant({ type: 'element' as const }) },
      { weight: 6, arbitrary: fc.record({ type: fc.constant('settle' as const), at: fc.nat(20), fails: fc.boolean() }) },
      { weight: 2, arbitrary: fc.constant({ type: 'watermark' as const }) },
      { weight: 1, arbitrary: fc.constant({ type: 'restore' as const }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(step, { maxLength: 40, size: 'max' }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
        async (ordered, steps, exhaustions) => {
          let asked = 0;
          const exhausted = (): boolean => exhaustions[asked++ % exhaustions.length] as boolean;
          const calls = new Calls();
          const create = createAsyncMapOperator({ fn: calls.fn, ordered, capacity: 3, retry: { attempts: 1000, delayMs: 0 } });
          let harness = await OperatorHarness.open(create, { exhausted });
          let log: OperatorHarness['log'] = [];
          // Elements and watermarks as they went in; a restore forgets watermarks that had not come out.
          let input: (number | { watermark: number })[] = [];
          let next = 0;
          const settle = async (): Promise<void> => {
            await harness.settle();
            harness.clock.advanceBy(1);
            await harness.settle();
          };
          for (const each of steps) {
            if (each.type === 'element' && !harness.suspended) {
              input.push(next);
              harness.processElement(next, next++);
            } else if (each.type === 'watermark') {
              input.push({ watermark: next });
              harness.advanceEventTime(next);
            } else if (each.type === 'settle' && calls.open.length > 0) {
              const call = calls.open[each.at % calls.open.length] as { value: number };
              calls.answer(call.value, each.fails ? new Error('again') : undefined);
              await settle();
            } else if (each.type === 'restore') {
              const snapshot = harness.snapshot();
              await harness.close();
              calls.open.length = 0;
              log = log.concat(harness.log);
              const done = new Set(
                log.map((entry) => ('value' in entry ? entry.timestamp : 'watermark' in entry ? `w${entry.watermark}` : '')),
              );
              input = input.filter((entry) => typeof entry === 'number' || done.has(`w${entry.watermark}`));
              harness = await OperatorHarness.open(create, { exhausted, restore: [snapshot] });
            }
          }
          for (let turns = 0; !harness.finish() && turns < 500; turns++) {
            for (const { value } of calls.open.slice()) calls.answer(value);
            await settle();
          }
          log = log.concat(harness.log);
          const values = log.flatMap((entry) => ('value' in entry ? [entry.timestamp] : []));
          const elements = input.filter((entry) => typeof entry === 'number');
          expect(ordered ? values : values.toSorted((a, b) => a - b)).toEqual(elements);
          // No element moves over a watermark that came out.
          for (const [at, entry] of log.entries()) {
            if (!('watermark' in entry)) continue;
            const before = log.slice(0, at).flatMap((other) => ('value' in other ? [other.timestamp] : []));
            for (const timestamp of values) expect(before.includes(timestamp)).toBe(timestamp < entry.watermark);
          }
        },
      ),
      { numRuns: 150, seed: 9 },
    );
  });
});
