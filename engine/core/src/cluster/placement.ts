/** Which slot runs which subtask: subtask i of every vertex of a slot-sharing group goes to the group's slot i. */
import type { JobGraph } from '../plan/job-graph.js';
import type { SubtaskPlacement } from '../runtime/deployment.js';

export interface Placement {
  readonly slots: number;
  /** By slot: the slot-sharing group that it belongs to. */
  readonly groups: readonly string[];
  readonly subtasks: readonly SubtaskPlacement[];
  slotOf(vertexId: string, subtaskIndex: number): number;
}

export function placeSubtasks(graph: JobGraph): Placement {
  const groupSlots = new Map<string, number>();
  for (const vertex of graph.vertices) {
    groupSlots.set(vertex.slotSharingGroup, Math.max(groupSlots.get(vertex.slotSharingGroup) ?? 0, vertex.parallelism));
  }
  const firstSlot = new Map<string, number>();
  const groups: string[] = [];
  for (const [group, count] of groupSlots) {
    firstSlot.set(group, groups.length);
    for (let index = 0; index < count; index++) groups.push(group);
  }
  const subtasks = graph.vertices.flatMap((vertex) =>
    Array.from({ length: vertex.parallelism }, (_, subtaskIndex) => ({
      vertexId: vertex.id,
      subtaskIndex,
      slot: (firstSlot.get(vertex.slotSharingGroup) as number) + subtaskIndex,
    })),
  );
  const slotOf = new Map(subtasks.map((place) => [`${place.vertexId}:${place.subtaskIndex}`, place.slot]));
  return {
    slots: groups.length,
    groups,
    subtasks,
    slotOf: (vertexId, subtaskIndex) => slotOf.get(`${vertexId}:${subtaskIndex}`) as number,
  };
}
