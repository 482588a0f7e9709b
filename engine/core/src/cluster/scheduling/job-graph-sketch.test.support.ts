/** Job graphs for tests of schedulers. */
import type { JobGraph, JobVertex } from '../../plan/job-graph.js';
import type { Partitioning } from '../../plan/plan.js';

/** A vertex of a sketch. */
export interface VertexSketch {
  readonly parallelism: number;
  readonly maxParallelism?: number;
  readonly group?: string;
  /** How it reads the vertex before it. Default: 'hash'. */
  readonly partitioning?: Partitioning;
}

/** A pipeline of these vertices, with the ids a, b, c …. */
export function pipeline(...sketches: readonly VertexSketch[]): JobGraph {
  const idOf = (index: number): string => String.fromCharCode(97 + index);
  const vertices = sketches.map(
    ({ parallelism, maxParallelism = 128, group = 'default' }, index): JobVertex => ({
      id: idOf(index),
      name: `vertex ${idOf(index)}`,
      chain: [],
      parallelism,
      maxParallelism,
      slotSharingGroup: group,
      inputs: [],
      outputs: [],
    }),
  );
  const edges = sketches.slice(1).map(({ partitioning = 'hash' }, index) => ({
    id: `${idOf(index + 1)}:0`,
    fromVertex: idOf(index),
    fromOperator: 0,
    sideOutput: undefined,
    toVertex: idOf(index + 1),
    input: 0 as const,
    partitioning,
    bufferTimeoutMs: 100,
    schema: undefined,
  }));
  return { jobName: 'sketch', vertices, edges, structuralHash: '' };
}
