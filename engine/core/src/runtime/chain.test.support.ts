/** For tests of chains: chains from plain drafts, and everything that can be seen of a run. */
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

export type Kind = 'map' | 'filter' | 'flatMap' | 'operator' | 'write';
export type Policy = 'none' | 'skip' | 'side';

/** One step of a random chain; what it does depends on the value only. */
export interface StepDraft {
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

export interface ChainDraft {
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

export type Compile = (spec: ChainSpec) => CompiledChain;

function divisible(value: unknown, by: number): boolean {
  return by > 0 && (value as number) % by === 0;
}

/** Everything that can be seen of a run. */
interface Trace {
  readonly log: string[];
  readonly recordsIn: number[];
  maxTimestamp: number;
}

export class Rig {
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
