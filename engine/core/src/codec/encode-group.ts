/** The records of one shape in an encoder: knows how to encode them, and learns where they do not fit yet. */
import type { ByteWriter } from '../common/bytes.js';
import { invariant } from '../common/errors.js';
import { TEXT_ASCII, TEXT_UTF8, TEXT_UTF16 } from './batch-format.js';
import { type ColumnLayout, columnLayoutOf } from './column-layout.js';
import { COLUMN_ALIGNMENT, type ColumnScratch, type ColumnViews, columnViewsOf } from './column-views.js';
import { type EncodeProgram, type EncodeSink, encodeProgramOf } from './encode-program.js';
import { RecentStrings } from './recent-strings.js';
import { type Shape, widen } from './shape.js';
import { encodeDefinition } from './shape-definition.js';
import type { StreamCode } from './stream-code.js';

/** What the groups of an encoder share. */
export interface EncodeParts {
  readonly scratch: ColumnScratch;
  readonly sink: EncodeSink;
}

export class EncodeGroup {
  shape: Shape;
  /** The records of the batch in work; empty between batches. */
  readonly members: unknown[] = [];
  private readonly checked: boolean;
  private readonly code: StreamCode | undefined;
  private wideLengths = false;
  private layout: ColumnLayout;
  private definition: Uint8Array;
  private program: EncodeProgram | undefined;
  private recent: readonly RecentStrings[];

  constructor(shape: Shape, checked: boolean, code: StreamCode | undefined) {
    this.shape = shape;
    this.checked = checked;
    this.code = code;
    this.layout = columnLayoutOf(shape, false);
    this.definition = encodeDefinition(shape, false);
    this.recent = recentStringsOf(this.layout);
  }

  /**
   * Appends values[start, start + count) as a group of the batch that began at `begin`; returns `count`, or the index of the first record
   * that does not fit, and then nothing has been appended.
   */
  encode(values: readonly unknown[], start: number, count: number, out: ByteWriter, begin: number, parts: EncodeParts): number {
    const { layout, definition } = this;
    const { sink, scratch } = parts;
    const before = out.length;
    out.varint(definition.length);
    out.bytes(definition);
    while ((out.length - begin) % COLUMN_ALIGNMENT !== 0) out.u8(0);
    const columnBytes = layout.recordBytes * count;
    out.reserve(columnBytes);
    const inPlace = out.length % COLUMN_ALIGNMENT === 0 ? columnViewsOf(out.buffer) : undefined;
    const views = inPlace ?? scratch.ensure(columnBytes);
    const base = inPlace === undefined ? 0 : out.length;
    // Equal batches give equal bytes, and none of what the memory held before.
    if (layout.hasGaps) views.uint8.fill(0, base, base + columnBytes);
    sink.rows.length = 0;
    const fitting = this.fill(values, start, count, views, base, sink);
    if (fitting !== count) {
      out.length = before;
      return fitting;
    }
    if (inPlace === undefined) out.buffer.set(views.uint8.subarray(0, columnBytes), out.length);
    out.length += columnBytes;
    if (layout.stringColumns > 0) writeStrings(out, sink.text);
    if (layout.hasRows) {
      out.u32(sink.rows.length);
      out.bytes(sink.rows.view8());
    }
    sink.text = '';
    return count;
  }

  private fill(values: readonly unknown[], start: number, count: number, views: ColumnViews, base: number, sink: EncodeSink): number {
    const { recent } = this;
    this.program ??= encodeProgramOf(this.layout, this.checked, this.code);
    sink.recent = recent;
    for (const strings of recent) strings.begin(count);
    try {
      return this.program(values, start, count, views, base, sink);
    } finally {
      for (const strings of recent) strings.end(count);
    }
  }

  /** Widens the shape for these records, one of which did not fit. */
  learn(values: readonly unknown[], start: number, end: number): void {
    let shape = this.shape;
    for (let i = start; i < end; i++) shape = widen(shape, values[i]);
    if (shape === this.shape) {
      // Its type was known, so it was a string too long for the short lengths.
      invariant(!this.wideLengths, 'Cannot encode a record: it changes while it is read');
      this.wideLengths = true;
    }
    this.adopt(shape);
  }

  private adopt(shape: Shape): void {
    this.shape = shape;
    this.layout = columnLayoutOf(shape, this.wideLengths);
    this.definition = encodeDefinition(shape, this.wideLengths);
    this.program = undefined;
    this.recent = recentStringsOf(this.layout);
  }
}

function recentStringsOf(layout: ColumnLayout): readonly RecentStrings[] {
  return Array.from({ length: layout.stringColumns }, () => new RecentStrings());
}

function writeStrings(out: ByteWriter, text: string): void {
  const start = out.length + 5;
  // Room for four bytes more than ASCII takes: then as many bytes as units were written only if all units are ASCII.
  out.reserve(text.length + 9);
  let encoding = TEXT_ASCII;
  let byteCount = out.buffer.utf8Write(text, start);
  if (byteCount !== text.length) {
    out.reserve(text.length * 3 + 5);
    encoding = text.isWellFormed() ? TEXT_UTF8 : TEXT_UTF16;
    byteCount = encoding === TEXT_UTF8 ? out.buffer.utf8Write(text, start) : out.buffer.ucs2Write(text, start);
  }
  out.u8(encoding);
  out.u32(byteCount);
  out.length = start + byteCount;
}
