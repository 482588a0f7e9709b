/** Where the attempts of a run get their slots from. */
import type { JobGraph } from '../../plan/job-graph.js';
import type { CreateSlots } from '../attempt-options.js';
import { createLocalSlots } from '../attempt-slots.js';
import type { AllocationReason } from './adaptive-scheduler-state.js';

/** An attempt that wants to start. */
export interface AllocationRequest {
  /** The job at the parallelism that was asked for. */
  readonly graph: JobGraph;
  readonly reason: AllocationReason;
  /** There are checkpoints to go on from at another parallelism. */
  readonly rescalable: boolean;
}

/** What an attempt starts with. */
export interface AttemptAllocation {
  /** The job at the parallelism that it gets. */
  readonly graph: JobGraph;
  readonly createSlots: CreateSlots;
  /**
   * Slots for regions that restart while the others go on, in place of those of these that are gone. Throws NO_RESOURCE_AVAILABLE. Absent: after
   * a failure all of the job restarts.
   */
  readonly replace?: (slots: readonly number[]) => Promise<CreateSlots>;
  /** After a failure the next attempt may get another parallelism, and so must be able to restore any checkpoint at it. Absent: it does not. */
  readonly isElastic?: true;
  /** The attempt's tasks run. */
  running(): void;
  /** The attempt is over. */
  release(): void;
}

/** Gives one attempt after the other what it needs. */
export interface AttemptScheduler {
  /** Resolves when there are slots. Throws NO_RESOURCE_AVAILABLE. */
  allocate(request: AllocationRequest): Promise<AttemptAllocation>;
  /** Nobody waits any more: `allocate` rejects, if it has not resolved. */
  withdraw(): void;
}

/** What a scheduler asks of the run that it is for. */
export interface ScheduledRun {
  /** Goes on at this parallelism by vertex id, or as the scheduler says then, from a checkpoint. Rejects if the attempt goes on. */
  rescale(parallelism?: ReadonlyMap<string, number>): Promise<void>;
  /** Ends the attempt at once; false: the job is being ended. */
  restart(): boolean;
}

/** Slots in threads of this process, as many as are asked for. */
export const LOCAL_SCHEDULER: AttemptScheduler = {
  allocate: async ({ graph }) => ({
    graph,
    createSlots: createLocalSlots,
    replace: async () => createLocalSlots,
    running: () => undefined,
    release: () => undefined,
  }),
  withdraw: () => undefined,
};
