/** What the adaptive scheduler knows, hears and does, as plain data. What it decides: adaptive-scheduler.ts. */
import type { JobGraph } from '../../plan/job-graph.js';
import type { ResourceRequirements } from '../gateway/job-info.js';

/** Flink's options `jobmanager.adaptive-scheduler.…`. */
export interface AdaptiveSchedulerConfig {
  /** `submission.resource-wait-timeout`; undefined: for ever. */
  readonly waitTimeoutMs: number | undefined;
  /** `submission.resource-stabilization-timeout`. */
  readonly submissionStabilizationMs: number;
  /** `executing.resource-stabilization-timeout`. */
  readonly executingStabilizationMs: number;
  /** `executing.cooldown-after-rescaling`. */
  readonly cooldownMs: number;
  /** `min-parallelism-increase`, in subtasks of the whole job. */
  readonly minParallelismIncrease: number;
  /** `rescale-trigger.max-checkpoint-failures`. */
  readonly maxCheckpointFailures: number;
  /** `rescale-trigger.max-delay`; undefined: no limit. */
  readonly maxTriggerDelayMs: number | undefined;
}

/** Why an attempt needs slots. */
export type AllocationReason = 'submitted' | 'failed' | 'rescaled';

export type AdaptivePhase =
  /** No attempt, and none wanted. */
  | { readonly name: 'idle' }
  /** `sufficientSince`: since when there are enough slots to start, if there are. */
  | {
      readonly name: 'waiting';
      readonly reason: AllocationReason;
      readonly since: number;
      readonly sufficientSince: number | undefined;
    }
  /** Has its slots; its tasks do not run yet. */
  | { readonly name: 'starting'; readonly graph: JobGraph }
  /** `changedSince`: since when another parallelism would be better, if it would. */
  | { readonly name: 'executing'; readonly graph: JobGraph; readonly since: number; readonly changedSince: number | undefined }
  /** `retryAt`: when the checkpoint is asked for again; undefined while one is being taken. */
  | {
      readonly name: 'rescaling';
      readonly graph: JobGraph;
      readonly since: number;
      readonly failures: number;
      readonly retryAt: number | undefined;
    }
  /** The attempt is being ended without a checkpoint. */
  | { readonly name: 'restarting'; readonly graph: JobGraph };

/** State of one run. Immutable. */
export interface AdaptiveState {
  readonly config: AdaptiveSchedulerConfig;
  /** The job at any parallelism. */
  readonly graph: JobGraph;
  readonly requirements: ResourceRequirements;
  /** False: there are no checkpoints to rescale through. */
  readonly rescalable: boolean;
  /** Slots that the job has or could have. */
  readonly slots: number;
  /** What the last attempt ran with. */
  readonly last: JobGraph | undefined;
  readonly phase: AdaptivePhase;
  /** The time of the last `scheduleAt`. */
  readonly wakeAt: number | undefined;
}

/** `now`: a clock that never goes back, ms. `slots`: that the job has or could have at that moment. */
export type AdaptiveEvent = { readonly now: number; readonly slots: number } & (
  | { readonly type: 'slotsChanged' }
  | { readonly type: 'timer' }
  /** An attempt is to start; `graph`: the job at any parallelism. */
  | { readonly type: 'allocate'; readonly reason: AllocationReason; readonly graph: JobGraph; readonly rescalable: boolean }
  /** Nobody waits for slots any more. */
  | { readonly type: 'withdrawn' }
  /** The attempt's tasks run. */
  | { readonly type: 'running' }
  /** The attempt is over, however. */
  | { readonly type: 'ended' }
  /** The checkpoint for a rescale is not to be had. The attempt goes on. */
  | { readonly type: 'rescaleRefused' }
  | { readonly type: 'requirementsChanged'; readonly requirements: ResourceRequirements }
);

export type AdaptiveAction =
  /** Take the slots that the graph needs, and start an attempt with it. */
  | { readonly type: 'start'; readonly graph: JobGraph }
  /** There were not even `needed` slots in time. */
  | { readonly type: 'giveUp'; readonly needed: number }
  /** Take a checkpoint, and end the attempt with it. */
  | { readonly type: 'rescale' }
  /** End the attempt at once; the next one begins at the last complete checkpoint. */
  | { readonly type: 'restart' }
  /** Send `timer` at this time; replaces the time set before. Undefined: no timer. */
  | { readonly type: 'scheduleAt'; readonly time: number | undefined };

export interface AdaptiveDecision {
  readonly state: AdaptiveState;
  readonly actions: readonly AdaptiveAction[];
}

/** The state of a run before its first attempt. */
export function createAdaptiveState(config: AdaptiveSchedulerConfig, graph: JobGraph, requirements: ResourceRequirements): AdaptiveState {
  return {
    config,
    graph,
    requirements,
    rescalable: false,
    slots: 0,
    last: undefined,
    phase: { name: 'idle' },
    wakeAt: undefined,
  };
}
