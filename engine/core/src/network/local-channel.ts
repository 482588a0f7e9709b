/**
 * The transport between two subtasks of one slot: batches go by reference through a bounded queue and come back to be filled again.
 */
import type { ClassRegistry } from '../codec/class-registry.js';
import type { InputChannel, Transport } from './channel.js';
import { type ControlElement, RecordBatch, type StreamElement } from './element.js';
import { RecordCheck } from './record-check.js';

/** Batches that may wait in the queue. Control elements need no room. */
const QUEUE_BATCHES_MAX = 8;

export class LocalChannel implements Transport, InputChannel {
  private readonly queue: StreamElement[] = [];
  private head = 0;
  private batches = 0;
  /** At most as many as the queue has room for: that many are on their way at most. */
  private readonly spares: RecordBatch[] = [];
  private readonly records: RecordCheck;

  /** `registry`: classes whose instances may be in records. */
  constructor(registry?: ClassRegistry) {
    this.records = new RecordCheck(registry);
  }

  offerBatch(batch: RecordBatch): boolean {
    if (this.batches >= QUEUE_BATCHES_MAX) return false;
    this.records.check(batch);
    this.batches++;
    this.queue.push(batch);
    return true;
  }

  offerControl(element: ControlElement): boolean {
    this.queue.push(element);
    return true;
  }

  hasCredit(): boolean {
    return this.batches < QUEUE_BATCHES_MAX;
  }

  takeSpare(): RecordBatch {
    return this.spares.pop() ?? new RecordBatch();
  }

  poll(): StreamElement | undefined {
    const queue = this.queue;
    if (this.head === queue.length) return undefined;
    const element = queue[this.head++];
    if (this.head === queue.length) {
      queue.length = 0;
      this.head = 0;
    } else if (this.head > 64) {
      queue.splice(0, this.head);
      this.head = 0;
    }
    if (element instanceof RecordBatch) this.batches--;
    return element;
  }

  recycle(batch: RecordBatch): void {
    batch.clear();
    if (this.spares.length < QUEUE_BATCHES_MAX) this.spares.push(batch);
  }
}
