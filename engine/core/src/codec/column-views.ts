/**
 * The typed views through which columns are written and read. Where a batch lies aligned in its memory (a ring's slot, a buffer of its
 * own) its columns are written and read in place; elsewhere they go through a scratch, whose content lives for one call.
 */
import { invariant } from '../common/errors.js';

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** Columns are aligned to so many bytes. */
export const COLUMN_ALIGNMENT = 8;

/** Views of one piece of memory, all from its first byte. */
export interface ColumnViews {
  readonly float64: Float64Array;
  readonly int32: Int32Array;
  readonly uint16: Uint16Array;
  readonly uint8: Uint8Array;
}

/** A ring has a few pieces, and they come again and again. */
const viewsByMemory = new WeakMap<Uint8Array, ColumnViews>();

/** Views of the aligned memory that starts where `bytes` does, up to its last whole element; undefined if it starts unaligned. */
export function columnViewsOf(bytes: Uint8Array): ColumnViews | undefined {
  const known = viewsByMemory.get(bytes);
  if (known !== undefined) return known;
  const { buffer, byteOffset, byteLength } = bytes;
  if (byteOffset % COLUMN_ALIGNMENT !== 0) return undefined;
  const views = {
    float64: new Float64Array(buffer, byteOffset, byteLength >>> 3),
    int32: new Int32Array(buffer, byteOffset, byteLength >>> 2),
    uint16: new Uint16Array(buffer, byteOffset, byteLength >>> 1),
    uint8: bytes,
  };
  viewsByMemory.set(bytes, views);
  return views;
}

/** Memory of its own that grows. */
export class ColumnScratch {
  views: ColumnViews;

  constructor() {
    invariant(LITTLE_ENDIAN, 'Cannot encode batches on a big-endian machine: columns are little endian');
    this.views = allocate(16 * 1024);
  }

  /** Views with room for so many bytes; what was there is lost. */
  ensure(byteCount: number): ColumnViews {
    if (byteCount > this.views.uint8.length) this.views = allocate(2 ** Math.ceil(Math.log2(byteCount)));
    return this.views;
  }
}

function allocate(byteCount: number): ColumnViews {
  return columnViewsOf(new Uint8Array(byteCount)) as ColumnViews;
}
