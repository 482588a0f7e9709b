/**
 * The slots of a cluster: who has how many, and who waits for some.
 *
 *     acquire(n) ─▶ n free? ─▶ leased          else waits, first come first served, until slots come or the time is over
 *
 * Invariants: 1. a slot is leased to at most one attempt; 2. an attempt gets all of its slots or none.
 */
import type { Clock, ScheduledCall } from '../common/clock.js';
import { MillstreamError } from '../common/errors.js';
import type { RegisteredTaskManager } from './registered-task-manager.js';

/** Which TaskManagers an attempt's slots are taken from. Flink's `taskmanager.load-balance.mode`: NONE fills, SLOTS spreads. */
export type SlotSpread = 'fill' | 'spread';

export interface SlotRequest {
  readonly slots: number;
  readonly job: string;
  /** For errors. */
  readonly jobName: string;
  readonly timeoutMs: number;
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

interface Waiter {
  readonly request: SlotRequest;
  readonly resolve: (lease: SlotLease) => void;
  readonly timer: ScheduledCall;
}

export class SlotPool {
  private readonly clock: Clock;
  private readonly spread: SlotSpread;
  private readonly members = new Map<string, RegisteredTaskManager>();
  private waiters: Waiter[] = [];

  constructor(clock: Clock, spread: SlotSpread) {
    this.clock = clock;
    this.spread = spread;
  }

  get taskManagers(): readonly RegisteredTaskManager[] {
    return [...this.members.values()];
  }

  get totalSlots(): number {
    return this.sum((member) => member.description.slots);
  }

  get freeSlots(): number {
    return this.sum((member) => member.freeSlots);
  }

  private sum(count: (member: RegisteredTaskManager) => number): number {
    let total = 0;
    for (const member of this.members.values()) total += count(member);
    return total;
  }

  add(member: RegisteredTaskManager): void {
    this.members.set(member.id, member);
    this.serve();
  }

  remove(member: RegisteredTaskManager): void {
    if (this.members.get(member.id) === member) this.members.delete(member.id);
  }

  acquire(request: SlotRequest): SlotClaim {
    const { promise, resolve, reject } = Promise.withResolvers<SlotLease>();
    const withdraw = (error: MillstreamError): void => {
      if (!this.waiters.includes(waiter)) return;
      this.waiters = this.waiters.filter((each) => each !== waiter);
      waiter.timer.cancel();
      reject(error);
      // A smaller request behind it may fit.
      this.serve();
    };
    const timer = this.clock.schedule(request.timeoutMs, () => withdraw(this.unavailable(request)));
    const waiter: Waiter = { request, resolve, timer };
    this.waiters.push(waiter);
    this.serve();
    return { lease: promise, withdraw: () => withdraw(withdrawn(request)) };
  }

  private serve(): void {
    for (let next = this.waiters[0]; next !== undefined && next.request.slots <= this.freeSlots; next = this.waiters[0]) {
      this.waiters.shift();
      next.timer.cancel();
      next.resolve(this.lease(next.request));
    }
  }

  private lease({ slots, job }: SlotRequest): SlotLease {
    const hosts: RegisteredTaskManager[] = [];
    while (hosts.length < slots) {
      const host = this.nextHost();
      host.take(job);
      hosts.push(host);
    }
    // Neighbouring slots on one machine: forward and rescale edges stay there.
    hosts.sort((left, right) => (left.id < right.id ? -1 : left.id > right.id ? 1 : 0));
    let released = false;
    return {
      hosts,
      release: () => {
        if (released) return;
        released = true;
        for (const host of hosts) host.release(job);
        this.serve();
      },
    };
  }

  /** To fill: the fullest that has room. To spread: the emptiest. */
  private nextHost(): RegisteredTaskManager {
    let best: RegisteredTaskManager | undefined;
    for (const member of this.members.values()) {
      if (member.freeSlots === 0) continue;
      const better =
        best === undefined || (this.spread === 'spread' ? member.freeSlots > best.freeSlots : member.freeSlots < best.freeSlots);
      if (better) best = member;
    }
    return best as RegisteredTaskManager;
  }

  private unavailable({ slots, jobName, timeoutMs }: SlotRequest): MillstreamError {
    return new MillstreamError(
      'NO_RESOURCE_AVAILABLE',
      `Cannot run job "${jobName}": it needs ${slots} slots, and ${this.freeSlots} of ${this.totalSlots} were free (${this.members.size} TaskManagers) for ${timeoutMs / 1000} s. Start more TaskManagers, lower the parallelism, or raise 'slot.request.timeout'.`,
      { retryable: true, details: { needed: slots, free: this.freeSlots, total: this.totalSlots } },
    );
  }
}

function withdrawn({ jobName }: SlotRequest): MillstreamError {
  return new MillstreamError('NO_RESOURCE_AVAILABLE', `Job "${jobName}" waits for slots no more.`, { retryable: true });
}
