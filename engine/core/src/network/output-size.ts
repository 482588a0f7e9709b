/** How much room records would take as bytes, from a sample of a batch: enough to stop an operator that emits without bound. */
import type { ClassRegistry } from '../codec/class-registry.js';
import { writeValue } from '../codec/row.js';
import { ByteWriter } from '../common/bytes.js';
import type { RecordBatch } from './element.js';

const SAMPLES = 8;

/** About the bytes of a batch's records. Throws UNSUPPORTED_VALUE. */
export function estimateBytes(batch: RecordBatch, registry: ClassRegistry | undefined): number {
  const { values, count } = batch;
  const out = new ByteWriter(1024);
  const stride = Math.max(1, Math.floor(count / SAMPLES));
  let samples = 0;
  for (let at = 0; at < count; at += stride) {
    writeValue(out, values[at], registry);
    samples++;
  }
  return Math.ceil((out.length * count) / Math.max(1, samples));
}
