/** Checkpoints of a run in its job directory: storage, job record and retention behind the attempt's store contract. */
import {
  addCheckpoint,
  type CompletedCheckpoint,
  type EpochInterval,
  type JobRecord,
  noteCommitted,
  reserveEpochs,
  startAttempt,
} from '../checkpoint/job-record.js';
import type { JobRecordStore } from '../checkpoint/job-record-store.js';
import type { CheckpointMetadata } from '../checkpoint/metadata.js';
import { CheckpointRetention } from '../checkpoint/retention.js';
import type { SubtaskSnapshot } from '../checkpoint/snapshot.js';
import { checkpointDirectoryName, SHARED_DIRECTORY } from '../checkpoint/state-path.js';
import type { CheckpointStorage } from '../checkpoint/storage.js';
import type { Disk } from '../common/disk.js';
import { diskErrorCode } from '../common/disk-error.js';
import type { CheckpointStore } from './checkpoint-store.js';

export class JobDirectoryStore implements CheckpointStore {
  readonly directory: string;
  readonly storage: CheckpointStorage;
  private readonly disk: Disk;
  private readonly records: JobRecordStore;
  private readonly retention: CheckpointRetention;
  private readonly retained: number;
  private version: number;
  private current: JobRecord;

  constructor(options: {
    disk: Disk;
    storage: CheckpointStorage;
    records: JobRecordStore;
    version: number;
    record: JobRecord;
    /** Completed checkpoints to keep. */
    retained: number;
  }) {
    this.storage = options.storage;
    this.directory = options.storage.directory;
    this.disk = options.disk;
    this.records = options.records;
    this.retention = new CheckpointRetention(options.disk, this.directory);
    this.retained = options.retained;
    this.version = options.version;
    this.current = options.record;
  }

  get record(): JobRecord {
    return this.current;
  }

  private async change(record: JobRecord): Promise<void> {
    this.version = await this.records.compareAndSet(this.version, record);
    this.current = record;
  }

  /** A new attempt: a fresh block of epochs; what earlier attempts left unfinished is removed. */
  async startAttempt(): Promise<{ readonly attempt: number; readonly epochs: EpochInterval }> {
    const { record, block } = startAttempt(this.current, this.current.term);
    await this.change(record);
    // Garbage costs space only.
    await this.records.removeLeftovers().catch(() => undefined);
    await this.retention.collectGarbage(record).catch(() => undefined);
    return { attempt: record.attempt, epochs: block };
  }

  async writeMetadata(metadata: CheckpointMetadata): Promise<void> {
    await this.storage.writeMetadata(metadata);
  }

  async commit(metadata: CheckpointMetadata): Promise<readonly CompletedCheckpoint[]> {
    const checkpoint: CompletedCheckpoint = {
      epoch: metadata.epoch,
      path: checkpointDirectoryName(metadata.epoch),
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

  async discardCheckpoints(checkpoints: readonly CompletedCheckpoint[]): Promise<void> {
    await this.retention.discardCheckpoints(checkpoints, this.current);
  }

  async discardEpoch(epoch: number, snapshots: readonly SubtaskSnapshot[]): Promise<void> {
    await this.retention.discardEpoch(epoch, snapshots, this.current);
  }

  /** Removes everything of a finished run. Best effort: what stays costs space only. */
  async remove(): Promise<void> {
    const { disk, directory } = this;
    try {
      await this.retention.discardCheckpoints(this.current.checkpoints, { ...this.current, checkpoints: [] });
      const shared = `${directory}/${SHARED_DIRECTORY}`;
      for (const name of await disk.list(shared)) await disk.unlink(`${shared}/${name}`);
      await disk.removeDirectory(shared);
      for (const name of await disk.list(directory)) await disk.unlink(`${directory}/${name}`);
      await disk.removeDirectory(directory);
    } catch (error) {
      if (diskErrorCode(error) === undefined) throw error;
    }
  }
}
