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
  values: unknown[] = new Array(BATCH_RECORDS);
  readonly timestamps: Float64Array = new Float64Array(BATCH_RECORDS);
  count = 0;

  /** Ready to be filled again. */
  clear(): void {
    if (this.count > 0) this.values = new Array(BATCH_RECORDS);
    this.count = 0;
  }
}

export type ControlElement =
  | { readonly type: 'watermark'; readonly watermark: number }
  | { readonly type: 'idle'; readonly idle: boolean }
  /** `completed`: the last epoch that is known to be complete. */
  | { readonly type: 'barrier'; readonly epoch: number; readonly completed: number }
  /** No further element follows on this channel. */
  | { readonly type: 'end' };

export type StreamElement = RecordBatch | ControlElement;
