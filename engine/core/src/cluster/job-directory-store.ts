/** Checkpoints of a run in its job directory: storage, job record and retention behind the attempt's store contract. */

import type { CheckpointFiles } from '../checkpoint/checkpoint-files.js';
import { removeClaimed } from '../checkpoint/checkpoint-removal.js';
import {
  addCheckpoint,
  type ClaimedCheckpoint,
  type CompletedCheckpoint,
  type EpochInterval,
  type JobRecord,
  latestCheckpoint,
  noteCommitted,
  reserveEpochs,
  startAttempt,
  startRegions,
} from '../checkpoint/job-record.js';
import type { JobRecordStore } from '../checkpoint/job-record-store.js';
import type { CheckpointMetadata } from '../checkpoint/metadata.js';
import { openListed, type RestorePoint } from '../checkpoint/restore-point.js';
import { CheckpointRetention } from '../checkpoint/retention.js';
import type { SubtaskSnapshot } from '../checkpoint/snapshot.js';
import { checkpointDirectoryName, SHARED_DIRECTORY } from '../checkpoint/state-path.js';
import type { CheckpointStorage } from '../checkpoint/storage.js';
import { diskErrorCode } from '../common/disk-error.js';
import { MillstreamError } from '../common/errors.js';
import type { CheckpointStore } from './checkpoint-store.js';

export class JobDirectoryStore implements CheckpointStore {
  readonly directory: string;
  readonly storage: CheckpointStorage;
  private readonly files: CheckpointFiles;
  private readonly records: JobRecordStore;
  private readonly retention: CheckpointRetention;
  private readonly retained: number;
  private readonly term: number;
  private version: number;
  /** A change of which it is not known whether it was made, and why. */
  private unconfirmed: { readonly record: JobRecord; readonly error: unknown } | undefined;
  private current: JobRecord;

  constructor(options: {
    files: CheckpointFiles;
    storage: CheckpointStorage;
    records: JobRecordStore;
    version: number;
    record: JobRecord;
    /** Completed checkpoints to keep. */
    retained: number;
    /** The leader's. */
    term: number;
  }) {
    this.storage = options.storage;
    this.directory = options.storage.directory;
    this.files = options.files;
    this.records = options.records;
    this.retention = new CheckpointRetention(options.files, this.directory);
    this.retained = options.retained;
    this.term = options.term;
    this.version = options.version;
    this.current = options.record;
  }

  get record(): JobRecord {
    return this.current;
  }

  private async change(record: JobRecord): Promise<void> {
    // What was derived from the record before would undo a change that may have been made.
    if (this.unconfirmed !== undefined && this.unconfirmed.record !== record) throw this.unconfirmed.error;
    try {
      this.version = await this.records.compareAndSet(this.version, record);
    } catch (error) {
      this.unconfirmed = { record, error };
      throw error;
    }
    this.current = record;
    this.unconfirmed = undefined;
  }

  /**
   * Settles a change whose outcome is unknown (an answer was lost): it is made now unless it was made then. Until then every other change
   * is refused, with the same error. Throws JOB_RECORD_CONFLICT.
   */
  async settle(): Promise<void> {
    if (this.unconfirmed !== undefined) await this.change(this.unconfirmed.record);
  }

  /** The checkpoint that the next attempt restores, if there is one of this run. Throws CHECKPOINT_CORRUPT, JOB_RECORD_CONFLICT. */
  async latest(): Promise<RestorePoint | undefined> {
    await this.settle();
    const checkpoint = latestCheckpoint(this.current);
    return checkpoint && (await openListed(this.files, this.directory, this.current, checkpoint));
  }

  /** The first version of a run's record. `point`: the checkpoint of another run that it starts from; `claim`: and owns from now on. */
  async begin(point: RestorePoint | undefined, claim: boolean): Promise<void> {
    const claimed = claim && point !== undefined ? claimedCheckpoint(point) : undefined;
    while (this.current.attempt === 0) {
      if (await this.takeOver({ ...this.current, restoredFrom: point?.path, ...(claimed !== undefined && { claimed }) })) return;
    }
  }

  /**
   * A new attempt: a fresh block of epochs; what earlier attempts left unfinished is removed. From here on no leader of an earlier term can
   * add a checkpoint, so only now the latest one is known. Undefined: the run is over.
   */
  async startAttempt(): Promise<{ readonly attempt: number; readonly epochs: EpochInterval } | undefined> {
    while (this.current.ended === undefined) {
      if (this.unconfirmed !== undefined) {
        await this.takeOver(this.unconfirmed.record);
        continue;
      }
      const { record, block } = startAttempt(this.current, this.term);
      if (!(await this.takeOver(record))) continue;
      // Garbage costs space only.
      await this.records.removeLeftovers().catch(() => undefined);
      await this.retention.collectGarbage(record).catch(() => undefined);
      return { attempt: record.attempt, epochs: block };
    }
    return undefined;
  }

  /** A change that a former leader may still cross: false, and its change is in the record now, if it was faster. */
  private async takeOver(record: JobRecord): Promise<boolean> {
    try {
      await this.change(record);
      return true;
    } catch (error) {
      if (!(error instanceof MillstreamError && error.code === 'JOB_RECORD_CONFLICT')) throw error;
      const newest = await this.records.load();
      if (newest === undefined || newest.record.term >= this.term) throw error;
      this.version = newest.version;
      this.current = newest.record;
      this.unconfirmed = undefined;
      return false;
    }
  }

  /** Notes that the run is over: no leader goes on with it. Throws JOB_RECORD_CONFLICT if another leader has it. */
  async end(ended: 'finished' | 'stopped'): Promise<void> {
    await this.settle();
    if (this.current.ended === undefined) await this.change({ ...this.current, ended });
  }

  async writeMetadata(metadata: CheckpointMetadata, savepoint: string | undefined): Promise<void> {
    await this.storage.writeMetadata(metadata, savepoint);
  }

  async commit(metadata: CheckpointMetadata, savepoint: string | undefined): Promise<readonly CompletedCheckpoint[]> {
    const checkpoint: CompletedCheckpoint = {
      epoch: metadata.epoch,
      path: savepoint ?? checkpointDirectoryName(metadata.epoch),
      kind: metadata.kind,
      timestamp: metadata.timestamp,
      committed: false,
    };
    const { record, dropped } = addCheckpoint(this.current, checkpoint, this.retained);
    await this.change(record);
    return dropped;
  }

  /** Only a stopped or finished run's last checkpoint is noted: in mid-run each note would be a write per checkpoint for nothing. */
  async noteCommitted(epoch: number): Promise<void> {
    if (this.ending) await this.change(noteCommitted(this.current, epoch));
  }

  /** Set before the last checkpoint of a run. */
  ending = false;

  async reserveEpochs(): Promise<EpochInterval> {
    const { record, block } = reserveEpochs(this.current);
    await this.change(record);
    return block;
  }

  async startRegions(): Promise<number> {
    const record = startRegions(this.current, this.term);
    await this.change(record);
    return record.attempt;
  }

  async discardCheckpoints(checkpoints: readonly CompletedCheckpoint[]): Promise<void> {
    const own = checkpoints.filter((checkpoint) => !isClaimed(checkpoint));
    if (own.length > 0) await this.retention.discardCheckpoints(own, this.current);
    for (const checkpoint of checkpoints) if (isClaimed(checkpoint)) await removeClaimed(this.files, checkpoint);
  }

  async discardEpoch(epoch: number, snapshots: readonly SubtaskSnapshot[], savepoint: string | undefined): Promise<void> {
    await this.retention.discardEpoch(epoch, snapshots, this.current, savepoint);
  }

  /**
   * Removes everything of a run that has ended as finished; but the record where `keepRecord`: another leader, which may have read it, must not
   * find its next version's name free. Best effort: what stays costs space only. Throws JOB_RECORD_CONFLICT if another leader has the run:
   * then nothing is removed.
   */
  async remove(keepRecord: boolean): Promise<void> {
    const { files, directory } = this;
    const { checkpoints, claimed, ...rest } = this.current;
    try {
      await this.change({ ...rest, checkpoints: [] });
      await this.retention.discardCheckpoints(checkpoints, this.current);
      if (claimed !== undefined) await removeClaimed(files, claimed);
      for (const each of [`${directory}/${SHARED_DIRECTORY}`, directory]) {
        for (const name of await files.list(each)) {
          if (!(keepRecord && each === directory && isOfRecord(name))) await files.remove(`${each}/${name}`);
        }
        await files.removeDirectory(each);
      }
    } catch (error) {
      if (error instanceof MillstreamError && error.code === 'JOB_RECORD_CONFLICT') throw error;
      if (diskErrorCode(error) === undefined && !(error instanceof MillstreamError)) throw error;
    }
  }
}

function claimedCheckpoint({ path, metadata, committed }: RestorePoint): ClaimedCheckpoint {
  const { epoch, kind, timestamp } = metadata;
  return { epoch, path, kind, timestamp, committed, isClaimed: true };
}

function isClaimed(checkpoint: CompletedCheckpoint): checkpoint is ClaimedCheckpoint {
  return 'isClaimed' in checkpoint;
}

/** The names of the record's register: `job`, `job.<version>`, `job.hint`. */
function isOfRecord(name: string): boolean {
  return /^job(?:\.|$)/.test(name);
}
