/** What `onError` must not swallow, and when results go on. Whatever else it takes back: operators/on-error.test, state/heap/heap-model.test. */
import { describe, expect, it } from 'vitest';
import { ClassRegistry } from '../codec/class-registry.js';
import type { Collector, Operator } from '../operators/operator.js';
import {
  createKeyedProcessOperator,
  createProcessOperator,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type ProcessContext,
  ProcessFunction,
} from '../operators/process.js';
import type { RuntimeContext } from '../operators/runtime-context.js';
import { ValueStateDescriptor } from '../state/descriptors.js';
import type { ValueState } from '../state/state.js';
import { keyByField, OperatorHarness } from '../testing/operator-harness.js';
import { ChainFailure } from './chain.js';
import { RecordRecovery } from './record-recovery.js';

const SKIP = { onError: { type: 'skip' } } as const;

class Money {
  #cents: number;

  constructor(cents: number) {
    this.#cents = cents;
  }

  get cents(): number {
    return this.#cents;
  }

  add(cents: number): void {
    this.#cents += cents;
  }
}

interface Payment {
  readonly key: string;
  readonly cents: number;
}

/** Adds to money in state, in place; throws for odd amounts, after it has. */
class AddUp extends KeyedProcessFunction<string, Payment, number> {
  private readonly caught: unknown[];
  private money!: ValueState<{ money: Money }>;

  constructor(caught: unknown[]) {
    super();
    this.caught = caught;
  }

  override open(context: RuntimeContext): void {
    this.money = context.getState(new ValueStateDescriptor('money'));
  }

  processElement({ cents }: Payment, _ctx: KeyedProcessContext<string>, out: Collector<number>): void {
    let state: { money: Money } | undefined;
    try {
      state = this.money.value();
    } catch (error) {
      this.caught.push(error);
    }
    const { money } = state ?? { money: new Money(0) };
    money.add(cents);
    this.money.update({ money });
    out.collect(money.cents);
    if (cents % 2 === 1) throw new Error('odd');
  }
}

const addUp = (caught: unknown[] = []) => createKeyedProcessOperator(() => new AddUp(caught));
const byKey = { keySelectors: [keyByField('key')], checked: false };

describe('a value in state that nobody knows how to copy', () => {
  it('of a registered class is copied by its codec', async () => {
    const classes = new ClassRegistry();
    classes.registerClass('Money', Money, { encode: (money) => money.cents, decode: (cents) => new Money(cents) });
    const harness = await OperatorHarness.open(addUp(), { ...byKey, ...SKIP, classes });
    for (const cents of [2, 4, 5, 6]) harness.processElement({ key: 'k', cents });
    expect(harness.values()).toEqual([2, 6, 12]);
    expect(harness.counters.numRecordsInErrors).toBe(1);
  });

  it('fails the job, though the record would be skipped, and though the function catches the error', async () => {
    const caught: unknown[] = [];
    for (const cents of [4, 5]) {
      const harness = await OperatorHarness.open(addUp(caught), { ...byKey, ...SKIP });
      harness.processElement({ key: 'k', cents: 2 });
      expect(() => harness.processElement({ key: 'k', cents })).toThrow(
        expect.objectContaining({
          constructor: ChainFailure,
          step: 0,
          cause: expect.objectContaining({ code: 'UNSUPPORTED_VALUE', message: expect.stringContaining('it is a Money') }),
        }),
      );
      expect(harness.values()).toEqual([2]);
    }
    expect(caught.length).toBe(2);
  });

  it('is no matter without onError', async () => {
    const harness = await OperatorHarness.open(addUp(), byKey);
    for (const cents of [2, 4]) harness.processElement({ key: 'k', cents });
    expect(harness.values()).toEqual([2, 6]);
  });
});

describe('results', () => {
  /** Says what goes on, and when. */
  function rig(process: (emit: (value: string) => void) => void, fails?: string) {
    const log: string[] = [];
    const recovery = new RecordRecovery(false);
    const output = recovery.output({
      collect(value) {
        if (value === fails) throw new ChainFailure(3, -1, new Error('downstream'));
        log.push(`got ${String(value)}`);
      },
    });
    const operator: Operator = {
      processElement: () =>
        process((value) => {
          log.push(`emit ${value}`);
          output.collect(value, 0);
        }),
    };
    return { log, output, guarded: recovery.guard(operator, 1) };
  }

  it('go on when the function has returned, in order; those of timers at once', () => {
    const { log, output, guarded } = rig((emit) => {
      emit('a');
      emit('b');
    });
    guarded.processElement?.(1, 0);
    output.collect('timer', 0);
    guarded.processElement?.(2, 0);
    const record = ['emit a', 'emit b', 'got a', 'got b'];
    expect(log).toEqual([...record, 'got timer', ...record]);
    expect(guarded.processElement2).toBeUndefined();
  });

  it('that fail an operator further down fail the job', () => {
    const { guarded } = rig((emit) => emit('x'), 'x');
    expect(() => guarded.processElement?.(1, 0)).toThrow(ChainFailure);
  });

  it('of an element that threw do not come with the next', () => {
    let throws = true;
    const { log, guarded } = rig((emit) => {
      emit('a');
      if (throws) throw new Error('thrown');
    });
    expect(() => guarded.processElement?.(1, 0)).toThrow('thrown');
    throws = false;
    guarded.processElement?.(2, 0);
    expect(log).toEqual(['emit a', 'emit a', 'got a']);
  });

  it('are frozen when they are emitted, in checked mode', async () => {
    class Changes extends ProcessFunction<number, { n: number }> {
      processElement(n: number, _ctx: ProcessContext, out: Collector<{ n: number }>): void {
        const result = { n };
        out.collect(result);
        result.n++;
      }
    }
    const harness = await OperatorHarness.open(createProcessOperator(new Changes()), { onError: { type: 'sideOutput', tag: 'failed' } });
    harness.processElement(1);
    expect(harness.values()).toEqual([]);
    expect(harness.side('failed')).toEqual([
      { value: { value: 1, error: expect.stringContaining('Cannot assign to read only property') }, timestamp: Number.NaN },
    ]);
  });
});
