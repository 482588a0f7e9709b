/** Resource requirements that a job's graph can have. */
import { MillstreamError } from '../../common/errors.js';
import type { JobGraph } from '../../plan/job-graph.js';
import type { ResourceRequirements } from './job-info.js';

/** Every vertex of the graph must be there, with 1 <= lower <= upper <= its maximum parallelism. Throws INVALID_REQUEST. */
export function checkRequirements(graph: JobGraph, requirements: ResourceRequirements): void {
  const given = new Map(Object.entries(requirements));
  for (const { id, name, maxParallelism } of graph.vertices) {
    const bounds = given.get(id)?.parallelism;
    if (bounds === undefined) refuse(`vertex '${id}' (${name}) is missing. Name every vertex of the job, also those that stay as they are`);
    given.delete(id);
    const { lowerBound, upperBound } = bounds;
    if (![lowerBound, upperBound].every(Number.isSafeInteger) || lowerBound < 1 || lowerBound > upperBound || upperBound > maxParallelism) {
      refuse(
        `vertex '${id}' (${name}) cannot have ${lowerBound} to ${upperBound} subtasks. Its bounds must be whole numbers, 1 <= lowerBound <= upperBound <= ${maxParallelism}`,
      );
    }
  }
  for (const id of given.keys()) refuse(`the job has no vertex '${id}'. Take the ids from GET /jobs/<job id>`);
}

function refuse(reason: string): never {
  throw new MillstreamError('INVALID_REQUEST', `Cannot change the job's resource requirements: ${reason}.`);
}
