import { describe, expect, it } from 'vitest';
import { schema } from '../codec/schema.js';
import { keyByField, OperatorHarness } from '../testing/operator-harness.js';
import { createKeyedAggregateOperator, createKeyedReduceOperator } from './reduce.js';

interface Sale {
  readonly shop: number;
  n: number;
}

const byShop = { keySelectors: [keyByField('shop')] };

/** May change and return the first, as here where the second is not larger. */
function largestWithSum(left: Sale, right: Sale): Sale {
  if (right.n > left.n) return right;
  left.n += right.n;
  return left;
}

describe('running reduce', () => {
  const reducers = {
    'that returns new objects': (left: Sale, right: Sale): Sale => ({ shop: left.shop, n: left.n + right.n }),
    'that changes the first': (left: Sale, right: Sale): Sale => {
      left.n += right.n;
      return left;
    },
  };
  for (const [name, reduce] of Object.entries(reducers)) {
    for (const fields of [undefined, schema({ shop: 'int32', n: 'float64' })]) {
      it(`${name}${fields === undefined ? '' : ', with declared fields'}: emits the result so far, and it stays as it was`, async () => {
        const create = createKeyedReduceOperator<Sale>(reduce, fields);
        const input = [1, 2, 4].map((n) => ({ shop: 1, n }));
        const harness = await OperatorHarness.open(create, byShop);
        harness.processElement(input[0], 5);
        harness.processElement({ shop: 2, n: 100 }, 6);
        harness.processElement(input[1], 7);
        const restored = await OperatorHarness.open(create, { ...byShop, restore: [harness.snapshot()] });
        restored.processElement(input[2], 8);
        restored.processElement({ shop: 2, n: 1 }, 9);
        expect([...harness.emitted, ...restored.emitted]).toEqual([
          { value: { shop: 1, n: 1 }, timestamp: 5 },
          { value: { shop: 2, n: 100 }, timestamp: 6 },
          { value: { shop: 1, n: 3 }, timestamp: 7 },
          { value: { shop: 1, n: 7 }, timestamp: 8 },
          { value: { shop: 2, n: 101 }, timestamp: 9 },
        ]);
        expect(input.map(({ n }) => n)).toEqual([1, 2, 4]);
      });
    }
  }

  it('does not change a record that has become the result so far', async () => {
    const harness = await OperatorHarness.open(createKeyedReduceOperator<Sale>(largestWithSum), byShop);
    const input = [1, 5, 2].map((n) => ({ shop: 1, n }));
    for (const sale of input) harness.processElement(sale);
    expect(harness.values<Sale>().map(({ n }) => n)).toEqual([1, 5, 7]);
    expect(input.map(({ n }) => n)).toEqual([1, 5, 2]);
  });

  it('works on plain numbers, and passes on the same object where nothing is changed in place', async () => {
    const numbers = await OperatorHarness.open(
      createKeyedReduceOperator<number>((left, right) => left + right),
      { keySelectors: [() => 'all'] },
    );
    for (const value of [1, 2, 3]) numbers.processElement(value);
    expect(numbers.values()).toEqual([1, 3, 6]);
    const largest = await OperatorHarness.open(
      createKeyedReduceOperator<Sale>((left, right) => (right.n > left.n ? right : left), undefined, { changesInPlace: false }),
      byShop,
    );
    const big = { shop: 1, n: 9 };
    for (const sale of [{ shop: 1, n: 1 }, big, { shop: 1, n: 2 }]) largest.processElement(sale);
    expect(largest.values()[2]).toBe(big);
  });

  it('refuses promises', async () => {
    const harness = await OperatorHarness.open(createKeyedReduceOperator<Sale>((() => Promise.resolve()) as never), byShop);
    harness.processElement({ shop: 1, n: 1 });
    expect(() => harness.processElement({ shop: 1, n: 1 })).toThrow(expect.objectContaining({ code: 'PROMISE_RETURNED' }));
  });
});

describe('running aggregate', () => {
  it('emits getResult for each element, never the accumulator itself', async () => {
    const create = createKeyedAggregateOperator({
      createAccumulator: () => ({ count: 0, sum: 0 }),
      add: (sale: Sale, total: { count: number; sum: number }) => {
        total.count++;
        total.sum += sale.n;
        return total;
      },
      getResult: (total) => total,
      accumulatorSchema: schema({ count: 'int32', sum: 'float64' }),
    });
    const harness = await OperatorHarness.open(create, byShop);
    for (const n of [1, 2]) harness.processElement({ shop: 1, n }, n);
    const restored = await OperatorHarness.open(create, { ...byShop, restore: [harness.snapshot()] });
    restored.processElement({ shop: 1, n: 4 }, 4);
    expect([...harness.values(), ...restored.values()]).toEqual([
      { count: 1, sum: 1 },
      { count: 2, sum: 3 },
      { count: 3, sum: 7 },
    ]);
  });
});
