/**
 * What a window keeps for each key and what it emits when it fires: a reduced value, an accumulator, all elements; joins have their
 * own (window-join). The window operators know nothing else of the functions they run.
 */
import type { ClassRegistry } from '../../codec/class-registry.js';
import { copyAllowedValue, copyValue } from '../../codec/copy-value.js';
import type { Schema } from '../../codec/schema.js';
import type { Key } from '../../common/key.js';
import type { AggregateFunction, ReduceFunction } from '../../state/descriptors.js';
import type { ValueKeeper } from '../../state/undo-log.js';
import type { Budget, OperatorContext } from '../operator.js';
import { checkedResult } from '../promise-check.js';
import type { Window } from './window.js';
import type { WindowCall } from './window-call.js';

/** Keeps contents before a record is added, for operators with `onError`. */
export interface WindowContents extends ValueKeeper<unknown> {
  /** The fields of the contents, if they have just declared ones. */
  readonly schema: Schema<unknown> | undefined;
  /** Whether `merge` works; session windows need it. */
  readonly canMerge: boolean;
  open?(): Promise<void> | void;
  close?(): Promise<void> | void;
  /** Contents of one element. `side`: the input it came from. */
  first(value: unknown, side: 0 | 1): unknown;
  /** May change and return `contents`. */
  add(contents: unknown, value: unknown, side: 0 | 1): unknown;
  merge(left: unknown, right: unknown): unknown;
  /**
   * Emits results. `keep`: the contents live on, so they must not be what is emitted. Resumable: after false, called again with equal
   * arguments.
   */
  fire(key: Key, window: Window, contents: unknown, timestamp: number, keep: boolean, budget: Budget): boolean;
}

/** For firings inside `processElement`, which cannot stop. */
export const UNLIMITED: Budget = { exhausted: () => false };

/** Emits one value per firing, through the window function if there is one. */
abstract class SingleResult {
  readonly schema: Schema<unknown> | undefined;
  protected readonly operator: string;
  protected readonly classes: ClassRegistry | undefined;
  private readonly output: OperatorContext['output'];
  private readonly process: WindowCall | undefined;

  constructor(context: OperatorContext, process: WindowCall | undefined, schema: Schema<unknown> | undefined) {
    this.operator = context.name;
    this.classes = context.classes;
    this.output = context.output;
    this.process = process;
    this.schema = schema;
  }

  open(): Promise<void> | void {
    return this.process?.open();
  }

  close(): Promise<void> | void {
    return this.process?.close();
  }

  keep(contents: unknown): unknown {
    return copyAllowedValue(contents, this.classes);
  }

  restore(kept: unknown): unknown {
    return kept;
  }

  protected emit(key: Key, window: Window, result: unknown, timestamp: number): void {
    if (this.process === undefined) this.output.collect(result, timestamp);
    else this.process.call(key, window, [result], timestamp);
  }

  /** A result that nothing changes later: entries with declared fields may be views of columns. */
  protected detached(result: unknown, keep: boolean): unknown {
    if (typeof result !== 'object' || result === null) return result;
    if (this.schema === undefined) return keep ? copyValue(result, this.classes) : result;
    const copy: Record<string, unknown> = {};
    for (const { name } of this.schema.fields) copy[name] = (result as Record<string, unknown>)[name];
    return copy;
  }
}

export class ReduceContents extends SingleResult implements WindowContents {
  readonly canMerge = true;
  private readonly reduce: ReduceFunction<unknown>;

  constructor(
    reduce: ReduceFunction<unknown>,
    schema: Schema<unknown> | undefined,
    context: OperatorContext,
    process: WindowCall | undefined,
  ) {
    super(context, process, schema);
    this.reduce = reduce;
  }

  first(value: unknown): unknown {
    // The function may change its first argument, and this record may have other readers.
    return copyValue(value, this.classes);
  }

  add(contents: unknown, value: unknown): unknown {
    const result = checkedResult(this.reduce(contents, value), this.operator, 'reduce');
    return result === value ? this.first(value) : result;
  }

  merge(left: unknown, right: unknown): unknown {
    return checkedResult(this.reduce(left, right), this.operator, 'reduce');
  }

  fire(key: Key, window: Window, contents: unknown, timestamp: number, keep: boolean): boolean {
    this.emit(key, window, this.detached(contents, keep), timestamp);
    return true;
  }
}

export class AggregateContents extends SingleResult implements WindowContents {
  readonly canMerge: boolean;
  private readonly aggregate: AggregateFunction<unknown, unknown, unknown>;

  constructor(aggregate: AggregateFunction<unknown, unknown, unknown>, context: OperatorContext, process: WindowCall | undefined) {
    super(context, process, aggregate.accumulatorSchema);
    this.aggregate = aggregate;
    this.canMerge = aggregate.merge !== undefined;
  }

  first(value: unknown): unknown {
    return this.add(this.aggregate.createAccumulator(), value);
  }

  add(contents: unknown, value: unknown): unknown {
    return checkedResult(this.aggregate.add(value, contents), this.operator, 'add');
  }

  merge(left: unknown, right: unknown): unknown {
    return checkedResult(this.aggregate.merge?.(left, right), this.operator, 'merge');
  }

  fire(key: Key, window: Window, contents: unknown, timestamp: number, keep: boolean): boolean {
    const result = checkedResult(this.aggregate.getResult(contents), this.operator, 'getResult');
    this.emit(key, window, result === contents ? this.detached(result, keep) : result, timestamp);
    return true;
  }
}

interface KeptElements {
  readonly elements: unknown[];
  readonly length: number;
}

export class ListContents implements WindowContents {
  readonly schema = undefined;
  readonly canMerge = true;
  private readonly process: WindowCall;

  constructor(process: WindowCall) {
    this.process = process;
  }

  open(): Promise<void> | void {
    return this.process.open();
  }

  close(): Promise<void> | void {
    return this.process.close();
  }

  first(value: unknown): unknown {
    return [value];
  }

  add(contents: unknown, value: unknown): unknown {
    (contents as unknown[]).push(value);
    return contents;
  }

  merge(left: unknown, right: unknown): unknown {
    return (left as unknown[]).concat(right as unknown[]);
  }

  /** Elements are records, which nobody changes: their number says it all. */
  keep(contents: unknown): KeptElements {
    return { elements: contents as unknown[], length: (contents as unknown[]).length };
  }

  restore(kept: unknown): unknown {
    const { elements, length } = kept as KeptElements;
    elements.length = length;
    return elements;
  }

  fire(key: Key, window: Window, contents: unknown, timestamp: number, keep: boolean): boolean {
    const elements = contents as unknown[];
    this.process.call(key, window, keep ? elements.slice() : elements, timestamp);
    return true;
  }
}
