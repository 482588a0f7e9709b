/**
 * Drafts → frozen plan, with the functions beside it. Node ids come from `.uid()`, else from structure: kind, name, the inputs' ids and
 * the index among equals, so that an edit elsewhere in the program leaves them as they are.
 */
import type { ClassRegistry } from '../codec/class-registry.js';
import type { OnError, OperatorImplementation } from '../operators/operator.js';
import type { EdgeDraft, NodeDraft } from './draft.js';
import {
  type EdgeFunctions,
  edgeKey,
  type JobProgram,
  type PlainValue,
  type Plan,
  type PlanEdge,
  type PlanNode,
  type SlotResources,
} from './plan.js';
import { frozenPlainValue, structuralHash } from './structural-hash.js';
import { validatePlan } from './validate-plan.js';

/** A job as the program has described it. */
export interface JobDescription {
  readonly jobName: string;
  /** In the order of their creation. */
  readonly drafts: readonly NodeDraft[];
  readonly parameters: { readonly [name: string]: string };
  /** Checked options; see config/options. */
  readonly options: { readonly [key: string]: PlainValue };
  readonly classes?: ClassRegistry | undefined;
  /** By slot-sharing group. */
  readonly slotResources?: ReadonlyMap<string, SlotResources> | undefined;
}

/** Freezes a job's description; throws INVALID_PLAN or DUPLICATE_UID if it is no job. */
export function buildPlan(description: JobDescription): JobProgram {
  const ids = assignIds(description.drafts);
  const nodes = description.drafts.map((draft) => freezeNode(draft, ids));
  const parameters = Object.freeze({ ...description.parameters });
  const names = description.classes?.names() ?? [];
  const hasClasses = names.length > 0;
  const classes = hasClasses ? Object.freeze(names) : undefined;
  const groups = [...(description.slotResources ?? [])].sort(([left], [right]) => (left < right ? -1 : 1));
  const slotResources = groups.length > 0 ? Object.freeze(Object.fromEntries(groups)) : undefined;
  const plan: Plan = Object.freeze({
    jobName: description.jobName,
    nodes: Object.freeze(nodes),
    parameters,
    options: Object.freeze({ ...description.options }),
    ...(slotResources !== undefined && { slotResources }),
    ...(classes !== undefined && { classes }),
    structuralHash: structuralHash({ nodes: nodes.map(hashedNode), parameters, classes }),
  });
  const program = { plan, ...functionsOf(description.drafts, ids), classes: hasClasses ? description.classes : undefined };
  validatePlan(program);
  return program;
}

function assignIds(drafts: readonly NodeDraft[]): ReadonlyMap<NodeDraft, string> {
  const ids = new Map<NodeDraft, string>();
  const equals = new Map<string, number>();
  for (const draft of drafts) {
    if (draft.uid !== undefined) {
      ids.set(draft, `uid:${draft.uid}`);
      continue;
    }
    const inputs = draft.inputs.map((edge) => [ids.get(edge.from) ?? '', edge.sideOutput ?? null, edge.input]);
    const base = structuralHash([draft.kind, draft.name, inputs]);
    const index = equals.get(base) ?? 0;
    equals.set(base, index + 1);
    ids.set(draft, `auto:${index === 0 ? base : structuralHash([base, index])}`);
  }
  return ids;
}

function freezeNode(draft: NodeDraft, ids: ReadonlyMap<NodeDraft, string>): PlanNode {
  const config: Record<string, unknown> = { ...draft.config };
  if (draft.description !== undefined) config.description = draft.description;
  if (draft.onError !== undefined) config.onError = draft.onError;
  return Object.freeze({
    id: ids.get(draft) as string,
    uid: draft.uid,
    name: draft.name,
    kind: draft.kind,
    inputs: Object.freeze(draft.inputs.map((edge) => freezeEdge(edge, ids))),
    parallelism: draft.parallelism,
    maxParallelism: draft.maxParallelism,
    chaining: draft.chaining,
    slotSharingGroup: draft.slotSharingGroup,
    bufferTimeoutMs: draft.bufferTimeoutMs,
    stateful: draft.stateful,
    keyed: draft.keyed,
    config: frozenPlainValue(config, `operator "${draft.name}"`) as PlanNode['config'],
  });
}

function freezeEdge(edge: EdgeDraft, ids: ReadonlyMap<NodeDraft, string>): PlanEdge {
  return Object.freeze({
    from: ids.get(edge.from) as string,
    sideOutput: edge.sideOutput,
    partitioning: edge.partitioning,
    input: edge.input,
    schema: edge.schema,
  });
}

/** A node as the structural hash sees it. */
export function hashedNode(node: PlanNode): { readonly [name: string]: PlainValue | undefined } {
  return { ...node, inputs: node.inputs.map((edge) => ({ ...edge }) as PlainValue) };
}

function functionsOf(drafts: readonly NodeDraft[], ids: ReadonlyMap<NodeDraft, string>): Omit<JobProgram, 'plan'> {
  const implementations = new Map<string, OperatorImplementation>();
  const edgeFunctions = new Map<string, EdgeFunctions>();
  for (const draft of drafts) {
    const id = ids.get(draft) as string;
    if (draft.implementation !== undefined) implementations.set(id, withOnError(draft.implementation, draft.onError));
    draft.inputs.forEach((edge, index) => {
      if (edge.functions !== undefined) edgeFunctions.set(edgeKey(id, index), edge.functions);
    });
  }
  return { implementations, edgeFunctions };
}

function withOnError(implementation: OperatorImplementation, onError: OnError | undefined): OperatorImplementation {
  if (onError === undefined) return implementation;
  switch (implementation.type) {
    case 'source':
    case 'timestamps':
    case 'sink':
      return implementation;
    default:
      return { ...implementation, onError };
  }
}
