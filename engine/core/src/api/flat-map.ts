/** The two forms of flatMap: with a collector, or with an array as its result. */
import type { Collector } from '../operators/operator.js';

type FlatMap = (value: unknown, out: Collector<unknown>) => void;

/** The form with a collector. A function of one parameter cannot collect, so its result is what it emits. */
export function flatMapCollector(fn: (value: unknown, out: Collector<unknown>) => unknown): FlatMap {
  if (fn.length !== 1) return fn;
  return (value, out) => {
    const results = fn(value, out);
    // Anything else (nothing, a promise) is for the caller to judge.
    if (!Array.isArray(results)) return results;
    for (let i = 0; i < results.length; i++) out.collect(results[i]);
    return undefined;
  };
}
