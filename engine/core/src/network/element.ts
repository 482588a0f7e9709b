/**
 * What travels between tasks: batches of records, and control elements between them, in order.
 */

/** The most records in a batch: 256 common records fill most of a ring's slot of 64 KiB. */
export const BATCH_RECORDS = 256;

/** Records with their timestamps (NaN: none). Owned by the channel that made it; given back with `recycle`. */
export class RecordBatch {
  /**
   * Made anew for every filling: young records in an old array cost a write barrier each, and would live on until they are overwritten.
   */
  values: unknown[];
  readonly timestamps: Float64Array;
  count = 0;

  constructor(capacity: number = BATCH_RECORDS) {
    this.values = new Array(capacity);
    this.timestamps = new Float64Array(capacity);
  }

  /** Ready to be filled again. */
  clear(): void {
    if (this.count > 0) this.values = new Array(this.timestamps.length);
    this.count = 0;
  }
}

export type ControlElement =
  | { readonly type: 'watermark'; readonly watermark: number }
  | { readonly type: 'idle'; readonly idle: boolean }
  /**
   * `completed`: the last checkpoint that is known to be complete. `savepoint`: the snapshot is one; absent for checkpoints.
   * `overtakeInMs`: it is announced, and after so long it may overtake what is before it; absent: it never does.
   */
  | {
      readonly type: 'barrier';
      readonly epoch: number;
      readonly completed: number;
      readonly savepoint?: true;
      readonly overtakeInMs?: number;
    }
  /** No further element follows on this channel. */
  | { readonly type: 'end' };

export type StreamElement = RecordBatch | ControlElement;
