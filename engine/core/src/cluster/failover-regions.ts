/**
 * Failover regions: what restarts together. Flink's pipelined regions (RestartPipelinedRegionFailoverStrategy) are the subtasks that
 * channels connect; here those that share a slot belong together, too, because a slot is one thread, which fails as a whole.
 *
 *     source ─forward─▶ sink, parallelism 3      slots {0} {1} {2}: three regions
 *     source ─hash─▶ window, parallelism 3       one region
 *     two pipelines in slot sharing groups a, b  at least two regions
 *
 * Invariant: no channel leads from one region to another.
 */
import type { SubtaskId } from '../checkpoint/coordinator-state.js';
import type { JobGraph } from '../plan/job-graph.js';
import type { Placement } from './placement.js';
import { channelsBetweenSlots } from './slot-memory.js';

/** Slots, and the subtasks in them, that restart together. */
export interface FailoverRegion {
  /** Among the regions of its job. */
  readonly index: number;
  /** Ascending. */
  readonly slots: readonly number[];
  readonly subtasks: readonly SubtaskId[];
}

/** The regions of a job; `isWhole`: all of it is one. */
export function failoverRegions(graph: JobGraph, placement: Placement, isWhole: boolean): readonly FailoverRegion[] {
  const parent = Array.from({ length: placement.slots }, (_, slot) => slot);
  const rootOf = (slot: number): number => {
    let root = slot;
    while (parent[root] !== root) root = parent[root] as number;
    parent[slot] = root;
    return root;
  };
  const join = (left: number, right: number): void => {
    parent[Math.max(rootOf(left), rootOf(right))] = Math.min(rootOf(left), rootOf(right));
  };
  if (isWhole) for (let slot = 1; slot < placement.slots; slot++) join(0, slot);
  else for (const { from, to } of channelsBetweenSlots(graph, placement)) join(from, to);
  const slotsOf = new Map<number, number[]>();
  for (let slot = 0; slot < placement.slots; slot++) slotsOf.set(rootOf(slot), [...(slotsOf.get(rootOf(slot)) ?? []), slot]);
  return [...slotsOf.values()].map((slots, index) => {
    const own = new Set(slots);
    const subtasks = placement.subtasks.filter(({ slot }) => own.has(slot));
    return { index, slots, subtasks: subtasks.map(({ vertexId, subtaskIndex }) => ({ vertexId, subtaskIndex })) };
  });
}
