/** Does a checkpoint belong to a program? State belongs to operators by their ids; an id comes from `.uid()` or from structure. */
import { MillstreamError } from '../common/errors.js';
import { type CheckpointMetadata, checkMaxParallelism, hasState, type OperatorSnapshotMetadata } from './metadata.js';

/** The program that restores. */
export interface RestoringProgram {
  readonly jobName: string;
  /** `PlanNode.id` of every operator, with the maximum parallelism where the program sets one. */
  readonly operators: readonly { readonly operatorId: string; readonly maxParallelism: number | undefined }[];
}

export interface RestoreCheck {
  /** Operators of the checkpoint that the program has. */
  readonly matched: readonly OperatorSnapshotMetadata[];
  /** Those with state that it has not; only with `allowNonRestoredState`. Their state is left behind. */
  readonly left: readonly OperatorSnapshotMetadata[];
  /** Operators of the program without state in the checkpoint: they start empty. */
  readonly starting: readonly string[];
}

/**
 * Checks that all state finds its operator. Throws CHECKPOINT_OF_ANOTHER_JOB, MAX_PARALLELISM_MISMATCH.
 * A job may be renamed; but then ids made from structure prove nothing, since two jobs can be built alike.
 */
export function checkRestore(
  metadata: CheckpointMetadata,
  path: string,
  program: RestoringProgram,
  options: { readonly allowNonRestoredState: boolean },
): RestoreCheck {
  const wanted = new Map(program.operators.map((operator) => [operator.operatorId, operator.maxParallelism]));
  const matched = metadata.operators.filter((operator) => wanted.has(operator.operatorId));
  const left = metadata.operators.filter((operator) => !wanted.has(operator.operatorId) && hasState(operator));
  if (!options.allowNonRestoredState) {
    if (left.length > 0) throw stateWithoutOperator(metadata, path, program, left);
    if (metadata.jobName !== program.jobName && matched.some((operator) => operator.uid === undefined))
      throw renamed(metadata, path, program);
  }
  for (const operator of matched) {
    const maxParallelism = wanted.get(operator.operatorId);
    if (maxParallelism !== undefined) checkMaxParallelism(operator, maxParallelism);
  }
  const stored = new Set(matched.map((operator) => operator.operatorId));
  const starting = program.operators.map((operator) => operator.operatorId).filter((id) => !stored.has(id));
  return { matched, left, starting };
}

function nameOf(operator: OperatorSnapshotMetadata): string {
  return operator.uid === undefined ? `${operator.operatorId} (${operator.name})` : `'${operator.uid}' (${operator.name})`;
}

function stateWithoutOperator(
  metadata: CheckpointMetadata,
  path: string,
  program: RestoringProgram,
  left: readonly OperatorSnapshotMetadata[],
): MillstreamError {
  const names = left.map(nameOf).join(', ');
  const job = metadata.jobName === program.jobName ? '' : ` of the job '${metadata.jobName}'`;
  return new MillstreamError(
    'CHECKPOINT_OF_ANOTHER_JOB',
    `Cannot restore '${path}'${job} into '${program.jobName}': it has state of ${names}, and the program has no such operator. Give the operators their former uid with .uid(), or leave this state behind with --allow-non-restored-state.`,
    { details: { path, jobName: metadata.jobName, operators: left.map((operator) => operator.uid ?? operator.operatorId) } },
  );
}

function renamed(metadata: CheckpointMetadata, path: string, program: RestoringProgram): MillstreamError {
  return new MillstreamError(
    'CHECKPOINT_OF_ANOTHER_JOB',
    `Cannot restore '${path}' into '${program.jobName}': it is of the job '${metadata.jobName}', and not all its operators have a uid that would tell them apart from another job's. Use the program of '${metadata.jobName}'; if this is that program under a new name, pass --allow-non-restored-state.`,
    { details: { path, jobName: metadata.jobName } },
  );
}
