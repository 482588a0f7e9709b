/** A job graph at another parallelism: the same chains, other numbers of subtasks. */
import { MillstreamError } from '../common/errors.js';
import type { JobGraph } from '../plan/job-graph.js';

/** `parallelism`: by vertex id; others keep theirs. Throws INVALID_REQUEST for what the graph cannot have. */
export function rescaledJobGraph(graph: JobGraph, parallelism: ReadonlyMap<string, number>): JobGraph {
  const vertices = graph.vertices.map((vertex) => {
    const wanted = parallelism.get(vertex.id) ?? vertex.parallelism;
    if (!Number.isSafeInteger(wanted) || wanted < 1 || wanted > vertex.maxParallelism) {
      throw refused(`'${vertex.name}' can have 1 to ${vertex.maxParallelism} subtasks, not ${wanted}`);
    }
    return { ...vertex, parallelism: wanted };
  });
  const byId = new Map(vertices.map((vertex) => [vertex.id, vertex]));
  for (const edge of graph.edges) {
    const from = byId.get(edge.fromVertex);
    const to = byId.get(edge.toVertex);
    if (edge.partitioning !== 'forward' || from === undefined || to === undefined || from.parallelism === to.parallelism) continue;
    throw refused(`'${from.name}' forwards to '${to.name}', so that both need the same number of subtasks`);
  }
  return { ...graph, vertices };
}

function refused(reason: string): MillstreamError {
  return new MillstreamError('INVALID_REQUEST', `Cannot rescale the job: ${reason}.`);
}
