/**
 * Drafts: what the fluent API collects while a program runs. `buildPlan` turns them into a frozen plan, after which they are not used.
 * Invariants: 1. a draft's inputs were created before it, so creation order is a topological order;
 * 2. settings (`name`, `uid`, …) may change until the plan is built, since programs set them after the node was made.
 */
import type { OnError, OperatorImplementation } from '../operators/operator.js';
import type { EdgeFunctions, Partitioning, PlainValue } from './plan.js';

/** An edge into a node that is being made. */
export interface EdgeDraft {
  readonly from: NodeDraft;
  readonly sideOutput: string | undefined;
  readonly partitioning: Partitioning | undefined;
  readonly input: 0 | 1;
  readonly schema: PlainValue | undefined;
  readonly functions: EdgeFunctions | undefined;
}

/** What is known of a node when it is made. */
export interface NodeSpecification {
  readonly kind: string;
  readonly name?: string;
  readonly inputs: readonly EdgeDraft[];
  /** Undefined: the runtime supplies it by the node's kind ('collect'). */
  readonly implementation: OperatorImplementation | undefined;
  readonly parallelism?: number;
  readonly stateful?: boolean;
  readonly keyed?: boolean;
  readonly config?: { readonly [name: string]: PlainValue | undefined };
}

/** A node that is being made. */
export interface NodeDraft {
  readonly kind: string;
  readonly inputs: readonly EdgeDraft[];
  readonly implementation: OperatorImplementation | undefined;
  readonly stateful: boolean;
  readonly keyed: boolean;
  readonly config: { readonly [name: string]: PlainValue | undefined };
  name: string;
  description: string | undefined;
  uid: string | undefined;
  parallelism: number | undefined;
  maxParallelism: number | undefined;
  chaining: 'always' | 'head' | 'never';
  slotSharingGroup: string | undefined;
  bufferTimeoutMs: number | undefined;
  onError: OnError | undefined;
}

/** A draft with the default settings. */
export function createDraft(specification: NodeSpecification): NodeDraft {
  return {
    kind: specification.kind,
    inputs: specification.inputs,
    implementation: specification.implementation,
    stateful: specification.stateful ?? false,
    keyed: specification.keyed ?? false,
    config: specification.config ?? {},
    name: specification.name ?? specification.kind,
    description: undefined,
    uid: undefined,
    parallelism: specification.parallelism,
    maxParallelism: undefined,
    chaining: 'always',
    slotSharingGroup: undefined,
    bufferTimeoutMs: undefined,
    onError: undefined,
  };
}
