/**
 * Plan → job graph: resolves parallelism and slot sharing groups, chains operators by Flink's rules, and makes an edge of what is left.
 *
 *     plan:   source ─▶ map ─┬▶ filter ─▶ sink          graph:  [source -> map -> filter -> sink] ══hash══▶ [reduce -> sink]
 *                            └══hash══▶ reduce ─▶ sink
 *
 * Invariant: vertices and the operators of a chain are in topological order (a plan's order is one).
 */
import { resolveOptions } from '../config/resolve-options.js';
import { type Chain, type ChainMember, chainNodes, type ResolvedNode } from './chaining.js';
import type { JobEdge, JobGraph, JobVertex } from './job-graph.js';
import { edgeKey, type Plan, type PlanNode } from './plan.js';
import { requireForwardable, requireWithinMaxParallelism, resolveMaxParallelism } from './resolve-parallelism.js';
import { vertexName } from './vertex-name.js';

/** Job-wide settings; each defaults to the plan's option. */
export interface JobGraphSettings {
  readonly defaultParallelism: number;
  /** Undefined: Flink's rule, 128 for parallelism up to 85. */
  readonly defaultMaxParallelism: number | undefined;
  readonly chainingEnabled: boolean;
  readonly bufferTimeoutMs: number;
}

/** Throws INVALID_PLAN or INVALID_OPTION where the settings contradict the plan. */
export function buildJobGraph(plan: Plan, settings: Partial<JobGraphSettings> = {}): JobGraph {
  const complete: JobGraphSettings = { ...settingsOf(plan), ...settings };
  const resolved = resolveNodes(plan, complete);
  const chains = chainNodes(resolved, complete.chainingEnabled);
  const edges: JobEdge[] = [];
  const chainOf = indexChains(chains);
  for (const chain of chains) edges.push(...edgesInto(chain, chainOf, complete));
  const vertices = chains.map((chain) => freezeVertex(chain, edges, complete));
  return Object.freeze({
    jobName: plan.jobName,
    vertices: Object.freeze(vertices),
    edges: Object.freeze(edges),
    structuralHash: plan.structuralHash,
    ...(plan.slotResources !== undefined && { slotResources: plan.slotResources }),
  });
}

function settingsOf(plan: Plan): JobGraphSettings {
  const options = resolveOptions(plan.options);
  return {
    defaultParallelism: options['parallelism.default'],
    defaultMaxParallelism: options['pipeline.max-parallelism'],
    chainingEnabled: options['pipeline.operator-chaining.enabled'],
    bufferTimeoutMs: options['execution.buffer-timeout.interval'],
  };
}

function resolveNodes(plan: Plan, settings: JobGraphSettings): ResolvedNode[] {
  const byId = new Map<string, ResolvedNode>();
  for (const node of plan.nodes) {
    const parallelism = node.parallelism ?? settings.defaultParallelism;
    const inputs = node.inputs.map((edge) => {
      const producer = byId.get(edge.from) as ResolvedNode;
      const same = producer.parallelism === parallelism;
      if (edge.partitioning === 'forward') requireForwardable(producer, { node, parallelism });
      return { edge, producer, partitioning: edge.partitioning ?? (same ? 'forward' : 'rebalance') } as const;
    });
    byId.set(node.id, { node, parallelism, inputs, slotSharingGroup: groupOf(node, inputs) });
  }
  return [...byId.values()];
}

/** An operator's own group, else that of its inputs if they agree, else 'default'. */
function groupOf(node: PlanNode, inputs: ResolvedNode['inputs']): string {
  if (node.slotSharingGroup !== undefined) return node.slotSharingGroup;
  const [first, ...others] = inputs.map((input) => input.producer.slotSharingGroup);
  return first !== undefined && others.every((group) => group === first) ? first : 'default';
}

function indexChains(chains: readonly Chain[]): ReadonlyMap<string, { readonly chain: Chain; readonly index: number }> {
  const chainOf = new Map<string, { chain: Chain; index: number }>();
  for (const chain of chains) {
    chain.forEach((member, index) => {
      chainOf.set(member.resolved.node.id, { chain, index });
    });
  }
  return chainOf;
}

function headOf(chain: Chain): ChainMember {
  return chain[0] as ChainMember;
}

function edgesInto(chain: Chain, chainOf: ReturnType<typeof indexChains>, settings: JobGraphSettings): JobEdge[] {
  const head = headOf(chain).resolved;
  return head.inputs.map((input, index) => {
    const from = chainOf.get(input.producer.node.id);
    const producer = from as NonNullable<typeof from>;
    return Object.freeze({
      id: edgeKey(head.node.id, index),
      fromVertex: headOf(producer.chain).resolved.node.id,
      fromOperator: producer.index,
      sideOutput: input.edge.sideOutput,
      toVertex: head.node.id,
      input: input.edge.input,
      partitioning: input.partitioning,
      bufferTimeoutMs: input.producer.node.bufferTimeoutMs ?? settings.bufferTimeoutMs,
      schema: input.edge.schema,
    });
  });
}

function freezeVertex(chain: Chain, edges: readonly JobEdge[], settings: JobGraphSettings): JobVertex {
  const head = headOf(chain).resolved;
  const nodes = chain.map((member) => member.resolved.node);
  const maxParallelism = resolveMaxParallelism(nodes, head.parallelism, settings.defaultMaxParallelism);
  requireWithinMaxParallelism(head, maxParallelism);
  return Object.freeze({
    id: head.node.id,
    name: vertexName(chain),
    chain: Object.freeze(
      chain.map(({ resolved, parent }) =>
        Object.freeze({ node: resolved.node, parent, sideOutput: parent < 0 ? undefined : resolved.inputs[0]?.edge.sideOutput }),
      ),
    ),
    parallelism: head.parallelism,
    maxParallelism,
    slotSharingGroup: head.slotSharingGroup,
    inputs: Object.freeze(edges.filter((edge) => edge.toVertex === head.node.id)),
    outputs: Object.freeze(edges.filter((edge) => edge.fromVertex === head.node.id)),
  });
}
