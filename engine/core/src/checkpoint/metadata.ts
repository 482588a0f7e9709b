/**
 * A checkpoint's metadata: everything that a restore needs. Keyed state is in files that it names; small state is in it. How it is
 * written down: metadata-format.ts.
 *
 * Invariants: 1. each operator has exactly `parallelism` subtasks, in order; 2. every subtask of the job acknowledged its part.
 */
import { invariant, MillstreamError } from '../common/errors.js';
import { EMPTY_OPERATOR_SNAPSHOT, type OperatorSubtaskSnapshot, type StateBytes, type SubtaskSnapshot } from './snapshot.js';

export type CheckpointKind = 'checkpoint' | 'savepoint';

/** What a checkpoint holds of one operator: its subtasks in order. */
export interface OperatorSnapshotMetadata {
  /** `PlanNode.id`. */
  readonly operatorId: string;
  readonly uid: string | undefined;
  readonly name: string;
  readonly parallelism: number;
  readonly maxParallelism: number;
  /** Sources: what the enumerator's `snapshotState` returned, encoded. */
  readonly enumeratorState: StateBytes | undefined;
  /** Index: subtask. */
  readonly subtasks: readonly OperatorSubtaskSnapshot[];
}

export interface CheckpointMetadata {
  readonly kind: CheckpointKind;
  readonly jobName: string;
  readonly run: string;
  readonly attempt: number;
  readonly epoch: number;
  /** When it was triggered, ms since 1970. */
  readonly timestamp: number;
  readonly structuralHash: string;
  /** Where the job record is (`CheckpointStorage.directory`): it knows whether a savepoint that lies elsewhere is committed. */
  readonly jobDirectory: string;
  readonly defaultParallelism: number;
  readonly operators: readonly OperatorSnapshotMetadata[];
}

/** An operator as `assembleOperators` needs it: from the job graph. */
export interface OperatorDescription {
  readonly operatorId: string;
  readonly uid: string | undefined;
  readonly name: string;
  readonly vertexId: string;
  readonly parallelism: number;
  readonly maxParallelism: number;
}

/**
 * Puts the snapshots of all subtasks together, by operator; operators with nothing to remember are left out.
 * `enumeratorStates`: by operator id. Every subtask of every vertex must be there.
 */
export function assembleOperators(
  operators: readonly OperatorDescription[],
  snapshots: Iterable<SubtaskSnapshot>,
  enumeratorStates: ReadonlyMap<string, StateBytes>,
): OperatorSnapshotMetadata[] {
  const bySubtask = new Map<string, SubtaskSnapshot>();
  for (const snapshot of snapshots) bySubtask.set(`${snapshot.subtaskIndex} ${snapshot.vertexId}`, snapshot);
  const assembled: OperatorSnapshotMetadata[] = [];
  for (const { vertexId, ...operator } of operators) {
    const enumeratorState = enumeratorStates.get(operator.operatorId);
    const subtasks: OperatorSubtaskSnapshot[] = [];
    let present = enumeratorState !== undefined;
    for (let index = 0; index < operator.parallelism; index++) {
      const snapshot = bySubtask.get(`${index} ${vertexId}`);
      invariant(snapshot !== undefined, `The checkpoint lacks subtask ${index} of '${vertexId}'`);
      const part = snapshot.operators[operator.operatorId];
      present ||= part !== undefined;
      subtasks.push(part ?? EMPTY_OPERATOR_SNAPSHOT);
    }
    if (present) assembled.push({ ...operator, enumeratorState, subtasks });
  }
  return assembled;
}

/** The paths of all files that a checkpoint needs, relative to its directory. */
export function filesOf(metadata: CheckpointMetadata): Set<string> {
  const files = new Set<string>();
  for (const { enumeratorState, subtasks } of metadata.operators) {
    if (enumeratorState !== undefined && 'file' in enumeratorState) files.add(enumeratorState.file.path);
    for (const subtask of subtasks) for (const path of filesOfSubtask(subtask)) files.add(path);
  }
  return files;
}

/** The paths of the files that one subtask's part needs. */
export function filesOfSubtask({ keyedChain, operatorState, channelState }: OperatorSubtaskSnapshot): string[] {
  const paths = keyedChain.map((file) => file.path);
  for (const state of [operatorState, channelState]) if (state !== undefined && 'file' in state) paths.push(state.file.path);
  return paths;
}

/** The same metadata with every path replaced. */
export function withPaths(metadata: CheckpointMetadata, replace: (path: string) => string): CheckpointMetadata {
  const state = (bytes: StateBytes | undefined): StateBytes | undefined =>
    bytes !== undefined && 'file' in bytes ? { file: { ...bytes.file, path: replace(bytes.file.path) } } : bytes;
  const subtask = (part: OperatorSubtaskSnapshot): OperatorSubtaskSnapshot => ({
    ...part,
    operatorState: state(part.operatorState),
    ...(part.channelState !== undefined && { channelState: state(part.channelState) as StateBytes }),
    keyedChain: part.keyedChain.map((file) => ({ ...file, path: replace(file.path) })),
  });
  return {
    ...metadata,
    operators: metadata.operators.map((operator) => ({
      ...operator,
      enumeratorState: state(operator.enumeratorState),
      subtasks: operator.subtasks.map(subtask),
    })),
  };
}

/** Whether an operator has keyed state (or could have it: it counts watermarks per key group). */
export function isKeyed(operator: OperatorSnapshotMetadata): boolean {
  return operator.subtasks.some((subtask) => subtask.keyGroupWatermarks.length > 0 || subtask.keyedChain.length > 0);
}

/** Whether anything would be lost if the operator were left out of a restore. */
export function hasState(operator: OperatorSnapshotMetadata): boolean {
  if (operator.enumeratorState !== undefined) return true;
  return operator.subtasks.some(
    ({ operatorState, splits, committables, keyedChain, channelState }) =>
      operatorState !== undefined ||
      channelState !== undefined ||
      splits.length > 0 ||
      committables.length > 0 ||
      keyedChain.some(({ info }) => info.rows > 0),
  );
}

/** Whether barriers overtook elements, which are in the checkpoint: then it can be restored at the same parallelism only. */
export function hasChannelState(metadata: CheckpointMetadata): boolean {
  return metadata.operators.some(({ subtasks }) => subtasks.some(({ channelState }) => channelState !== undefined));
}

/** Throws MAX_PARALLELISM_MISMATCH if keyed state cannot be restored so. */
export function checkMaxParallelism(operator: OperatorSnapshotMetadata, maxParallelism: number, parallelism: number = 1): void {
  if (!isKeyed(operator)) return;
  const stored = operator.maxParallelism;
  const cannot = `Cannot restore operator '${operator.name}' (${operator.operatorId})`;
  const details = { operatorId: operator.operatorId, stored, maxParallelism, parallelism };
  if (maxParallelism !== stored) {
    throw new MillstreamError(
      'MAX_PARALLELISM_MISMATCH',
      `${cannot} with maximum parallelism ${maxParallelism}: its state is divided into ${stored} key groups, which is final. Call setMaxParallelism(${stored}), or do not set it.`,
      { details },
    );
  }
  if (parallelism > stored) {
    throw new MillstreamError(
      'MAX_PARALLELISM_MISMATCH',
      `${cannot} at parallelism ${parallelism}: its state is divided into ${stored} key groups, and a subtask needs at least one. Run it at parallelism ${stored} or less.`,
      { details },
    );
  }
}
