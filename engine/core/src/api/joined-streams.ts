/**
 * Joins of two streams by key and window:
 *
 *     left.join(right).where(leftKey).equalTo(rightKey).window(assigner).apply((l, r) => …)
 */
import type { Key } from '../common/key.js';
import type { Collector, KeySelector } from '../operators/operator.js';
import type { OutputTag } from '../operators/output-tag.js';
import type { WindowAssigner } from '../operators/window/assigners.js';
import type { Trigger } from '../operators/window/triggers.js';
import type { Window } from '../operators/window/window.js';
import type { WindowTiming } from '../operators/window/window-operator.js';
import { type CoGroupFunction, createWindowJoinOperator, type JoinFunction } from '../operators/window-join.js';
import type { AsyncSentence, CompileError, MapResult, NotPromise } from './compile-error.js';
import type { JobBuilder } from './job-builder.js';
import { keySelectorFrom } from './key-selectors.js';
import type { Received } from './received.js';
import type { SingleOutputStreamOperator } from './single-output-stream-operator.js';
import { edgesOf, partitioned, type Tap } from './tap.js';
import { requireFunction } from './user-functions.js';
import { timingConfig } from './windowed-stream.js';

/** The two sides of a join, as far as they are known. */
interface Sides {
  readonly job: JobBuilder;
  readonly left: readonly Tap[];
  readonly right: readonly Tap[];
}

/** The inner join of two streams, waiting for its keys. */
export class JoinedStreams<L, R> {
  readonly #sides: Sides;

  /** Internal: use `stream.join(other)`. */
  constructor(sides: Sides) {
    this.#sides = sides;
  }

  /** The key of the first stream. */
  where<const K extends Key>(selector: (value: Received<L>) => K): JoinWithKey<R, K, JoinWindows<L, R>> {
    return new JoinWithKey(keyedLeft(this.#sides, selector), (sides) => new JoinWindows<L, R>(sides));
  }
}

/** The co-group of two streams, waiting for its keys. */
export class CoGroupedStreams<L, R> {
  readonly #sides: Sides;

  /** Internal: use `stream.coGroup(other)`. */
  constructor(sides: Sides) {
    this.#sides = sides;
  }

  /** The key of the first stream. */
  where<const K extends Key>(selector: (value: Received<L>) => K): JoinWithKey<R, K, CoGroupWindows<L, R>> {
    return new JoinWithKey(keyedLeft(this.#sides, selector), (sides) => new CoGroupWindows<L, R>(sides));
  }
}

function keyedLeft(sides: Sides, selector: unknown): Sides {
  return { ...sides, left: partitioned(sides.left, 'hash', { keySelector: keySelectorFrom(selector) }) };
}

/** A join whose first key is known. */
export class JoinWithKey<R, K, Next> {
  readonly #sides: Sides;
  readonly #next: (sides: Sides) => Next;

  /** Internal. */
  constructor(sides: Sides, next: (sides: Sides) => Next) {
    this.#sides = sides;
    this.#next = next;
  }

  /** The key of the second stream, of the same type as the first one's. */
  equalTo(selector: (value: Received<R>) => K): Next {
    const keySelector: KeySelector = keySelectorFrom(selector);
    return this.#next({ ...this.#sides, right: partitioned(this.#sides.right, 'hash', { keySelector }) });
  }
}

/** An inner join whose keys are known. */
export class JoinWindows<L, R> {
  readonly #sides: Sides;

  /** Internal. */
  constructor(sides: Sides) {
    this.#sides = sides;
  }

  /** Pairs are made of records in the same window. */
  window<W extends Window>(assigner: WindowAssigner<L | R, W>): WindowedJoin<L, R, W> {
    return new WindowedJoin<L, R, W>(this.#sides, { assigner });
  }
}

/** A co-group whose keys are known. */
export class CoGroupWindows<L, R> {
  readonly #sides: Sides;

  /** Internal. */
  constructor(sides: Sides) {
    this.#sides = sides;
  }

  /** Groups are made of records in the same window. */
  window<W extends Window>(assigner: WindowAssigner<L | R, W>): WindowedCoGroup<L, R, W> {
    return new WindowedCoGroup<L, R, W>(this.#sides, { assigner });
  }
}

abstract class TwoSidedWindows<L, R, W extends Window> {
  readonly #sides: Sides;
  readonly #timing: WindowTiming<L | R, W>;

  /** Internal. */
  constructor(sides: Sides, timing: WindowTiming<L | R, W>) {
    this.#sides = sides;
    this.#timing = timing;
  }

  /** Decides when windows fire; default: the assigner's trigger. */
  trigger(trigger: Trigger<L | R, W>): this {
    return this.#with({ trigger });
  }

  /** How long after its end a window still takes late records, in event time, ms. Default 0. */
  allowedLateness(allowedLatenessMs: number): this {
    return this.#with({ allowedLatenessMs });
  }

  /** Sends records of both sides that are too late to a side output of the result. */
  sideOutputLateData(lateDataTag: OutputTag<L | R>): this {
    return this.#with({ lateDataTag });
  }

  #with(timing: Partial<WindowTiming<L | R, W>>): this {
    const make = this.constructor as new (sides: Sides, timing: WindowTiming<L | R, W>) => this;
    return new make(this.#sides, { ...this.#timing, ...timing });
  }

  protected add<O>(
    kind: string,
    fn: { readonly join: JoinFunction<L, R, O> } | { readonly coGroup: CoGroupFunction<L, R, O> },
  ): SingleOutputStreamOperator<O> {
    const { job, left, right } = this.#sides;
    const create = createWindowJoinOperator({ ...this.#timing, ...fn });
    const node = job.add({
      kind,
      keyed: true,
      stateful: true,
      inputs: [...edgesOf(left, 0), ...edgesOf(right, 1)],
      config: timingConfig(this.#timing),
      implementation: { type: 'operator', create },
    });
    return job.streams.operator<O>(job, node);
  }
}

/** An inner join in windows. Immutable: each setting returns a new one. */
export class WindowedJoin<L, R, W extends Window> extends TwoSidedWindows<L, R, W> {
  /** One result for each pair of records with the same key and window. */
  apply<O extends NotPromise>(join: (left: Received<L>, right: Received<R>) => O): SingleOutputStreamOperator<O>;
  apply<O>(join: (left: Received<L>, right: Received<R>) => MapResult<O, 'a join'>): SingleOutputStreamOperator<O>;
  apply<O>(join: (left: Received<L>, right: Received<R>) => unknown): SingleOutputStreamOperator<O> {
    requireFunction(join, 'apply');
    return this.add<O>('window-join', { join: join as JoinFunction<L, R, O> });
  }
}

/** A co-group in windows. Immutable: each setting returns a new one. */
export class WindowedCoGroup<L, R, W extends Window> extends TwoSidedWindows<L, R, W> {
  /** Any number of results for all records of both sides with the same key and window; one side may be empty. */
  apply<O>(
    // biome-ignore lint/suspicious/noConfusingVoidType: as plain void, the compiler takes an async function too.
    coGroup: (left: readonly L[], right: readonly R[], out: Collector<O>) => void | CompileError<AsyncSentence<'coGroup'>>,
  ): SingleOutputStreamOperator<O> {
    requireFunction(coGroup, 'apply');
    return this.add<O>('window-coGroup', { coGroup: coGroup as CoGroupFunction<L, R, O> });
  }
}
