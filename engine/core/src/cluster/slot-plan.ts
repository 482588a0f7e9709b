/** What each slot of an attempt is to do. */
import type { SubtaskRestore } from '../runtime/deployment.js';
import type { SlotPlan } from '../runtime/slot-messages.js';
import type { AttemptOptions } from './attempt-options.js';
import type { SlotSetPlan } from './slot-set.js';

/** The plan of one slot. */
export function slotPlanOf(options: AttemptOptions, { placement }: SlotSetPlan, slot: number): SlotPlan {
  const restore: { [vertexId: string]: { [subtask: number]: SubtaskRestore } } = {};
  for (const place of placement.subtasks) {
    const share = options.restore?.subtasks.get(place.vertexId)?.[place.subtaskIndex];
    if (place.slot !== slot || share === undefined) continue;
    restore[place.vertexId] = { ...restore[place.vertexId], [place.subtaskIndex]: share };
  }
  return {
    slot,
    run: options.run,
    attempt: options.attempt,
    jobAttempt: options.jobAttempt,
    graph: options.graph,
    placements: placement.subtasks,
    channels: options.channels,
    alignBarriers: options.alignBarriers,
    checked: options.checked,
    seed: options.seed + slot * 7919,
    watermarkIntervalMs: options.watermarkIntervalMs,
    checkpointDirectory: options.store.directory,
    restore,
    sampleDelays: options.sampleDelays,
    localState: options.localState,
    heapBytes: options.graph.slotResources?.[placement.groups[slot] as string]?.heapBytes,
  };
}
