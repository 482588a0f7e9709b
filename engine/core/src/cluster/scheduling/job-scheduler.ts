/** The scheduler of a job: Flink's `jobmanager.scheduler` and `scheduler-mode`. */
import type { Clock } from '../../common/clock.js';
import { MillstreamError } from '../../common/errors.js';
import type { JobGraph } from '../../plan/job-graph.js';
import type { ResourceRequirements } from '../gateway/job-info.js';
import { placeSubtasks } from '../placement.js';
import { AdaptiveJobScheduler } from './adaptive-job-scheduler.js';
import type { AdaptiveSchedulerConfig } from './adaptive-scheduler-state.js';
import type { AttemptScheduler, ScheduledRun } from './attempt-scheduler.js';
import { FixedJobScheduler, type FixedSchedulerSettings, type ScheduledJob } from './fixed-job-scheduler.js';
import { desiredGraph, elasticBounds, fixedBounds, initialRequirements, reactiveBounds, slotDemand } from './job-parallelism.js';

/** How the jobs of a cluster get their slots. */
export type SchedulerSettings =
  /** An attempt waits for all of its slots. */
  | ({ readonly type: 'Default' } & FixedSchedulerSettings)
  /** An attempt runs with what there is; `reactive`: with all that there is. */
  | ({ readonly type: 'Adaptive'; readonly reactive: boolean; readonly preferMinimalTaskManagers: boolean } & AdaptiveSchedulerConfig);

/** An attempt scheduler whose bounds can be changed. */
export interface JobScheduler extends AttemptScheduler {
  readonly requirements: ResourceRequirements;
  /** The program's graph, at the parallelism that is asked for. */
  required(graph: JobGraph): JobGraph;
  /** Throws INVALID_REQUEST, NO_RESOURCE_AVAILABLE, CHECKPOINT_FAILED, REQUEST_CONFLICT; the job then goes on as before. */
  require(requirements: ResourceRequirements): Promise<void>;
  /** The run has ended. */
  close(): void;
}

export interface JobSchedulerOptions {
  readonly settings: SchedulerSettings;
  readonly job: ScheduledJob;
  /** The program's. */
  readonly graph: JobGraph;
  /** Where they have been changed since the job was submitted. */
  readonly requirements: ResourceRequirements | undefined;
  /** Keeps changed ones for the next leader. */
  readonly keepRequirements: (requirements: ResourceRequirements) => Promise<void>;
  readonly clock: Clock;
  readonly run: () => ScheduledRun;
}

export function createJobScheduler(options: JobSchedulerOptions): JobScheduler {
  const { settings } = options;
  return settings.type === 'Default' ? defaultScheduler(options, settings) : adaptiveScheduler(options, settings);
}

function defaultScheduler(options: JobSchedulerOptions, settings: SchedulerSettings & { type: 'Default' }): JobScheduler {
  const { job, graph, keepRequirements, run } = options;
  const scheduler = new FixedJobScheduler(job, settings);
  let requirements = options.requirements ?? initialRequirements(graph, fixedBounds);
  return {
    allocate: async (request) => await scheduler.allocate(request),
    withdraw: () => scheduler.withdraw(),
    get requirements() {
      return requirements;
    },
    required: (submitted) => (options.requirements === undefined ? submitted : desiredGraph(submitted, options.requirements)),
    require: async (changed) => {
      const wanted = desiredGraph(graph, changed);
      checkSlots(job, wanted);
      await run().rescale(new Map(wanted.vertices.map(({ id, parallelism }) => [id, parallelism])));
      requirements = changed;
      await keepRequirements(changed);
    },
    close: () => undefined,
  };
}

function checkSlots({ pool, job, jobName }: ScheduledJob, wanted: JobGraph): void {
  const needed = placeSubtasks(wanted).slots;
  const slots = pool.available(job);
  if (needed <= slots) return;
  throw new MillstreamError(
    'NO_RESOURCE_AVAILABLE',
    `Cannot rescale job "${jobName}": it would need ${needed} slots, and the cluster has ${slots} for it. Start more TaskManagers, or ask for less.`,
    { retryable: true },
  );
}

function adaptiveScheduler(options: JobSchedulerOptions, settings: SchedulerSettings & { type: 'Adaptive' }): JobScheduler {
  const { job, graph, keepRequirements, clock, run } = options;
  const bounds = settings.reactive ? reactiveBounds : elasticBounds;
  const scheduler = new AdaptiveJobScheduler({
    job,
    graph,
    requirements: options.requirements ?? initialRequirements(graph, bounds),
    config: settings,
    spread: settings.preferMinimalTaskManagers ? 'pack' : undefined,
    clock,
    run,
  });
  return {
    allocate: async (request) => await scheduler.allocate(request),
    withdraw: () => scheduler.withdraw(),
    get requirements() {
      return scheduler.requirements;
    },
    required: (submitted) => submitted,
    require: async (changed) => {
      if (settings.reactive) throw reactiveRefusal(job.jobName);
      slotDemand(graph, changed);
      await keepRequirements(changed);
      scheduler.require(changed);
    },
    close: () => scheduler.close(),
  };
}

function reactiveRefusal(jobName: string): MillstreamError {
  return new MillstreamError(
    'REQUEST_CONFLICT',
    `Cannot change the resource requirements of job "${jobName}": with 'scheduler-mode: reactive' it uses all slots that there are. Start or stop TaskManagers.`,
  );
}
