/**
 * How many subtasks each vertex of a job gets, out of the bounds that it was given and the slots that there are. Pure.
 *
 * Invariants: 1. every vertex is within its bounds; 2. vertices that a forward edge connects are equal; 3. the graph needs no more slots
 * than were offered; 4. with as many slots as the upper bounds need, every vertex is at its upper one.
 */
import { MillstreamError } from '../../common/errors.js';
import type { JobGraph, JobVertex } from '../../plan/job-graph.js';
import type { ResourceRequirements } from '../gateway/job-info.js';
import { rescaledJobGraph } from '../rescaled-job-graph.js';

/** Numbers of subtasks. */
export interface ParallelismBounds {
  readonly lowerBound: number;
  readonly upperBound: number;
}

/** Slots that a job cannot do without, and slots that it can use. */
export interface SlotDemand {
  readonly least: number;
  readonly most: number;
}

/** What a job needs that was submitted without bounds, by vertex id. */
export function initialRequirements(graph: JobGraph, bounds: (vertex: JobVertex) => ParallelismBounds): ResourceRequirements {
  return Object.fromEntries(graph.vertices.map((vertex) => [vertex.id, { parallelism: bounds(vertex) }]));
}

/** Exactly what the program says. */
export function fixedBounds({ parallelism }: JobVertex): ParallelismBounds {
  return { lowerBound: parallelism, upperBound: parallelism };
}

/** What the program says, or fewer. */
export function elasticBounds({ parallelism }: JobVertex): ParallelismBounds {
  return { lowerBound: 1, upperBound: parallelism };
}

/** As many as there are key groups. What the program limits to one subtask stays at one. */
export function reactiveBounds({ chain, maxParallelism }: JobVertex): ParallelismBounds {
  return { lowerBound: 1, upperBound: chain.some(({ node }) => node.parallelism === 1) ? 1 : maxParallelism };
}

/** The graph with every vertex at its upper bound. Throws INVALID_REQUEST for bounds that no graph can have. */
export function desiredGraph(graph: JobGraph, requirements: ResourceRequirements): JobGraph {
  return withParallelism(graph, boundsByVertex(graph, requirements), ({ upperBound }) => upperBound);
}

/** How many slots the job needs and can use. Throws INVALID_REQUEST for bounds that no graph can have. */
export function slotDemand(graph: JobGraph, requirements: ResourceRequirements): SlotDemand {
  const groups = [...groupDemands(graph, boundsByVertex(graph, requirements)).values()];
  return { least: sum(groups.map(({ least }) => least)), most: sum(groups.map(({ most }) => most)) };
}

/**
 * The graph for so many slots; undefined if they do not suffice. As in Flink, groups of vertices that share slots get their lower bounds
 * first, and equal shares of what is left.
 */
export function graphForSlots(graph: JobGraph, requirements: ResourceRequirements, slots: number): JobGraph | undefined {
  const bounds = boundsByVertex(graph, requirements);
  const shares = shareSlots(groupDemands(graph, bounds), slots);
  if (shares === undefined) return undefined;
  // Vertices that are connected forward follow the one whose group has least.
  const limit = new Map<string, number>();
  for (const vertex of graph.vertices) {
    const component = (bounds.get(vertex.id) as ConnectedBounds).component;
    const share = shares.get(vertex.slotSharingGroup) as number;
    limit.set(component, Math.min(limit.get(component) ?? share, share));
  }
  return withParallelism(graph, bounds, ({ upperBound, component }) => Math.min(upperBound, limit.get(component) as number));
}

/** Subtasks of the whole job. */
export function subtaskCount(graph: JobGraph): number {
  return sum(graph.vertices.map(({ parallelism }) => parallelism));
}

/** Whether every vertex has a number of subtasks that the bounds allow. */
export function isWithinBounds(graph: JobGraph, requirements: ResourceRequirements): boolean {
  return graph.vertices.every(({ id, parallelism }) => {
    const bounds = requirements[id]?.parallelism;
    return bounds === undefined || (parallelism >= bounds.lowerBound && parallelism <= bounds.upperBound);
  });
}

interface ConnectedBounds extends ParallelismBounds {
  /** Names the vertices that must have the same number of subtasks. */
  readonly component: string;
}

function boundsByVertex(graph: JobGraph, requirements: ResourceRequirements): ReadonlyMap<string, ConnectedBounds> {
  const root = forwardComponents(graph);
  const common = new Map<string, ParallelismBounds>();
  for (const vertex of graph.vertices) {
    const own = requirements[vertex.id]?.parallelism ?? fixedBounds(vertex);
    const component = root(vertex.id);
    const others = common.get(component) ?? own;
    common.set(component, {
      lowerBound: Math.max(own.lowerBound, others.lowerBound),
      // A job may start from a checkpoint with fewer key groups than it was submitted with.
      upperBound: Math.min(own.upperBound, others.upperBound, vertex.maxParallelism),
    });
  }
  for (const [component, { lowerBound, upperBound }] of common) {
    if (lowerBound <= upperBound) continue;
    const names = graph.vertices.filter(({ id }) => root(id) === component).map(({ name }) => `'${name}'`);
    throw new MillstreamError(
      'INVALID_REQUEST',
      `Cannot run the job with these resource requirements: ${names.join(', ')} need the same number of subtasks, and would have at least ${lowerBound} and at most ${upperBound}. Give them bounds that have a number in common.`,
    );
  }
  return new Map(graph.vertices.map(({ id }) => [id, { ...(common.get(root(id)) as ParallelismBounds), component: root(id) }]));
}

function forwardComponents({ vertices, edges }: JobGraph): (vertexId: string) => string {
  const parent = new Map(vertices.map(({ id }) => [id, id]));
  const root = (id: string): string => {
    let found = id;
    while (parent.get(found) !== found) found = parent.get(found) as string;
    return found;
  };
  for (const edge of edges) if (edge.partitioning === 'forward') parent.set(root(edge.toVertex), root(edge.fromVertex));
  return root;
}

function groupDemands(graph: JobGraph, bounds: ReadonlyMap<string, ConnectedBounds>): Map<string, SlotDemand> {
  const demands = new Map<string, SlotDemand>();
  for (const { id, slotSharingGroup } of graph.vertices) {
    const { lowerBound, upperBound } = bounds.get(id) as ConnectedBounds;
    const { least, most } = demands.get(slotSharingGroup) ?? { least: 0, most: 0 };
    demands.set(slotSharingGroup, { least: Math.max(least, lowerBound), most: Math.max(most, upperBound) });
  }
  return demands;
}

/** Slots of each group. What a group cannot use is left to the ones that can use more. */
function shareSlots(demands: ReadonlyMap<string, SlotDemand>, slots: number): ReadonlyMap<string, number> | undefined {
  let spare = slots - sum([...demands.values()].map(({ least }) => least));
  if (spare < 0) return undefined;
  const shares = new Map<string, number>();
  const modestFirst = [...demands].sort(([, left], [, right]) => left.most - left.least - (right.most - right.least));
  for (const [index, [group, { least, most }]] of modestFirst.entries()) {
    const extra = Math.min(most - least, Math.floor(spare / (modestFirst.length - index)));
    shares.set(group, least + extra);
    spare -= extra;
  }
  return shares;
}

function withParallelism(
  graph: JobGraph,
  bounds: ReadonlyMap<string, ConnectedBounds>,
  choose: (bounds: ConnectedBounds) => number,
): JobGraph {
  return rescaledJobGraph(graph, new Map(graph.vertices.map(({ id }) => [id, choose(bounds.get(id) as ConnectedBounds)])));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
