/** Windows against a naive model: random elements, watermarks, lateness, restores at other parallelisms, interruptions. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyGroupOf } from '../../common/hash.js';
import { subtaskOfKeyGroup } from '../../state/key-group.js';
import { type HarnessSnapshot, keyByField, OperatorHarness } from '../../testing/operator-harness.js';
import type { Collector, Operator, OperatorContext } from '../operator.js';
import { OutputTag } from '../output-tag.js';
import {
  type AlignedWindows,
  EventTimeSessionWindows,
  SlidingEventTimeWindows,
  TumblingEventTimeWindows,
  type WindowAssigner,
} from './assigners.js';
import { EventTimeTrigger, type OnMergeContext, Trigger, type TriggerContext, type TriggerResult } from './triggers.js';
import { type ProcessWindowContext, ProcessWindowFunction, type TimeWindow } from './window.js';
import { createWindowOperator } from './window-operator.js';

const GROUPS = 8;
const late = new OutputTag<Element>('late');

interface Element {
  readonly key: string;
  readonly time: number;
  readonly id: number;
}

/** The default trigger, but not recognised as such: takes the path with triggers. */
class SameAsDefault extends Trigger<unknown, TimeWindow> {
  private readonly trigger = EventTimeTrigger.create();
  onElement(element: unknown, timestamp: number, window: TimeWindow, context: TriggerContext): TriggerResult {
    return this.trigger.onElement(element, timestamp, window, context);
  }
  onEventTime(time: number, window: TimeWindow): TriggerResult {
    return this.trigger.onEventTime(time, window);
  }
  onProcessingTime(): TriggerResult {
    return 'continue';
  }
  override canMerge(): boolean {
    return true;
  }
  override onMerge(window: TimeWindow, context: OnMergeContext): void {
    this.trigger.onMerge(window, context);
  }
  clear(window: TimeWindow, context: TriggerContext): void {
    this.trigger.clear(window, context);
  }
}

class Describe extends ProcessWindowFunction<readonly number[] | Element, string, string> {
  process(
    key: string,
    context: ProcessWindowContext<TimeWindow>,
    elements: readonly (readonly number[] | Element)[],
    out: Collector<string>,
  ): void {
    const ids = elements.flatMap((element) => ('id' in element ? [element.id] : element));
    out.collect(result(key, context.window().start, context.window().end, ids));
  }
}

function result(key: string, start: number, end: number, ids: readonly number[]): string {
  return `${key} [${start},${end}) ${[...ids].sort((a, b) => a - b).join()}`;
}

/** How the operator computes; all must give the same results. */
const functions = {
  process: { type: 'process' as const, process: () => new Describe() as ProcessWindowFunction<Element, string, string> },
  aggregate: {
    type: 'aggregate' as const,
    aggregate: {
      createAccumulator: (): number[] => [],
      add: (value: Element, ids: number[]): number[] => {
        ids.push(value.id);
        return ids;
      },
      getResult: (ids: number[]): number[] => ids,
      merge: (left: number[], right: number[]): number[] => left.concat(right),
    },
    process: () => new Describe() as ProcessWindowFunction<number[], string, string>,
  },
};

type Shape = { readonly size: number; readonly slide: number; readonly offset: number } | { readonly gap: number };

interface ModelWindow {
  readonly key: string;
  start: number;
  end: number;
  ids: number[];
}

/** Flink's semantics in the plainest way; a watermark for each key group. */
class Model {
  readonly results: string[] = [];
  readonly late: number[] = [];
  readonly watermarks: number[] = new Array(GROUPS).fill(Number.NEGATIVE_INFINITY);
  private windows: ModelWindow[] = [];
  private readonly shape: Shape;
  private readonly lateness: number;

  constructor(shape: Shape, lateness: number) {
    this.shape = shape;
    this.lateness = lateness;
  }

  private watermark(key: string): number {
    return this.watermarks[keyGroupOf(key, GROUPS)] as number;
  }

  add({ key, time, id }: Element): void {
    const watermark = this.watermark(key);
    let accepted = false;
    for (const { start, end } of this.assign(time)) {
      const touching = 'gap' in this.shape ? this.windows.filter((w) => w.key === key && w.start <= end && w.end >= start) : [];
      const merged = touching.reduce((a, w) => ({ start: Math.min(a.start, w.start), end: Math.max(a.end, w.end) }), { start, end });
      if (merged.end - 1 + this.lateness <= watermark) continue;
      accepted = true;
      let window = this.windows.find((w) => w.key === key && w.start === merged.start && w.end === merged.end);
      if (window === undefined) {
        window = { key, ...merged, ids: touching.flatMap((w) => w.ids) };
        this.windows = this.windows.filter((w) => !touching.includes(w));
        this.windows.push(window);
      }
      window.ids.push(id);
      if (window.end - 1 <= watermark) this.fire(window);
    }
    if (!accepted && time + this.lateness <= watermark) this.late.push(id);
  }

  private assign(time: number): { start: number; end: number }[] {
    const { shape } = this;
    if ('gap' in shape) return [{ start: time, end: time + shape.gap }];
    const windows = [];
    for (let start = -400; start <= 400; start++) {
      const aligned = (((start - shape.offset) % shape.slide) + shape.slide) % shape.slide === 0;
      if (aligned && start <= time && time < start + shape.size) windows.push({ start, end: start + shape.size });
    }
    return windows;
  }

  advance(groups: readonly number[], watermark: number): void {
    for (const group of groups) {
      const before = this.watermarks[group] as number;
      if (watermark <= before) continue;
      this.watermarks[group] = watermark;
      for (const window of this.windows.filter((w) => keyGroupOf(w.key, GROUPS) === group)) {
        if (window.end - 1 > before && window.end - 1 <= watermark) this.fire(window);
      }
    }
    this.windows = this.windows.filter((w) => w.end - 1 + this.lateness > this.watermark(w.key));
  }

  private fire({ key, start, end, ids }: ModelWindow): void {
    this.results.push(result(key, start, end, ids));
  }
}

function assignerOf(shape: Shape): WindowAssigner<unknown> {
  if ('gap' in shape) return EventTimeSessionWindows.withGap(shape.gap);
  const assigner: AlignedWindows =
    shape.size === shape.slide
      ? TumblingEventTimeWindows.of(shape.size, shape.offset)
      : SlidingEventTimeWindows.of(shape.size, shape.slide, shape.offset);
  return assigner;
}

const tumbling = fc
  .record({ size: fc.integer({ min: 1, max: 30 }), offset: fc.integer({ min: -15, max: 15 }) })
  .map(({ size, offset }) => ({ size, slide: size, offset: offset % size }));
const sliding = fc
  .record({ size: fc.integer({ min: 1, max: 40 }), slide: fc.integer({ min: 1, max: 20 }), offset: fc.integer({ min: -15, max: 15 }) })
  .map(({ size, slide, offset }) => ({ size, slide, offset: offset % slide }));
const session = fc.record({ gap: fc.integer({ min: 1, max: 20 }) });

const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      time: fc.oneof(fc.integer({ min: -60, max: 100 }), { weight: 3, arbitrary: fc.integer({ min: -12, max: 12 }) }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ subtask: fc.nat(2), advance: fc.integer({ min: 0, max: 25 }) }) },
  { weight: 1, arbitrary: fc.record({ parallelism: fc.integer({ min: 1, max: 3 }), behind: fc.nat(40) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

interface Run {
  readonly shape: Shape;
  readonly lateness: number;
  readonly steps: readonly Step[];
  readonly exhaustions: readonly boolean[];
}

function run(shape: fc.Arbitrary<Shape>): fc.Arbitrary<Run> {
  return fc.record({
    shape,
    lateness: fc.oneof(fc.constant(0), fc.nat(30)),
    steps: fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }),
    exhaustions: fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }),
  });
}

async function check({ shape, lateness, steps, exhaustions }: Run, create: (context: OperatorContext) => Operator): Promise<void> {
  const model = new Model(shape, lateness);
  let asked = 0;
  const options = {
    keySelectors: [keyByField('key')],
    maxParallelism: GROUPS,
    exhausted: () => exhaustions[asked++ % exhaustions.length] as boolean,
  };
  let restore: HarnessSnapshot[] | undefined;
  const openAll = (parallelism: number): Promise<OperatorHarness[]> =>
    Promise.all(
      Array.from({ length: parallelism }, (_, subtaskIndex) =>
        OperatorHarness.open(create, { ...options, parallelism, subtaskIndex, ...(restore === undefined ? {} : { restore }) }),
      ),
    );
  let subtasks = await openAll(1);
  let live = [-40];
  const results: string[] = [];
  const lateIds: number[] = [];
  const collect = (): void => {
    for (const subtask of subtasks) {
      results.push(...subtask.values<string>());
      lateIds.push(...subtask.side(late).map(({ value }) => value.id));
      for (const { value, timestamp } of subtask.emitted) expect(`${value}`).toContain(`,${timestamp + 1})`);
      subtask.emitted.length = 0;
      subtask.side(late).length = 0;
    }
    expect(results.sort()).toEqual(model.results.sort());
    expect(lateIds.sort()).toEqual(model.late.sort());
  };
  const ownerOf = (group: number): number => subtaskOfKeyGroup(GROUPS, subtasks.length, group);
  const advance = (subtask: number, watermark: number): void => {
    live[subtask] = watermark;
    subtasks[subtask]?.advanceEventTime(watermark);
    model.advance(
      Array.from({ length: GROUPS }, (_, group) => group).filter((group) => ownerOf(group) === subtask),
      watermark,
    );
  };
  let id = 0;
  for (const each of steps) {
    if ('key' in each) {
      const element = { ...each, id: id++ };
      subtasks[ownerOf(keyGroupOf(each.key, GROUPS))]?.processElement(element, each.time);
      model.add(element);
    } else if ('advance' in each) {
      const subtask = each.subtask % subtasks.length;
      advance(subtask, (live[subtask] as number) + each.advance);
    } else {
      restore = subtasks.map((subtask) => subtask.snapshot());
      const from = Math.min(...live) - each.behind;
      subtasks = await openAll(each.parallelism);
      live = new Array(each.parallelism).fill(from);
    }
    collect();
  }
  subtasks.forEach((_, subtask) => {
    advance(subtask, Number.POSITIVE_INFINITY);
  });
  collect();
  const states = subtasks.map((subtask) => subtask.snapshot().subtask.keyedChain.reduce((rows, { info }) => rows + info.rows, 0));
  expect(states.every((rows) => rows === 0)).toBe(true);
}

const PARAMETERS = { numRuns: 80, seed: 11 };

describe('windows, property', () => {
  const cases: [string, fc.Arbitrary<Shape>, boolean][] = [
    ['tumbling, fast path', tumbling, false],
    ['sliding, fast path', sliding, false],
    ['tumbling, with triggers', tumbling, true],
    ['sliding, with triggers', sliding, true],
    ['session', session, false],
  ];
  for (const [name, shape, withTrigger] of cases) {
    for (const kind of ['process', 'aggregate'] as const) {
      it(`${name}, ${kind}: as the naive model`, async () => {
        await fc.assert(
          fc.asyncProperty(run(shape), (each) => {
            const timing = {
              assigner: assignerOf(each.shape) as WindowAssigner<Element>,
              allowedLatenessMs: each.lateness,
              lateDataTag: late,
              ...(withTrigger ? { trigger: new SameAsDefault() } : {}),
            };
            const create =
              kind === 'process'
                ? createWindowOperator({ ...timing, function: functions.process })
                : createWindowOperator({ ...timing, function: functions.aggregate });
            return check(each, create);
          }),
          PARAMETERS,
        );
      });
    }
  }
});
