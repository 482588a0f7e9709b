/**
 * Values of any kind that are encoded together, as batches of the columnar codec one after another:
 *
 *   column = (u32 byte count, batch) …      as many as hold the number of values that stands before
 *
 * Columns are kept from snapshot to snapshot: their encoders know the shapes of the values, and have code for them.
 * Invariant: after `write` or `clear` no value is referred to.
 */
import { BatchDecoder } from '../../codec/batch-decoder.js';
import { type BatchCodecOptions, BatchEncoder } from '../../codec/batch-encoder.js';
import { checkValue } from '../../codec/value-check.js';
import type { ByteReader, ByteWriter } from '../../common/bytes.js';
import { corrupt } from './snapshot-file-reader.js';

/** The most values in one batch of a column. */
export const COLUMN_BATCH_MAX = 4096;
/** An array that has grown beyond this many values is not kept. */
const KEPT_VALUES_MAX = 4 * COLUMN_BATCH_MAX;

/** A column that is being written. */
export class ValueColumn {
  count = 0;
  private values: unknown[] = [];
  private readonly encoder: BatchEncoder;

  constructor(options: BatchCodecOptions, encoder: BatchEncoder = new BatchEncoder(options)) {
    this.encoder = encoder;
  }

  add(value: unknown): void {
    this.values[this.count++] = value;
  }

  /** Appends all values and forgets them. Throws `UNSUPPORTED_VALUE`. */
  write(out: ByteWriter): void {
    let size = COLUMN_BATCH_MAX;
    for (let at = 0; at < this.count; ) {
      size = Math.min(size, this.count - at);
      const start = out.length;
      out.u32(0);
      try {
        this.encoder.encode(this.values, undefined, at, size, out);
      } catch (error) {
        // The strings of a batch are one string, and its length is limited.
        if (!(error instanceof RangeError) || size === 1) throw error;
        out.length = start;
        size = Math.ceil(size / 16);
        continue;
      }
      out.buffer.writeUInt32LE(out.length - start - 4, start);
      at += size;
    }
    this.clear();
  }

  clear(): void {
    if (this.values.length > KEPT_VALUES_MAX) this.values = [];
    else this.values.fill(undefined, 0, this.count);
    this.count = 0;
  }
}

/** A column of lists: their lengths as varints, then a column of all their elements. */
export class ListColumn {
  private readonly lengths: number[] = [];
  private readonly elements: ValueColumn;
  private readonly options: BatchCodecOptions;

  constructor(options: BatchCodecOptions) {
    this.options = options;
    this.elements = new ValueColumn(options);
  }

  /** Throws `UNSUPPORTED_VALUE` for a hole; the column is of no use then until it is cleared. */
  add(list: readonly unknown[]): void {
    const { elements } = this;
    const { length } = list;
    for (let i = 0; i < length; i++) {
      const element = list[i];
      if (element === undefined && !Object.hasOwn(list, i)) checkValue(list, this.options.registry);
      elements.add(element);
    }
    this.lengths.push(length);
  }

  write(out: ByteWriter): void {
    for (const length of this.lengths) out.varint(length);
    this.lengths.length = 0;
    this.elements.write(out);
  }

  clear(): void {
    this.lengths.length = 0;
    this.elements.clear();
  }
}

const noTimestamps = new Float64Array(COLUMN_BATCH_MAX);

/** Reads columns of values. */
export class ValueColumnReader {
  private readonly decoder: BatchDecoder;
  private readonly batch: unknown[] = [];

  constructor(options: BatchCodecOptions) {
    this.decoder = new BatchDecoder(options);
  }

  read(input: ByteReader, count: number): unknown[] {
    const values: unknown[] = [];
    while (values.length < count) {
      const byteCount = input.u32();
      const at = input.at;
      input.bytes(byteCount);
      const decoded = this.decoder.decode(input.buffer, at, byteCount, this.batch, noTimestamps);
      if (decoded === 0 || decoded > count - values.length) {
        throw corrupt(`A batch of ${decoded} values is in a column that has ${values.length} of ${count}.`);
      }
      for (let i = 0; i < decoded; i++) values.push(this.batch[i]);
    }
    this.batch.length = 0;
    return values;
  }
}

/** Reads columns of lists. */
export class ListColumnReader {
  private readonly elements: ValueColumnReader;

  constructor(options: BatchCodecOptions) {
    this.elements = new ValueColumnReader(options);
  }

  read(input: ByteReader, count: number): unknown[][] {
    const ends: number[] = [];
    let total = 0;
    for (let left = count; left > 0; left--) {
      total += input.varint();
      ends.push(total);
    }
    const elements = this.elements.read(input, total);
    let start = 0;
    return ends.map((end) => {
      const list = elements.slice(start, end);
      start = end;
      return list;
    });
  }
}
