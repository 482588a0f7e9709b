/**
 * Aligned memory in which columns are built before they are copied into a frame, and into which they are copied before they are read:
 * frames start anywhere. Its content lives for one call.
 */
import { invariant } from '../common/errors.js';

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

export class ColumnScratch {
  float64: Float64Array<ArrayBuffer> = new Float64Array(0);
  int32: Int32Array<ArrayBuffer> = new Int32Array(0);
  uint16: Uint16Array<ArrayBuffer> = new Uint16Array(0);
  uint8: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor() {
    invariant(LITTLE_ENDIAN, 'Cannot encode batches on a big-endian machine: columns are little endian');
    this.ensure(16 * 1024);
  }

  /** Makes room for so many bytes; what was there is lost. */
  ensure(byteCount: number): void {
    if (byteCount <= this.uint8.length) return;
    const memory = new ArrayBuffer(2 ** Math.ceil(Math.log2(byteCount)));
    this.float64 = new Float64Array(memory);
    this.int32 = new Int32Array(memory);
    this.uint16 = new Uint16Array(memory);
    this.uint8 = new Uint8Array(memory);
  }
}
