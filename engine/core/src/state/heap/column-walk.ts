/** Walks over the rows of a key group, whose numbers do not change meanwhile. */
import type { ChangeList, RowNumbers, SnapshotCut } from './change-clock.js';
import type { ColumnGroup, RowCodec } from './column-group.js';
import type { TableWalk } from './table.js';

/** A base: all slots. */
export class AllRowsWalk implements TableWalk {
  private readonly group: ColumnGroup;
  private row = 0;

  constructor(group: ColumnGroup) {
    this.group = group;
  }

  step(rows: number): number {
    const { group } = this;
    const end = Math.min(group.rows, this.row + rows);
    const left = rows - (end - this.row);
    for (; this.row < end; this.row++) group.save(this.row);
    return left;
  }
}

type Changes = ChangeList<RowNumbers, number>;

/** A delta: what was removed in its intervals, then what was changed. */
export class ChangedRowsWalk implements TableWalk {
  private readonly group: ColumnGroup;
  private readonly codec: RowCodec;
  private readonly cut: SnapshotCut;
  private readonly lists: readonly Changes[];
  private removedList = 0;
  private removed = 0;
  private changedList = 0;
  private changed = 0;

  constructor(group: ColumnGroup, codec: RowCodec, cut: SnapshotCut, lists: readonly Changes[]) {
    this.group = group;
    this.codec = codec;
    this.cut = cut;
    this.lists = lists;
  }

  step(rows: number): number {
    const left = this.stepRemoved(rows);
    return left === 0 ? 0 : this.stepChanged(left);
  }

  private stepRemoved(rows: number): number {
    let left = rows;
    for (; this.removedList < this.lists.length; this.removedList++, this.removed = 0) {
      const { removed } = this.lists[this.removedList] as Changes;
      for (; this.removed < removed.length; this.removed++) {
        if (left-- === 0) return 0;
        this.codec.writeRemoval(this.cut, this.group, removed[this.removed] as number);
      }
    }
    return left;
  }

  private stepChanged(rows: number): number {
    const { group } = this;
    let left = rows;
    for (; this.changedList < this.lists.length; this.changedList++, this.changed = 0) {
      const { changed } = this.lists[this.changedList] as Changes;
      for (; this.changed < changed.length; this.changed++) {
        if (left-- === 0) return 0;
        group.save(changed.values[this.changed] as number);
      }
    }
    return left;
  }
}
