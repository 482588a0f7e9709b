/** The job graph: nodes chained into vertices (Flink's rules), edges between vertices. Plain data. */
import type { Partitioning, PlainValue, PlanNode, SlotResources } from './plan.js';

/** One operator inside a chain. Operators are in topological order; the first is the head. */
export interface ChainedNode {
  readonly node: PlanNode;
  /** Index of the operator in this chain that feeds it; -1 for the head. */
  readonly parent: number;
  /** The parent's side output that feeds it; undefined: the main output. */
  readonly sideOutput: string | undefined;
}

/** A chain of operators, run by `parallelism` subtasks. */
export interface JobVertex {
  /** The head node's id. */
  readonly id: string;
  /** "Source: flights -> map -> filter" */
  readonly name: string;
  readonly chain: readonly ChainedNode[];
  readonly parallelism: number;
  readonly maxParallelism: number;
  readonly slotSharingGroup: string;
  /** Edges into the head, in the order of the head's `inputs`. */
  readonly inputs: readonly JobEdge[];
  /** Edges out of operators of this chain. */
  readonly outputs: readonly JobEdge[];
}

/** Records from an operator of one vertex to the head of another. */
export interface JobEdge {
  /** `edgeKey` of the consumer: unique in the job. */
  readonly id: string;
  readonly fromVertex: string;
  /** Index of the producing operator in its chain. */
  readonly fromOperator: number;
  readonly sideOutput: string | undefined;
  readonly toVertex: string;
  readonly input: 0 | 1;
  readonly partitioning: Partitioning;
  readonly bufferTimeoutMs: number;
  readonly schema: PlainValue | undefined;
}

/** The graph that is deployed. */
export interface JobGraph {
  readonly jobName: string;
  /** Topological order. */
  readonly vertices: readonly JobVertex[];
  readonly edges: readonly JobEdge[];
  readonly structuralHash: string;
  /** What each slot of a slot-sharing group takes; absent where no group says so. */
  readonly slotResources?: { readonly [group: string]: SlotResources };
}
