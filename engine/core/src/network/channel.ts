/**
 * A channel connects one producing subtask with one consuming subtask, in order. Its transport is either a queue (same slot, batches by
 * reference) or a shared-memory ring (other slot, encoded batches); both have bounded room: credit.
 *
 *     chain ─append─▶ OutputChannel ─flush─▶ Transport ···▶ InputChannel ─poll─▶ input gate
 *                        │ no credit
 *                        ▼
 *                     overflow (kept in order; its task gets no turn until it is empty)
 *
 * Invariants: 1. elements come out in the order in which they went in; 2. nothing blocks: an element without room waits in the
 * overflow; 3. control elements wait behind the data before them, never behind another channel's; 4. a batch handed over is not
 * changed by the producer any more.
 */
import { BATCH_RECORDS, type ControlElement, RecordBatch, type StreamElement } from './element.js';

/** The sending end of a transport. `offer` returns false if there is no room now; then nothing was taken. */
export interface Transport {
  /** Takes the batch (invariant 4) or refuses. Returns an emptied batch to fill next in `spare`. */
  offerBatch(batch: RecordBatch): boolean;
  offerControl(element: ControlElement): boolean;
  /** Room for at least one more batch. */
  hasCredit(): boolean;
  /** An emptied batch for the producer to fill; may be one that came back from the consumer. */
  takeSpare(): RecordBatch;
}

/** The receiving end of a transport. */
export interface InputChannel {
  /** The next element, undefined if there is none now. A batch must be recycled before the next poll. */
  poll(): StreamElement | undefined;
  recycle(batch: RecordBatch): void;
  /** Elements are waiting. */
  hasElement(): boolean;
}

/** Shared by all output channels of a task: tells the chain's loop to stop after the current record. */
export interface ChainControl {
  stop: boolean;
}

export class OutputChannel {
  /** The batch being filled. The chain's generated code writes `values`, `timestamps` and `count` of it directly. */
  batch: RecordBatch;
  private readonly transport: Transport;
  private readonly control: ChainControl;
  private readonly overflow: StreamElement[] = [];

  constructor(transport: Transport, control: ChainControl) {
    this.transport = transport;
    this.control = control;
    this.batch = transport.takeSpare();
  }

  append(value: unknown, timestamp: number): void {
    const batch = this.batch;
    const at = batch.count;
    batch.values[at] = value;
    batch.timestamps[at] = timestamp;
    batch.count = at + 1;
    if (at + 1 === BATCH_RECORDS) this.flush();
  }

  /** Sends the records gathered so far. */
  flush(): void {
    const batch = this.batch;
    if (batch.count === 0) return;
    if (this.overflow.length === 0 && this.transport.offerBatch(batch)) {
      this.batch = this.transport.takeSpare();
      if (!this.transport.hasCredit()) this.control.stop = true;
      return;
    }
    this.overflow.push(batch);
    this.batch = new RecordBatch();
    this.control.stop = true;
  }

  send(element: ControlElement): void {
    this.flush();
    if (this.overflow.length === 0 && this.transport.offerControl(element)) return;
    this.overflow.push(element);
    this.control.stop = true;
  }

  /** Sends what has overflowed, as far as there is room. True if the channel can take a batch. */
  drain(): boolean {
    const overflow = this.overflow;
    let sent = 0;
    while (sent < overflow.length) {
      const element = overflow[sent] as StreamElement;
      const taken = element instanceof RecordBatch ? this.transport.offerBatch(element) : this.transport.offerControl(element);
      if (!taken) break;
      sent++;
    }
    if (sent > 0) overflow.splice(0, sent);
    return overflow.length === 0 && this.transport.hasCredit();
  }

  /** Nothing waits here: all that was appended has been handed to the transport. */
  isEmpty(): boolean {
    return this.overflow.length === 0 && this.batch.count === 0;
  }

  overflowLength(): number {
    return this.overflow.length;
  }
}
