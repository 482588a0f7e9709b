/** Names for people: of a node, and of a chain as Flink prints it. */
import type { Chain } from './chaining.js';
import type { PlanNode } from './plan.js';

/** "Source: flights", "map", "Sink: results". */
export function displayName(node: Pick<PlanNode, 'kind' | 'name'>): string {
  switch (node.kind) {
    case 'source':
      return `Source: ${node.name}`;
    case 'sink':
    case 'collect':
      return `Sink: ${node.name}`;
    default:
      return node.name;
  }
}

/** "Source: flights -> map -> (filter -> Sink: a, Sink: b)": branches of the tree in brackets. */
export function vertexName(chain: Chain): string {
  return branchName(chain, 0);
}

function branchName(chain: Chain, index: number): string {
  const member = chain[index];
  if (member === undefined) return '';
  const own = displayName(member.resolved.node);
  const branches = chain.flatMap((other, child) => (other.parent === index ? [branchName(chain, child)] : []));
  if (branches.length === 0) return own;
  return branches.length === 1 ? `${own} -> ${branches[0]}` : `${own} -> (${branches.join(', ')})`;
}
