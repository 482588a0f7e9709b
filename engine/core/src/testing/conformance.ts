/**
 * Conformance suites: what every implementation of a contract must hold, as cases that any test runner can run on any implementation, in
 * memory or real. A case throws when it does not hold.
 * @example
 * it.each(REGISTER_CASES)('$name', async ({ run }) => run(await newRig()));
 */
export interface ConformanceCase<Rig> {
  readonly name: string;
  /** `rig`: a fresh one for each case. */
  run(rig: Rig): Promise<void>;
}

/** Calls `attempt` with the step at which a fault falls, 0, 1, 2 …, until it says that its work had fewer steps. */
export async function atEachStep(attempt: (step: number) => Promise<'faulted' | 'no such step'>): Promise<number> {
  for (let step = 0; ; step++) if ((await attempt(step)) === 'no such step') return step;
}

/** Whether an operation succeeded: its value, or undefined if it failed. */
export async function outcomeOf<T>(operation: Promise<T>): Promise<{ readonly value: T } | undefined> {
  try {
    return { value: await operation };
  } catch {
    return undefined;
  }
}
