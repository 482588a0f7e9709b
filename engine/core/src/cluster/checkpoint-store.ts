/** Where an attempt's checkpoints go, as the attempt sees it: the job's directory with its record, or nowhere. */
import type { CompletedCheckpoint, EpochInterval } from '../checkpoint/job-record.js';
import type { CheckpointMetadata } from '../checkpoint/metadata.js';
import type { SubtaskSnapshot } from '../checkpoint/snapshot.js';

export interface CheckpointStore {
  /** Where slots write state files; undefined: nothing is stored. */
  readonly directory: string | undefined;
  /** Writes a checkpoint's metadata, durable. `savepoint`: the directory of a savepoint, which it then lies in. */
  writeMetadata(metadata: CheckpointMetadata, savepoint: string | undefined): Promise<void>;
  /** The commit point: lists the checkpoint in the job record. Returns those that are no longer listed. */
  commit(metadata: CheckpointMetadata, savepoint: string | undefined): Promise<readonly CompletedCheckpoint[]>;
  /** Notes that everything of a checkpoint has been committed by the sinks. */
  noteCommitted(epoch: number): Promise<void>;
  reserveEpochs(): Promise<EpochInterval>;
  /** Some regions restart while the others go on. Returns the number of their new attempt. */
  startRegions(): Promise<number>;
  discardCheckpoints(checkpoints: readonly CompletedCheckpoint[]): Promise<void>;
  /** Removes what was written for an epoch that was given up. `savepoint`: where it went, if it was to be one. */
  discardEpoch(epoch: number, snapshots: readonly SubtaskSnapshot[], savepoint: string | undefined): Promise<void>;
}

/** For jobs without a checkpoint directory: the final commit still takes the coordinator's path, but nothing is stored. */
export class NoCheckpointStore implements CheckpointStore {
  readonly directory: undefined = undefined;
  private next = 1;
  private attempts = 0;

  async startAttempt(): Promise<{ readonly attempt: number; readonly epochs: EpochInterval }> {
    return { attempt: ++this.attempts, epochs: await this.reserveEpochs() };
  }

  async writeMetadata(): Promise<void> {}

  async commit(): Promise<readonly CompletedCheckpoint[]> {
    return [];
  }

  async noteCommitted(): Promise<void> {}

  async reserveEpochs(): Promise<EpochInterval> {
    const first = this.next;
    this.next += 1000;
    return { first, last: this.next - 1 };
  }

  async startRegions(): Promise<number> {
    return ++this.attempts;
  }

  async discardCheckpoints(): Promise<void> {}

  async discardEpoch(): Promise<void> {}
}
