/** Where subtasks run, at which parallelism, and what memory connects them. */
import { describe, expect, it } from 'vitest';
import { JobBuilder } from '../api/job-builder.js';
import { StreamExecutionEnvironment } from '../api/stream-execution-environment.js';
import { streams } from '../api/streams.js';
import { discardingSink } from '../connector/print-sink.js';
import { buildJobGraph } from '../plan/build-job-graph.js';
import type { JobGraph } from '../plan/job-graph.js';
import { DEFAULT_RING } from '../runtime/deployment.js';
import { placeSubtasks } from './placement.js';
import { rescaledJobGraph } from './rescaled-job-graph.js';
import { allocateMachineMemory } from './slot-memory.js';

/** A source and a keyed vertex, with a shuffle between them. */
function graphOf(parallelism: number): JobGraph {
  const job = new JobBuilder(streams, undefined);
  const env = new StreamExecutionEnvironment(job);
  env.setParallelism(parallelism).setMaxParallelism(16);
  env
    .fromSequence(1, 10)
    .keyBy((value) => value)
    .reduce((value) => value)
    .sinkTo(discardingSink());
  return buildJobGraph(job.build('graph').plan);
}

describe('the memory of a machine', () => {
  it('has each channel between slots once per machine, and says which of them lead elsewhere', () => {
    const graph = graphOf(4);
    const placement = placeSubtasks(graph);
    const hostOf = (slot: number): number => (slot < 1 ? 0 : slot < 3 ? 1 : 2);
    const machines = [0, 1, 2].map((host) => allocateMachineMemory(graph, placement, (slot) => hostOf(slot) === host, DEFAULT_RING));
    for (const [host, { memory, outgoing, incoming, relayIndex }] of machines.entries()) {
      const here = [0, 1, 2, 3].filter((slot) => hostOf(slot) === host);
      expect(outgoing).toHaveLength(here.length * (4 - here.length));
      expect(incoming).toHaveLength(here.length * (4 - here.length));
      expect(memory.rings.size).toBe(outgoing.length + incoming.length + here.length * (here.length - 1));
      for (const channel of [...outgoing, ...incoming]) expect(memory.rings.get(channel.name)).toBe(channel.ring);
      expect(memory.wakeIndexes.map((index, slot) => (hostOf(slot) === host ? index : relayIndex))).toEqual(memory.wakeIndexes);
      expect(memory.wakeWords.byteLength).toBe((here.length + 1) * 4);
    }
    // What one machine sends another receives, under the same name.
    const sent = machines.flatMap(({ outgoing }) => outgoing.map(({ name }) => name)).sort();
    expect(sent).toEqual(machines.flatMap(({ incoming }) => incoming.map(({ name }) => name)).sort());
  });

  it('needs no relay where everything is here', () => {
    const graph = graphOf(3);
    const machine = allocateMachineMemory(graph, placeSubtasks(graph), () => true, DEFAULT_RING);
    expect([...machine.outgoing, ...machine.incoming]).toEqual([]);
    expect(machine.memory.rings.size).toBe(6);
  });
});

describe('a rescaled graph', () => {
  it('has other numbers of subtasks and the same chains', () => {
    const graph = graphOf(2);
    const wanted = new Map(graph.vertices.map(({ id }) => [id, 5]));
    const rescaled = rescaledJobGraph(graph, wanted);
    expect(rescaled.vertices.map(({ parallelism }) => parallelism)).toEqual(graph.vertices.map(() => 5));
    expect(rescaled.vertices.map(({ chain }) => chain)).toEqual(graph.vertices.map(({ chain }) => chain));
    expect(placeSubtasks(rescaled).slots).toBe(5);
    expect(graph.vertices.every(({ parallelism }) => parallelism === 2)).toBe(true);
  });

  it('is refused beyond the number of key groups, and for no subtask', () => {
    const graph = graphOf(2);
    const [first] = graph.vertices;
    for (const parallelism of [0, 17, 1.5]) {
      const wanted = new Map([[first?.id as string, parallelism]]);
      expect(() => rescaledJobGraph(graph, wanted)).toThrow(/can have 1 to \d+ subtasks/);
    }
  });
});
