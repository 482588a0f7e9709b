/**
 * Key groups: the unit in which keyed state is redistributed. As in Flink: a key belongs to one of `maxParallelism` groups for good,
 * and subtasks own ranges of groups.
 */
import { MillstreamError } from '../common/errors.js';

/** Key groups from `start` to `end`, both included. */
export interface KeyGroupRange {
  readonly start: number;
  readonly end: number;
}

/** Default number of key groups; stored in the first checkpoint and immutable then. */
export const DEFAULT_MAX_PARALLELISM = 128;
/** Upper bound, as in Flink (2^15). */
export const MAX_PARALLELISM_LIMIT = 32768;

/** The key groups of one subtask. Source: Flink, KeyGroupRangeAssignment.computeKeyGroupRangeForOperatorIndex. */
export function keyGroupRangeOf(maxParallelism: number, parallelism: number, subtaskIndex: number): KeyGroupRange {
  if (parallelism > maxParallelism) {
    throw new MillstreamError(
      'INVALID_OPTION',
      `Cannot run keyed state at parallelism ${parallelism}: its maximum parallelism is ${maxParallelism}. Lower the parallelism, or set a larger maximum before the first checkpoint.`,
    );
  }
  const start = Math.floor((subtaskIndex * maxParallelism + parallelism - 1) / parallelism);
  const end = Math.floor(((subtaskIndex + 1) * maxParallelism - 1) / parallelism);
  return { start, end };
}

/** The subtask that owns a key group. Source: Flink, KeyGroupRangeAssignment.computeOperatorIndexForKeyGroup. */
export function subtaskOfKeyGroup(maxParallelism: number, parallelism: number, keyGroup: number): number {
  return Math.floor((keyGroup * parallelism) / maxParallelism);
}
