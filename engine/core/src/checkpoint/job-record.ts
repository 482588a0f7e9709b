/**
 * The job record: the only truth about a job. A checkpoint is complete when the compare-and-set of a record that lists it succeeds
 * (job-record-store.ts). Here: what it holds, and the pure changes to it.
 *
 * Epoch numbers come from blocks that are reserved through the record. Each attempt starts a fresh block, and the last number of a block
 * is never triggered: it can only be an epoch in progress, under which a backend writes ahead. So a new attempt's first epoch is above
 * every number that an earlier attempt can have written under.
 *
 *     attempt 1: block 1‥100   checkpoints 1 2 3 ✗            (restore of 3: the epochs 4‥100 are dead)
 *     attempt 2: block 101‥200 checkpoints 101 102 …
 *
 * Invariants: 1. `nextEpoch` only grows; 2. lineage is never pruned; intervals are ascending and disjoint; 3. checkpoints are ascending by
 * epoch; the newest of kind 'checkpoint' is always listed, savepoints (the user's) stay listed; 4. `attempt` only grows.
 */
import { invariant } from '../common/errors.js';
import type { CheckpointKind } from './metadata.js';

/** Epochs from `first` to `last`, both included. */
export interface EpochInterval {
  readonly first: number;
  readonly last: number;
}

export interface CompletedCheckpoint {
  readonly epoch: number;
  /** The checkpoint's directory: relative to the job's directory, or absolute. */
  readonly path: string;
  readonly kind: CheckpointKind;
  /** When it was triggered, ms since 1970. */
  readonly timestamp: number;
  /** All its committables are known to be committed: a restore commits nothing. */
  readonly committed: boolean;
}

/** A checkpoint of another run that this run has taken over: what it started from, until it has enough of its own. */
export interface ClaimedCheckpoint extends CompletedCheckpoint {
  /** Absolute. */
  readonly path: string;
  readonly isClaimed: true;
}

export interface JobRecord {
  readonly job: string;
  readonly run: string;
  /** The leader's term under which the record was written. */
  readonly term: number;
  /** Attempts started so far; the newest attempt's number. */
  readonly attempt: number;
  readonly structuralHash: string;
  /** The first epoch number that is in no block. */
  readonly nextEpoch: number;
  /** Dead epochs: nothing written under them counts. */
  readonly lineage: readonly EpochInterval[];
  readonly checkpoints: readonly CompletedCheckpoint[];
  /** The checkpoint of another run that this run started from; restored as long as there is none of its own. */
  readonly restoredFrom: string | undefined;
  /** The same, where the run owns it and removes it: it counts as the oldest of the retained ones. */
  readonly claimed?: ClaimedCheckpoint | undefined;
  /** The run is over, all its results are committed: no leader goes on with it. */
  readonly ended?: 'finished' | 'stopped';
}

/** Numbers in a block of epochs. A gap in the numbers after each restart is all that a large block costs. */
export const EPOCH_BLOCK_SIZE = 1000;

/** The record of a run that has not started. */
export function createJobRecord(identity: {
  readonly job: string;
  readonly run: string;
  readonly term: number;
  readonly structuralHash: string;
  readonly restoredFrom: string | undefined;
}): JobRecord {
  return { ...identity, attempt: 0, nextEpoch: 1, lineage: [], checkpoints: [] };
}

/** The checkpoint that a new attempt restores; undefined: `restoredFrom`, or nothing. */
export function latestCheckpoint(record: JobRecord): CompletedCheckpoint | undefined {
  return record.checkpoints.at(-1);
}

/** The checkpoint listed before an epoch: what is offered when that one is damaged. */
export function checkpointBefore(record: JobRecord, epoch: number): CompletedCheckpoint | undefined {
  return record.checkpoints.findLast((checkpoint) => checkpoint.epoch < epoch);
}

/** Reserves the next block of epochs. The last number of the block must not be triggered. */
export function reserveEpochs(record: JobRecord, size: number = EPOCH_BLOCK_SIZE): { record: JobRecord; block: EpochInterval } {
  invariant(size >= 2, `A block of ${size} epochs has none to trigger`);
  const block = { first: record.nextEpoch, last: record.nextEpoch + size - 1 };
  return { record: { ...record, nextEpoch: block.last + 1 }, block };
}

/** Starts an attempt from the latest checkpoint: a new number, a fresh block, and everything that the last attempt wrote later is dead. */
export function startAttempt(
  record: JobRecord,
  term: number,
  size: number = EPOCH_BLOCK_SIZE,
): { record: JobRecord; block: EpochInterval } {
  const restored = latestCheckpoint(record)?.epoch ?? 0;
  const reserved = reserveEpochs(record, size);
  const covered = record.lineage.at(-1)?.last ?? 0;
  const dead = { first: Math.max(restored, covered) + 1, last: reserved.block.first - 1 };
  const lineage = dead.first <= dead.last ? withInterval(record.lineage, dead) : record.lineage;
  return { record: { ...reserved.record, term, attempt: record.attempt + 1, lineage }, block: reserved.block };
}

/** Restarts without a checkpoint between them make one interval, however many they are. */
function withInterval(lineage: readonly EpochInterval[], dead: EpochInterval): readonly EpochInterval[] {
  const last = lineage.at(-1);
  return last?.last === dead.first - 1 ? [...lineage.slice(0, -1), { first: last.first, last: dead.last }] : [...lineage, dead];
}

/**
 * Starts some regions of the job again from the latest checkpoint, while the others go on: a new number for them. The epochs stay those of
 * the attempt; the one in progress was given up, and no epoch of theirs is dead for the others.
 */
export function startRegions(record: JobRecord, term: number): JobRecord {
  return { ...record, term, attempt: record.attempt + 1 };
}

/**
 * Lists a completed checkpoint; of kind 'checkpoint' only the newest `retained` (at least one) stay, a claimed one included. `dropped`: those
 * that left.
 */
export function addCheckpoint(
  record: JobRecord,
  checkpoint: CompletedCheckpoint,
  retained: number,
): { record: JobRecord; dropped: readonly (CompletedCheckpoint | ClaimedCheckpoint)[] } {
  const newest = latestCheckpoint(record)?.epoch ?? 0;
  invariant(checkpoint.epoch > newest && checkpoint.epoch < record.nextEpoch, `Checkpoint ${checkpoint.epoch} does not follow ${newest}`);
  const all = [...record.checkpoints, checkpoint];
  const own = all.filter((each) => each.kind === 'checkpoint');
  const keep = Math.max(1, retained);
  const dropped = own.slice(0, Math.max(0, own.length - keep));
  const listed = { ...record, checkpoints: all.filter((each) => !dropped.includes(each)) };
  const { claimed, ...rest } = listed;
  if (claimed === undefined || own.length < keep) return { record: listed, dropped };
  return { record: rest, dropped: [claimed, ...dropped] };
}

/** Notes that all committables of a checkpoint are committed. A checkpoint that is no longer listed needs no note. */
export function noteCommitted(record: JobRecord, epoch: number): JobRecord {
  return { ...record, checkpoints: record.checkpoints.map((each) => (each.epoch === epoch ? { ...each, committed: true } : each)) };
}

/** Whether what was written under an epoch counts. */
export function isDeadEpoch(record: JobRecord, epoch: number): boolean {
  return record.lineage.some((interval) => epoch >= interval.first && epoch <= interval.last);
}
