/** What Millstream is to reach against Flink on the same machine. */
import type { Workload } from './workload-parameters.js';

type RatioGoals = Readonly<Record<Exclude<Workload, 'w3lat'>, number>>;

/** Records per CPU second, Millstream to Flink, at least; by parallelism. */
const RATIO_GOALS: Readonly<Record<number, RatioGoals>> = {
  1: { w1: 0.7, w2: 0.8, w3: 6, w4: 8, w5: 4 },
  2: { w1: 0.65, w2: 0.75, w3: 3.5, w4: 4, w5: 1.7 },
};

/** Checkpoints that each side must have completed before the end of its input, where there is state. */
export const CHECKPOINTS_AT_LEAST = 5;

/** Records a second on as many TaskManagers as subtasks, as a part of those in one process; w3 and w4, without TLS. */
export const CLUSTER_GOAL = 0.6;

export interface ScalingGoal {
  /** Records a second at parallelism 2, as a multiple of those at 1. */
  readonly atLeast: number;
  /** Whether the run at parallelism 1 sends its keyed edge through the codec, as the one at 2 has to. */
  readonly forceCodec: boolean;
}

/** Undefined where there is no goal. */
export function scalingGoal(workload: Workload, parallelism: number): ScalingGoal | undefined {
  if (parallelism !== 2) return undefined;
  if (workload === 'w1' || workload === 'w2') return { atLeast: 1.7, forceCodec: false };
  return workload === 'w3' || workload === 'w4' ? { atLeast: 1.5, forceCodec: true } : undefined;
}

/** Undefined where there is no goal. */
export function ratioGoal(workload: Workload, parallelism: number): number | undefined {
  return workload === 'w3lat' ? undefined : RATIO_GOALS[parallelism]?.[workload];
}
