/**
 * Divides what was on its way when barriers overtook it among the subtasks of a new attempt: each gets the states that hold something for
 * its inputs. The channels must be those of the checkpoint.
 */
import { type ChannelState, decodeChannelState } from '../checkpoint/channel-state.js';
import { type CheckpointMetadata, hasChannelState } from '../checkpoint/metadata.js';
import type { RestorePoint } from '../checkpoint/restore-point.js';
import type { StateBytes } from '../checkpoint/snapshot.js';
import type { CheckpointStorage } from '../checkpoint/storage.js';
import { MillstreamError } from '../common/errors.js';
import { channelName, consumersOf } from '../network/topology.js';
import type { JobGraph, JobVertex } from '../plan/job-graph.js';

/** By vertex id and subtask. Throws CHECKPOINT_UNALIGNED. */
export type RestoredChannels = ReadonlyMap<string, ReadonlyMap<number, readonly StateBytes[]>>;

interface Consumer {
  readonly vertexId: string;
  readonly subtask: number;
}

export async function restoreChannels(point: RestorePoint, graph: JobGraph, storage: CheckpointStorage): Promise<RestoredChannels> {
  const restored = new Map<string, Map<number, StateBytes[]>>();
  if (!hasChannelState(point.metadata)) return restored;
  checkParallelism(point, graph);
  const consumers = consumersByChannel(graph);
  for (const state of channelStatesOf(point.metadata)) {
    const receivers = new Set<Consumer>();
    for (const channel of channelsOf(decodeChannelState(await storage.readBytes(state, point.previous)))) {
      const consumer = consumers.get(channel);
      if (consumer === undefined)
        throw unaligned(point, `it has records on their way in a channel '${channel}', which the program has not`);
      receivers.add(consumer);
    }
    for (const { vertexId, subtask } of receivers) {
      const ofVertex = restored.get(vertexId) ?? new Map<number, StateBytes[]>();
      restored.set(vertexId, ofVertex);
      ofVertex.set(subtask, [...(ofVertex.get(subtask) ?? []), state]);
    }
  }
  return restored;
}

function channelStatesOf(metadata: CheckpointMetadata): StateBytes[] {
  return metadata.operators.flatMap(({ subtasks }) =>
    subtasks.flatMap(({ channelState }) => (channelState === undefined ? [] : [channelState])),
  );
}

function channelsOf({ inputs, outputs }: ChannelState): string[] {
  return [...inputs, ...outputs].map(({ channel }) => channel);
}

/** The same object for all channels of a consumer. */
function consumersByChannel(graph: JobGraph): Map<string, Consumer> {
  const byId = new Map(graph.vertices.map((vertex) => [vertex.id, vertex]));
  const consumers = new Map<string, Consumer>();
  for (const vertex of graph.vertices) {
    const subtasks = Array.from({ length: vertex.parallelism }, (_, subtask): Consumer => ({ vertexId: vertex.id, subtask }));
    for (const edge of vertex.inputs) {
      const producers = (byId.get(edge.fromVertex) as JobVertex).parallelism;
      for (let from = 0; from < producers; from++) {
        for (const to of consumersOf(edge.partitioning, producers, vertex.parallelism, from)) {
          consumers.set(channelName(edge.id, from, to), subtasks[to] as Consumer);
        }
      }
    }
  }
  return consumers;
}

function checkParallelism(point: RestorePoint, graph: JobGraph): void {
  const stored = new Map(point.metadata.operators.map((operator) => [operator.operatorId, operator]));
  for (const { chain, parallelism } of graph.vertices) {
    for (const { node } of chain) {
      const operator = stored.get(node.id);
      if (operator === undefined || operator.parallelism === parallelism) continue;
      throw unaligned(point, `operator '${node.name}' ran at parallelism ${operator.parallelism} and is to run at ${parallelism}`);
    }
  }
}

function unaligned(point: RestorePoint, found: string): MillstreamError {
  return new MillstreamError(
    'CHECKPOINT_UNALIGNED',
    `Cannot restore '${point.path}': barriers have overtaken records in it, which belong to channels between certain subtasks, and ${found}. Restore it with the program and the parallelism that it was taken with, or restore a savepoint or an aligned checkpoint.`,
    { details: { path: point.path } },
  );
}
