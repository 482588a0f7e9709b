/** What a run of a job is given, what it tells, and how it ends. */
import type { FileSystems } from '../checkpoint/file-systems.js';
import type { Clock } from '../common/clock.js';
import type { Disk } from '../common/disk.js';
import type { MillstreamError } from '../common/errors.js';
import type { Entropy } from '../common/random.js';
import type { JobGraph } from '../plan/job-graph.js';
import type { JobProgram } from '../plan/plan.js';
import type { ProgramArtifact } from '../runtime/program-artifact.js';
import type { AttemptObserver } from './attempt-options.js';
import type { RunOptions } from './job-settings.js';
import type { CheckpointUsers } from './run-directory.js';
import type { AttemptScheduler } from './scheduling/attempt-scheduler.js';

/** Hears how a run goes; for progress and tests. */
export interface RunObserver extends AttemptObserver {
  /** An attempt waits for its slots. */
  slotsAwaited(graph: JobGraph): void;
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

/** What a run needs. */
export interface JobRunOptions {
  readonly program: JobProgram;
  readonly artifact: ProgramArtifact;
  readonly options: RunOptions;
  readonly clock: Clock;
  readonly disk: Disk;
  /** Default: the machine's. */
  readonly entropy?: Entropy;
  /** Where checkpoints lie. Default: the disk, and object stores as their environment says. */
  readonly files?: FileSystems;
  readonly observer: RunObserver;
  /** The leader's. Default: 1. */
  readonly term?: number;
  /**
   * The id of the run, so that another leader finds it: what a run of this id has left in its checkpoint directory is gone on with.
   * Default: a new one.
   */
  readonly run?: string;
  /** Names who runs as this run or needs the checkpoint in this directory. Default: nobody is known. */
  readonly userOf?: CheckpointUsers;
  /** Makes sure that no other leader goes on with a run that has finished; what is left of it then goes. */
  readonly beforeRemoval?: (() => Promise<void>) | undefined;
  /** Where attempts get their slots from. Default: threads of this process. */
  readonly scheduler?: AttemptScheduler;
  /** Subtasks by vertex id, where the run has been rescaled before. Default: as the program says. */
  readonly parallelism?: (graph: JobGraph) => JobGraph;
}
