/**
 * The adaptive scheduler of one run: tells its state machine (adaptive-scheduler.ts) what happens, and does what that decides.
 * Invariant: an event and its actions are done before the next event.
 */
import type { Clock, ScheduledCall } from '../../common/clock.js';
import { MillstreamError } from '../../common/errors.js';
import type { JobGraph } from '../../plan/job-graph.js';
import type { ResourceRequirements } from '../gateway/job-info.js';
import { createRemoteSlots } from '../remote-slots.js';
import { decide } from './adaptive-scheduler.js';
import {
  type AdaptiveAction,
  type AdaptiveEvent,
  type AdaptiveSchedulerConfig,
  type AdaptiveState,
  createAdaptiveState,
} from './adaptive-scheduler-state.js';
import type { AllocationRequest, AttemptAllocation, AttemptScheduler, ScheduledRun } from './attempt-scheduler.js';
import { type ScheduledJob, slotRequest } from './fixed-job-scheduler.js';
import type { SlotSpread } from './match-slots.js';

export interface AdaptiveJobSchedulerOptions {
  readonly job: ScheduledJob;
  readonly graph: JobGraph;
  readonly requirements: ResourceRequirements;
  readonly config: AdaptiveSchedulerConfig;
  /** Default: the pool's. */
  readonly spread: SlotSpread | undefined;
  readonly clock: Clock;
  /** Asked only while an attempt runs. */
  readonly run: () => ScheduledRun;
}

type EventBody<Event> = Event extends unknown ? Omit<Event, 'now' | 'slots'> : never;

export class AdaptiveJobScheduler implements AttemptScheduler {
  private readonly options: AdaptiveJobSchedulerOptions;
  private state: AdaptiveState;
  private waiting: PromiseWithResolvers<AttemptAllocation> | undefined;
  private timer: ScheduledCall | undefined;
  private readonly events: EventBody<AdaptiveEvent>[] = [];
  private isBusy = false;
  private unsubscribe: (() => void) | undefined;

  constructor(options: AdaptiveJobSchedulerOptions) {
    this.options = options;
    this.state = createAdaptiveState(options.config, options.graph, options.requirements);
  }

  get requirements(): ResourceRequirements {
    return this.state.requirements;
  }

  /** From now on the job has these bounds. */
  require(requirements: ResourceRequirements): void {
    this.hear({ type: 'requirementsChanged', requirements });
  }

  async allocate({ graph, reason, rescalable }: AllocationRequest): Promise<AttemptAllocation> {
    // Not before: a job that cannot be made is never closed.
    this.unsubscribe ??= this.options.job.pool.onChange(() => this.hear({ type: 'slotsChanged' }));
    const waiting = Promise.withResolvers<AttemptAllocation>();
    this.waiting = waiting;
    this.hear({ type: 'allocate', reason, graph, rescalable });
    return await waiting.promise;
  }

  withdraw(): void {
    this.hear({ type: 'withdrawn' });
    this.waiting?.reject(
      new MillstreamError('NO_RESOURCE_AVAILABLE', `Job "${this.options.job.jobName}" waits for slots no more.`, { retryable: true }),
    );
    this.waiting = undefined;
  }

  /** The run has ended. */
  close(): void {
    this.unsubscribe?.();
    this.timer?.cancel();
  }

  private hear(event: EventBody<AdaptiveEvent>): void {
    this.events.push(event);
    // What an action changes in the pool is heard while it is being done.
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      for (let next = this.events.shift(); next !== undefined; next = this.events.shift()) this.handle(next);
    } finally {
      this.isBusy = false;
    }
  }

  private handle(body: EventBody<AdaptiveEvent>): void {
    const { job, clock } = this.options;
    const event = { ...body, now: clock.monotonic(), slots: job.pool.available(job.job) } as AdaptiveEvent;
    const { state, actions } = decide(this.state, event);
    this.state = state;
    for (const action of actions) this.perform(action);
  }

  private perform(action: AdaptiveAction): void {
    switch (action.type) {
      case 'start':
        this.start(action.graph);
        break;
      case 'giveUp':
        this.waiting?.reject(this.unavailable(action.needed));
        this.waiting = undefined;
        break;
      case 'rescale':
        this.options
          .run()
          .rescale()
          .catch(() => this.hear({ type: 'rescaleRefused' }));
        break;
      case 'restart':
        if (!this.options.run().restart()) this.hear({ type: 'rescaleRefused' });
        break;
      case 'scheduleAt':
        this.schedule(action.time);
        break;
    }
  }

  private schedule(time: number | undefined): void {
    const { clock } = this.options;
    this.timer?.cancel();
    this.timer = time === undefined ? undefined : clock.schedule(Math.max(0, time - clock.monotonic()), () => this.hear({ type: 'timer' }));
  }

  private start(graph: JobGraph): void {
    const { job, spread } = this.options;
    const request = slotRequest(job, graph);
    const lease = job.pool.take(spread === undefined ? request : { ...request, spread });
    if (lease === undefined) throw slotsVanished(job.jobName);
    this.waiting?.resolve({
      graph,
      isElastic: true,
      createSlots: createRemoteSlots({ ...job.slots, job: job.job, lease }),
      running: () => this.hear({ type: 'running' }),
      release: () => {
        lease.release();
        this.hear({ type: 'ended' });
      },
    });
    this.waiting = undefined;
  }

  private unavailable(needed: number): MillstreamError {
    const { job, config } = this.options;
    const free = job.pool.available(job.job);
    return new MillstreamError(
      'NO_RESOURCE_AVAILABLE',
      `Cannot run job "${job.jobName}": it needs at least ${needed} slots, and ${free} of ${job.pool.totalSlots} were there for it (${job.pool.taskManagers.length} TaskManagers) after ${(config.waitTimeoutMs ?? 0) / 1000} s. Start more TaskManagers, lower the lower bounds of its parallelism, or raise 'jobmanager.adaptive-scheduler.submission.resource-wait-timeout'.`,
      { retryable: true, details: { needed, free, total: job.pool.totalSlots } },
    );
  }
}

function slotsVanished(jobName: string): MillstreamError {
  return new MillstreamError(
    'INTERNAL',
    `Cannot start job "${jobName}": slots that it was to get are gone. This is a defect of Millstream; please report it.`,
  );
}
