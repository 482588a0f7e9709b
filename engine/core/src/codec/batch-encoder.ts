/**
 * Encodes batches of records by columns (format: batch-format.ts). The shapes of the records are inferred and remembered from batch to
 * batch; every record is checked against its shape, and what fits none is coded as rows. With a schema there is one shape, and only the
 * declared fields travel.
 *
 * A batch whose records are all of the shape that came last goes through one loop. Otherwise its records are sorted by shape:
 *
 *   {bid} {bid} {person} 7 {bid}   →   groups 0 0 1 2 0:  bids by columns | persons by columns | the rest
 *
 * Invariants: 1. a batch needs no other batch to be read; 2. after an error nothing has been appended, and the encoder can go on;
 * 3. no record is referred to after `encode` returns.
 */
import { ByteWriter } from '../common/bytes.js';
import { invariant, MillstreamError } from '../common/errors.js';
import { BATCH_COUNT_MAX, BATCH_FORMAT_VERSION, FLAG_GROUPS, FLAG_TIMESTAMPS } from './batch-format.js';
import type { ClassRegistry } from './class-registry.js';
import { ColumnScratch } from './column-views.js';
import { declaredShapeOf, schemaViolation } from './declared-shape.js';
import { EncodeGroup, type EncodeParts } from './encode-group.js';
import type { EncodeSink } from './encode-program.js';
import type { Schema } from './schema.js';
import { matches, OTHER, ROW_LEAF, shapeOf } from './shape.js';
import { StreamCode } from './stream-code.js';
import { checkValue } from './value-check.js';

/** How both ends of a stream treat its records. */
export interface BatchCodecOptions {
  /** The record's fields. Only they travel, and nothing is inferred or checked but their types. */
  readonly schema?: Schema<unknown> | undefined;
  /** Classes whose instances may be in records. */
  readonly registry?: ClassRegistry | undefined;
  /** Whether functions may be generated. Default: true; where the process forbids it, the interpreter is used without asking. */
  readonly codegen?: boolean | undefined;
  /** The stream's functions. Default: its own. */
  readonly code?: StreamCode | undefined;
}

/** Where an encoder or decoder has its functions; undefined: they are interpreted. */
export function codeOf({ codegen = true, code }: BatchCodecOptions): StreamCode | undefined {
  return codegen ? (code ?? new StreamCode()) : undefined;
}

/** Shapes of objects and tuples that are told apart; records of others are coded as rows. */
const SHAPES_MAX = 8;
/** After so many records found no room for their shape, the shapes are learnt anew: the old ones may be of another time. */
const HOMELESS_MAX = 100_000;

export class BatchEncoder {
  private readonly schema: Schema<unknown> | undefined;
  /** Undefined: functions are interpreted. */
  private readonly code: StreamCode | undefined;
  private readonly sink: EncodeSink;
  private readonly parts: EncodeParts;
  /** Where the batch in work begins in its buffer. */
  private begin = 0;
  /** Groups of objects and tuples. */
  private groups: EncodeGroup[] = [];
  /** Takes every value that belongs to none of `groups`. */
  private rest: EncodeGroup | undefined;
  /** The group that held the whole last batch. */
  private last: EncodeGroup | undefined;
  private homeless = 0;
  private assigned = new Uint8Array(256);

  constructor(options: BatchCodecOptions = {}) {
    this.schema = options.schema;
    this.code = codeOf(options);
    this.sink = { text: '', guard: 0, rows: new ByteWriter(1024), registry: options.registry, recent: [] };
    this.parts = { scratch: new ColumnScratch(), sink: this.sink };
    if (this.schema !== undefined) this.last = new EncodeGroup(declaredShapeOf(this.schema), false, this.code);
  }

  /**
   * Appends values[start, start + count) as one batch, with timestamps[start, start + count) unless there are none or all are NaN.
   * Throws `UNSUPPORTED_VALUE`.
   */
  encode(values: readonly unknown[], timestamps: Float64Array | undefined, start: number, count: number, out: ByteWriter): void {
    invariant(count <= BATCH_COUNT_MAX, `Cannot encode a batch of ${count} records: the limit is ${BATCH_COUNT_MAX}`);
    const begin = out.length;
    this.begin = begin;
    try {
      this.writeHead(timestamps, start, count, out);
      if (count === 0) return;
      if (this.schema !== undefined) this.encodeDeclared(this.schema, values, start, count, out);
      else if (this.last === undefined || !this.encodeAlike(this.last, values, start, count, out))
        this.encodeSorted(values, start, count, out);
    } catch (error) {
      out.length = begin;
      this.forgetMembers();
      this.sink.text = '';
      throw this.explained(error, values, start, count);
    }
  }

  private writeHead(timestamps: Float64Array | undefined, start: number, count: number, out: ByteWriter): void {
    let stamped = false;
    if (timestamps !== undefined) for (let i = start; i < start + count && !stamped; i++) stamped = !Number.isNaN(timestamps[i]);
    out.u8(BATCH_FORMAT_VERSION);
    out.u8(stamped ? FLAG_TIMESTAMPS : 0);
    out.varint(count);
    if (timestamps === undefined || !stamped) return;
    out.bytes(new Uint8Array(timestamps.buffer, timestamps.byteOffset + start * 8, count * 8));
  }

  private encodeDeclared(schema: Schema<unknown>, values: readonly unknown[], start: number, count: number, out: ByteWriter): void {
    const group = this.last as EncodeGroup;
    for (;;) {
      const fitting = group.encode(values, start, count, out, this.begin, this.parts);
      if (fitting === count) return;
      const violation = schemaViolation(schema, values[start + fitting]);
      if (violation !== undefined) throw violation;
      group.learn(values, start, start);
    }
  }

  /** Encodes a batch of one shape; false, and nothing written, if it turns out to be of several. */
  private encodeAlike(group: EncodeGroup, values: readonly unknown[], start: number, count: number, out: ByteWriter): boolean {
    for (;;) {
      const fitting = group.encode(values, start, count, out, this.begin, this.parts);
      if (fitting === count) return true;
      for (let i = fitting; i < count; i++) if (!this.belongs(group, values[start + i])) return false;
      group.learn(values, start + fitting, start + count);
    }
  }

  private belongs(group: EncodeGroup, value: unknown): boolean {
    return group === this.rest ? typeof value !== 'object' || value === null : matches(group.shape, value);
  }

  /** Sorts the records by shape and encodes each group. */
  private encodeSorted(values: readonly unknown[], start: number, count: number, out: ByteWriter): void {
    if (this.assigned.length < count) this.assigned = new Uint8Array(count);
    if (this.homeless > HOMELESS_MAX) {
      this.homeless = 0;
      this.groups = [];
    }
    const used: EncodeGroup[] = [];
    let group: EncodeGroup | undefined;
    for (let i = 0; i < count; i++) {
      const value = values[start + i];
      if (group === undefined || group === this.rest || !matches(group.shape, value)) group = this.groupOf(value);
      if (group.members.push(value) === 1) used.push(group);
      this.assigned[i] = used.indexOf(group);
    }
    if (used.length > 1) {
      out.buffer[this.begin + 1] = (out.buffer[this.begin + 1] as number) | FLAG_GROUPS;
      out.varint(used.length);
      out.bytes(this.assigned.subarray(0, count));
    }
    for (const each of used) this.encodeMembers(each, out);
    const only = used.length === 1 ? used[0] : undefined;
    // The rest would take anything as rows, so it is asked last as soon as it holds more than primitives.
    this.last = only === this.rest && only?.shape.kind === 'leaf' && (only.shape.mask & OTHER) !== 0 ? undefined : only;
  }

  private groupOf(value: unknown): EncodeGroup {
    if (typeof value === 'object' && value !== null) for (const group of this.groups) if (matches(group.shape, value)) return group;
    const shape = shapeOf(value);
    if (shape.kind !== 'leaf') {
      if (this.groups.length < SHAPES_MAX) {
        const group = new EncodeGroup(shape, true, this.code);
        this.groups.push(group);
        return group;
      }
      this.homeless++;
    }
    this.rest ??= new EncodeGroup(shape.kind === 'leaf' ? shape : ROW_LEAF, true, this.code);
    return this.rest;
  }

  private encodeMembers(group: EncodeGroup, out: ByteWriter): void {
    const { members } = group;
    const count = members.length;
    for (;;) {
      const fitting = group.encode(members, 0, count, out, this.begin, this.parts);
      if (fitting === count) break;
      group.learn(members, fitting, count);
    }
    members.length = 0;
  }

  private forgetMembers(): void {
    for (const group of this.groups) group.members.length = 0;
    if (this.rest !== undefined) this.rest.members.length = 0;
  }

  /** An error that names the path in its record; the row codec sees only a part of it. */
  private explained(error: unknown, values: readonly unknown[], start: number, count: number): unknown {
    if (!(error instanceof MillstreamError) || error.code !== 'UNSUPPORTED_VALUE') return error;
    const { registry } = this.sink;
    try {
      for (let i = start; i < start + count; i++) {
        if (this.schema === undefined) checkValue(values[i], registry);
        else schemaViolation(this.schema, values[i], registry);
      }
    } catch (located) {
      return located;
    }
    return error;
  }
}
