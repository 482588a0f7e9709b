/**
 * Which slots of its jobs a TaskManager has run, and so keeps copies of state for: a leader that has just come learns from it where a job's
 * slots are to go.
 */
import type { AttemptDeployment } from './control-messages.js';

/** Slots of a job. */
export interface HostedSlots {
  readonly job: string;
  /** How many slots the job had. */
  readonly of: number;
  /** Each with the attempt that ran there last. */
  readonly slots: readonly (readonly [slot: number, attempt: number])[];
}

export class HostedSlotsLog {
  private readonly byRun = new Map<string, { readonly job: string; readonly of: number; readonly slots: Map<number, number> }>();

  /** Slots are being started; those of a job with another number of slots are of no use any more. */
  opened({ key, plans, hosts }: AttemptDeployment): void {
    // Nobody says so when a run without copies is over.
    const kept = plans.filter(({ localState }) => localState.writes);
    if (kept.length === 0) return;
    let known = this.byRun.get(key.run);
    if (known?.of !== hosts.length) {
      known = { job: key.job, of: hosts.length, slots: new Map() };
      this.byRun.set(key.run, known);
    }
    for (const { slot } of kept) known.slots.set(slot, key.attempt);
  }

  /** The run is over. */
  forget(run: string): void {
    this.byRun.delete(run);
  }

  all(): readonly HostedSlots[] {
    return [...this.byRun.values()].map(({ job, of, slots }) => ({ job, of, slots: [...slots] }));
  }
}

/** By slot of a job with `count` slots: who had it last, as far as anybody says so. Undefined: nobody says anything. */
export function formerHostsOf(
  job: string,
  count: number,
  members: Iterable<{ readonly id: string; readonly hosted: readonly HostedSlots[] }>,
): readonly (string | undefined)[] | undefined {
  const hosts: (string | undefined)[] = [];
  const newest: number[] = [];
  for (const { id, hosted } of members) {
    for (const each of hosted) {
      if (each.job !== job || each.of !== count) continue;
      for (const [slot, attempt] of each.slots) {
        if (attempt <= (newest[slot] ?? 0)) continue;
        newest[slot] = attempt;
        hosts[slot] = id;
      }
    }
  }
  return hosts.length === 0 ? undefined : hosts;
}
