import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyByField, OperatorHarness } from '../../testing/operator-harness.js';
import type { Collector } from '../operator.js';
import { createCountWindowOperator } from './count-window.js';
import { type GlobalWindow, type ProcessWindowContext, ProcessWindowFunction } from './window.js';

interface Item {
  readonly key: string;
  readonly id: number;
}

class Ids extends ProcessWindowFunction<Item, string, string, GlobalWindow> {
  process(key: string, context: ProcessWindowContext<GlobalWindow>, elements: readonly Item[], out: Collector<string>): void {
    out.collect(`${key} ${elements.map(({ id }) => id).join()} ${context.window().maxTimestamp()}`);
  }
}

describe('count windows', () => {
  it('property: tumbling and sliding windows are the last `size` elements at every `slide`, across restores', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.oneof({ weight: 9, arbitrary: fc.constantFrom('a', 'b') }, { weight: 1, arbitrary: fc.constant(undefined) }), {
          maxLength: 40,
        }),
        async (size, slide, keys) => {
          const create = createCountWindowOperator({ size, slide, function: { type: 'process', process: new Ids() } });
          let harness = await OperatorHarness.open(create, { keySelectors: [keyByField('key')] });
          const seen: Record<string, number[]> = { a: [], b: [] };
          const expected: string[] = [];
          const results: unknown[] = [];
          let id = 0;
          for (const key of keys) {
            if (key === undefined) {
              results.push(...harness.values());
              harness = await OperatorHarness.open(create, { keySelectors: [keyByField('key')], restore: [harness.snapshot()] });
              continue;
            }
            const ids = seen[key] as number[];
            ids.push(++id);
            harness.processElement({ key, id }, id);
            if (ids.length % slide === 0) expected.push(`${key} ${ids.slice(-size).join()} Infinity`);
          }
          results.push(...harness.values());
          expect(results).toEqual(expected);
        },
      ),
      { numRuns: 100, seed: 3 },
    );
  });

  it('reduces and aggregates, with the timestamp of the last element', async () => {
    const reduce = { type: 'reduce' as const, reduce: (left: Item, right: Item): Item => ({ key: left.key, id: left.id + right.id }) };
    const harness = await OperatorHarness.open(createCountWindowOperator({ size: 2, function: reduce }), {
      keySelectors: [keyByField('key')],
    });
    for (let id = 1; id <= 5; id++) harness.processElement({ key: 'a', id }, id * 10);
    expect(harness.emitted).toEqual([
      { value: { key: 'a', id: 3 }, timestamp: 20 },
      { value: { key: 'a', id: 7 }, timestamp: 40 },
    ]);
    expect(() => createCountWindowOperator({ size: 0, function: reduce })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  });
});
