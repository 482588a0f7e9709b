/**
 * What travels on a connection between two TaskManagers: all channels of one attempt from one producer to one consumer.
 *
 *     producer                                        consumer
 *        │ ◀──── HELLO (attempt, token, channels, credit) │
 *        │ holds it until the attempt is there            │
 *        │ ACCEPTED | REFUSED ──────────────────────────▶ │
 *        │ frame, frame, … ─────────────────────────────▶ │
 *        │ ANNOUNCE (channel, place, barrier) ──────────▶ │ before any frame from that place on
 *        │ ◀──────────────────── CREDIT (channel, bytes)… │
 *        │ ◀────────── GOODBYE (who closes first) ──────▶ │
 *
 * The consumer connects, as in Flink, because only a socket that connects can be given the memory that it reads into (decision 19).
 *
 *     message = frame …  |  type u8, row  |  CREDIT u8, (channel i32, bytes i32) …  |  ANNOUNCE u8, …
 *     frame   = tag i32 (kind | channel << 8), length i32, payload          as it lies in a slot of a ring, little-endian
 *
 * Invariants: 1. the lowest byte of a message tells frames (kinds of ring.ts) from other types; 2. a channel's number is its place in
 * the list of HELLO; 3. whatever bytes come, decoding gives a value of the declared type or throws CORRUPT_DATA.
 */
import { ROW_FORMAT_VERSION, readValue, writeValue } from '../codec/row.js';
import { ByteReader, ByteWriter } from '../common/bytes.js';
import { MillstreamError } from '../common/errors.js';
import type { RawBuffer } from '../common/raw-buffer.js';
import { FRAME_CONTROL, FRAME_LAST, FRAME_MORE, type PlacedAnnouncement, SLOT_HEADER_BYTES } from './ring.js';

/** Both ends of a connection must speak the same. */
export const EXCHANGE_VERSION = 2;

export const HELLO = 16;
export const ACCEPTED = 17;
export const REFUSED = 18;
export const CREDIT = 19;
export const GOODBYE = 20;
/** A barrier that is announced: no frame, since it goes ahead of all. */
export const ANNOUNCE = 21;

/** Which deployment of which job's tasks. All of it must agree. */
export interface ExchangeAttempt {
  readonly job: string;
  readonly run: string;
  readonly attempt: number;
  /** The failover region of the job. */
  readonly region: number;
  readonly term: number;
}

/** The consumer's first message. */
export interface Hello {
  readonly version: number;
  readonly attempt: ExchangeAttempt;
  /** A secret of the deployment: who has it was told by the JobManager. */
  readonly token: string;
  readonly producer: string;
  readonly consumer: string;
  readonly channels: readonly string[];
  /** What each channel may have on its way. */
  readonly creditBytes: number;
}

/** Why a side closes. */
export interface Goodbye {
  readonly failed: boolean;
  readonly reason: string;
}

/** Names an attempt in maps. */
export function attemptKey({ job, run, attempt, region, term }: ExchangeAttempt): string {
  return JSON.stringify([job, run, attempt, region, term]);
}

/** What a frame takes of its channel's credit: about the memory that it needs where it waits. */
export function frameCost(payloadBytes: number): number {
  return SLOT_HEADER_BYTES + ((payloadBytes + 7) & ~7);
}

export function isFrameKind(kind: number): boolean {
  return kind === FRAME_LAST || kind === FRAME_MORE || kind === FRAME_CONTROL;
}

/** How many frames a message has; 0 if it has none. */
export function countFrames(message: RawBuffer): number {
  let frames = 0;
  let at = 0;
  while (at + SLOT_HEADER_BYTES <= message.length && isFrameKind(message[at] as number)) {
    const length = message.readInt32LE(at + 4);
    if (length < 0) break;
    frames++;
    at += SLOT_HEADER_BYTES + length;
  }
  return frames;
}

function encode(type: number, value: unknown): Uint8Array {
  const out = new ByteWriter();
  out.u8(type);
  out.u8(ROW_FORMAT_VERSION);
  writeValue(out, value);
  return out.buffer.subarray(0, out.length);
}

function decode(message: Uint8Array, what: string): { readonly [name: string]: unknown } {
  const input = new ByteReader(message, 1);
  let value: unknown;
  try {
    if (input.u8() === ROW_FORMAT_VERSION) value = readValue(input);
  } catch (error) {
    // Damaged bytes may name a class that is not registered.
    throw malformed(what, error);
  }
  if (typeof value !== 'object' || value === null || input.remaining > 0) throw malformed(what);
  return value as { readonly [name: string]: unknown };
}

function malformed(what: string, cause?: unknown): MillstreamError {
  return new MillstreamError('CORRUPT_DATA', `Cannot read ${what} of an exchange of records: it is not what this version sends.`, {
    cause,
  });
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

export function encodeHello(hello: Hello): Uint8Array {
  return encode(HELLO, hello);
}

/** Throws CORRUPT_DATA. Of another version only `version` need be right. */
export function decodeHello(message: Uint8Array): Hello {
  const what = 'the first message';
  if (message[0] !== HELLO) throw malformed(what);
  const { version, attempt, token, producer, consumer, channels, creditBytes } = decode(message, what);
  if (!isCount(version) || !isCount(creditBytes)) throw malformed(what);
  const texts = [token, producer, consumer];
  if (!texts.every((text) => typeof text === 'string') || !Array.isArray(channels)) throw malformed(what);
  if (!channels.every((name) => typeof name === 'string')) throw malformed(what);
  const ids = attempt as Partial<Record<keyof ExchangeAttempt, unknown>> | null | undefined;
  if (typeof ids?.job !== 'string' || typeof ids.run !== 'string') throw malformed(what);
  if (!isCount(ids.attempt) || !isCount(ids.region) || !isCount(ids.term)) throw malformed(what);
  return {
    version,
    attempt: { job: ids.job, run: ids.run, attempt: ids.attempt, region: ids.region, term: ids.term },
    token: token as string,
    producer: producer as string,
    consumer: consumer as string,
    channels: channels as string[],
    creditBytes,
  };
}

export function encodeAccepted(): Uint8Array {
  return Uint8Array.of(ACCEPTED);
}

export function encodeRefused(reason: string): Uint8Array {
  return encode(REFUSED, { reason });
}

export function decodeRefused(message: Uint8Array): string {
  const { reason } = decode(message, 'the refusal');
  if (typeof reason !== 'string') throw malformed('the refusal');
  return reason;
}

export function encodeGoodbye(goodbye: Goodbye): Uint8Array {
  return encode(GOODBYE, goodbye);
}

export function decodeGoodbye(message: Uint8Array): Goodbye {
  const { failed, reason } = decode(message, 'the last message');
  if (typeof failed !== 'boolean' || typeof reason !== 'string') throw malformed('the last message');
  return { failed, reason };
}

const ANNOUNCE_BYTES = 1 + 4 + 4 + 3 * 8;

/** `channel`: its number. The place of a frame is the same in the rings on both sides. */
export function encodeAnnouncement(channel: number, { epoch, completed, overtakeInMs, place }: PlacedAnnouncement): Uint8Array {
  const out = new ByteWriter(ANNOUNCE_BYTES);
  out.u8(ANNOUNCE);
  out.i32(channel);
  out.i32(place);
  out.f64(epoch);
  out.f64(completed);
  out.f64(overtakeInMs);
  return out.toBytes();
}

/** Throws CORRUPT_DATA. */
export function decodeAnnouncement(message: RawBuffer): PlacedAnnouncement & { readonly channel: number } {
  if (message.length !== ANNOUNCE_BYTES) throw malformed('the announcement of a barrier');
  return {
    channel: message.readInt32LE(1),
    place: message.readInt32LE(5),
    epoch: message.readDoubleLE(9),
    completed: message.readDoubleLE(17),
    overtakeInMs: message.readDoubleLE(25),
  };
}

/** Gathers the credit to give back for several channels. */
export class CreditWriter {
  private readonly out = new ByteWriter(64);

  get isEmpty(): boolean {
    return this.out.length === 0;
  }

  add(channel: number, bytes: number): void {
    if (this.isEmpty) this.out.u8(CREDIT);
    this.out.i32(channel);
    this.out.i32(bytes);
  }

  /** The message; valid until the next `add`. */
  take(): Uint8Array {
    const { buffer, length } = this.out;
    this.out.length = 0;
    return buffer.subarray(0, length);
  }
}

/** Calls `each` for every channel of a CREDIT message. Throws CORRUPT_DATA. */
export function readCredit(message: RawBuffer, each: (channel: number, bytes: number) => void): void {
  if (message.length % 8 !== 1) throw malformed('a message of credit');
  for (let at = 1; at < message.length; at += 8) each(message.readInt32LE(at), message.readInt32LE(at + 4));
}
