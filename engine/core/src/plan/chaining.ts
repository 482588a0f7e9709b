/**
 * Flink's chaining rules: which operators run fused in one task.
 * An operator joins its producer's chain if: chaining is enabled; it has one input edge (a union or a second input breaks the chain);
 * the edge is forward; parallelism and slot sharing group are the same; the producer does not forbid it ('never') and it does not
 * itself ('head', 'never'). Chains are trees: several consumers may join one producer.
 */
import type { Partitioning, PlanEdge, PlanNode } from './plan.js';

/** An input edge with its producer and the partitioning that it ends up with. */
export interface ResolvedInput {
  readonly edge: PlanEdge;
  readonly producer: ResolvedNode;
  readonly partitioning: Partitioning;
}

/** A plan node with nothing left to the job's defaults. */
export interface ResolvedNode {
  readonly node: PlanNode;
  readonly parallelism: number;
  readonly slotSharingGroup: string;
  readonly inputs: readonly ResolvedInput[];
}

/** An operator in a chain; `parent` is the index of the operator that feeds it, -1 for the head. */
export interface ChainMember {
  readonly resolved: ResolvedNode;
  readonly parent: number;
}

export type Chain = readonly ChainMember[];

/** Groups nodes (in topological order) into chains, ordered by their heads. */
export function chainNodes(nodes: readonly ResolvedNode[], enabled: boolean): Chain[] {
  const chains: ChainMember[][] = [];
  const chainOf = new Map<ResolvedNode, ChainMember[]>();
  for (const resolved of nodes) {
    const producer = enabled ? chainedProducer(resolved) : undefined;
    const joined = producer === undefined ? undefined : chainOf.get(producer);
    const chain = joined ?? [];
    if (joined === undefined) chains.push(chain);
    chain.push({ resolved, parent: chain.findIndex((member) => member.resolved === producer) });
    chainOf.set(resolved, chain);
  }
  return chains;
}

/** The producer whose chain this operator joins, if it may. */
function chainedProducer(consumer: ResolvedNode): ResolvedNode | undefined {
  const [input, ...others] = consumer.inputs;
  if (input === undefined || others.length > 0 || input.partitioning !== 'forward') return undefined;
  const { producer } = input;
  if (consumer.node.chaining !== 'always' || producer.node.chaining === 'never') return undefined;
  if (producer.parallelism !== consumer.parallelism || producer.slotSharingGroup !== consumer.slotSharingGroup) return undefined;
  return producer;
}
