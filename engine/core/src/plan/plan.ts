/**
 * The plan: what a program says, as frozen plain data. Functions are not in it: every slot evaluates the program again and finds them
 * by node id (`JobProgram.implementations`). The plan's structural hash proves that both are the same graph.
 *
 *     program ─▶ Plan (nodes, edges) ─▶ JobGraph (chains = vertices, edges between them) ─▶ subtasks in slots
 */
import type { ClassRegistry } from '../codec/class-registry.js';
import type { KeySelector, OperatorImplementation } from '../operators/operator.js';

/** How records travel along an edge. Flink's partitioners. */
export type Partitioning = 'forward' | 'hash' | 'rebalance' | 'rescale' | 'shuffle' | 'broadcast' | 'global' | 'custom';

/** Plain data that a plan may hold. */
export type PlainValue = null | boolean | number | string | readonly PlainValue[] | { readonly [name: string]: PlainValue };

export interface PlanEdge {
  /** The producing node. */
  readonly from: string;
  /** The side output it reads; undefined: the main output. */
  readonly sideOutput: string | undefined;
  /** Undefined: forward where producer and consumer have the same parallelism, else rebalance. Decided in the job graph. */
  readonly partitioning: Partitioning | undefined;
  /** Which input of the consumer: 0 or 1. Several edges on one input are a union. */
  readonly input: 0 | 1;
  /** Fields that travel, where the job declares them; undefined: whole records. */
  readonly schema: PlainValue | undefined;
}

/** One operator of the program. */
export interface PlanNode {
  /** From `.uid()` ("uid:…"), else from structure ("auto:…", stable under unrelated edits). */
  readonly id: string;
  readonly uid: string | undefined;
  readonly name: string;
  /** 'source', 'map', 'window-aggregate' …: for explain and the structural hash. */
  readonly kind: string;
  readonly inputs: readonly PlanEdge[];
  /** Undefined: the job's default. */
  readonly parallelism: number | undefined;
  readonly maxParallelism: number | undefined;
  /** May it be chained to its input ('always'), only start a chain ('head'), or neither ('never')? */
  readonly chaining: 'always' | 'head' | 'never';
  readonly slotSharingGroup: string | undefined;
  /** How long output may wait for a batch to fill; undefined: the job's default. */
  readonly bufferTimeoutMs: number | undefined;
  /** Has state of its own (state belongs to the uid). */
  readonly stateful: boolean;
  /** Has keyed state: inputs are hash-partitioned. */
  readonly keyed: boolean;
  /** What else distinguishes the node (window size, state names …): shown by explain and part of the structural hash. */
  readonly config: { readonly [name: string]: PlainValue };
}

/** What a slot takes of its TaskManager. */
export interface SlotResources {
  readonly cpuCores: number;
  /** Bytes of JavaScript heap. */
  readonly heapBytes: number;
}

/** Settings of the job that are not per node. Options have Flink's keys; see config/options. */
export interface Plan {
  readonly jobName: string;
  /** Topological order: inputs before consumers. */
  readonly nodes: readonly PlanNode[];
  /** Program parameters, frozen. */
  readonly parameters: { readonly [name: string]: string };
  /** Option key → value, as set by the program; command line options override them before the plan is frozen. */
  readonly options: { readonly [key: string]: PlainValue };
  /** What each slot of a slot-sharing group takes, by the group's name; absent where no group says so. */
  readonly slotResources?: { readonly [group: string]: SlotResources };
  /** The names of the registered classes, sorted; absent if there are none. */
  readonly classes?: readonly string[];
  /** Over nodes, edges, parameters and classes. 16 hexadecimal digits. */
  readonly structuralHash: string;
}

/** A plan together with the functions of this process. */
export interface JobProgram {
  readonly plan: Plan;
  readonly implementations: ReadonlyMap<string, OperatorImplementation>;
  /** Key selectors (hash) and partitioners (custom) by `edgeKey(consumer, edgeIndex)`. */
  readonly edgeFunctions: ReadonlyMap<string, EdgeFunctions>;
  /** The classes that the program has registered. */
  readonly classes?: ClassRegistry | undefined;
  /** What the program saw as now (ms since 1970) and as seed of `Math.random` while it built the graph: slots show it the same. */
  readonly moment?: { readonly now: number; readonly seed: number };
}

export interface EdgeFunctions {
  readonly keySelector?: KeySelector;
  /** Custom partitioning: channel = partition(key, numberOfChannels). */
  readonly partition?: (key: unknown, channels: number) => number;
}

/** The name of an edge: its consumer and its index in the consumer's `inputs`. */
export function edgeKey(consumer: string, edgeIndex: number): string {
  return `${consumer}#${edgeIndex}`;
}
