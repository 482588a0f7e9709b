/** The task: its invariants under random interruptions, against a run without any; idleness, barriers, timers, suspension, times, errors. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ControlElement } from '../network/element.js';
import type { Operator, OperatorContext } from '../operators/operator.js';
import { ChainFailure } from './chain.js';
import { FiringOperator, type FiringScript, type ScriptedChannel, TaskRig } from './task.test.support.js';

const watermark = (value: number): ControlElement => ({ type: 'watermark', watermark: value });
const barrier = (epoch: number): ControlElement => ({ type: 'barrier', epoch, completed: epoch - 1 });
const END: ControlElement = { type: 'end' };

type ScriptItem = { readonly records: number } | { readonly watermark: number } | { readonly idle: boolean } | { readonly barrier: true };

const arbitraryItem: fc.Arbitrary<ScriptItem> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ records: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 3, arbitrary: fc.record({ watermark: fc.integer({ min: 1, max: 100 }) }) },
  { weight: 1, arbitrary: fc.record({ idle: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant({ barrier: true as const }) },
);
const arbitraryScript = fc.record({ firings: fc.nat(5), finishings: fc.nat(4), resultMs: fc.constantFrom(0, 0.5, 3) });

/** Feeds the items; every channel sends the same barriers. */
function feed(channel: ScriptedChannel, items: readonly ScriptItem[], name: string): void {
  let epoch = 0;
  let record = 0;
  for (const item of items) {
    if ('records' in item) channel.records(...Array.from({ length: item.records }, () => `${name}${record++}`));
    else if ('watermark' in item) channel.control(watermark(item.watermark));
    else if ('idle' in item) channel.control({ type: 'idle', idle: item.idle });
    else channel.control(barrier(++epoch));
  }
  channel.control(END);
  // The producer has ended and goes on answering barriers.
  channel.control(barrier(++epoch));
}

/** Runs a script of one channel; `credits` are given to the outputs one after another. */
function runScript(items: readonly ScriptItem[], script: FiringScript, credits: readonly number[] | undefined): TaskRig {
  let depth = 0;
  const rig: TaskRig = new TaskRig({
    operators: [0, 1, 2].map((index) => (context: OperatorContext, { clock }: TaskRig): Operator => {
      const entered = (): void => {
        if (depth > 0) return;
        // Invariant 1: what the task starts, it starts with room in all outputs.
        expect(rig.outputs.some((output) => output.owes)).toBe(false);
      };
      const operator = new FiringOperator(`op${index}`, context, script, clock, entered);
      return nested(
        operator,
        () => depth++,
        () => depth--,
      );
    }),
  });
  rig.onBarrier = () => {
    // Invariant 2.
    expect(depth).toBe(0);
    expect(rig.operators.map(({ operator }) => (operator as FiringOperator).fired)).toEqual([0, 0, 0]);
    expect(rig.operators.map((operator) => operator.watermarkDone)).toEqual(rig.operators.map((operator) => operator.watermarkIn));
  };
  feed(rig.input, items, 'r');
  if (credits === undefined) {
    rig.settle();
    return rig;
  }
  for (const output of rig.outputs) output.credit = 1;
  let turn = 0;
  rig.settle(() => {
    turn++;
    rig.outputs.forEach((output, at) => {
      output.credit += credits[(turn + at) % credits.length] ?? 1;
    });
  });
  return rig;
}

/** Notes when an operator is in a call, so that records that reach it from another operator are told apart from those of the task. */
function nested(operator: FiringOperator, enter: () => void, leave: () => void): Operator {
  const inside =
    <A extends unknown[], R>(call: (...args: A) => R) =>
    (...args: A): R => {
      try {
        return call.apply(operator, args);
      } finally {
        leave();
      }
    };
  const { processElement, advanceEventTime, finish } = FiringOperator.prototype;
  const wrap = <A extends unknown[], R>(call: (...args: A) => R): ((...args: A) => R) => {
    const body = inside(call);
    return (...args) => {
      const { entered } = operator as unknown as { entered: (call: string) => void };
      entered(operator.name);
      enter();
      return body(...args);
    };
  };
  return Object.assign(operator, { processElement: wrap(processElement), advanceEventTime: wrap(advanceEventTime), finish: wrap(finish) });
}

describe('a task that is interrupted anywhere', () => {
  it('sends on each output what it sends without interruption', () => {
    const arbitraryCredits = fc
      .array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 8 })
      .filter((credits) => credits.some((credit) => credit > 0));
    fc.assert(
      fc.property(fc.array(arbitraryItem, { maxLength: 15 }), arbitraryScript, arbitraryCredits, (items, script, credits) => {
        const reference = runScript(items, script, undefined);
        const rig = runScript(items, script, credits);
        expect(rig.outputs.map(({ arrived }) => arrived)).toEqual(reference.outputs.map(({ arrived }) => arrived));
        expect(rig.barriers.map(({ epoch }) => epoch)).toEqual(reference.barriers.map(({ epoch }) => epoch));
        expect([rig.ends, rig.task.ended]).toEqual([1, true]);
      }),
      { numRuns: 400, seed: 1 },
    );
  });

  it('passes a watermark on after the results of its firings, through all operators', () => {
    const { outputs } = runScript([{ records: 2 }, { watermark: 5 }, { barrier: true }], { firings: 2, finishings: 1, resultMs: 3 }, [1]);
    expect(outputs[1]?.arrived).toEqual([
      'r0',
      'r1',
      'op0 fired at 5 #0',
      'op0 fired at 5 #1',
      'op1 fired at 5 #0',
      'op1 fired at 5 #1',
      'watermark 5',
      'barrier 1',
      'op0 fired at Infinity #0',
      'op0 fired at Infinity #1',
      'op1 fired at Infinity #0',
      'op1 fired at Infinity #1',
      'watermark Infinity',
      'op0 finished #0',
      'op1 finished #0',
      'end',
      'barrier 2',
    ]);
  });
});

/** An operator that only passes records on. */
function pass(context: OperatorContext): Operator {
  return { processElement: (value, timestamp) => context.output.collect(value, timestamp) };
}

describe('idleness', () => {
  it('follows the watermark before it, and activity goes ahead of the next one', () => {
    const rig = new TaskRig({ operators: [pass, pass] });
    // One channel: when it becomes idle the valve raises nothing more, so both come from one element of a second task's point of view.
    rig.input.control(watermark(7)).control({ type: 'idle', idle: true }).control({ type: 'idle', idle: false }).control(watermark(9));
    rig.settle();
    expect(rig.arrived).toEqual(['watermark 7', 'idle', 'active', 'watermark 9']);
  });

  it('does not swallow the watermark that the last active channel leaves behind', () => {
    const rig = new TaskRig({ inputs: 2, operators: [pass, pass] });
    const [first, second] = rig.inputs as [ScriptedChannel, ScriptedChannel];
    first.control(watermark(20));
    second.control(watermark(5));
    rig.settle();
    // All are idle now: the furthest watermark holds, and receivers ignore watermarks of idle channels.
    first.control({ type: 'idle', idle: true });
    second.control({ type: 'idle', idle: true });
    rig.settle();
    const arrived = rig.arrived.slice();
    expect(arrived.indexOf('watermark 20')).toBeGreaterThanOrEqual(0);
    expect(arrived.at(-1)).toBe('idle');
    expect(arrived.filter((element) => element === 'idle').length).toBe(1);
  });

  it('that ends before it was processed is not passed on', () => {
    const rig = new TaskRig({
      operators: [
        (context, { clock }) => new FiringOperator('op', context, { firings: 3, finishings: 0, resultMs: 3 }, clock, () => undefined),
      ],
    });
    rig.input.control(watermark(7)).control({ type: 'idle', idle: true }).control({ type: 'idle', idle: false });
    rig.settle();
    expect(rig.arrived.filter((element) => element === 'idle').length).toBe(rig.arrived.filter((element) => element === 'active').length);
  });
});

describe('barriers', () => {
  it('are answered once all channels have delivered them, after the records before and before those after, on all outputs', () => {
    const rig = new TaskRig({ inputs: 2, operators: [pass, pass] });
    const [first, second] = rig.inputs as [ScriptedChannel, ScriptedChannel];
    first.records('a').control(barrier(1)).records('c');
    rig.settle();
    expect(rig.arrived).toEqual(['a']);
    second.records('b').control(barrier(1)).records('d');
    rig.settle();
    for (const { arrived } of rig.outputs) expect(arrived).toEqual(['a', 'b', 'barrier 1', ...arrived.slice(3)]);
    expect(new Set(rig.arrived.slice(3))).toEqual(new Set(['c', 'd']));
    expect(rig.barriers).toEqual([{ epoch: 1, completed: 0, arrived: [2, 2] }]);
  });

  it('are answered by a task that has ended, and by one that was restored as finished', () => {
    const rig = new TaskRig({ operators: [pass], finished: true });
    rig.input.control(barrier(4));
    rig.settle();
    expect(rig.arrived).toEqual(['watermark Infinity', 'end', 'barrier 4']);
    expect(rig.task.ended).toBe(true);
    rig.input.control(barrier(5));
    rig.settle();
    expect(rig.barriers.map(({ epoch }) => epoch)).toEqual([4, 5]);
  });

  it('wait while the outputs are full, and are answered when there is room', () => {
    const rig = new TaskRig({ operators: [pass] });
    (rig.outputs[0] as { credit: number }).credit = 1;
    rig.input.records('a', 'b').control(barrier(1));
    expect(rig.task.run()).toBe('ran');
    expect(rig.task.run()).toBe('blocked');
    expect(rig.barriers).toEqual([]);
    (rig.outputs[0] as { credit: number }).credit = 10;
    rig.settle();
    expect(rig.arrived).toEqual(['a', 'b', 'barrier 1']);
  });
});

describe('processing time', () => {
  it('fires what is due in the order of the chain, resumes what was interrupted, and asks for a turn in time', () => {
    let left = 5;
    const due: Operator = {
      processElement: (value) => rig.operators[0]?.context().output.collect(value, 0),
      nextProcessingTime: () => (left > 0 ? 1_050 : Number.POSITIVE_INFINITY),
      advanceProcessingTime: (now, budget) => {
        expect(now).toBe(1_050);
        while (left > 0) {
          left--;
          rig.operators[0]?.context().output.collect(`timer ${left}`, 0);
          if (budget.exhausted()) return left === 0;
        }
        return true;
      },
    };
    const rig: TaskRig = new TaskRig({ operators: [() => due] });
    rig.settle();
    expect([rig.arrived, rig.task.nextTimer()]).toEqual([[], 1_050]);
    rig.clock.advanceTo(1_050);
    (rig.outputs[0] as { credit: number }).credit = 2;
    expect(rig.task.run()).toBe('ran');
    expect(rig.arrived).toEqual(['timer 4', 'timer 3']);
    (rig.outputs[0] as { credit: number }).credit = 100;
    // Records do not overtake the timers that were due.
    rig.input.records('r');
    rig.clock.advanceTo(1_060);
    rig.settle();
    expect(rig.arrived).toEqual(['timer 4', 'timer 3', 'timer 2', 'timer 1', 'timer 0', 'r']);
  });

  it('is over with the end of data: a timer that is left keeps nobody awake', () => {
    const rig = new TaskRig({
      operators: [(context) => ({ ...pass(context), nextProcessingTime: () => 0, advanceProcessingTime: () => true })],
    });
    expect(rig.task.nextTimer()).toBe(0);
    rig.input.control(END);
    rig.settle();
    expect(rig.task.nextTimer()).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('an operator that works behind', () => {
  it('suspends the input in the middle of a batch, and goes on with the next record', () => {
    let resume: () => void = () => undefined;
    const rig = new TaskRig({
      operators: [
        (context) => ({
          processElement: (value, timestamp) => {
            context.output.collect(value, timestamp);
            if (value !== 'b') return;
            context.suspend();
            resume = () => context.resume();
          },
        }),
      ],
    });
    rig.input.records('a', 'b', 'c').control(barrier(1));
    rig.settle();
    expect(rig.arrived).toEqual(['a', 'b']);
    expect(rig.task.run()).toBe('idle');
    resume();
    expect(rig.wakes).toBe(1);
    rig.settle();
    expect(rig.arrived).toEqual(['a', 'b', 'c', 'barrier 1']);
  });

  it('is drained after it asked, even if another asks while it is drained', () => {
    const drained: string[] = [];
    const contexts: OperatorContext[] = [];
    const operator =
      (name: string, also: () => void) =>
      (context: OperatorContext): Operator => {
        contexts.push(context);
        return {
          drain: () => {
            drained.push(name);
            if (drained.length < 4) also();
            return true;
          },
        };
      };
    const rig = new TaskRig({ operators: [operator('first', () => undefined), operator('second', () => contexts[0]?.wake())] });
    contexts[1]?.wake();
    rig.settle();
    // The second one's drain wakes the first, whose turn in this round is over.
    expect([drained, rig.wakes]).toEqual([['second'], 2]);
    rig.settle();
    expect(drained).toEqual(['second', 'first']);
  });

  it('keeps the task from ending until its work is done', () => {
    let pending = true;
    const rig = new TaskRig({ operators: [(context) => ({ ...pass(context), finish: () => !pending })] });
    rig.input.records('a').control(END);
    rig.settle();
    expect([rig.arrived, rig.ends]).toEqual([['a', 'watermark Infinity'], 0]);
    pending = false;
    rig.settle();
    expect([rig.arrived, rig.ends]).toEqual([['a', 'watermark Infinity', 'end'], 1]);
  });

  it('does not keep barriers waiting at the end of its input', () => {
    const rig = new TaskRig({ operators: [(context) => ({ ...pass(context), finish: () => false })] });
    rig.input.control(END);
    rig.settle();
    rig.input.offerControl(barrier(1));
    rig.settle();
    expect([rig.arrived, rig.ends]).toEqual([['watermark Infinity', 'barrier 1'], 0]);
  });

  it('gets nothing from others while its firings are interrupted', () => {
    let firing = false;
    const contexts: OperatorContext[] = [];
    const rig = new TaskRig({
      operators: [
        (context) => {
          contexts.push(context);
          return {
            ...pass(context),
            drain: () => {
              context.output.collect('drained', 0);
              return true;
            },
          };
        },
        (context) => ({
          processElement: (value) => {
            expect(firing).toBe(false);
            context.output.collect(value, 0);
          },
          advanceEventTime: () => {
            firing = !firing;
            context.output.collect('fired', 0);
            return !firing;
          },
        }),
      ],
    });
    rig.input.control(watermark(1));
    rig.task.run();
    expect(firing).toBe(true);
    contexts[0]?.wake();
    rig.settle();
    expect(rig.arrived).toEqual(['fired', 'fired', 'watermark 1', 'drained']);
  });
});

describe('times', () => {
  it('tell turns, waiting for room and waiting for input apart', () => {
    const rig: TaskRig = new TaskRig({
      operators: [
        (context) => ({
          processElement: (value, timestamp) => {
            rig.clock.advanceBy(4);
            context.output.collect(value, timestamp);
          },
        }),
      ],
    });
    const { times } = rig.task;
    const figures = (): number[] => [times.busyMs, times.backPressuredMs, times.idleMs];
    rig.settle();
    rig.clock.advanceBy(100);
    (rig.outputs[0] as { credit: number }).credit = 1;
    rig.input.records('a', 'b');
    rig.task.run();
    expect(figures()).toEqual([4, 0, 100]);
    rig.clock.advanceBy(30);
    expect(rig.task.run()).toBe('blocked');
    rig.clock.advanceBy(20);
    times.count();
    expect(figures()).toEqual([4, 50, 100]);
    (rig.outputs[0] as { credit: number }).credit = 10;
    rig.settle();
    expect(figures()).toEqual([8, 50, 100]);
    rig.clock.advanceBy(7);
    times.count();
    expect(figures()).toEqual([8, 50, 107]);
  });

  it('stop the clock of activity while input is not read: full outputs, suspension, alignment', () => {
    const contexts: OperatorContext[] = [];
    const rig = new TaskRig({
      inputs: 2,
      operators: [
        (context) => {
          contexts.push(context);
          return pass(context);
        },
      ],
    });
    const [first, second] = rig.inputs as [ScriptedChannel, ScriptedChannel];
    const output = rig.outputs[0] as { credit: number };
    const elapsed = (work: () => void): number => {
      const before = rig.activity.monotonic();
      work();
      rig.clock.advanceBy(10);
      return rig.activity.monotonic() - before;
    };
    expect(elapsed(() => rig.settle())).toBe(10);
    output.credit = 0;
    first.records('a');
    rig.task.run();
    expect(elapsed(() => rig.task.run())).toBe(0);
    output.credit = 100;
    expect(elapsed(() => rig.settle())).toBe(10);
    contexts[0]?.suspend();
    expect(elapsed(() => rig.settle())).toBe(0);
    contexts[0]?.resume();
    expect(elapsed(() => rig.settle())).toBe(10);
    first.control(barrier(1));
    expect(elapsed(() => rig.settle())).toBe(0);
    second.control(barrier(1));
    expect(elapsed(() => rig.settle())).toBe(10);
  });
});

describe('failures', () => {
  const failing: readonly [string, Operator][] = [
    ['a watermark', { advanceEventTime: () => fail() }],
    ['the end of the input', { finish: () => fail() }],
    ['a timer', { nextProcessingTime: () => 0, advanceProcessingTime: () => fail() }],
    ['idleness', { setIdle: () => fail() }],
  ];

  function fail(): never {
    throw new Error('broken');
  }

  it.each(failing)('at %s name the operator', (_, operator) => {
    const rig = new TaskRig({ operators: [pass, () => operator] });
    rig.input.control(watermark(1)).control({ type: 'idle', idle: true }).control(END);
    let failure: unknown;
    try {
      rig.settle();
    } catch (error) {
      failure = error;
    }
    expect(failure).toBeInstanceOf(ChainFailure);
    expect([(failure as ChainFailure).step, (failure as ChainFailure).offset]).toEqual([1, -1]);
    expect((failure as ChainFailure).cause).toMatchObject({ message: 'broken' });
  });

  it('in callbacks name the operator, too', () => {
    const contexts: OperatorContext[] = [];
    const rig = new TaskRig({
      operators: [
        pass,
        (context) => {
          contexts.push(context);
          return { drain: () => fail() };
        },
      ],
    });
    contexts[0]?.fail(new Error('from behind'));
    expect(rig.failures).toMatchObject([{ step: 1, offset: -1, cause: { message: 'from behind' } }]);
    contexts[0]?.wake();
    expect(() => rig.settle()).toThrow(expect.objectContaining({ step: 1 }));
  });

  it('of a record name the record', () => {
    const rig = new TaskRig({ operators: [pass, () => ({ processElement: (value) => (value === 'c' ? fail() : undefined) })] });
    rig.input.records('a', 'b', 'c');
    expect(() => rig.settle()).toThrow(expect.objectContaining({ step: 1, offset: 2 }));
  });
});
