/** Divides a checkpoint among the subtasks of a new attempt. */
import type { OperatorSnapshotMetadata } from '../checkpoint/metadata.js';
import { type RestoredOperator, redistribute } from '../checkpoint/redistribute.js';
import type { RestorePoint } from '../checkpoint/restore-point.js';
import type { SplitSnapshot, StateBytes } from '../checkpoint/snapshot.js';
import type { CheckpointStorage } from '../checkpoint/storage.js';
import type { JobGraph, JobVertex } from '../plan/job-graph.js';
import type { OperatorRestore, SubtaskRestore } from '../runtime/deployment.js';
import { restoreChannels } from './restored-channels.js';

/** What each subtask and each enumerator of an attempt starts from. */
export interface RestoreShares {
  /** By vertex id; index: subtask. */
  readonly subtasks: ReadonlyMap<string, readonly SubtaskRestore[]>;
  /** By vertex id of the source. */
  readonly sources: ReadonlyMap<string, RestoredSource>;
}

/** What the enumerator of a source starts from. */
export interface RestoredSource {
  readonly enumeratorState: Uint8Array | undefined;
  /** By subtask that had them in the checkpoint, whatever the parallelism was. */
  readonly splits: readonly (readonly SplitSnapshot[])[];
}

export async function restoreShares(point: RestorePoint, graph: JobGraph, storage: CheckpointStorage): Promise<RestoreShares> {
  const byId = new Map(point.metadata.operators.map((operator) => [operator.operatorId, operator]));
  const subtasks = new Map<string, readonly SubtaskRestore[]>();
  const channels = await restoreChannels(point, graph, storage);
  const sources = new Map<string, RestoredSource>();
  for (const vertex of graph.vertices) {
    const restored = new Map<string, RestoredOperator>();
    for (const { node } of vertex.chain) {
      const operator = byId.get(node.id);
      if (operator !== undefined) restored.set(node.id, await restoreOperator(operator, vertex, point, storage));
    }
    const channelStates = channels.get(vertex.id);
    if (restored.size > 0 || channelStates !== undefined) {
      subtasks.set(vertex.id, subtaskShares(vertex, restored, point.committed, channelStates ?? new Map()));
    }
    const source = byId.get(vertex.id);
    if (source !== undefined && vertex.inputs.length === 0) {
      const { enumeratorState } = source;
      sources.set(vertex.id, {
        enumeratorState: enumeratorState === undefined ? undefined : await storage.readBytes(enumeratorState, point.previous),
        splits: source.subtasks.map(({ splits }) => splits),
      });
    }
  }
  return { subtasks, sources };
}

async function restoreOperator(
  operator: OperatorSnapshotMetadata,
  vertex: JobVertex,
  point: RestorePoint,
  storage: CheckpointStorage,
): Promise<RestoredOperator> {
  return redistribute(operator, await storage.loadOperatorStates(operator, point.previous), vertex.parallelism, vertex.maxParallelism);
}

function subtaskShares(
  vertex: JobVertex,
  restored: ReadonlyMap<string, RestoredOperator>,
  committed: boolean,
  channelStates: ReadonlyMap<number, readonly StateBytes[]>,
): SubtaskRestore[] {
  const finished = vertex.chain.every(({ node }) => restored.get(node.id)?.finished === true);
  return Array.from({ length: vertex.parallelism }, (_, subtask) => {
    const operators: { [operatorId: string]: OperatorRestore } = {};
    for (const [operatorId, operator] of restored) {
      const share = operator.subtasks[subtask];
      if (share === undefined) continue;
      operators[operatorId] = {
        keyedChains: share.keyedChains,
        operatorState: share.operatorState,
        watermarks: share.keyGroupWatermarks,
        committables: committed ? [] : share.committables,
        allCommittables: operator.committables,
      };
    }
    const states = channelStates.get(subtask);
    return { operators, finished, ...(states !== undefined && { channelStates: states }) };
  });
}
