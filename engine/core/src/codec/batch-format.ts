/**
 * An encoded batch of records. Everything that is needed to read it is in it; numbers are little endian.
 *
 *   batch  = u8 version, u8 flags, varint count, [f64 timestamp × count], [varint group count, u8 group × count], group …
 *   group  = varint bytes, definition (shape-definition.ts), padding, columns (column-layout.ts), [text], [rows]
 *   padding= zeros up to a multiple of 8 bytes from the batch's first: columns of a batch that lies aligned can be used in place
 *   text   = u8 encoding, u32 bytes, bytes: the strings of the group that are no references, record by record, field by field
 *   rows   = u32 bytes, values (row.ts) in the same order
 *
 * A group holds the records of one shape, in order; without the list of groups there is just one, with all records.
 */
export const BATCH_FORMAT_VERSION = 1;

export const FLAG_TIMESTAMPS = 1;
export const FLAG_GROUPS = 2;

/** Text of one byte per unit (ASCII), UTF-8, or UTF-16 where it has lone surrogates. */
export const TEXT_ASCII = 0;
export const TEXT_UTF8 = 1;
export const TEXT_UTF16 = 2;

/** The most records in a batch: records of an empty shape take no bytes, so a damaged count must have a limit. */
export const BATCH_COUNT_MAX = 0x10000;
