/** Flink's default scheduler: an attempt gets all the slots that the job asks for, or waits for them. */
import type { JobGraph } from '../../plan/job-graph.js';
import { placeSubtasks } from '../placement.js';
import { createRemoteSlots, type RemoteSlotsOptions } from '../remote-slots.js';
import type { SlotClaim, SlotPool, SlotRequest } from '../slot-pool.js';
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

export class FixedJobScheduler implements AttemptScheduler {
  private readonly job: ScheduledJob;
  private readonly requestTimeoutMs: number;
  private claim: SlotClaim | undefined;

  /** `requestTimeoutMs`: how long an attempt waits for its slots. */
  constructor(job: ScheduledJob, requestTimeoutMs: number) {
    this.job = job;
    this.requestTimeoutMs = requestTimeoutMs;
  }

  async allocate({ graph }: AllocationRequest): Promise<AttemptAllocation> {
    const { pool, job, slots } = this.job;
    this.claim = pool.acquire(slotRequest(this.job, graph), this.requestTimeoutMs);
    const lease = await this.claim.lease;
    return {
      graph,
      createSlots: createRemoteSlots({ ...slots, job, lease }),
      running: () => undefined,
      release: () => lease.release(),
    };
  }

  withdraw(): void {
    this.claim?.withdraw();
  }
}
