/**
 * Which snapshots this backend has taken, and so whether the next one can be a delta.
 *
 *      start(e, c) ──▶ finished(e) ──▶ confirm(e): e is what deltas may be relative to
 *                          └─────────▶ abort(e): e never was
 *
 * Invariants: 1. a delta is relative to a finished snapshot of this backend that was not aborted, and whose later changes are all still
 * listed; 2. a chain has at most `deltasMax` deltas.
 */

/** A finished snapshot. */
interface FinishedSnapshot {
  readonly epoch: number;
  /** The interval that its barrier ended. */
  readonly interval: number;
  /** Deltas in its chain. */
  readonly deltas: number;
}

export class SnapshotHistory {
  private readonly deltasMax: number;
  private finishedSnapshots: FinishedSnapshot[] = [];
  /** Changes listed in each interval that a delta may still need. */
  private changes: { readonly interval: number; readonly count: number }[] = [];
  private lastEpoch = Number.NEGATIVE_INFINITY;

  constructor(deltasMax: number) {
    this.deltasMax = deltasMax;
  }

  /** Whether epochs grow. */
  isLater(epoch: number): boolean {
    return epoch > this.lastEpoch;
  }

  /** The snapshot of `epoch`, if a delta may follow it. */
  predecessor(epoch: number): { readonly interval: number; readonly deltas: number } | undefined {
    const found = this.finishedSnapshots.find((snapshot) => snapshot.epoch === epoch);
    return found !== undefined && found.deltas < this.deltasMax ? found : undefined;
  }

  /** A barrier ended `interval` with `count` listed changes. */
  intervalEnded(epoch: number, interval: number, count: number): void {
    this.lastEpoch = epoch;
    this.changes.push({ interval, count });
  }

  /** Changes listed after an interval. */
  changesSince(interval: number): number {
    return this.changes.reduce((sum, change) => (change.interval > interval ? sum + change.count : sum), 0);
  }

  /** A base begins: nothing before it is needed, whether it completes or not (then the next is a base, too). */
  restart(): void {
    this.finishedSnapshots = [];
    this.changes = [];
  }

  finished(epoch: number, interval: number, deltas: number): void {
    this.finishedSnapshots.push({ epoch, interval, deltas });
  }

  abort(epoch: number): void {
    this.finishedSnapshots = this.finishedSnapshots.filter((snapshot) => snapshot.epoch !== epoch);
  }

  /** Returns the interval whose changes and older ones are not needed any more; undefined if the epoch is not known. */
  confirm(epoch: number): number | undefined {
    const confirmed = this.finishedSnapshots.find((snapshot) => snapshot.epoch === epoch);
    if (confirmed === undefined) return undefined;
    this.finishedSnapshots = this.finishedSnapshots.filter((snapshot) => snapshot.epoch >= epoch);
    this.changes = this.changes.filter((change) => change.interval > confirmed.interval);
    return confirmed.interval;
  }
}
