/**
 * Takes back what one record has changed. Operators with `onError` run each record between `begin` and `keep` or `rollBack`; the states,
 * tables and timers that such an operator uses log, before they change something, how it comes back.
 *
 *     begin ─▶ add, add, … ─▶ keep (nothing was thrown) | rollBack (the last step first)
 *
 * Steps use the tables' ordinary operations, so that a running snapshot holds what was there at its barrier, as with any change.
 * Invariants: 1. no snapshot begins, and no timer fires, while a record is logged; 2. operators without `onError` have no log, and
 * their states don't know of it.
 */

/** Brings one part back to what it was. */
export interface UndoStep {
  undo(): void;
}

/** How values that are changed in place are remembered: where they only grow, cheaper than by a copy. */
export interface ValueKeeper<V> {
  /** What `restore` needs. */
  keep(value: V): unknown;
  /** The value as it was; may be the same object. */
  restore(kept: unknown): V;
}

export class UndoLog {
  /** Whether changes are logged now. */
  recording = false;
  /** Grows with each record: what was logged for another one counts no more. */
  record = 0;
  private readonly steps: UndoStep[] = [];
  private readonly listeners: (() => void)[] = [];
  private refusal: { readonly error: unknown } | undefined;

  /** Calls `listener` after each `rollBack`. */
  afterRollBack(listener: () => void): void {
    this.listeners.push(listener);
  }

  begin(): void {
    this.recording = true;
    this.record++;
    this.refusal = undefined;
  }

  /** Without effect between records. */
  add(step: UndoStep): void {
    if (this.recording) this.steps.push(step);
  }

  /** Remembers a value. If that cannot be done, the record can neither be kept nor taken back: both throw the reason. */
  remember<V>(keeper: ValueKeeper<V>, value: V): unknown {
    try {
      return keeper.keep(value);
    } catch (error) {
      this.refusal ??= { error };
      throw error;
    }
  }

  /** The record's changes stay. */
  keep(): void {
    this.end();
  }

  /** Takes the record's changes back. */
  rollBack(): void {
    this.recording = false;
    try {
      for (let at = this.steps.length - 1; at >= 0; at--) (this.steps[at] as UndoStep).undo();
    } finally {
      this.end();
    }
    for (const listener of this.listeners) listener();
  }

  private end(): void {
    this.recording = false;
    this.steps.length = 0;
    if (this.refusal !== undefined) throw this.refusal.error;
  }
}
