/**
 * The transport between two slots of one process: encoded batches and control elements in a shared-memory ring.
 * The sender encodes when there is room, so a refused batch costs nothing. Frames larger than a slot are sent piece by piece.
 */
import type { BatchDecoder } from '../codec/batch-decoder.js';
import type { BatchEncoder } from '../codec/batch-encoder.js';
import { ByteWriter } from '../common/bytes.js';
import { MillstreamError } from '../common/errors.js';
import { allocateRawBuffer, type RawBuffer } from '../common/raw-buffer.js';
import type { InputChannel, Transport } from './channel.js';
import { type ControlElement, RecordBatch, type StreamElement } from './element.js';
import { FRAME_CONTROL, FRAME_LAST, FRAME_MORE, type RingReader, type RingWriter } from './ring.js';

const WATERMARK = 1;
const IDLE = 2;
const BARRIER = 3;
const END = 4;
const SAVEPOINT_BARRIER = 5;
const CONTROL_BYTES = 24;

export class RingSender implements Transport {
  private readonly ring: RingWriter;
  private readonly encoder: BatchEncoder;
  private readonly wakeConsumer: () => void;
  private readonly out = new ByteWriter(16);
  /** The rest of a frame that is larger than a slot: bytes [sent, out.length). */
  private sent = -1;
  private spare: RecordBatch | undefined = new RecordBatch();
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
    const spare = this.spare ?? new RecordBatch();
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
    const slot = this.ring.next();
    let first = 0;
    let second = 0;
    let kind = END;
    if (element.type === 'watermark') {
      kind = WATERMARK;
      first = element.watermark;
    } else if (element.type === 'idle') {
      kind = IDLE;
      first = element.idle ? 1 : 0;
    } else if (element.type === 'barrier') {
      kind = element.savepoint === true ? SAVEPOINT_BARRIER : BARRIER;
      first = element.epoch;
      second = element.completed;
    }
    slot.writeDoubleLE(kind, 0);
    slot.writeDoubleLE(first, 8);
    slot.writeDoubleLE(second, 16);
    if (this.ring.publish(FRAME_CONTROL, CONTROL_BYTES)) this.wakeConsumer();
    return true;
  }
}

export class RingReceiver implements InputChannel {
  private readonly ring: RingReader;
  private readonly decoder: BatchDecoder;
  private readonly wakeProducer: () => void;
  private batch: RecordBatch | undefined = new RecordBatch();
  /** The pieces of a frame larger than a slot. */
  private pieces: RawBuffer = allocateRawBuffer(0);
  private pieceBytes = 0;
  bytesIn = 0;

  constructor(ring: RingReader, decoder: BatchDecoder, wakeProducer: () => void) {
    this.ring = ring;
    this.decoder = decoder;
    this.wakeProducer = wakeProducer;
  }

  poll(): StreamElement | undefined {
    const ring = this.ring;
    for (;;) {
      const payload = ring.peek();
      if (payload === undefined) return undefined;
      if (ring.kind === FRAME_CONTROL) {
        const element = readControl(payload);
        this.release();
        return element;
      }
      this.bytesIn += ring.length;
      if (ring.kind === FRAME_LAST && this.pieceBytes === 0) {
        const batch = this.decode(payload, ring.length);
        this.release();
        return batch;
      }
      this.gather(payload, ring.length);
      const last = ring.kind === FRAME_LAST;
      this.release();
      if (last) {
        const batch = this.decode(this.pieces, this.pieceBytes);
        this.pieceBytes = 0;
        this.pieces = allocateRawBuffer(0);
        return batch;
      }
    }
  }

  recycle(batch: RecordBatch): void {
    batch.clear();
    this.batch = batch;
  }

  private decode(bytes: RawBuffer, length: number): RecordBatch {
    const batch = this.batch ?? new RecordBatch();
    this.batch = undefined;
    batch.count = this.decoder.decode(bytes, 0, length, batch.values, batch.timestamps);
    return batch;
  }

  private gather(payload: RawBuffer, length: number): void {
    if (this.pieces.length < this.pieceBytes + length) {
      const larger = allocateRawBuffer(Math.max(this.pieces.length * 2, this.pieceBytes + length));
      this.pieces.copy(larger, 0, 0, this.pieceBytes);
      this.pieces = larger;
    }
    payload.copy(this.pieces, this.pieceBytes, 0, length);
    this.pieceBytes += length;
  }

  private release(): void {
    if (this.ring.release()) this.wakeProducer();
  }
}

function readControl(payload: RawBuffer): ControlElement {
  const kind = payload.readDoubleLE(0);
  const first = payload.readDoubleLE(8);
  switch (kind) {
    case WATERMARK:
      return { type: 'watermark', watermark: first };
    case IDLE:
      return { type: 'idle', idle: first === 1 };
    case BARRIER:
      return { type: 'barrier', epoch: first, completed: payload.readDoubleLE(16) };
    case SAVEPOINT_BARRIER:
      return { type: 'barrier', epoch: first, completed: payload.readDoubleLE(16), savepoint: true };
    case END:
      return { type: 'end' };
    default:
      throw new MillstreamError(
        'INTERNAL',
        `Cannot read a control frame of kind ${kind} from a ring. This is a defect of Millstream; please report it.`,
      );
  }
}
