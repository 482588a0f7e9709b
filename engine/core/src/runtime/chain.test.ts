/** The generated chain and its interpreted twin: the same on random chains, inputs, stops and failures, and both as a plain model says. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Collector, Operator } from '../operators/operator.js';
import {
  ChainFailure,
  type ChainSpec,
  type ChainStep,
  type CompiledChain,
  type Consumers,
  PromiseReturned,
  type SplitTime,
} from './chain.js';
import { isBeyondOnError } from './chain-failure.js';
import { generateChain } from './chain-generator.js';
import { interpretChain } from './chain-interpreter.js';

type Kind = 'map' | 'filter' | 'flatMap' | 'operator' | 'write';
type Policy = 'none' | 'skip' | 'side';

/** One step of a random chain; what it does depends on the value only. */
interface StepDraft {
  readonly kind: Kind;
  /** Which earlier step feeds it, modulo their number. */
  readonly parent: number;
  readonly fromSide: boolean;
  readonly policy: Policy;
  /** Values divisible by this throw; 0: none. */
  readonly throwsAt: number;
  /** Values divisible by this return a promise; 0: none. */
  readonly promiseAt: number;
  readonly edges: number;
  readonly sideEdge: boolean;
}

interface ChainDraft {
  readonly source: boolean;
  readonly assign: boolean;
  readonly onEvent: boolean;
  readonly checked: boolean;
  readonly headEdges: number;
  readonly headKind: Kind;
  readonly steps: readonly StepDraft[];
  /** The edges say stop after these numbers of records. */
  readonly stops: readonly number[];
  /** Edges refuse this value; 0: none. */
  readonly edgeThrowsAt: number;
}

type Compile = (spec: ChainSpec) => CompiledChain;

function divisible(value: unknown, by: number): boolean {
  return by > 0 && (value as number) % by === 0;
}

/** Everything that can be seen of a run. */
interface Trace {
  readonly log: string[];
  readonly recordsIn: number[];
  maxTimestamp: number;
}

class Rig {
  readonly trace: Trace = { log: [], recordsIn: [], maxTimestamp: Number.NEGATIVE_INFINITY };
  readonly control = { stop: false };
  readonly chain: CompiledChain;
  private readonly draft: ChainDraft;
  private readonly recordsIn: Float64Array;
  private readonly operators: (Operator | undefined)[] = [];
  private appended = 0;

  constructor(draft: ChainDraft, compile: Compile) {
    this.draft = draft;
    this.recordsIn = new Float64Array(draft.steps.length + 1);
    const children = this.links();
    const steps = [this.head(children), ...draft.steps.map((step, at) => this.step(step, at + 1, children))];
    this.chain = compile({
      name: 'test',
      steps,
      control: this.control,
      recordsIn: this.recordsIn,
      checkEmitted: draft.checked ? (value) => void this.trace.log.push(`check ${String(value)}`) : undefined,
    });
    steps.forEach((step, at) => {
      this.operators[at] = step.type === 'operator' ? this.operator(at) : undefined;
    });
    this.chain.bind();
  }

  /** Children of each step by side, in order. */
  private links(): Map<string, number[]> {
    const children = new Map<string, number[]>();
    this.draft.steps.forEach((step, at) => {
      let parent = step.parent % (at + 1);
      // Sinks have no consumers.
      while (parent > 0 && this.draft.steps[parent - 1]?.kind === 'write') parent--;
      const key = `${parent}${step.fromSide ? ':side' : ''}`;
      children.set(key, [...(children.get(key) ?? []), at + 1]);
    });
    return children;
  }

  private consumers(key: string, children: Map<string, number[]>, edges: number): Consumers {
    return {
      operators: children.get(key) ?? [],
      edges: Array.from({ length: edges }, (_, at) => ({
        append: (value: unknown, timestamp: number) => this.append(`${key}/${at}`, value, timestamp),
      })),
    };
  }

  private append(edge: string, value: unknown, timestamp: number): void {
    if (divisible(value, this.draft.edgeThrowsAt)) throw new Error(`edge ${edge}`);
    this.trace.log.push(`${edge} ${String(value)} @${timestamp}`);
    if (this.draft.stops.includes(++this.appended)) this.control.stop = true;
  }

  private base(
    index: number,
    children: Map<string, number[]>,
    edges: number,
    sideEdge: boolean,
  ): Pick<ChainStep, 'label' | 'main' | 'sides'> {
    const sides = new Map<string, Consumers>();
    if (sideEdge || children.has(`${index}:side`)) sides.set('side', this.consumers(`${index}:side`, children, sideEdge ? 1 : 0));
    return { label: `step ${index}`, main: this.consumers(`${index}`, children, edges), sides };
  }

  private head(children: Map<string, number[]>): ChainStep {
    const { draft } = this;
    const base = this.base(0, children, draft.headEdges, true);
    if (!draft.source) return this.functionStep(base, draft.headKind === 'write' ? 'map' : draft.headKind, 0, undefined, HARMLESS);
    const assign = draft.assign ? (value: unknown) => (value as number) * 10 : undefined;
    return { ...base, type: 'source', assign, eventTime: draft.assign };
  }

  private step(step: StepDraft, index: number, children: Map<string, number[]>): ChainStep {
    const base = this.base(index, children, step.edges, step.sideEdge);
    if (step.kind === 'write') {
      const write = (value: unknown, timestamp: number): void => {
        if (divisible(value, step.throwsAt)) throw new Error(`write ${String(value)}`);
        this.trace.log.push(`sink ${index} ${String(value)} @${timestamp}`);
      };
      return { ...base, type: 'write', write: () => ({ write }) };
    }
    return this.functionStep(base, step.kind, index, this.handler(step.policy, index), step);
  }

  private handler(policy: Policy, index: number): ((error: unknown, value: unknown, timestamp: number) => void) | undefined {
    if (policy === 'none') return undefined;
    return (error, value, timestamp) => {
      if (isBeyondOnError(error)) throw error;
      this.trace.log.push(`handled ${index} ${String(value)}`);
      if (policy === 'side') this.chain.side(index, 'side').collect(value, timestamp);
    };
  }

  private functionStep(
    base: Pick<ChainStep, 'label' | 'main' | 'sides'>,
    kind: Exclude<Kind, 'write'>,
    index: number,
    onError: ReturnType<Rig['handler']>,
    step: Pick<StepDraft, 'throwsAt' | 'promiseAt'>,
  ): ChainStep {
    const guard = (value: unknown): void => {
      if (divisible(value, step.throwsAt)) throw new Error(`step ${index} ${String(value)}`);
    };
    const promised = (value: unknown): boolean => divisible(value, step.promiseAt);
    switch (kind) {
      case 'map': {
        const fn = (value: unknown): unknown => {
          guard(value);
          return promised(value) ? Promise.resolve(value) : (value as number) + 1;
        };
        return { ...base, type: 'map', onError, fn };
      }
      case 'filter': {
        const fn = (value: unknown): boolean => {
          guard(value);
          return promised(value) ? (Promise.resolve(true) as unknown as boolean) : (value as number) % 3 !== 0;
        };
        return { ...base, type: 'filter', onError, fn };
      }
      case 'flatMap': {
        const fn = (value: unknown, out: Collector<unknown>): unknown => {
          for (let i = 0; i < (value as number) % 3; i++) out.collect((value as number) + i);
          guard(value);
          return promised(value) ? Promise.resolve() : undefined;
        };
        return { ...base, type: 'flatMap', onError, fn: fn as (value: unknown, out: Collector<unknown>) => void };
      }
      case 'operator':
        return { ...base, type: 'operator', onError, operator: () => this.operators[index] as Operator };
    }
  }

  /** Emits to its main and side output, with another timestamp; takes a second input if it is the head. */
  private operator(index: number): Operator {
    const main = this.chain.output(index);
    const side = this.chain.side(index, 'side');
    const step = index === 0 ? HARMLESS : (this.draft.steps[index - 1] as StepDraft);
    const process = (value: unknown, timestamp: number): void => {
      main.collect((value as number) + 2, timestamp + 1);
      if (divisible(value, step.throwsAt)) throw new Error(`operator ${index} ${String(value)}`);
      side.collect(value, timestamp);
    };
    return {
      processElement: process,
      processElement2: (value, timestamp) => {
        this.trace.log.push(`second ${String(value)}`);
        process(value, timestamp);
      },
    };
  }

  /** Runs all records, again after each stop, and notes where it stopped and how it failed. */
  run(values: readonly number[], how: 'batch' | 'generated', input: 0 | 1): Trace {
    const { trace } = this;
    const timestamps = Float64Array.from(values, (value) => value * 100);
    const split: SplitTime = {
      maxTimestamp: Number.NEGATIVE_INFINITY,
      onEvent: this.draft.onEvent
        ? (value, timestamp) => void trace.log.push(`event ${String(value)} @${timestamp} max ${split.maxTimestamp}`)
        : undefined,
    };
    let at = 0;
    try {
      while (at < values.length) {
        this.control.stop = false;
        at = this.runFrom(at, values, timestamps, how, input, split);
        trace.log.push(`at ${at}`);
      }
    } catch (error) {
      trace.log.push(describeError(error));
    }
    trace.recordsIn.push(...this.recordsIn);
    trace.maxTimestamp = split.maxTimestamp;
    return trace;
  }

  private runFrom(
    at: number,
    values: readonly number[],
    timestamps: Float64Array,
    how: 'batch' | 'generated',
    input: 0 | 1,
    split: SplitTime,
  ): number {
    if (!this.draft.source) return this.chain.runBatch(values, timestamps, at, values.length, input);
    if (how === 'batch') return this.chain.runSourceBatch(values, timestamps, at, values.length, split);
    // Every second index is another reader's.
    const generate = (index: number): number => {
      const value = values[index / 2] as number;
      if (value === 41) throw new Error('generate 41');
      return value;
    };
    return this.chain.runGenerated(generate, at * 2, values.length * 2, 2, split) / 2;
  }
}

const HARMLESS: Pick<StepDraft, 'throwsAt' | 'promiseAt'> = { throwsAt: 0, promiseAt: 0 };

function describeError(error: unknown): string {
  if (!(error instanceof ChainFailure)) return `not a chain failure: ${String(error)}`;
  const cause = error.cause instanceof PromiseReturned ? 'promise returned' : String((error.cause as Error).message);
  return `failed in step ${error.step} at ${error.offset}: ${cause}`;
}

const arbitraryStep: fc.Arbitrary<StepDraft> = fc.record({
  kind: fc.constantFrom<Kind>('map', 'filter', 'flatMap', 'operator', 'write'),
  parent: fc.nat(5),
  fromSide: fc.boolean(),
  policy: fc.constantFrom<Policy>('none', 'skip', 'side'),
  throwsAt: fc.constantFrom(0, 0, 0, 7, 11, 29),
  promiseAt: fc.constantFrom(0, 0, 0, 31),
  edges: fc.nat(2),
  sideEdge: fc.boolean(),
});

const arbitraryChain: fc.Arbitrary<ChainDraft> = fc.record({
  source: fc.boolean(),
  assign: fc.boolean(),
  onEvent: fc.boolean(),
  checked: fc.boolean(),
  headEdges: fc.nat(1),
  headKind: fc.constantFrom<Kind>('map', 'filter', 'flatMap', 'operator'),
  steps: fc.array(arbitraryStep, { maxLength: 6 }),
  stops: fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 4 }),
  edgeThrowsAt: fc.constantFrom(0, 0, 0, 37),
});

const arbitraryValues = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 20 });
const TWINS: readonly [string, Compile][] = [
  ['generated', generateChain],
  ['interpreted', interpretChain],
];

describe('chain', () => {
  it('does the same generated and interpreted', () => {
    fc.assert(
      fc.property(
        arbitraryChain,
        arbitraryValues,
        fc.constantFrom('batch' as const, 'generated' as const),
        fc.boolean(),
        (draft, values, how, second) => {
          const input = second && !draft.source && draft.headKind === 'operator' ? 1 : 0;
          const generated = new Rig(draft, generateChain).run(values, how, input);
          expect(new Rig(draft, interpretChain).run(values, how, input)).toEqual(generated);
          expect(generated.log.filter((line) => line.startsWith('not a chain failure'))).toEqual([]);
        },
      ),
      { numRuns: 1500, seed: 1 },
    );
  });

  it('loses and repeats nothing at stops, wherever they are', () => {
    fc.assert(
      fc.property(arbitraryChain, arbitraryValues, (draft, values) => {
        const outputs = (stops: readonly number[]): string[] =>
          new Rig({ ...draft, stops }, generateChain).run(values, 'batch', 0).log.filter((line) => !line.startsWith('at '));
        expect(outputs(draft.stops)).toEqual(outputs([]));
      }),
      { numRuns: 500, seed: 2 },
    );
  });
});

const PLAIN: ChainDraft = {
  source: false,
  assign: false,
  onEvent: false,
  checked: false,
  headEdges: 1,
  headKind: 'map',
  steps: [],
  stops: [],
  edgeThrowsAt: 0,
};
const STEP: StepDraft = { kind: 'map', parent: 0, fromSide: false, policy: 'none', throwsAt: 0, promiseAt: 0, edges: 1, sideEdge: false };

describe.each(TWINS)('the %s chain', (_, compile) => {
  it('hands each record to all consumers, operators before edges', () => {
    const draft = { ...PLAIN, steps: [STEP, { ...STEP, kind: 'filter' as const }, { ...STEP, kind: 'write' as const }] };
    // The head adds 1: 5 → 6, 6 → 7. The map makes 7 and 8, the filter drops 6.
    expect(new Rig(draft, compile).run([5, 6], 'batch', 0)).toEqual({
      log: ['1/0 7 @500', 'sink 3 6 @500', '0/0 6 @500', '1/0 8 @600', '2/0 7 @600', 'sink 3 7 @600', '0/0 7 @600', 'at 2'],
      recordsIn: [2, 2, 2, 2],
      maxTimestamp: Number.NEGATIVE_INFINITY,
    });
  });

  it('stops after the record whose output said so', () => {
    const { log } = new Rig({ ...PLAIN, stops: [2] }, compile).run([1, 2, 3], 'batch', 0);
    expect(log).toEqual(['0/0 2 @100', '0/0 3 @200', 'at 2', '0/0 4 @300', 'at 3']);
  });

  it('names the step and the record that failed', () => {
    const draft = { ...PLAIN, steps: [STEP, { ...STEP, parent: 1, throwsAt: 7 }] };
    const { log, recordsIn } = new Rig(draft, compile).run([1, 2, 5, 9], 'batch', 0);
    expect(log.at(-1)).toBe('failed in step 2 at 2: step 2 7');
    expect(recordsIn).toEqual([3, 3, 3]);
  });

  it('names the record whose generation failed', () => {
    const { log } = new Rig({ ...PLAIN, source: true }, compile).run([1, 2, 41, 3], 'generated', 0);
    expect(log.at(-1)).toBe('failed in step 0 at 4: generate 41');
  });

  it('fails for a promise even where errors are skipped', () => {
    const draft = { ...PLAIN, headEdges: 0, steps: [{ ...STEP, policy: 'skip' as const, promiseAt: 3 }] };
    expect(new Rig(draft, compile).run([1, 2], 'batch', 0).log).toEqual(['1/0 3 @100', 'failed in step 1 at 1: promise returned']);
  });

  it('skips records, or sends them to the side output with their timestamp', () => {
    const failing = { ...STEP, kind: 'operator' as const, throwsAt: 3, sideEdge: true };
    expect(new Rig({ ...PLAIN, headEdges: 0, steps: [{ ...failing, policy: 'skip' }] }, compile).run([2, 3], 'batch', 0).log).toEqual([
      '1/0 5 @201',
      'handled 1 3',
      '1/0 6 @301',
      '1:side/0 4 @300',
      'at 2',
    ]);
    const { log } = new Rig({ ...PLAIN, headEdges: 0, steps: [{ ...failing, policy: 'side' }] }, compile).run([2], 'batch', 0);
    expect(log).toEqual(['1/0 5 @201', 'handled 1 3', '1:side/0 3 @200', 'at 1']);
  });

  it('keeps the largest timestamp, and asks the generator before the record goes on', () => {
    const draft = { ...PLAIN, source: true, assign: true, onEvent: true };
    const { log, maxTimestamp } = new Rig(draft, compile).run([3, 1], 'batch', 0);
    expect(log).toEqual(['event 3 @30 max 30', '0/0 3 @30', 'event 1 @10 max 30', '0/0 1 @10', 'at 2']);
    expect(maxTimestamp).toBe(30);
  });

  it('checks every emission', () => {
    const draft = { ...PLAIN, source: true, checked: true, steps: [{ ...STEP, kind: 'operator' as const, sideEdge: true }] };
    const { log } = new Rig(draft, compile).run([1], 'batch', 0);
    expect(log).toEqual(['check 1', 'check 3', '1/0 3 @101', 'check 1', '1:side/0 1 @100', '0/0 1 @100', 'at 1']);
  });
});
