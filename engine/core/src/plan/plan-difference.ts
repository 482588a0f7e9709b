/** Compares the plan that was submitted with the one that a slot built again. */
import { MillstreamError } from '../common/errors.js';
import { hashedNode } from './build-plan.js';
import type { Plan, PlanNode } from './plan.js';
import { canonicalJson, type HashedValue } from './structural-hash.js';

/** A sentence on the first node (else parameter) that differs; undefined if the plans are the same graph. */
export function firstDifference(expected: Plan, found: Plan): string | undefined {
  if (expected.structuralHash === found.structuralHash) return undefined;
  const count = Math.max(expected.nodes.length, found.nodes.length);
  for (let i = 0; i < count; i++) {
    const left = expected.nodes[i];
    const right = found.nodes[i];
    if (left === undefined) return `operator ${label(right as PlanNode)} is new`;
    if (right === undefined) return `operator ${label(left)} is missing`;
    const difference = nodeDifference(left, right);
    if (difference !== undefined) return difference;
  }
  const before = canonicalJson(expected.classes ?? []);
  const after = canonicalJson(found.classes ?? []);
  if (before !== after) return `its registered classes are ${after} instead of ${before}`;
  return `the program's parameters are ${canonicalJson(found.parameters)} instead of ${canonicalJson(expected.parameters)}`;
}

function nodeDifference(left: PlanNode, right: PlanNode): string | undefined {
  const expected = hashedNode(left);
  const found = hashedNode(right);
  // The id follows from the other fields: say it only where nothing else differs.
  const fields = Object.keys(expected).filter((name) => name !== 'id');
  for (const field of [...fields, 'id']) {
    const before = canonicalJson(expected[field] as HashedValue);
    const after = canonicalJson(found[field] as HashedValue);
    if (before !== after) return `operator ${label(left)} has ${field} ${after} instead of ${before}`;
  }
  return undefined;
}

function label(node: PlanNode): string {
  return `"${node.name}" (${node.kind}, ${node.id})`;
}

/** Throws GRAPH_DIFFERS, naming the first node that differs. */
export function requireSamePlan(expected: Plan, found: Plan): void {
  const difference = firstDifference(expected, found);
  if (difference === undefined) return;
  throw new MillstreamError(
    'GRAPH_DIFFERS',
    `Cannot run job "${expected.jobName}" in this slot: the program builds another graph here, ${difference}. A program must build the same graph each time: let it depend on its parameters only, not on files, environment or chance that change in between.`,
    { details: { expected: expected.structuralHash, found: found.structuralHash } },
  );
}
