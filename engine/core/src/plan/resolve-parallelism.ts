/** Parallelism and maximum parallelism (the number of key groups): bounds and Flink's defaults. */
import { MillstreamError } from '../common/errors.js';
import { DEFAULT_MAX_PARALLELISM, MAX_PARALLELISM_LIMIT } from '../state/key-group.js';
import type { ResolvedNode } from './chaining.js';
import type { PlanNode } from './plan.js';

/** Throws INVALID_OPTION unless `value` is a whole number from 1 to 32768; `subject` names what it is set for. */
export function requireParallelism(value: number, subject: string): void {
  if (Number.isInteger(value) && value >= 1 && value <= MAX_PARALLELISM_LIMIT) return;
  throw new MillstreamError(
    'INVALID_OPTION',
    `Cannot set ${subject} to ${JSON.stringify(value) ?? String(value)}: it must be a whole number from 1 to ${MAX_PARALLELISM_LIMIT}.`,
    { details: { subject, value } },
  );
}

/** A forward edge keeps each record in its subtask: throws INVALID_PLAN if there are not as many on both sides. */
export function requireForwardable(producer: ResolvedNode, consumer: Pick<ResolvedNode, 'node' | 'parallelism'>): void {
  if (producer.parallelism === consumer.parallelism) return;
  throw new MillstreamError(
    'INVALID_PLAN',
    `Cannot connect operator "${producer.node.name}" (parallelism ${producer.parallelism}) forward to "${consumer.node.name}" (parallelism ${consumer.parallelism}): forward needs equal parallelism. Use rebalance or rescale, or set the same parallelism.`,
    { details: { from: producer.node.id, to: consumer.node.id } },
  );
}

/**
 * A vertex's maximum parallelism: the head's own (its keyed state is what counts), else the smallest in its chain, else the job's, else
 * Flink's rule: the power of two from 1.5 times the parallelism, at least 128, at most 32768.
 */
export function resolveMaxParallelism(chain: readonly PlanNode[], parallelism: number, jobDefault: number | undefined): number {
  const own = chain[0]?.maxParallelism;
  if (own !== undefined) return own;
  const others = chain.map((node) => node.maxParallelism).filter((value) => value !== undefined);
  if (others.length > 0) return Math.min(...others);
  if (jobDefault !== undefined) return jobDefault;
  const roomy = 2 ** Math.ceil(Math.log2(parallelism + Math.floor(parallelism / 2)));
  return Math.min(Math.max(roomy, DEFAULT_MAX_PARALLELISM), MAX_PARALLELISM_LIMIT);
}

/** Throws INVALID_OPTION if there are more subtasks than key groups. */
export function requireWithinMaxParallelism(head: ResolvedNode, maxParallelism: number): void {
  if (head.parallelism <= maxParallelism) return;
  throw new MillstreamError(
    'INVALID_OPTION',
    `Cannot run operator "${head.node.name}" at parallelism ${head.parallelism}: its maximum parallelism is ${maxParallelism}. Lower the parallelism, or set a larger maximum before the first checkpoint.`,
    { details: { operator: head.node.name, parallelism: head.parallelism, maxParallelism } },
  );
}
