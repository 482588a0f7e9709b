/** Two listeners on one run. */
import type { RunObserver } from 'millstream/cluster';

/** Tells both, `first` first. */
export function combineObservers(first: RunObserver, second: Partial<RunObserver> | undefined): RunObserver {
  if (second === undefined) return first;
  const both = Object.entries(first).map(([name, tell]: [string, (...parameters: never[]) => void]) => [
    name,
    (...parameters: never[]): void => {
      tell(...parameters);
      (second as Record<string, ((...parameters: never[]) => void) | undefined>)[name]?.(...parameters);
    },
  ]);
  return Object.fromEntries(both) as RunObserver;
}
