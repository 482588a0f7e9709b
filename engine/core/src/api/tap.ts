/** Where a stream comes from: a stream is a list of taps (more than one is a union), and makes no node until an operator reads it. */
import type { EdgeDraft, NodeDraft } from '../plan/draft.js';
import type { EdgeFunctions, Partitioning } from '../plan/plan.js';

/** One output of one node, with how its records are to travel. */
export type Tap = Omit<EdgeDraft, 'input'>;

/** A node's main output, or one of its side outputs. */
export function tapOf(node: NodeDraft, sideOutput?: string): Tap {
  return { from: node, sideOutput, partitioning: undefined, schema: undefined, functions: undefined };
}

/** The taps with another partitioning. The last one that a program asks for holds. */
export function partitioned(taps: readonly Tap[], partitioning: Partitioning | undefined, functions?: EdgeFunctions): Tap[] {
  return taps.map((tap) => ({ ...tap, partitioning, functions }));
}

/** The edges that read these taps into an operator's input. */
export function edgesOf(taps: readonly Tap[], input: 0 | 1): EdgeDraft[] {
  return taps.map((tap) => ({ ...tap, input }));
}
