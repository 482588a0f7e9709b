/**
 * A single-producer, single-consumer ring of fixed slots in shared memory: the bytes of one channel between two slots.
 *
 *      tail (consumer)        head (producer)
 *        ▼                      ▼
 *     ┌─────┬─────┬─────┬─────┬─────┬─────┐      slot: kind i32 | length i32 | payload
 *     │     │ ███ │ ███ │ ███ │     │     │      a frame larger than a slot goes in several: MORE, MORE, …, LAST
 *     └─────┴─────┴─────┴─────┴─────┴─────┘
 *
 * Invariants: 1. only the producer writes `head`, only the consumer `tail`; both only grow (mod 2^32); 2. a slot belongs to the
 * consumer from the store of `head` to the store of `tail`; 3. nothing waits here: who finds no room or no frame comes back after a
 * wake-up of the other side; 4. of announcements the newest counts, and no frame from its place on is published before it.
 */
import { invariant } from '../common/errors.js';
import { allocateRawBuffer, type RawBuffer, rawBufferOver } from '../common/raw-buffer.js';

export const FRAME_LAST = 1;
export const FRAME_MORE = 2;
export const FRAME_CONTROL = 3;

const HEAD = 0;
/** Counts announcements, twice each: odd while one is being written. */
const NEWS = 1;
/** The announcement: its place, then its numbers, each as two words. */
const NEWS_PLACE = 2;
const NEWS_NUMBERS = 4;
const NEWS_WORDS = 6;
/** A cache line apart, so that the two sides do not invalidate each other's line with every store. */
const TAIL = 16;
const HEADER_BYTES = 128;
/** Of a slot, and so of a frame on its way between processes: kind, length. */
export const SLOT_HEADER_BYTES = 8;

export interface RingLayout {
  /** A power of two: counters are mod 2^32, and after they wrap each must still name the same slot. */
  readonly slots: number;
  /** Payload bytes of a slot; a multiple of 8. */
  readonly slotBytes: number;
}

/** A barrier, told ahead of the frames before it. */
export interface Announcement {
  readonly epoch: number;
  /** The last checkpoint that is known to be complete. */
  readonly completed: number;
  /** When it may overtake what is before it, ms from now. */
  readonly overtakeInMs: number;
}

/** An announcement with its place: that of the first frame after it, counted as `head` is. */
export interface PlacedAnnouncement extends Announcement {
  readonly place: number;
}

/** Shared memory for one ring. */
export function allocateRing(layout: RingLayout): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER_BYTES + layout.slots * (layout.slotBytes + SLOT_HEADER_BYTES));
}

class RingSide {
  readonly slotBytes: number;
  protected readonly slots: number;
  protected readonly control: Int32Array;
  protected readonly headers: Int32Array[] = [];
  protected readonly payloads: RawBuffer[] = [];
  protected readonly numbers: Float64Array = new Float64Array(NEWS_WORDS / 2);
  protected readonly numberWords: Int32Array = new Int32Array(this.numbers.buffer);

  constructor(memory: SharedArrayBuffer, layout: RingLayout) {
    invariant(
      layout.slots > 0 && (layout.slots & (layout.slots - 1)) === 0 && layout.slotBytes > 0 && layout.slotBytes % 8 === 0,
      `A ring cannot have ${layout.slots} slots of ${layout.slotBytes} bytes`,
    );
    this.slots = layout.slots;
    this.slotBytes = layout.slotBytes;
    this.control = new Int32Array(memory, 0, HEADER_BYTES / 4);
    for (let i = 0; i < layout.slots; i++) {
      const offset = HEADER_BYTES + i * (layout.slotBytes + SLOT_HEADER_BYTES);
      this.headers.push(new Int32Array(memory, offset, 2));
      this.payloads.push(rawBufferOver(new Uint8Array(memory, offset + SLOT_HEADER_BYTES, layout.slotBytes)));
    }
  }
}

/** The producer's side. */
export class RingWriter extends RingSide {
  private head = 0;

  /** Free slots. */
  room(): number {
    return this.slots - ((this.head - Atomics.load(this.control, TAIL)) | 0);
  }

  /** The payload of the next free slot; only if `room() > 0`. */
  next(): RawBuffer {
    return this.payloads[(this.head >>> 0) % this.slots] as RawBuffer;
  }

  /** Hands the slot of `next` to the consumer. True if the ring was empty before, so that the consumer may be asleep. */
  publish(kind: number, length: number): boolean {
    const header = this.headers[(this.head >>> 0) % this.slots] as Int32Array;
    header[0] = kind;
    header[1] = length;
    const before = this.head;
    this.head = (before + 1) | 0;
    Atomics.store(this.control, HEAD, this.head);
    return Atomics.load(this.control, TAIL) === before;
  }

  /** Announces a barrier in front of the next frame, or at `place`. The consumer may be asleep. */
  announce({ epoch, completed, overtakeInMs }: Announcement, place: number = this.head): void {
    const { control, numbers, numberWords } = this;
    numbers.set([epoch, completed, overtakeInMs]);
    Atomics.add(control, NEWS, 1);
    Atomics.store(control, NEWS_PLACE, place);
    for (let word = 0; word < NEWS_WORDS; word++) Atomics.store(control, NEWS_NUMBERS + word, numberWords[word] as number);
    Atomics.add(control, NEWS, 1);
  }
}

/** The consumer's side. */
export class RingReader extends RingSide {
  /** The place of the oldest frame. */
  tail = 0;
  kind = 0;
  length = 0;
  /** As `peek` has seen it last. */
  private head = 0;
  private newsSeen = 0;

  /** The oldest frame's payload (`kind` and `length` are set), undefined if there is none. It stays until `release`. */
  peek(): RawBuffer | undefined {
    this.head = Atomics.load(this.control, HEAD);
    if (this.head === this.tail) return undefined;
    const at = (this.tail >>> 0) % this.slots;
    const header = this.headers[at] as Int32Array;
    this.kind = header[0] as number;
    this.length = header[1] as number;
    return this.payloads[at] as RawBuffer;
  }

  /** The newest announcement, once. To be asked after `peek`: then no frame from its place on has been shown. */
  news(): PlacedAnnouncement | undefined {
    const { control, numbers, numberWords } = this;
    const count = Atomics.load(control, NEWS);
    if (count === this.newsSeen || (count & 1) === 1) return undefined;
    const place = Atomics.load(control, NEWS_PLACE);
    for (let word = 0; word < NEWS_WORDS; word++) numberWords[word] = Atomics.load(control, NEWS_NUMBERS + word);
    // The producer is writing the next one, which replaces it.
    if (Atomics.load(control, NEWS) !== count) return undefined;
    this.newsSeen = count;
    const [epoch = 0, completed = 0, overtakeInMs = 0] = numbers;
    return { epoch, completed, overtakeInMs, place };
  }

  /**
   * Frames that the last `peek` has seen: later ones may lie behind an announcement that `news` has not told of yet, and are not to be
   * looked at.
   */
  get count(): number {
    return (this.head - this.tail) | 0;
  }

  /** A copy of the frame `offset` after the oldest; only if `offset` < `count`. */
  copyAt(offset: number): { readonly kind: number; readonly bytes: RawBuffer } {
    const at = ((this.tail + offset) >>> 0) % this.slots;
    const header = this.headers[at] as Int32Array;
    const bytes = allocateRawBuffer(header[1] as number);
    (this.payloads[at] as RawBuffer).copy(bytes, 0, 0, bytes.length);
    return { kind: header[0] as number, bytes };
  }

  /**
   * The oldest frame with its header in one piece, `tag` in place of its kind: what a relay sends without a copy of its own. Only after
   * `peek` found the frame; valid until `release`.
   */
  framed(tag: number): Uint8Array {
    const at = (this.tail >>> 0) % this.slots;
    (this.headers[at] as Int32Array)[0] = tag;
    const payload = this.payloads[at] as RawBuffer;
    return new Uint8Array(payload.buffer, payload.byteOffset - SLOT_HEADER_BYTES, SLOT_HEADER_BYTES + this.length);
  }

  /** Gives the oldest frame's slot back. True if the ring was full before, so that the producer may be asleep. */
  release(): boolean {
    const before = this.tail;
    this.tail = (before + 1) | 0;
    // Store before load, as in `publish`: of a producer that finds the ring full and this consumer, at least one sees the other.
    Atomics.store(this.control, TAIL, this.tail);
    return ((Atomics.load(this.control, HEAD) - before) | 0) === this.slots;
  }
}
