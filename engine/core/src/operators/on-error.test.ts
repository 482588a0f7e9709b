/**
 * `onError`: an operator some of whose elements throw does exactly what it does without these elements, whatever operator it is, wherever
 * its functions throw, with watermarks, firings, snapshots and restores in between.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Key } from '../common/key.js';
import { type EmittedRecord, keyByField, OperatorHarness } from '../testing/operator-harness.js';
import { createKeyedBroadcastProcessOperator } from './broadcast.js';
import { createCoFlatMapOperator, createKeyedCoProcessOperator } from './co-process.js';
import {
  counting,
  DescribeWindow,
  type Element,
  ids,
  late,
  mayThrow,
  Rules,
  StatefulCoProcess,
  StatefulProcess,
  side,
  Twice,
  throwAt,
} from './on-error.test.support.js';
import type { FailedRecord, Operator, OperatorContext } from './operator.js';
import { createKeyedProcessOperator } from './process.js';
import { createKeyedAggregateOperator, createKeyedReduceOperator } from './reduce.js';
import { EventTimeSessionWindows, GlobalWindows, SlidingEventTimeWindows, TumblingEventTimeWindows } from './window/assigners.js';
import { createCountWindowOperator } from './window/count-window.js';
import { CountTrigger, PurgingTrigger } from './window/triggers.js';
import type { Window } from './window/window.js';
import { createWindowOperator } from './window/window-operator.js';
import { createWindowJoinOperator } from './window-join.js';

const reduce = (left: Element, right: Element): Element => {
  (left as { id: number }).id += right.id;
  mayThrow();
  return left;
};
const process = { type: 'process', process: () => new DescribeWindow() } as const;
const aggregate = { type: 'aggregate', aggregate: ids, process: () => new DescribeWindow() } as const;
const lateness = { allowedLatenessMs: 15, lateDataTag: late };
const tumbling = TumblingEventTimeWindows.of(10);
const sliding = SlidingEventTimeWindows.of(20, 5);
const sessions = EventTimeSessionWindows.withGap(6);

const ONE = [keyByField('key')];
const TWO = [keyByField('key'), keyByField('key')];
const OPERATORS: readonly [string, (context: OperatorContext) => Operator, Parameters<typeof OperatorHarness.open>[1] & object][] = [
  ['a keyed process function', createKeyedProcessOperator(() => new StatefulProcess()), { keySelectors: ONE }],
  ['a keyed co-process function', createKeyedCoProcessOperator(() => new StatefulCoProcess()), { keySelectors: TWO }],
  ['a co-flatMap function', createCoFlatMapOperator(new Twice()), { keySelectors: [undefined, undefined] }],
  ['a keyed broadcast function', createKeyedBroadcastProcessOperator(() => new Rules()), { keySelectors: [keyByField('key'), undefined] }],
  ['reduce', createKeyedReduceOperator(reduce), { keySelectors: ONE }],
  ['aggregate', createKeyedAggregateOperator(ids), { keySelectors: ONE }],
  ['aggregate in columns', createKeyedAggregateOperator(counting), { keySelectors: ONE }],
  [
    'tumbling, reduce',
    createWindowOperator({ assigner: tumbling, function: { type: 'reduce', reduce }, ...lateness }),
    { keySelectors: ONE },
  ],
  ['tumbling, process', createWindowOperator({ assigner: tumbling, function: process, ...lateness }), { keySelectors: ONE }],
  ['sliding, aggregate', createWindowOperator({ assigner: sliding, function: aggregate, ...lateness }), { keySelectors: ONE }],
  [
    'sliding, aggregate with a schema',
    createWindowOperator({ assigner: sliding, function: { type: 'aggregate', aggregate: counting } }),
    { keySelectors: ONE },
  ],
  ['sessions, aggregate', createWindowOperator({ assigner: sessions, function: aggregate, ...lateness }), { keySelectors: ONE }],
  ['sessions, process', createWindowOperator({ assigner: sessions, function: process, ...lateness }), { keySelectors: ONE }],
  [
    'a global window with a purging trigger',
    createWindowOperator({ assigner: GlobalWindows.create(), trigger: PurgingTrigger.of(CountTrigger.of(3)), function: process }),
    { keySelectors: ONE },
  ],
  ['tumbling count windows', createCountWindowOperator({ size: 3, function: aggregate }), { keySelectors: ONE }],
  ['sliding count windows', createCountWindowOperator({ size: 4, slide: 2, function: process }), { keySelectors: ONE }],
  [
    'a window join',
    createWindowJoinOperator<Element, Element, string, Window>({
      assigner: tumbling,
      ...lateness,
      join(left, right) {
        mayThrow();
        return `${left.id}+${right.id}`;
      },
    }),
    { keySelectors: TWO },
  ],
  [
    'a session co-group',
    createWindowJoinOperator<Element, Element, string, Window>({
      assigner: sessions,
      ...lateness,
      coGroup(left, right, out) {
        out.collect('before');
        mayThrow();
        out.collect(`${left.map(({ id }) => id).join()} | ${right.map(({ id }) => id).join()}`);
      },
    }),
    { keySelectors: TWO },
  ],
];

/** `throwsAt`: the number of the chance to throw that is taken; 0: none. */
type Step =
  | { readonly type: 'element'; readonly input: 0 | 1; readonly key: Key; readonly time: number; readonly throwsAt: number }
  | { readonly type: 'watermark'; readonly advance: number }
  | { readonly type: 'restore' };

const arbitrarySteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        type: fc.constant('element' as const),
        input: fc.constantFrom(0 as const, 1 as const),
        key: fc.constantFrom<Key>(1, 2, 'text'),
        time: fc.nat(40),
        throwsAt: fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 4, 5, 7),
      }),
    },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('watermark' as const), advance: fc.integer({ min: 1, max: 12 }) }) },
    { weight: 1, arbitrary: fc.constant({ type: 'restore' as const }) },
  ),
  { minLength: 5, maxLength: 60, size: 'max' },
);

interface Outcome {
  /** What came out, by key or id where that can be told: the order between keys is not promised. */
  readonly outputs: readonly string[];
  readonly sides: readonly string[];
  readonly failed: ReadonlySet<number>;
  readonly dropped: number;
}

async function run(
  create: (context: OperatorContext) => Operator,
  options: Parameters<typeof OperatorHarness.open>[1] & object,
  steps: readonly Step[],
  left: ReadonlySet<number>,
): Promise<Outcome> {
  const settings = { ...options, onError: { type: 'sideOutput', tag: 'failed' } } as const;
  let harness = await OperatorHarness.open(create, settings);
  const outputs: string[] = [];
  const sides: string[] = [];
  const failed = new Set<number>();
  let dropped = 0;
  const harvest = (): void => {
    const text = (records: readonly EmittedRecord[]): string[] => records.map((record) => JSON.stringify(record)).sort();
    outputs.push(...text(harness.emitted.splice(0)));
    sides.push(...text(harness.side(side).splice(0)), ...text(harness.side(late).splice(0)));
    for (const { value } of harness.side<FailedRecord<Element>>('failed').splice(0)) {
      expect(value.error).toBe('thrown');
      failed.add(value.value.id);
    }
  };
  let watermark = 0;
  for (const [at, step] of steps.entries()) {
    if (step.type === 'element' && !left.has(at)) {
      throwAt(step.throwsAt);
      const element: Element = { key: step.key, id: at };
      if (step.input === 1 && options.keySelectors?.length === 2) harness.processElement2(element, step.time);
      else harness.processElement(element, step.time);
      throwAt(0);
    } else if (step.type === 'watermark') {
      watermark += step.advance;
      harness.advanceEventTime(watermark);
    } else if (step.type === 'restore') {
      const restore = [harness.snapshot()];
      dropped += harness.counters.numLateRecordsDropped;
      harvest();
      harness = await OperatorHarness.open(create, { ...settings, restore });
      harness.advanceEventTime(watermark);
    }
    harvest();
  }
  harness.advanceEventTime(Number.POSITIVE_INFINITY);
  harvest();
  return { outputs, sides, failed, dropped: dropped + harness.counters.numLateRecordsDropped };
}

describe('onError leaves nothing of an element that threw', () => {
  it.each(OPERATORS)('%s', async (_, create, options) => {
    let thrown = 0;
    await fc.assert(
      fc.asyncProperty(arbitrarySteps, async (steps) => {
        const { failed, ...withFailures } = await run(create, options, steps, new Set());
        thrown += failed.size;
        const harmless = steps.map((step) => (step.type === 'element' ? { ...step, throwsAt: 0 } : step));
        const { failed: none, ...expected } = await run(create, options, harmless, failed);
        expect(none.size).toBe(0);
        expect(withFailures).toEqual(expected);
      }),
      { seed: 7, numRuns: 120 },
    );
    expect(thrown).toBeGreaterThan(50);
  });
});
