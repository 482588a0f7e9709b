/**
 * JSON in a file that proves to be whole: the text, then a line with its length and CRC-32.
 *
 *     {"format":"millstream.job",…}\n
 *     crc32 0f3a9c21 412\n
 */
import { crc32, formatCrc32 } from '../common/checksum.js';

const TRAILER = /\ncrc32 ([0-9a-f]{8}) (\d+)\n$/;
/** No trailer is longer: "\ncrc32 " + 8 digits + " " + 16 digits + "\n". */
const TRAILER_BYTES_MAX = 33;

/** What unsealing found. */
export type Unsealed =
  | { readonly whole: true; readonly value: unknown }
  /** `expected`: what the trailer says; undefined where there is none. */
  | { readonly whole: false; readonly expected: string | undefined; readonly actual: string };

/** A value as the bytes of a file. */
export function sealJson(value: unknown): Uint8Array {
  const text = Buffer.from(JSON.stringify(value));
  return Buffer.concat([text, Buffer.from(`\ncrc32 ${formatCrc32(crc32(text))} ${text.length}\n`)]);
}

/** Reads what {@link sealJson} wrote; says so if it is not that, byte for byte. */
export function unsealJson(bytes: Uint8Array): Unsealed {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const trailer = TRAILER.exec(buffer.subarray(Math.max(0, buffer.length - TRAILER_BYTES_MAX)).toString('latin1'));
  if (trailer === null) return { whole: false, expected: undefined, actual: `${describe(buffer)} without a checksum line` };
  const text = buffer.subarray(0, buffer.length - trailer[0].length);
  const expected = `${trailer[1]} over ${trailer[2]} bytes`;
  const actual = describe(text);
  if (expected !== actual) return { whole: false, expected, actual };
  return { whole: true, value: JSON.parse(text.toString()) };
}

function describe(bytes: Uint8Array): string {
  return `${formatCrc32(crc32(bytes))} over ${bytes.length} bytes`;
}
