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
import type { ClassRegistry } from '../codec/class-registry.js';
import { MillstreamError } from '../common/errors.js';
import { BATCH_RECORDS, type ControlElement, RecordBatch, type StreamElement } from './element.js';
import { type Frame, FrameEncoder } from './frame.js';
import { estimateBytes } from './output-size.js';
import type { Announcement } from './ring.js';

/** The sending end of a transport. `offer` returns false if there is no room now; then nothing was taken. */
export interface Transport {
  /** Takes the batch (invariant 4) or refuses. Throws UNSUPPORTED_VALUE. */
  offerBatch(batch: RecordBatch): boolean;
  offerControl(element: ControlElement): boolean;
  /** Room for at least one more batch. */
  hasCredit(): boolean;
  /** An emptied batch for the producer to fill; may be one that came back from the consumer. */
  takeSpare(): RecordBatch;
  /**
   * Announces a barrier after all that was taken; the consumer hears of it before it polls what is taken later. Needs no room. False if a
   * batch is half taken, unless the barrier overtakes it.
   */
  announce(announcement: Announcement, overtakes: boolean): boolean;
  /** Adds what was taken and is not with the consumer yet. */
  unsent(frames: Frame[]): void;
}

/** What lies before a barrier in a channel, being copied. */
export interface Capture {
  readonly epoch: number;
  readonly frames: readonly Frame[];
  /** The barrier's place is known, and everything before it is copied. */
  readonly isComplete: boolean;
}

/** The receiving end of a transport. */
export interface InputChannel {
  /** The next element, undefined if there is none now. A batch must be recycled before the next poll. */
  poll(): StreamElement | undefined;
  recycle(batch: RecordBatch): void;
  /** The next element if it is a barrier. */
  pollBarrier(): ControlElement | undefined;
  /** The newest barrier that was announced, once. `poll` gives it when its place is reached. */
  announced(): Announcement | undefined;
  /** Puts what was on its way when a checkpoint was taken before all else. Before the first poll. */
  restore(frames: readonly Frame[]): void;
  /** The next element of what was restored, undefined if there is none left. */
  pollRestored(): StreamElement | undefined;
  /** Adds to `frames` what has not been polled and lies before the barrier of `epoch`, which may be announced later. Ends a capture before. */
  beginCapture(epoch: number, frames: Frame[]): Capture;
  /** To be called while the capture is not complete, and the channel not polled. */
  goOnCapturing(): void;
  /** Gives the capture of `epoch` up, if it is not complete. */
  endCapture(epoch: number): void;
  /** Adds the pieces that were polled of a batch whose rest is still to come: a barrier that was just polled may lie between them. */
  captureGathered(frames: Frame[]): void;
}

/** Shared by all output channels of a task: tells the chain's loop to stop after the current record. */
export interface ChainControl {
  stop: boolean;
}

export interface OutputChannelOptions {
  /** Index of the operator in its chain whose output this is; for errors. Default 0. */
  readonly producer?: number | undefined;
  /** What may wait in the overflow, in bytes; about. Default: that of `exchange.record-output-max`. */
  readonly overflowBytesMax?: number | undefined;
  /** Classes whose instances may be in records. */
  readonly registry?: ClassRegistry | undefined;
  /** Names the channel in checkpoints that hold what was on its way. Default: ''. */
  readonly name?: string | undefined;
  /** Encodes what waits here for such a checkpoint. Default: as the stream infers it. */
  readonly frames?: FrameEncoder | undefined;
}

const OVERFLOW_BYTES_MAX = 64 * 1024 * 1024;

export class OutputChannel {
  /** Index of the operator in its chain whose output this is; for errors. */
  readonly producer: number;
  readonly name: string;
  /** The batch being filled. The chain's generated code writes `values`, `timestamps` and `count` of it directly. */
  batch: RecordBatch;
  private readonly transport: Transport;
  private readonly control: ChainControl;
  private readonly overflow: StreamElement[] = [];
  private readonly overflowBytesMax: number;
  private readonly registry: ClassRegistry | undefined;
  private readonly frames: FrameEncoder;
  private overflowBytes = 0;

  constructor(transport: Transport, control: ChainControl, options: OutputChannelOptions = {}) {
    this.transport = transport;
    this.control = control;
    this.producer = options.producer ?? 0;
    this.overflowBytesMax = options.overflowBytesMax ?? OVERFLOW_BYTES_MAX;
    this.registry = options.registry;
    this.name = options.name ?? '';
    this.frames = options.frames ?? new FrameEncoder({ registry: options.registry });
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

  /** Sends the records gathered so far. Throws UNSUPPORTED_VALUE, RECORD_OUTPUT_TOO_LARGE. */
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
    this.limitOverflow(batch);
  }

  /** The chain stops after the record that overflowed first, so what waits is of this one record (or timer, or window). */
  private limitOverflow(batch: RecordBatch): void {
    this.overflowBytes += estimateBytes(batch, this.registry);
    if (this.overflowBytes <= this.overflowBytesMax) return;
    throw new MillstreamError(
      'RECORD_OUTPUT_TOO_LARGE',
      `Cannot emit about ${this.overflowBytes} bytes at once: that much waits for one record, timer or window, and 'exchange.record-output-max' is ${this.overflowBytesMax}. Emit less at a time, or raise the option.`,
      { details: { bytes: this.overflowBytes, limit: this.overflowBytesMax } },
    );
  }

  /** A barrier with `overtakeInMs` is announced once it leaves; it needs no room, but waits for what has overflowed. */
  send(element: ControlElement): void {
    this.flush();
    if (this.overflow.length === 0 && this.offerControl(element)) return;
    this.overflow.push(element);
    this.control.stop = true;
  }

  private offerControl(element: ControlElement): boolean {
    if (element.type !== 'barrier' || element.overtakeInMs === undefined) return this.transport.offerControl(element);
    const { epoch, completed, overtakeInMs } = element;
    return this.transport.announce({ epoch, completed, overtakeInMs }, false);
  }

  /** A barrier waits for what has overflowed before it. */
  get holdsBarrier(): boolean {
    return this.overflow.some(isBarrier);
  }

  /** The barrier of `epoch`, if it waits here, may overtake in so many ms from now: what is announced is what is left. */
  setOvertakeIn(epoch: number, overtakeInMs: number): void {
    const { overflow } = this;
    for (const [at, element] of overflow.entries())
      if (isBarrier(element) && element.epoch === epoch) overflow[at] = { ...element, overtakeInMs };
  }

  /** What may still overflow before it is too much, bytes. */
  get overflowRoom(): number {
    return this.overflowBytesMax - this.overflowBytes;
  }

  /**
   * Announces a barrier that has overtaken what waits here, and returns that as frames: in order, all before the barrier where it waits too.
   * It is sent later all the same.
   */
  overtake(announcement: Announcement): readonly Frame[] {
    this.flush();
    const frames: Frame[] = [];
    this.transport.unsent(frames);
    const { overflow } = this;
    const barrier = overflow.findIndex((element) => isBarrier(element) && element.epoch === announcement.epoch);
    const before = barrier < 0 ? overflow : overflow.slice(0, barrier);
    for (const element of before) this.frames.add(element, 0, frames);
    // Those of epochs that were given up are of no use.
    const rest = overflow.filter((element) => !isBarrier(element));
    overflow.splice(0, overflow.length, ...rest);
    this.transport.announce(announcement, true);
    return frames;
  }

  /** Sends what has overflowed, as far as there is room. True if the channel can take a batch. */
  drain(): boolean {
    const overflow = this.overflow;
    let sent = 0;
    while (sent < overflow.length) {
      const element = overflow[sent] as StreamElement;
      const taken = element instanceof RecordBatch ? this.transport.offerBatch(element) : this.offerControl(element);
      if (!taken) break;
      sent++;
    }
    if (sent > 0) overflow.splice(0, sent);
    if (overflow.length === 0) this.overflowBytes = 0;
    return overflow.length === 0 && this.transport.hasCredit();
  }
}

function isBarrier(element: StreamElement): element is ControlElement & { type: 'barrier' } {
  return !(element instanceof RecordBatch) && element.type === 'barrier';
}
