/** The job graph of a program that starts from a checkpoint: the number of key groups is what its state was divided into. */
import { isKeyed } from '../checkpoint/metadata.js';
import type { RestorePoint } from '../checkpoint/restore-point.js';
import { MillstreamError } from '../common/errors.js';
import { resolveOptions } from '../config/resolve-options.js';
import { buildJobGraph } from '../plan/build-job-graph.js';
import type { JobGraph } from '../plan/job-graph.js';
import type { Plan, PlanNode } from '../plan/plan.js';

/**
 * Where the program says nothing about an operator's maximum parallelism, the stored one holds. Throws MAX_PARALLELISM_MISMATCH if the
 * option `pipeline.max-parallelism` contradicts it; what operators set themselves is checked by `checkRestore`.
 */
export function restoredJobGraph(plan: Plan, point: RestorePoint): JobGraph {
  const option = resolveOptions(plan.options)['pipeline.max-parallelism'];
  const stored = new Map(point.metadata.operators.filter(isKeyed).map((operator) => [operator.operatorId, operator.maxParallelism]));
  const nodes = plan.nodes.map((node) => {
    const maxParallelism = node.maxParallelism === undefined ? stored.get(node.id) : undefined;
    if (maxParallelism === undefined) return node;
    if (option !== undefined && option !== maxParallelism) throw contradiction(node, option, maxParallelism, point.path);
    return { ...node, maxParallelism };
  });
  return buildJobGraph({ ...plan, nodes });
}

function contradiction(node: PlanNode, option: number, stored: number, path: string): MillstreamError {
  return new MillstreamError(
    'MAX_PARALLELISM_MISMATCH',
    `Cannot restore operator '${node.name}' (${node.id}) with pipeline.max-parallelism ${option}: its state in '${path}' is divided into ${stored} key groups, which is final. Set pipeline.max-parallelism to ${stored}, or leave it out.`,
    { details: { operatorId: node.id, stored, maxParallelism: option, path } },
  );
}
