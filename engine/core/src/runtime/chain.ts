/**
 * A chain: the operators of one task, fused. Compiled once per subtask, either to generated code (chain-generator) or to closures
 * (chain-interpreter) where code generation is forbidden; both behave alike and the test suite runs both.
 */
import type { ChainControl } from '../network/channel.js';
import type { Collector, Operator } from '../operators/operator.js';

/** Takes the records of one output edge to the right channels. */
export interface EdgeWriter {
  append(value: unknown, timestamp: number): void;
}

/** Where an operator's results go. */
export interface Consumers {
  /** Chained operators, by index. */
  readonly operators: readonly number[];
  readonly edges: readonly EdgeWriter[];
}

/** Keeps event time of the split that is being read. */
export interface SplitTime {
  /** The largest timestamp seen; used where the watermark is 'largest - bound'. */
  maxTimestamp: number;
  /** Any other generator; undefined if `maxTimestamp` is enough. */
  readonly onEvent: ((value: unknown, timestamp: number) => void) | undefined;
}

/** What to do when a user function throws: returns normally if the record is to be skipped. */
export type ErrorHandler = (error: unknown, value: unknown, timestamp: number) => void;

interface StepBase {
  /** For errors: "map 'parse' (uid parse)". */
  readonly label: string;
  readonly main: Consumers;
  /** Side outputs by tag. */
  readonly sides: ReadonlyMap<string, Consumers>;
}

export type ChainStep =
  | (StepBase & {
      readonly type: 'source';
      /** Undefined: records keep the source's timestamp. */
      readonly assign: ((value: unknown, timestamp: number) => number) | undefined;
      readonly eventTime: boolean;
    })
  | (StepBase & { readonly type: 'map'; readonly fn: (value: unknown) => unknown; readonly onError: ErrorHandler | undefined })
  | (StepBase & { readonly type: 'filter'; readonly fn: (value: unknown) => boolean; readonly onError: ErrorHandler | undefined })
  | (StepBase & {
      readonly type: 'flatMap';
      readonly fn: (value: unknown, out: Collector<unknown>) => void;
      readonly onError: ErrorHandler | undefined;
    })
  | (StepBase & { readonly type: 'operator'; readonly operator: () => Operator; readonly onError: ErrorHandler | undefined })
  | (StepBase & { readonly type: 'write'; readonly write: () => { write(value: unknown, timestamp: number): void } });

export interface ChainSpec {
  readonly name: string;
  readonly steps: readonly ChainStep[];
  readonly control: ChainControl;
  /** Records that entered each step. */
  readonly recordsIn: Float64Array;
  /** Called on every value that a step emits, in checked mode. */
  readonly checkEmitted: ((value: unknown) => void) | undefined;
}

/** The error of a user function or operator, with its place in the chain. The task adds the record's position. */
export class ChainFailure extends Error {
  readonly step: number;
  /** The record that entered the chain is this many records into the batch; -1 if unknown. */
  readonly offset: number;

  constructor(step: number, offset: number, cause: unknown) {
    super('chain failure', { cause });
    this.step = step;
    this.offset = offset;
  }
}

/** A user function returned a promise where none can be awaited. */
export class PromiseReturned extends Error {}

export interface CompiledChain {
  /** Runs records [from, to) of a batch through input `input` of the head; returns where it stopped (after `control.stop`). */
  runBatch(values: readonly unknown[], timestamps: Float64Array, from: number, to: number, input: 0 | 1): number;
  /** Source chains: runs a batch's records, with event time of `split`. `timestamps` undefined: NaN. */
  runSourceBatch(values: readonly unknown[], timestamps: Float64Array | undefined, from: number, to: number, split: SplitTime): number;
  /** Source chains: runs computed records `generate(from), generate(from + step) … < to`; returns the next index. */
  runGenerated(generate: (index: number) => unknown, from: number, to: number, step: number, split: SplitTime): number;
  /** Must be called once after operators exist, before the first record. */
  bind(): void;
  /** What step `index` emits to: for operators' contexts. */
  output(index: number): { collect(value: unknown, timestamp: number): void };
  side(index: number, tag: string): { collect(value: unknown, timestamp: number): void };
}
