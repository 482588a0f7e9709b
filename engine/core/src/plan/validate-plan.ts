/** What must hold of every plan, whoever built it. The typed API allows little of this to go wrong; plain JavaScript does. */
import { MillstreamError } from '../common/errors.js';
import { edgeKey, type JobProgram, type PlanNode } from './plan.js';

/** Throws INVALID_PLAN or DUPLICATE_UID, naming the operators. */
export function validatePlan(program: JobProgram): void {
  const { plan } = program;
  if (plan.nodes.length === 0) {
    throw new MillstreamError('INVALID_PLAN', `Cannot execute job "${plan.jobName}": it has no operators. Add a source and a sink.`);
  }
  const seen = new Map<string, PlanNode>();
  for (const node of plan.nodes) {
    const other = seen.get(node.id);
    if (other !== undefined) refuseDuplicate(other, node);
    validateInputs(node, seen);
    validateKeys(node, program);
    seen.set(node.id, node);
  }
}

function refuseDuplicate(first: PlanNode, second: PlanNode): never {
  throw new MillstreamError(
    'DUPLICATE_UID',
    `Cannot give the uid "${second.uid}" to operator "${second.name}": operator "${first.name}" has it already. State belongs to a uid, so each needs its own.`,
    { details: { uid: second.uid, operators: [first.name, second.name] } },
  );
}

function validateInputs(node: PlanNode, seen: ReadonlyMap<string, PlanNode>): void {
  if (node.kind === 'source') {
    if (node.inputs.length > 0) refuse(node, 'a source has no inputs');
    return;
  }
  const hasFirst = node.inputs.some((edge) => edge.input === 0);
  if (!hasFirst) refuse(node, 'its first input has no stream');
  for (const edge of node.inputs) {
    const producer = seen.get(edge.from);
    if (producer === undefined) refuse(node, 'one of its inputs is an operator of another environment');
    if (producer.kind === 'collect' || producer.kind === 'sink') refuse(node, `its input "${producer.name}" is a sink`);
  }
}

function validateKeys(node: PlanNode, program: JobProgram): void {
  node.inputs.forEach((edge, index) => {
    const functions = program.edgeFunctions.get(edgeKey(node.id, index));
    if (edge.partitioning === 'hash' && functions?.keySelector === undefined) refuse(node, 'a hash-partitioned input has no key selector');
    if (edge.partitioning === 'custom' && functions?.partition === undefined) refuse(node, 'a custom-partitioned input has no partitioner');
  });
  if (node.keyed && !node.inputs.some((edge) => edge.partitioning === 'hash')) {
    refuse(node, 'it has keyed state, but none of its inputs has a key; call keyBy first');
  }
}

function refuse(node: PlanNode, reason: string): never {
  throw new MillstreamError('INVALID_PLAN', `Cannot run operator "${node.name}" (${node.kind}): ${reason}.`, {
    details: { operator: node.name, node: node.id },
  });
}

/** Operators whose state cannot be found again after an edit of the program, since they have no uid. */
export function statefulNodesWithoutUid(program: Pick<JobProgram, 'plan'>): PlanNode[] {
  return program.plan.nodes.filter((node) => node.stateful && node.uid === undefined);
}
