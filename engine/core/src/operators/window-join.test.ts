import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyByField, OperatorHarness } from '../testing/operator-harness.js';
import { EventTimeSessionWindows, SlidingEventTimeWindows, TumblingEventTimeWindows } from './window/assigners.js';
import type { TimeWindow } from './window/window.js';
import { createWindowJoinOperator } from './window-join.js';

interface Item {
  readonly key: string;
  readonly id: number;
}

const keySelectors = [keyByField('key'), keyByField('key')];
const pair = (left: Item, right: Item): string => `${left.key}${left.id}-${right.id}`;

describe('window join', () => {
  it('property: every pair of a window once, however often emission stops', async () => {
    const element = fc.record({ side: fc.nat(1), key: fc.constantFrom('a', 'b', 'c'), time: fc.nat(40) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(element, { maxLength: 40, size: 'max' }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        async (elements, exhaustions, sliding) => {
          let asked = 0;
          const exhausted = (): boolean => exhaustions[asked++ % exhaustions.length] as boolean;
          const slide = sliding ? 5 : 10;
          const assigner = sliding ? SlidingEventTimeWindows.of(10, slide) : TumblingEventTimeWindows.of(10);
          const create = createWindowJoinOperator({ assigner, join: pair });
          let harness = await OperatorHarness.open(create, { keySelectors, exhausted });
          elements.forEach(({ side, key, time }, id) => {
            if (side === 0) harness.processElement({ key, id }, time);
            else harness.processElement2({ key, id }, time);
          });
          harness = await OperatorHarness.open(create, { keySelectors, exhausted, restore: [harness.snapshot()] });
          harness.advanceEventTime(Number.POSITIVE_INFINITY);
          const expected: string[] = [];
          for (let start = -10; start <= 40; start += slide) {
            const inside = elements.map((each, id) => ({ ...each, id })).filter(({ time }) => time >= start && time < start + 10);
            for (const left of inside.filter(({ side }) => side === 0)) {
              for (const right of inside.filter(({ side, key }) => side === 1 && key === left.key))
                expected.push(`${pair(left, right)} ${start + 9}`);
            }
          }
          expect(harness.emitted.map(({ value, timestamp }) => `${value} ${timestamp}`).sort()).toEqual(expected.sort());
        },
      ),
      { numRuns: 150, seed: 5 },
    );
  });

  it('joins sessions, resumably', async () => {
    const create = createWindowJoinOperator({ assigner: EventTimeSessionWindows.withGap(10), join: pair });
    const harness = await OperatorHarness.open(create, { keySelectors, exhausted: () => true });
    harness.processElement({ key: 'a', id: 1 }, 0);
    harness.processElement2({ key: 'a', id: 2 }, 8);
    harness.processElement2({ key: 'a', id: 3 }, 18);
    harness.processElement({ key: 'a', id: 4 }, 40);
    harness.advanceEventTime(100);
    expect(harness.emitted).toEqual([
      { value: 'a1-2', timestamp: 27 },
      { value: 'a1-3', timestamp: 27 },
    ]);
  });

  it('coGroup gets both sides, also where one is empty; late elements join again', async () => {
    const create = createWindowJoinOperator<Item, Item, string, TimeWindow>({
      assigner: TumblingEventTimeWindows.of(10),
      allowedLatenessMs: 100,
      coGroup: (left, right, out) => out.collect(`${left.map(({ id }) => id).join()}|${right.map(({ id }) => id).join()}`),
    });
    const harness = await OperatorHarness.open(create, { keySelectors });
    harness.processElement({ key: 'a', id: 1 }, 0);
    harness.processElement({ key: 'b', id: 2 }, 0);
    harness.processElement2({ key: 'b', id: 3 }, 1);
    harness.processElement2({ key: 'c', id: 4 }, 1);
    harness.advanceEventTime(9);
    harness.processElement({ key: 'c', id: 5 }, 1);
    expect(harness.values()).toEqual(['1|', '2|3', '|4', '5|4']);
  });

  it('refuses promises', async () => {
    const create = createWindowJoinOperator({
      assigner: TumblingEventTimeWindows.of(10),
      join: async (left: Item, right: Item) => pair(left, right),
    });
    const harness = await OperatorHarness.open(create, { keySelectors });
    harness.processElement({ key: 'a', id: 1 }, 0);
    harness.processElement2({ key: 'a', id: 2 }, 0);
    expect(() => harness.advanceEventTime(9)).toThrow(expect.objectContaining({ code: 'PROMISE_RETURNED' }));
  });
});
