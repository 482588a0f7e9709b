/**
 * The transport between two subtasks of one slot: batches go by reference through a bounded queue and come back to be filled again.
 *
 * Invariant: an announced barrier lies in the queue at its place; what is captured for a checkpoint are the elements before it that were
 * not polled, encoded.
 */
import type { ClassRegistry } from '../codec/class-registry.js';
import type { Capture, InputChannel, Transport } from './channel.js';
import { type ControlElement, RecordBatch, type StreamElement } from './element.js';
import { type Frame, FrameDecoder, FrameEncoder } from './frame.js';
import { RecordCheck } from './record-check.js';
import type { Announcement } from './ring.js';

/** Batches that may wait in the queue. Control elements need no room. */
const QUEUE_BATCHES_MAX = 8;

export class LocalChannel implements Transport, InputChannel {
  private readonly queue: StreamElement[] = [];
  private head = 0;
  private batches = 0;
  /** At most as many as the queue has room for: that many are on their way at most. */
  private readonly spares: RecordBatch[] = [];
  private readonly recordCheck: RecordCheck;
  private readonly encoder: FrameEncoder;
  private readonly decoder: () => FrameDecoder;
  /** Restored elements at the front of the queue. */
  private restored = 0;
  private unheard: Announcement | undefined;
  private capturing: { readonly epoch: number; readonly frames: Frame[]; isComplete: boolean } | undefined;

  /** `registry`: classes whose instances may be in records. */
  constructor(
    registry?: ClassRegistry,
    encoder: FrameEncoder = new FrameEncoder({ registry }),
    decoder: () => FrameDecoder = () => FrameDecoder.of({ registry }),
  ) {
    this.recordCheck = new RecordCheck(registry);
    this.encoder = encoder;
    this.decoder = decoder;
  }

  offerBatch(batch: RecordBatch): boolean {
    if (this.batches >= QUEUE_BATCHES_MAX) return false;
    this.recordCheck.check(batch);
    this.batches++;
    this.push(batch);
    return true;
  }

  offerControl(element: ControlElement): boolean {
    this.push(element);
    return true;
  }

  private push(element: StreamElement): void {
    this.queue.push(element);
    if (this.capturing !== undefined) this.encoder.add(element, 0, this.capturing.frames);
  }

  hasCredit(): boolean {
    return this.batches < QUEUE_BATCHES_MAX;
  }

  takeSpare(): RecordBatch {
    return this.spares.pop() ?? new RecordBatch();
  }

  announce(announcement: Announcement): boolean {
    this.queue.push({ type: 'barrier', ...announcement });
    this.unheard = announcement;
    if (this.capturing === undefined || announcement.epoch < this.capturing.epoch) return true;
    this.capturing.isComplete = true;
    this.capturing = undefined;
    return true;
  }

  unsent(): void {}

  poll(): StreamElement | undefined {
    const queue = this.queue;
    if (this.head === queue.length) return undefined;
    const element = queue[this.head++];
    if (this.restored > 0) this.restored--;
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

  pollBarrier(): ControlElement | undefined {
    const element = this.queue[this.head];
    if (element === undefined || element instanceof RecordBatch || element.type !== 'barrier') return undefined;
    return this.poll() as ControlElement;
  }

  recycle(batch: RecordBatch): void {
    batch.clear();
    if (this.spares.length < QUEUE_BATCHES_MAX) this.spares.push(batch);
  }

  announced(): Announcement | undefined {
    const { unheard } = this;
    this.unheard = undefined;
    return unheard;
  }

  restore(frames: readonly Frame[]): void {
    const decoder = this.decoder();
    for (const frame of frames) {
      const element = decoder.acceptFrame(frame);
      if (element === undefined) continue;
      if (element instanceof RecordBatch) this.batches++;
      this.queue.push(element);
      this.restored++;
    }
  }

  pollRestored(): StreamElement | undefined {
    return this.restored > 0 ? this.poll() : undefined;
  }

  beginCapture(epoch: number, frames: Frame[]): Capture {
    const capture = { epoch, frames, isComplete: false };
    for (const element of this.queue.slice(this.head)) {
      if (!(element instanceof RecordBatch) && element.type === 'barrier' && element.epoch >= epoch) {
        capture.isComplete = true;
        break;
      }
      this.encoder.add(element, 0, frames);
    }
    this.capturing = capture.isComplete ? undefined : capture;
    return capture;
  }

  goOnCapturing(): void {}

  endCapture(epoch: number): void {
    if (this.capturing?.epoch === epoch) this.capturing = undefined;
  }

  /** Batches are never in pieces here. */
  captureGathered(_frames: Frame[]): void {}
}
