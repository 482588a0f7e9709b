/** What a slot takes of its TaskManager. */
import type { SlotResources } from '../../plan/plan.js';

/** Cores are matched only; heap is also enforced: a slot's thread is limited to it. */
export type ResourceProfile = SlotResources;

/** Below this difference numbers of cores are equal: thirds add up to one. */
const CORES_EPSILON = 1e-6;

/** An even share of a TaskManager's resources. */
export function shareOf(total: ResourceProfile, slots: number): ResourceProfile {
  return { cpuCores: total.cpuCores / slots, heapBytes: Math.floor(total.heapBytes / slots) };
}

export function fits(wanted: ResourceProfile, free: ResourceProfile): boolean {
  return wanted.cpuCores <= free.cpuCores + CORES_EPSILON && wanted.heapBytes <= free.heapBytes;
}

export function without(free: ResourceProfile, taken: ResourceProfile): ResourceProfile {
  return { cpuCores: free.cpuCores - taken.cpuCores, heapBytes: free.heapBytes - taken.heapBytes };
}
