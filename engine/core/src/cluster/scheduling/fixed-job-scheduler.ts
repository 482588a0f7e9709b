/** Flink's default scheduler: an attempt gets all the slots that the job asks for, or waits for them. */
import type { JobGraph } from '../../plan/job-graph.js';
import { placeSubtasks } from '../placement.js';
import { createRemoteSlots, type RemoteSlotsOptions } from '../remote-slots.js';
import type { SlotClaim, SlotLease, SlotPool, SlotRequest } from '../slot-pool.js';
import type { AllocationRequest, AttemptAllocation, AttemptScheduler } from './attempt-scheduler.js';

/** A job of a cluster, as its scheduler needs it. */
export interface ScheduledJob {
  readonly pool: SlotPool;
  readonly job: string;
  readonly jobName: string;
  readonly slots: Omit<RemoteSlotsOptions, 'lease' | 'job'>;
}

/** The slots that a graph needs. */
export function slotRequest({ job, jobName }: ScheduledJob, graph: JobGraph): SlotRequest {
  return { job, jobName, profiles: placeSubtasks(graph).groups.map((group) => graph.slotResources?.[group]) };
}

/** How the default scheduler goes about it. */
export interface FixedSchedulerSettings {
  /** How long an attempt waits for its slots, ms. */
  readonly slotRequestTimeoutMs: number;
  /** What restarts after a failure: the tasks that are connected to the failed one, or all. */
  readonly failover: 'region' | 'full';
}

export class FixedJobScheduler implements AttemptScheduler {
  private readonly job: ScheduledJob;
  private readonly settings: FixedSchedulerSettings;
  private readonly claims = new Set<SlotClaim>();

  constructor(job: ScheduledJob, settings: FixedSchedulerSettings) {
    this.job = job;
    this.settings = settings;
  }

  async allocate({ graph }: AllocationRequest): Promise<AttemptAllocation> {
    const { job, slots } = this.job;
    const request = slotRequest(this.job, graph);
    const lease = await this.acquire(request);
    const createSlots = createRemoteSlots({ ...slots, job, lease });
    return {
      graph,
      createSlots,
      ...(this.settings.failover === 'region' && {
        replace: async (wanted) => {
          const gone = wanted.filter((slot) => lease.hosts[slot]?.isLost === true);
          if (gone.length > 0) await this.acquire({ ...request, into: { lease, slots: gone } });
          return createSlots;
        },
      }),
      running: () => undefined,
      release: () => {
        this.withdraw();
        lease.release();
      },
    };
  }

  private async acquire(request: SlotRequest): Promise<SlotLease> {
    const claim = this.job.pool.acquire(request, this.settings.slotRequestTimeoutMs);
    this.claims.add(claim);
    try {
      return await claim.lease;
    } finally {
      this.claims.delete(claim);
    }
  }

  withdraw(): void {
    for (const claim of [...this.claims]) claim.withdraw();
  }
}
