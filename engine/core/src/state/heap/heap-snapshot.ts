/** A keyed snapshot that is being serialised: the walks over all tables that were there at its barrier, one after another. */
import { invariant } from '../../common/errors.js';
import type { KeyedSnapshot, KeyedSnapshotInfo } from '../backend.js';
import type { SnapshotCut } from './change-clock.js';
import type { SnapshotFileHeader } from './snapshot-file-writer.js';
import type { TableWalk } from './table.js';

export class HeapSnapshot implements KeyedSnapshot {
  readonly epoch: number;
  private readonly header: SnapshotFileHeader;
  private readonly cut: SnapshotCut;
  private readonly walk: TableWalk;
  private readonly onDone: () => void;
  private state: 'running' | 'done' | 'aborted' = 'running';

  constructor(header: SnapshotFileHeader, cut: SnapshotCut, walk: TableWalk, onDone: () => void) {
    this.epoch = header.epoch;
    this.header = header;
    this.cut = cut;
    this.walk = walk;
    this.onDone = onDone;
  }

  step(rows: number): boolean {
    invariant(this.state !== 'aborted', `The keyed snapshot of epoch ${this.epoch} was aborted and cannot go on`);
    if (this.state === 'done') return true;
    if (!this.slice(rows)) return false;
    this.cut.file.finish();
    this.state = 'done';
    this.onDone();
    return true;
  }

  /** Returns whether all was visited. What was gathered may change after the slice, so that an error in it ends the snapshot. */
  private slice(rows: number): boolean {
    this.state = 'aborted';
    const { failure } = this.cut;
    if (failure !== undefined) throw failure.error;
    const left = this.walk.step(Math.max(1, rows));
    this.cut.file.encodeGathered();
    this.state = 'running';
    return left > 0;
  }

  get info(): KeyedSnapshotInfo {
    invariant(this.state === 'done', `The keyed snapshot of epoch ${this.epoch} is ${this.state}: what it holds is not known`);
    const { kind, epoch, keyGroups } = this.header;
    return { kind, epoch, keyGroups, length: this.cut.file.length, rows: this.cut.file.rowCount };
  }

  abort(): void {
    this.state = 'aborted';
  }
}
