/** Cells (value, reducing and aggregating states) whose changes can be taken back. */
import type { Key } from '../../common/key.js';
import type { UndoLog, UndoStep, ValueKeeper } from '../undo-log.js';
import type { Cells } from './cells.js';
import type { CurrentKey } from './table.js';

/** What the undoable states of a backend share. */
export interface UndoContext {
  readonly log: UndoLog;
  readonly key: CurrentKey;
  /** Remembers values that users may change in place, by a copy. */
  readonly copies: ValueKeeper<unknown>;
}

/** A step about the state of one key: a function may visit several (`applyToKeyedState`). */
export abstract class KeyedUndoStep implements UndoStep {
  private readonly current: CurrentKey;
  private readonly key: Key;

  constructor(current: CurrentKey) {
    this.current = current;
    this.key = current.key;
  }

  undo(): void {
    this.current.set(this.key);
    this.revert();
  }

  protected abstract revert(): void;
}

/** Which key of which record something was logged for last. */
export class LoggedMark {
  private record = -1;
  private serial = -1;

  /** True the first time for the current key in this record. */
  isFirst({ log, key }: UndoContext): boolean {
    if (this.record === log.record && this.serial === key.serial) return false;
    this.record = log.record;
    this.serial = key.serial;
    return true;
  }
}

class CellStep extends KeyedUndoStep {
  private readonly cells: Cells;
  private readonly before: () => unknown;

  constructor(current: CurrentKey, cells: Cells, before: () => unknown) {
    super(current);
    this.cells = cells;
    this.before = before;
  }

  protected revert(): void {
    const value = this.before();
    if (value === undefined) this.cells.remove();
    else this.cells.write(value);
  }
}

export class UndoableCells implements Cells {
  private readonly cells: Cells;
  private readonly context: UndoContext;
  private readonly keeper: ValueKeeper<unknown>;
  private readonly mark = new LoggedMark();

  constructor(cells: Cells, context: UndoContext, keeper: ValueKeeper<unknown> = context.copies) {
    this.cells = cells;
    this.context = context;
    this.keeper = keeper;
  }

  read(): unknown {
    const value = this.cells.read();
    const { log, key } = this.context;
    if (log.recording && typeof value === 'object' && value !== null && this.mark.isFirst(this.context)) {
      const kept = log.remember(this.keeper, value);
      log.add(new CellStep(key, this.cells, () => this.keeper.restore(kept)));
    }
    return value;
  }

  write(value: unknown): void {
    this.beforeReplacing();
    this.cells.write(value);
  }

  remove(): void {
    this.beforeReplacing();
    this.cells.remove();
  }

  /** A value that nobody has read in this record is not changed in place: it can come back itself. */
  private beforeReplacing(): void {
    const { log, key } = this.context;
    if (!log.recording || !this.mark.isFirst(this.context)) return;
    const value = this.cells.read();
    log.add(new CellStep(key, this.cells, () => value));
  }
}
