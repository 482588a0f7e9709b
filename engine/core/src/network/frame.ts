/**
 * The elements of a channel as frames: what lies in a slot of a ring, and in checkpoints that hold what was on its way.
 *
 *     batch ─▶ LAST            a batch larger than a slot ─▶ MORE, MORE, …, LAST            watermark, idleness, barrier, end ─▶ CONTROL
 *
 * Invariants: 1. a frame needs no other to be read, but the pieces of one batch each other; 2. decoded records refer to no frame's memory.
 */
import { BatchDecoder } from '../codec/batch-decoder.js';
import { type BatchCodecOptions, BatchEncoder } from '../codec/batch-encoder.js';
import { ByteWriter } from '../common/bytes.js';
import { MillstreamError } from '../common/errors.js';
import { allocateRawBuffer, type RawBuffer, rawBufferOver } from '../common/raw-buffer.js';
import { type ControlElement, RecordBatch, type StreamElement } from './element.js';
import { FRAME_CONTROL, FRAME_LAST } from './ring.js';

/** A frame in memory of its own. */
export interface Frame {
  readonly kind: number;
  readonly bytes: Uint8Array;
}

const WATERMARK = 1;
const IDLE = 2;
const BARRIER = 3;
const END = 4;
const SAVEPOINT_BARRIER = 5;
export const CONTROL_BYTES = 24;

/** Writes a control element into the first CONTROL_BYTES of a buffer. */
export function writeControl(element: ControlElement, slot: RawBuffer): void {
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
}

export function readControl(payload: RawBuffer): ControlElement {
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
        `Cannot read a control frame of kind ${kind}. This is a defect of Millstream; please report it.`,
      );
  }
}

/**
 * Whether a control element is part of what was on its way. Only watermarks are: a restored producer says anew whether it is idle and when
 * it ends, and until then it may have more to send.
 */
function isKept(element: ControlElement): boolean {
  return element.type === 'watermark' && element.watermark !== Number.POSITIVE_INFINITY;
}

/** The same of a frame. */
export function isFrameKept({ kind, bytes }: Frame): boolean {
  return kind !== FRAME_CONTROL || isKept(readControl(rawBufferOver(bytes)));
}

/** Makes frames of elements that never were in a ring. */
export class FrameEncoder {
  private readonly options: BatchCodecOptions;
  private encoder: BatchEncoder | undefined;

  constructor(options: BatchCodecOptions) {
    this.options = options;
  }

  /** Adds the frame of an element to `frames`, if it is part of what was on its way. Of a batch the records from `from` on. */
  add(element: StreamElement, from: number, frames: Frame[]): void {
    if (!(element instanceof RecordBatch)) {
      if (!isKept(element)) return;
      const bytes = allocateRawBuffer(CONTROL_BYTES);
      writeControl(element, bytes);
      frames.push({ kind: FRAME_CONTROL, bytes });
      return;
    }
    if (from === element.count) return;
    this.encoder ??= new BatchEncoder(this.options);
    const out = new ByteWriter(4096);
    this.encoder.encode(element.values, element.timestamps, from, element.count - from, out);
    frames.push({ kind: FRAME_LAST, bytes: out.toBytes() });
  }
}

/** Makes elements of frames again. */
export class FrameDecoder {
  private readonly decoder: BatchDecoder;
  private spare: RecordBatch | undefined = new RecordBatch();
  /** The pieces of a batch larger than a slot, of which more are to come. */
  private pieces: RawBuffer = allocateRawBuffer(0);
  private pieceBytes = 0;

  constructor(decoder: BatchDecoder) {
    this.decoder = decoder;
  }

  static of(options: BatchCodecOptions): FrameDecoder {
    return new FrameDecoder(new BatchDecoder(options));
  }

  /** The element that the frame ends; undefined if more pieces are to come. */
  accept(kind: number, payload: RawBuffer, length: number): StreamElement | undefined {
    if (kind === FRAME_CONTROL) return readControl(payload);
    if (kind === FRAME_LAST && this.pieceBytes === 0) return this.decode(payload, length);
    this.gather(payload, length);
    if (kind !== FRAME_LAST) return undefined;
    const batch = this.decode(this.pieces, this.pieceBytes);
    this.pieceBytes = 0;
    this.pieces = allocateRawBuffer(0);
    return batch;
  }

  /** The same for a frame in memory of its own. */
  acceptFrame({ kind, bytes }: Frame): StreamElement | undefined {
    return this.accept(kind, rawBufferOver(bytes), bytes.length);
  }

  /** A copy of the pieces gathered so far; undefined if there are none. */
  gathered(): Uint8Array | undefined {
    return this.pieceBytes === 0 ? undefined : new Uint8Array(this.pieces.subarray(0, this.pieceBytes));
  }

  recycle(batch: RecordBatch): void {
    batch.clear();
    this.spare = batch;
  }

  private decode(bytes: RawBuffer, length: number): RecordBatch {
    const batch = this.spare ?? new RecordBatch();
    this.spare = undefined;
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
}
