/**
 * The slots of a cluster: who has how many, and who waits for some.
 *
 *     acquire ─▶ enough free? ─▶ leased ─release─▶ kept for the job's next attempt ─time, or the job's end─▶ free
 *                   └ else waits, first come first served, until slots come or the time is over
 *
 * Invariants: 1. a slot is leased to at most one attempt; 2. an attempt gets all of its slots or none; 3. slots that are kept for a job go
 * to nobody else, and free is what its next attempt leaves of them.
 */
import type { Clock, ScheduledCall } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import { describeResources } from '../plan/slot-resources.js';
import { formerHostsOf } from './hosted-slots.js';
import type { RegisteredTaskManager, SlotUse } from './registered-task-manager.js';
import { countFreeSlots, matchSlots, type SlotSpread } from './scheduling/match-slots.js';
import type { ResourceProfile } from './scheduling/resource-profile.js';

/** Slots for an attempt. */
export interface SlotRequest {
  readonly job: string;
  /** For errors. */
  readonly jobName: string;
  /** What each slot takes of its TaskManager; undefined: an even share. */
  readonly profiles: readonly (ResourceProfile | undefined)[];
  /** Default: the pool's. */
  readonly spread?: SlotSpread;
  /** Only these slots of an attempt that goes on, in place of those that it has lost. */
  readonly into?: { readonly lease: SlotLease; readonly slots: readonly number[] };
}

/** Slots that an attempt has. */
export interface SlotLease {
  /** By slot of the attempt. */
  readonly hosts: readonly RegisteredTaskManager[];
  release(): void;
}

/** A request that may still be waiting. */
export interface SlotClaim {
  /** Rejects with NO_RESOURCE_AVAILABLE when the time is over or the claim was withdrawn. */
  readonly lease: Promise<SlotLease>;
  withdraw(): void;
}

export interface SlotPoolOptions {
  readonly clock: Clock;
  readonly spread: SlotSpread;
  /** How long a job keeps slots between two attempts. Default 0: not at all. */
  readonly idleTimeoutMs?: number;
}

/** What an attempt has; what it has lost is replaced. */
class AttemptLease implements SlotLease {
  readonly hosts: RegisteredTaskManager[] = [];
  readonly uses = new Map<SlotUse, RegisteredTaskManager>();
  private readonly useOf: SlotUse[] = [];
  private readonly onRelease: (lease: AttemptLease) => void;
  private isReleased = false;

  constructor(onRelease: (lease: AttemptLease) => void) {
    this.onRelease = onRelease;
  }

  put(slot: number, host: RegisteredTaskManager, use: SlotUse): void {
    const replaced = this.useOf[slot];
    if (replaced !== undefined) this.uses.delete(replaced);
    this.useOf[slot] = use;
    host.uses.add(use);
    this.uses.set(use, host);
    this.hosts[slot] = host;
  }

  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.onRelease(this);
  }
}

interface Waiter {
  readonly request: SlotRequest;
  readonly resolve: (lease: SlotLease) => void;
  readonly timer: ScheduledCall;
}

/** Slots that wait for their job's next attempt. */
interface KeptSlots {
  readonly uses: ReadonlyMap<SlotUse, RegisteredTaskManager>;
  readonly timer: ScheduledCall;
}

/** The slots of all TaskManagers. */
export class SlotPool {
  private readonly options: SlotPoolOptions;
  private readonly members = new Map<string, RegisteredTaskManager>();
  private waiters: Waiter[] = [];
  private readonly kept = new Map<string, KeptSlots>();
  /** Ids of the TaskManagers that the last attempt of each job had, by slot; of jobs that have had one under this leader. */
  private readonly formerHosts = new Map<string, readonly string[]>();
  private readonly listeners = new Set<() => void>();

  constructor(options: SlotPoolOptions) {
    this.options = options;
  }

  get taskManagers(): readonly RegisteredTaskManager[] {
    return [...this.members.values()];
  }

  get totalSlots(): number {
    return this.taskManagers.reduce((sum, { description }) => sum + description.slots, 0);
  }

  get freeSlots(): number {
    return this.taskManagers.reduce((sum, { freeSlots }) => sum + freeSlots, 0);
  }

  /** Slots that a job has or could have at once. While others wait, what is free is not its. */
  available(job: string): number {
    const everything = countFreeSlots(this.taskManagers.map((member) => member.offer((use) => use.job === job)));
    if (this.waiters.every(({ request }) => request.job === job)) return everything;
    const own = this.taskManagers.reduce((sum, { jobs }) => sum + jobs.filter((each) => each === job).length, 0);
    return Math.min(own, everything);
  }

  /** Calls the listener after slots have come or gone; returns what ends that. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  add(member: RegisteredTaskManager): void {
    this.members.set(member.id, member);
    this.changed();
  }

  remove(member: RegisteredTaskManager): void {
    if (this.members.get(member.id) === member) this.members.delete(member.id);
    this.changed();
  }

  /** Waits for slots for `timeoutMs` at most. */
  acquire(request: SlotRequest, timeoutMs: number): SlotClaim {
    const { promise, resolve, reject } = Promise.withResolvers<SlotLease>();
    const withdraw = (error: MillstreamError): void => {
      if (!this.waiters.includes(waiter)) return;
      this.waiters = this.waiters.filter((each) => each !== waiter);
      waiter.timer.cancel();
      reject(error);
      // A smaller request behind it may fit.
      this.changed();
    };
    const timer = this.options.clock.schedule(timeoutMs, () => withdraw(this.unavailable(request, timeoutMs)));
    const waiter: Waiter = { request, resolve, timer };
    this.waiters.push(waiter);
    this.changed();
    return { lease: promise, withdraw: () => withdraw(withdrawn(request)) };
  }

  /** Slots at once, before all who wait; undefined if there are not enough. */
  take(request: SlotRequest): SlotLease | undefined {
    const hadSlots = this.kept.has(request.job);
    const lease = this.allocate(request);
    // It may have taken less than was kept for its job: the rest is for others.
    if (lease !== undefined && hadSlots) this.changed();
    return lease;
  }

  private allocate(request: SlotRequest): SlotLease | undefined {
    const { job } = request;
    const former = this.formerHosts.get(job) ?? formerHostsOf(job, request.profiles.length, this.taskManagers);
    const kept = this.kept.get(job);
    const slots = slotsOf(request);
    const hosts = matchSlots(
      slots.map((slot) => ({ profile: request.profiles[slot], formerHost: former?.[slot] })),
      this.taskManagers.map((member) => member.offer((use) => kept?.uses.has(use) ?? false)),
      request.spread ?? this.options.spread,
    );
    if (hosts === undefined) return undefined;
    this.letGo(job);
    const lease = request.into?.lease ?? new AttemptLease(({ uses }) => this.keep(job, uses));
    for (const [at, slot] of slots.entries()) {
      const host = this.members.get(hosts[at] as string) as RegisteredTaskManager;
      (lease as AttemptLease).put(slot, host, { job, profile: request.profiles[slot] });
    }
    this.formerHosts.set(
      job,
      lease.hosts.map(({ id }) => id),
    );
    return lease;
  }

  /** The job has ended: what was kept for it is free. */
  forget(job: string): void {
    this.formerHosts.delete(job);
    this.letGo(job);
    this.changed();
  }

  private changed(): void {
    for (let next = this.waiters[0]; next !== undefined; next = this.waiters[0]) {
      const lease = this.allocate(next.request);
      if (lease === undefined) break;
      this.waiters.shift();
      next.timer.cancel();
      next.resolve(lease);
    }
    for (const listener of [...this.listeners]) listener();
  }

  private keep(job: string, uses: ReadonlyMap<SlotUse, RegisteredTaskManager>): void {
    const { clock, idleTimeoutMs = 0 } = this.options;
    this.letGo(job);
    const idle = (): void => {
      this.letGo(job);
      this.changed();
    };
    this.kept.set(job, { uses, timer: clock.schedule(idleTimeoutMs, idle, false) });
    if (idleTimeoutMs === 0) this.letGo(job);
    this.changed();
  }

  private letGo(job: string): void {
    const kept = this.kept.get(job);
    if (kept === undefined) return;
    this.kept.delete(job);
    kept.timer.cancel();
    for (const [use, host] of kept.uses) host.uses.delete(use);
  }

  /** ", some with 2 cores and 1024 MB of heap (the largest TaskManager has …)"; empty without profiles. */
  private describeProfiles(profiles: readonly (ResourceProfile | undefined)[]): string {
    const wanted = largestOf(profiles.filter((profile) => profile !== undefined));
    if (wanted === undefined) return '';
    const largest = largestOf(this.taskManagers.map(({ resources }) => resources));
    const has = largest === undefined ? 'there is no TaskManager' : `the largest TaskManager has ${describeResources(largest)}`;
    return `, some with ${describeResources(wanted)} (${has})`;
  }

  private unavailable(request: SlotRequest, timeoutMs: number): MillstreamError {
    const { job, jobName, into } = request;
    const slots = slotsOf(request);
    const needed = slots.length;
    const profiles = slots.map((slot) => request.profiles[slot]);
    const free = countFreeSlots(this.taskManagers.map((member) => member.offer((use) => into === undefined && use.job === job)));
    return new MillstreamError(
      'NO_RESOURCE_AVAILABLE',
      `Cannot run job "${jobName}": it needs ${needed} slots${this.describeProfiles(profiles)}, and ${free} of ${this.totalSlots} were free (${this.members.size} TaskManagers) for ${timeoutMs / 1000} s. Start more TaskManagers, lower the parallelism, or raise 'slot.request.timeout'.`,
      { retryable: true, details: { needed, free, total: this.totalSlots } },
    );
  }
}

/** The slots of its attempt that a request is for. */
function slotsOf({ profiles, into }: SlotRequest): readonly number[] {
  return into?.slots ?? profiles.map((_, slot) => slot);
}

/** By heap, then by cores. */
function largestOf(profiles: readonly ResourceProfile[]): ResourceProfile | undefined {
  return profiles.toSorted((left, right) => right.heapBytes - left.heapBytes || right.cpuCores - left.cpuCores)[0];
}

function withdrawn({ jobName }: SlotRequest): MillstreamError {
  return new MillstreamError('NO_RESOURCE_AVAILABLE', `Job "${jobName}" waits for slots no more.`, { retryable: true });
}
