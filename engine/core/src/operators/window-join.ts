/**
 * Joins of two keyed streams by window: both sides are kept per (window, key) and combined when the window fires. Emission stops and
 * goes on between two pairs, since a window may have very many.
 */
import type { Key } from '../common/key.js';
import { TimestampedCollector } from './collector.js';
import type { Budget, Collector, Operator, OperatorContext, Output } from './operator.js';
import { checkedResult, rejectPromise } from './promise-check.js';
import type { WindowContents } from './window/contents.js';
import type { Window } from './window/window.js';
import { createWindows, type WindowTiming } from './window/window-operator.js';

/** Makes one result of a pair with the same key and window. */
export type JoinFunction<L, R, O> = (left: L, right: R) => O;

/** Gets all elements of both sides with the same key and window; one side may be empty. */
export type CoGroupFunction<L, R, O> = (left: readonly L[], right: readonly R[], out: Collector<O>) => void;

/** Inner join (`join`, called for each pair) or `coGroup`. */
export type WindowJoinOptions<L, R, O, W extends Window> = WindowTiming<L | R, W> &
  (
    | { readonly join: JoinFunction<L, R, O>; readonly coGroup?: undefined }
    | { readonly coGroup: CoGroupFunction<L, R, O>; readonly join?: undefined }
  );

/** The elements of one (window, key). */
interface Sides {
  left: unknown[];
  right: unknown[];
}

interface KeptSides {
  readonly sides: Sides;
  readonly left: number;
  readonly right: number;
}

abstract class TwoSidedContents implements WindowContents {
  readonly schema = undefined;
  readonly canMerge = true;

  first(value: unknown, side: 0 | 1): Sides {
    return side === 0 ? { left: [value], right: [] } : { left: [], right: [value] };
  }

  add(contents: unknown, value: unknown, side: 0 | 1): unknown {
    if (side === 0) (contents as Sides).left.push(value);
    else (contents as Sides).right.push(value);
    return contents;
  }

  merge(left: unknown, right: unknown): Sides {
    const one = left as Sides;
    const other = right as Sides;
    return { left: one.left.concat(other.left), right: one.right.concat(other.right) };
  }

  /** Elements are records, which nobody changes: their numbers say it all. */
  keep(contents: unknown): KeptSides {
    const sides = contents as Sides;
    return { sides, left: sides.left.length, right: sides.right.length };
  }

  restore(kept: unknown): Sides {
    const { sides, left, right } = kept as KeptSides;
    sides.left.length = left;
    sides.right.length = right;
    return sides;
  }

  abstract fire(key: Key, window: Window, contents: unknown, timestamp: number, keep: boolean, budget: Budget): boolean;
}

class JoinContents extends TwoSidedContents {
  private readonly join: JoinFunction<unknown, unknown, unknown>;
  private readonly operator: string;
  private readonly output: Output<unknown>;
  /** Pairs of the firing that was stopped which have been emitted; 0: none was. */
  private done = 0;

  constructor(join: JoinFunction<unknown, unknown, unknown>, operator: string, output: Output<unknown>) {
    super();
    this.join = join;
    this.operator = operator;
    this.output = output;
  }

  fire(_key: Key, _window: Window, contents: unknown, timestamp: number, _keep: boolean, budget: Budget): boolean {
    const { left, right } = contents as Sides;
    const width = right.length;
    let from = this.done % Math.max(1, width);
    for (let row = width === 0 ? left.length : Math.floor(this.done / width); row < left.length; row++, from = 0) {
      const first = left[row];
      for (let column = from; column < width; column++) {
        const result = checkedResult(this.join(first, right[column]), this.operator, 'join');
        this.output.collect(result, timestamp);
        if (!budget.exhausted()) continue;
        this.done = row * width + column + 1;
        return false;
      }
    }
    this.done = 0;
    return true;
  }
}

class CoGroupContents extends TwoSidedContents {
  private readonly coGroup: CoGroupFunction<unknown, unknown, unknown>;
  private readonly operator: string;
  private readonly collector: TimestampedCollector<unknown>;

  constructor(coGroup: CoGroupFunction<unknown, unknown, unknown>, operator: string, output: Output<unknown>) {
    super();
    this.coGroup = coGroup;
    this.operator = operator;
    this.collector = new TimestampedCollector(output);
  }

  fire(_key: Key, _window: Window, contents: unknown, timestamp: number, keep: boolean): boolean {
    const { left, right } = contents as Sides;
    this.collector.timestamp = timestamp;
    const result: unknown = this.coGroup(keep ? left.slice() : left, keep ? right.slice() : right, this.collector);
    if (result !== undefined) rejectPromise(result, this.operator, 'coGroup');
    return true;
  }
}

/**
 * Joins two keyed streams by window; results have the window's last timestamp.
 * @example
 * createWindowJoinOperator({ assigner: TumblingEventTimeWindows.of(10_000), join: (auction, bid) => ({ id: auction.id, price: bid.price }) })
 */
export function createWindowJoinOperator<L, R, O, W extends Window>(
  options: WindowJoinOptions<L, R, O, W>,
): (context: OperatorContext) => Operator {
  const { join, coGroup } = options;
  return createWindows(options, ({ name, output }) => {
    if (join !== undefined) return new JoinContents(join as JoinFunction<unknown, unknown, unknown>, name, output);
    return new CoGroupContents(coGroup as CoGroupFunction<unknown, unknown, unknown>, name, output);
  });
}
