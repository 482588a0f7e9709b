/** Which subtasks an edge connects. The same function runs on both sides, so that they agree without talking. */
import type { Partitioning } from '../plan/plan.js';

/**
 * The consumers that producer `from` of `producers` sends to, in order. 'forward' is one to one, 'rescale' pointwise, all else all to
 * all. Source of pointwise: Flink, VertexInputInfoComputationUtils.computeVertexInputInfoForPointwise.
 */
export function consumersOf(partitioning: Partitioning, producers: number, consumers: number, from: number): number[] {
  if (partitioning === 'forward') return [from];
  if (partitioning !== 'rescale') return Array.from({ length: consumers }, (_, index) => index);
  // Consumer c hears from producers floor(c · producers / consumers) up to where c + 1 begins.
  if (producers >= consumers) return [Math.ceil(((from + 1) * consumers) / producers) - 1];
  const start = Math.ceil((from * consumers) / producers);
  const end = Math.ceil(((from + 1) * consumers) / producers);
  return Array.from({ length: end - start }, (_, index) => start + index);
}

/** The producers that consumer `to` hears from, in order. */
export function producersOf(partitioning: Partitioning, producers: number, consumers: number, to: number): number[] {
  const result: number[] = [];
  for (let from = 0; from < producers; from++) {
    if (consumersOf(partitioning, producers, consumers, from).includes(to)) result.push(from);
  }
  return result;
}

/** The name of the channel between two subtasks. */
export function channelName(edgeId: string, from: number, to: number): string {
  return `${edgeId}:${from}>${to}`;
}
