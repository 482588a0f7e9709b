import { describe, expect, it } from 'vitest';
import { JobBuilder } from '../api/job-builder.js';
import { StreamExecutionEnvironment } from '../api/stream-execution-environment.js';
import { streams } from '../api/streams.js';
import { buildJobGraph } from '../plan/build-job-graph.js';
import type { JobGraph } from '../plan/job-graph.js';
import { failoverRegions } from './failover-regions.js';
import { placeSubtasks } from './placement.js';

function graphOf(define: (env: StreamExecutionEnvironment) => void): JobGraph {
  const job = new JobBuilder(streams, undefined);
  const env = new StreamExecutionEnvironment(job);
  env.setParallelism(3);
  define(env);
  return buildJobGraph(job.build('regions').plan);
}

/** The slots of each region. */
function regionsOf(graph: JobGraph, isWhole = false): (readonly number[])[] {
  return failoverRegions(graph, placeSubtasks(graph), isWhole).map(({ slots }) => slots);
}

describe('failover regions', () => {
  it('are single slots where no channel leads from one to another', () => {
    const graph = graphOf((env) =>
      env
        .fromSequence(1, 9)
        .map((n) => n + 1)
        .disableChaining()
        .filter((n) => n > 2)
        .print(),
    );
    expect(regionsOf(graph)).toEqual([[0], [1], [2]]);
    const [first] = failoverRegions(graph, placeSubtasks(graph), false);
    expect(first?.subtasks).toEqual(graph.vertices.map(({ id }) => ({ vertexId: id, subtaskIndex: 0 })));
  });

  it('are all of a job whose records go anywhere', () => {
    expect(
      regionsOf(
        graphOf((env) =>
          env
            .fromSequence(1, 9)
            .keyBy((n) => n % 2)
            .reduce((a, b) => a + b)
            .print(),
        ),
      ),
    ).toEqual([[0, 1, 2]]);
    expect(
      regionsOf(
        graphOf((env) =>
          env
            .fromSequence(1, 9)
            .rebalance()
            .map((n) => n)
            .print(),
        ),
      ),
    ).toEqual([[0, 1, 2]]);
  });

  it('are what pointwise channels connect', () => {
    const graph = graphOf((env) =>
      env
        .fromSequence(1, 9)
        .setParallelism(4)
        .rescale()
        .map((n) => n)
        .setParallelism(2)
        .slotSharingGroup('mapped')
        .print()
        .setParallelism(2),
    );
    expect(regionsOf(graph)).toEqual([
      [0, 1, 4],
      [2, 3, 5],
    ]);
  });

  it('join what shares a slot, and part what does not', () => {
    const twoPipelines = (group: string): JobGraph =>
      graphOf((env) => {
        env
          .fromSequence(1, 9)
          .keyBy((n) => n)
          .reduce((a, b) => a + b)
          .print();
        env
          .fromSequence(1, 9)
          .slotSharingGroup(group)
          .map((n) => n)
          .print();
      });
    expect(regionsOf(twoPipelines('default'))).toEqual([[0, 1, 2]]);
    expect(regionsOf(twoPipelines('other'))).toEqual([[0, 1, 2], [3], [4], [5]]);
  });

  it('are one where the whole job is to restart', () => {
    expect(
      regionsOf(
        graphOf((env) => env.fromSequence(1, 9).print()),
        true,
      ),
    ).toEqual([[0, 1, 2]]);
  });
});
