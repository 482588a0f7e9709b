/** What a simulation came to, and how it is told. */
import type { FaultReport } from './fault-schedule.js';

/** What a simulation came to. */
export interface SimulationReport {
  readonly seed: number;
  /** What must hold and did not; empty: all is well. */
  readonly violations: readonly string[];
  readonly faults: readonly FaultReport[];
  /** How long it took, in virtual time. */
  readonly virtualMs: number;
  readonly events: number;
  /** Events by kind. */
  readonly counts: ReadonlyMap<string, number>;
  /** Of the whole trace: equal if everything was. */
  readonly hash: string;
  readonly completedCheckpoints: number;
  /** Attempts of the job: 1 if nothing made it start again. */
  readonly attempts: number;
  /** Those of them that only some regions of the job made, while the others went on. */
  readonly regionRestarts: number;
  /** Terms that were led. */
  readonly leaders: number;
  /** Messages that were dropped because what they are about was over. */
  readonly staleMessages: number;
  /** Parts of results that nobody has made visible or removed. They cost space only. */
  readonly pendingParts: number;
  /** The end of the trace. */
  readonly lastEvents: string;
}

export interface OutputDifference {
  readonly violations: readonly string[];
}

const EXAMPLES = 3;

/** Compares lines as multisets. */
export function compareOutput(expected: readonly string[], found: readonly string[]): OutputDifference {
  const counts = new Map<string, number>();
  for (const line of expected) counts.set(line, (counts.get(line) ?? 0) + 1);
  const surplus: string[] = [];
  for (const line of found) {
    const left = counts.get(line) ?? 0;
    if (left === 0) surplus.push(line);
    else counts.set(line, left - 1);
  }
  const missing = [...counts].flatMap(([line, count]) => Array.from({ length: count }, () => line));
  const told = (what: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : [`${lines.length} results are ${what}: ${lines.slice(0, EXAMPLES).join(' ')}`];
  return { violations: [...told('missing', missing), ...told('there though they should not be, or too often', surplus)] };
}

/** The report of a seed that failed, for people: what, with which faults, and how to see it again. */
export function describeSimulation(report: SimulationReport): string {
  const { seed, violations, faults, virtualMs, events, hash, attempts, leaders, completedCheckpoints, lastEvents } = report;
  const state = violations.length === 0 ? 'is green' : `failed: rerun with MILLSTREAM_SEED=${seed}`;
  const told = faults.map(({ fault, begunAtMs, effects }) =>
    begunAtMs === undefined ? `  - ${fault}: it did not begin` : `  - ${fault}: begun at ${begunAtMs.toFixed(0)} ms, ${effects} effects`,
  );
  return [
    `seed ${seed} ${state}`,
    ...violations.map((violation) => `  ! ${violation}`),
    ...told,
    `  ${virtualMs.toFixed(0)} ms of virtual time, ${events} events (${hash}), ${attempts} attempts, ${leaders} leaders, ${completedCheckpoints} checkpoints`,
    ...(violations.length === 0 ? [] : ['the last events:', lastEvents]),
  ].join('\n');
}

/** Throws if anything was violated, with all that is known. */
export function requireSound(report: SimulationReport): void {
  if (report.violations.length > 0) throw new Error(describeSimulation(report));
}
