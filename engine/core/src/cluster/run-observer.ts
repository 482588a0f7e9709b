/** What a run tells while it goes, and what it comes to. */
import type { MillstreamError } from '../common/errors.js';
import type { JobGraph } from '../plan/job-graph.js';
import type { AttemptObserver } from './attempt-options.js';

/** Hears how a run goes; for progress and tests. */
export interface RunObserver extends AttemptObserver {
  /** `expectedRecords`: of sources that know how many they will read, by vertex id. */
  attemptStarted(attempt: number, graph: JobGraph, restoredFrom: string | undefined, expectedRecords: ReadonlyMap<string, number>): void;
  restarting(error: MillstreamError, delayMs: number): void;
}

/** How a run ended that did not fail. */
export type RunOutcome =
  | { readonly type: 'finished' }
  /** `checkpoint`: the directory to resume from. */
  | { readonly type: 'stopped'; readonly checkpoint: string }
  /** `checkpoint`: the last one that was kept, or that the run was restored from. */
  | { readonly type: 'cancelled'; readonly checkpoint: string | undefined };
