/** What a run checks and opens before its first attempt. */

import type { FileSystems } from '../checkpoint/file-systems.js';
import { createJobRecord } from '../checkpoint/job-record.js';
import { JobRecordStore } from '../checkpoint/job-record-store.js';
import { checkRestore } from '../checkpoint/restore-check.js';
import { openRestorePoint, type RestorePoint } from '../checkpoint/restore-point.js';
import { CheckpointStorage } from '../checkpoint/storage.js';
import { normalizeDirectory } from '../common/disk-path.js';
import { MillstreamError } from '../common/errors.js';
import type { JobGraph } from '../plan/job-graph.js';
import type { JobProgram, Plan } from '../plan/plan.js';
import { JobDirectoryStore } from './job-directory-store.js';
import type { RunSettings } from './job-settings.js';
import { prepareDirectory } from './run-errors.js';

/** Opens the directory of a run's checkpoints, with the record that an earlier leader has left there; undefined if nothing is stored. */
export async function openRunDirectory(options: {
  readonly files: FileSystems;
  readonly settings: RunSettings;
  readonly plan: Plan;
  readonly run: string;
  readonly term: number;
  readonly takesOver: boolean;
  /** Differs from every other's, also of this run and term. */
  readonly writer: string;
}): Promise<JobDirectoryStore | undefined> {
  const { files, settings, plan, run, term } = options;
  if (settings.checkpointDirectory === undefined) return undefined;
  const directory = normalizeDirectory(`${settings.checkpointDirectory}/${safeName(plan.jobName)}-${run}`);
  await files.open(directory);
  const storage = new CheckpointStorage(files, directory);
  await prepareDirectory(storage);
  const records = JobRecordStore.open(files, directory, `${run}-${term}-${options.writer}`);
  const known = options.takesOver ? await records.load() : undefined;
  const identity = { job: plan.jobName, run, term, structuralHash: plan.structuralHash, restoredFrom: undefined };
  return new JobDirectoryStore({
    files,
    storage,
    records,
    version: known?.version ?? 0,
    record: known?.record ?? createJobRecord(identity),
    retained: settings.retainedCheckpoints,
    term,
  });
}

/** Names the job that runs as `run`, or would read the checkpoint in `directory` after a failure; undefined: nobody does. */
export type CheckpointUsers = (run: string | undefined, directory: string) => string | undefined;

/** Opens what a run is to start from, if anything. Throws as `openRestorePoint`, and REQUEST_CONFLICT for a claim of what is in use. */
export async function openStart(
  files: FileSystems,
  { from, claim }: RunSettings,
  userOf: CheckpointUsers | undefined,
): Promise<RestorePoint | undefined> {
  if (from === undefined) return undefined;
  const point = await openRestorePoint(files, from);
  const user = claim ? userOf?.(point.metadata.run, point.path) : undefined;
  if (user === undefined) return point;
  throw new MillstreamError(
    'REQUEST_CONFLICT',
    `Cannot claim the checkpoint '${point.path}': ${user} is running and may need it. Cancel that job first, or start this one with claim mode NO_CLAIM.`,
  );
}

/** Whether a job can start from a checkpoint. Throws as `checkRestore`. */
export function checkRestorePoint(point: RestorePoint, jobName: string, graph: JobGraph, allowNonRestoredState: boolean): void {
  const operators = graph.vertices.flatMap((vertex) =>
    vertex.chain.map(({ node }) => ({
      operatorId: node.id,
      maxParallelism: node.keyed ? vertex.maxParallelism : node.maxParallelism,
    })),
  );
  checkRestore(point.metadata, point.path, { jobName, operators }, { allowNonRestoredState });
}

/** Two sinks that write to the same place would take each other's files for leftovers. Throws INVALID_PLAN. */
export function checkSinkTargets(program: JobProgram): void {
  const targets = new Map<string, string>();
  for (const node of program.plan.nodes) {
    const implementation = program.implementations.get(node.id);
    const target = implementation?.type === 'sink' ? implementation.sink.target : undefined;
    if (target === undefined) continue;
    const other = targets.get(target);
    if (other !== undefined) {
      throw new MillstreamError(
        'INVALID_PLAN',
        `Cannot run the sinks "${other}" and "${node.name}": both write to '${target}'. Give each its own directory or partPrefix.`,
      );
    }
    targets.set(target, node.name);
  }
}

function safeName(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]+/g, '_').slice(0, 60) || 'job';
}
