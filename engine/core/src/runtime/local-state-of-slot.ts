/** Which copies of state files a slot needs: those of the snapshots that it has handed over, since the last complete checkpoint. */
import { LocalStateCopies } from '../checkpoint/local-state.js';
import type { CheckpointKind } from '../checkpoint/metadata.js';
import type { StateFile, SubtaskSnapshot } from '../checkpoint/snapshot.js';
import type { Disk } from '../common/disk.js';
import type { SlotDeployment } from './slot-messages.js';

export class LocalState {
  readonly copies: LocalStateCopies;
  private readonly acknowledgedFiles = new Map<number, StateFile[]>();

  constructor(copies: LocalStateCopies) {
    this.copies = copies;
  }

  acknowledged({ epoch, operators }: SubtaskSnapshot): void {
    const files = this.acknowledgedFiles.get(epoch) ?? [];
    for (const { keyedChain } of Object.values(operators)) files.push(...keyedChain);
    this.acknowledgedFiles.set(epoch, files);
  }

  completed({ epoch, kind }: { readonly epoch: number; readonly kind: CheckpointKind }): void {
    const files = this.acknowledgedFiles.get(epoch);
    // Nothing is restored from a savepoint after a failure, and deltas are not relative to one.
    if (kind !== 'checkpoint' || files === undefined) return;
    for (const each of this.acknowledgedFiles.keys()) if (each <= epoch) this.acknowledgedFiles.delete(each);
    void this.copies.completed(epoch, files);
  }
}

/** Undefined where no copies are made or read. */
export async function openLocalState(deployment: SlotDeployment, disk: Disk): Promise<LocalState | undefined> {
  const { localState, localStateDirectory: directory, run, attempt, jobAttempt } = deployment;
  if (directory === undefined || !(localState.writes || localState.reads)) return undefined;
  const copies = new LocalStateCopies({ disk, directory, run, attempt, jobAttempt, ...localState });
  await copies.prepare();
  return new LocalState(copies);
}
