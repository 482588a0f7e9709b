/**
 * The transport between two slots of one process, and to the relay to another process: encoded batches and control elements in a
 * shared-memory ring. The sender encodes when there is room, so a refused batch costs nothing. Frames larger than a slot are sent piece
 * by piece.
 *
 *     announced: barrier before frame 7               captured: frames 4, 5, 6, where they lie
 *        ring    │ 4 │ 5 │ 6 │ 7 │                    held: frames that had to make room for others before the barrier
 *
 * Invariants: 1. an announced barrier comes out of `poll` between the frames of its place, unless a newer one was announced before that;
 * 2. what is captured was not polled before the capture began, and lies before the barrier; each frame once, in order.
 */
import type { BatchDecoder } from '../codec/batch-decoder.js';
import type { BatchEncoder } from '../codec/batch-encoder.js';
import { ByteWriter } from '../common/bytes.js';
import type { Capture, InputChannel, Transport } from './channel.js';
import type { ControlElement, RecordBatch, StreamElement } from './element.js';
import { RecordBatch as Batch } from './element.js';
import { CONTROL_BYTES, type Frame, FrameDecoder, isFrameKept, readControl, writeControl } from './frame.js';
import {
  type Announcement,
  FRAME_CONTROL,
  FRAME_LAST,
  FRAME_MORE,
  type PlacedAnnouncement,
  type RingReader,
  type RingWriter,
} from './ring.js';

/**
 * What a receiver may hold to make room in its ring for frames before a barrier, about: as much as can be on its way between two
 * processes. Beyond that they come as fast as they are processed.
 */
const HELD_BYTES_MAX = 4 * 1024 * 1024;

export class RingSender implements Transport {
  private readonly ring: RingWriter;
  private readonly encoder: BatchEncoder;
  private readonly wakeConsumer: () => void;
  private readonly out = new ByteWriter(16);
  /** The rest of a frame that is larger than a slot: bytes [sent, out.length). */
  private sent = -1;
  private spare: RecordBatch | undefined = new Batch();
  /** Bytes that went through; for metrics. */
  bytesOut = 0;

  constructor(ring: RingWriter, encoder: BatchEncoder, wakeConsumer: () => void) {
    this.ring = ring;
    this.encoder = encoder;
    this.wakeConsumer = wakeConsumer;
  }

  hasCredit(): boolean {
    return this.pushRest() && this.ring.room() > 0;
  }

  takeSpare(): RecordBatch {
    const spare = this.spare ?? new Batch();
    this.spare = undefined;
    return spare;
  }

  offerBatch(batch: RecordBatch): boolean {
    if (!this.hasCredit()) return false;
    const { ring, out } = this;
    const slot = ring.next();
    // Straight into the ring's slot; what does not fit there ends in memory of the writer's own and goes piece by piece.
    out.attach(slot);
    this.encoder.encode(batch.values, batch.timestamps, 0, batch.count, out);
    this.bytesOut += out.length;
    if (out.buffer === slot) {
      if (ring.publish(FRAME_LAST, out.length)) this.wakeConsumer();
    } else {
      this.sent = 0;
      this.pushRest();
    }
    batch.clear();
    this.spare = batch;
    return true;
  }

  /** True if no frame is half sent. */
  private pushRest(): boolean {
    if (this.sent < 0) return true;
    const { ring, out } = this;
    while (ring.room() > 0) {
      const rest = out.length - this.sent;
      const size = Math.min(rest, ring.slotBytes);
      out.buffer.copy(ring.next(), 0, this.sent, this.sent + size);
      this.sent += size;
      const last = size === rest;
      if (ring.publish(last ? FRAME_LAST : FRAME_MORE, size)) this.wakeConsumer();
      if (last) {
        this.sent = -1;
        return true;
      }
    }
    return false;
  }

  offerControl(element: ControlElement): boolean {
    if (!this.hasCredit()) return false;
    writeControl(element, this.ring.next());
    if (this.ring.publish(FRAME_CONTROL, CONTROL_BYTES)) this.wakeConsumer();
    return true;
  }

  announce(announcement: Announcement, overtakes: boolean): boolean {
    if (!overtakes && !this.pushRest()) return false;
    this.ring.announce(announcement);
    this.wakeConsumer();
    return true;
  }

  unsent(frames: Frame[]): void {
    if (this.sent >= 0) frames.push({ kind: FRAME_LAST, bytes: new Uint8Array(this.out.buffer.subarray(this.sent, this.out.length)) });
  }
}

/** A capture in progress. */
interface RingCapture {
  readonly epoch: number;
  readonly frames: Frame[];
  /** The place of the first frame that has not been looked at. */
  next: number;
  isComplete: boolean;
}

export class RingReceiver implements InputChannel {
  private readonly ring: RingReader;
  private readonly frames: FrameDecoder;
  private readonly wakeProducer: () => void;
  /** Before all frames of the ring: restored, or taken out of it to make room. */
  private held: Frame[] = [];
  private heldBytes = 0;
  /** Restored frames at the front of `held`. */
  private restored = 0;
  /** The newest barrier that was announced, until it is polled. */
  private barrier: PlacedAnnouncement | undefined;
  private unheard: Announcement | undefined;
  private capturing: RingCapture | undefined;
  bytesIn = 0;

  constructor(ring: RingReader, decoder: BatchDecoder, wakeProducer: () => void) {
    this.ring = ring;
    this.frames = new FrameDecoder(decoder);
    this.wakeProducer = wakeProducer;
  }

  poll(): StreamElement | undefined {
    if (this.held.length > 0) {
      const element = this.pollHeld();
      if (element !== undefined) return element;
    }
    const ring = this.ring;
    for (;;) {
      const payload = ring.peek();
      this.listen();
      if (this.barrier !== undefined && ring.tail === this.barrier.place) return this.passBarrier(this.barrier);
      if (payload === undefined) return undefined;
      if (this.capturing !== undefined) this.captureAvailable(this.capturing);
      this.bytesIn += ring.length;
      const element = this.frames.accept(ring.kind, payload, ring.length);
      this.release();
      if (element !== undefined) return element;
    }
  }

  pollRestored(): StreamElement | undefined {
    return this.restored > 0 ? this.pollHeld() : undefined;
  }

  private pollHeld(): StreamElement | undefined {
    for (let frame = this.held.shift(); frame !== undefined; frame = this.held.shift()) {
      this.heldBytes -= frame.bytes.length;
      if (this.restored > 0) this.restored--;
      const element = this.frames.acceptFrame(frame);
      if (element !== undefined) return element;
    }
    return undefined;
  }

  private passBarrier({ epoch, completed, overtakeInMs }: PlacedAnnouncement): StreamElement {
    if (this.capturing !== undefined) this.captureAvailable(this.capturing);
    this.barrier = undefined;
    return { type: 'barrier', epoch, completed, overtakeInMs };
  }

  private listen(): void {
    const news = this.ring.news();
    if (news === undefined) return;
    this.barrier = news;
    this.unheard = news;
  }

  announced(): Announcement | undefined {
    this.listen();
    const { unheard } = this;
    this.unheard = undefined;
    return unheard;
  }

  pollBarrier(): ControlElement | undefined {
    if (this.held.length > 0) return undefined;
    const payload = this.ring.peek();
    this.listen();
    const isBarrier = payload !== undefined && this.ring.kind === FRAME_CONTROL && readControl(payload).type === 'barrier';
    return isBarrier || this.barrier?.place === this.ring.tail ? (this.poll() as ControlElement) : undefined;
  }

  recycle(batch: RecordBatch): void {
    this.frames.recycle(batch);
  }

  restore(frames: readonly Frame[]): void {
    this.held.push(...frames);
    this.restored += frames.length;
    for (const { bytes } of frames) this.heldBytes += bytes.length;
  }

  // ---- capture

  beginCapture(epoch: number, frames: Frame[]): Capture {
    this.captureGathered(frames);
    for (const frame of this.held) if (isFrameKept(frame)) frames.push(frame);
    const capture: RingCapture = { epoch, frames, next: this.ring.tail, isComplete: false };
    this.capturing = capture;
    this.goOnCapturing();
    return capture;
  }

  goOnCapturing(): void {
    const { capturing } = this;
    if (capturing === undefined) return;
    // In this order: the producer announces a barrier before it publishes what comes after it.
    this.ring.peek();
    this.listen();
    this.captureAvailable(capturing);
    // What is still to come needs room that does not depend on how fast records are processed.
    while (this.isBehind(capturing) && this.heldBytes < HELD_BYTES_MAX && this.hold()) this.captureAvailable(capturing);
  }

  endCapture(epoch: number): void {
    if (this.capturing?.epoch === epoch) this.capturing = undefined;
  }

  captureGathered(frames: Frame[]): void {
    const pieces = this.frames.gathered();
    if (pieces !== undefined) frames.push({ kind: FRAME_MORE, bytes: pieces });
  }

  private captureAvailable(capture: RingCapture): void {
    const { ring, barrier } = this;
    const isPlaced = barrier !== undefined && barrier.epoch >= capture.epoch;
    for (let offset = (capture.next - ring.tail) | 0; offset < ring.count; offset++) {
      if (isPlaced && capture.next === barrier.place) break;
      const frame = ring.copyAt(offset);
      if (isFrameKept(frame)) capture.frames.push(frame);
      capture.next = (capture.next + 1) | 0;
    }
    if (!isPlaced || capture.next !== barrier.place) return;
    capture.isComplete = true;
    this.capturing = undefined;
  }

  /** The barrier's place is known, and frames before it are still to come. */
  private isBehind(capture: RingCapture): boolean {
    return !capture.isComplete && this.barrier !== undefined && this.barrier.epoch >= capture.epoch;
  }

  /** Moves the oldest frame out of the ring. False if there is none. */
  private hold(): boolean {
    if (this.ring.count === 0) return false;
    const frame = this.ring.copyAt(0);
    this.held.push(frame);
    this.heldBytes += frame.bytes.length;
    this.release();
    return true;
  }

  private release(): void {
    if (this.ring.release()) this.wakeProducer();
  }
}
