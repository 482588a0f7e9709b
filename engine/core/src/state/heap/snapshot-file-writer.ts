/**
 * Writes a keyed snapshot file (snapshot-format.ts). Rows arrive in any order: each (table, key group) has a buffer that becomes a block
 * when it is full, or when all buffers together are. Entries come as whole blocks.
 * Invariants: 1. a chunk given to the sink is not touched again; 2. buffered bytes are bounded by `BUFFERED_BYTES_MAX` and one row or
 * block.
 */
import { ROW_FORMAT_VERSION } from '../../codec/row.js';
import { ByteWriter } from '../../common/bytes.js';
import type { SnapshotSink } from '../backend.js';
import {
  BLOCK_DROPS,
  BLOCK_END,
  BLOCK_ENTRIES,
  BLOCK_REMOVALS,
  BLOCK_ROWS,
  FIELD_TYPES,
  OP_NAMESPACE,
  SNAPSHOT_MAGIC,
  SNAPSHOT_VERSION,
  TABLE_KINDS,
  type TableSpec,
} from './snapshot-format.js';

const CHUNK_BYTES = 256 * 1024;
/** Of the first chunk: most snapshots of small state never grow beyond this. */
const CHUNK_START_BYTES = 8 * 1024;
const BLOCK_BYTES = 64 * 1024;
const BUFFERED_BYTES_MAX = 1024 * 1024;
/** A block's type, table, key groups and byte count at most. */
const BLOCK_HEADER_BYTES = 1 + 8 + 8 + 8 + 4;

/** What a file's header says. */
export interface SnapshotFileHeader {
  readonly kind: 'base' | 'delta';
  readonly epoch: number;
  readonly maxParallelism: number;
  readonly keyGroups: { readonly start: number; readonly end: number };
}

/** Rows that were gathered in a slice, and have to be encoded before it ends. */
export interface RowBatch {
  encode(): void;
}

/** The rows or removals of one key group of one table that are not in a block yet. */
export class BlockBuffer {
  readonly out: ByteWriter = new ByteWriter(256);
  readonly type: number;
  readonly table: number;
  readonly group: number;
  /** Bytes that the file writer has counted. */
  counted = 0;
  private namespace = Number.NaN;

  constructor(type: number, table: number, group: number) {
    this.type = type;
    this.table = table;
    this.group = group;
  }

  /** Says to which namespace the next rows belong. */
  setNamespace(namespace: number): void {
    if (namespace === this.namespace) return;
    this.namespace = namespace;
    this.out.u8(OP_NAMESPACE);
    this.out.f64(namespace);
  }

  clear(): void {
    this.out.reset();
    this.counted = 0;
    this.namespace = Number.NaN;
  }
}

/** The buffers of one backend, kept from snapshot to snapshot: fresh memory for every checkpoint would make the engine collect garbage. */
export class BlockBuffers {
  /** By table, then by key group. */
  readonly rows: (BlockBuffer | undefined)[][] = [];
  readonly removals: (BlockBuffer | undefined)[][] = [];
  readonly drops: (BlockBuffer | undefined)[] = [];

  /** Empty, with room for so many tables. What an aborted snapshot left is dropped. */
  clear(tables: number): void {
    for (const buffers of [...this.rows, ...this.removals, this.drops]) for (const buffer of buffers) buffer?.clear();
    while (this.rows.length < tables) {
      this.rows.push([]);
      this.removals.push([]);
      this.drops.push(undefined);
    }
  }
}

export class SnapshotFileWriter {
  /** Bytes given to the sink. */
  length = 0;
  rowCount = 0;
  /** Where the payload of a block of entries is made; call `entries` then. */
  readonly payload: ByteWriter = new ByteWriter(CHUNK_START_BYTES);
  private readonly sink: SnapshotSink;
  private readonly groups: { readonly start: number; readonly end: number };
  private readonly buffers: BlockBuffers;
  private filled: BlockBuffer[] = [];
  private buffered = 0;
  private gathered: RowBatch[] = [];
  private chunk = new ByteWriter(CHUNK_START_BYTES);

  constructor(sink: SnapshotSink, header: SnapshotFileHeader, tables: readonly TableSpec[], buffers: BlockBuffers = new BlockBuffers()) {
    this.sink = sink;
    this.groups = header.keyGroups;
    this.buffers = buffers;
    buffers.clear(tables.length);
    this.writeHeader(header);
    this.writeDictionary(tables);
  }

  private writeHeader(header: SnapshotFileHeader): void {
    const out = this.chunk;
    out.u32(SNAPSHOT_MAGIC);
    out.u16(SNAPSHOT_VERSION);
    out.u16(ROW_FORMAT_VERSION);
    out.u8(header.kind === 'base' ? 0 : 1);
    out.f64(header.epoch);
    out.u32(header.maxParallelism);
    out.u32(header.keyGroups.start);
    out.u32(header.keyGroups.end);
  }

  private writeDictionary(tables: readonly TableSpec[]): void {
    const out = this.chunk;
    out.varint(tables.length);
    for (const table of tables) {
      out.u8(TABLE_KINDS.indexOf(table.kind));
      out.string(table.name);
      out.u8(table.fields === undefined ? 0 : 1);
      if (table.fields === undefined) continue;
      out.varint(table.fields.length);
      for (const field of table.fields) {
        out.string(field.name);
        out.u8(FIELD_TYPES.indexOf(field.type));
      }
    }
  }

  /** Where the next row of the key group goes; call `endRow` after it. */
  rows(table: number, group: number): BlockBuffer {
    return this.buffer(this.buffers.rows[table] as (BlockBuffer | undefined)[], BLOCK_ROWS, table, group);
  }

  /** Where the next removed key of the key group goes; call `endRow` after it. */
  removals(table: number, group: number): BlockBuffer {
    return this.buffer(this.buffers.removals[table] as (BlockBuffer | undefined)[], BLOCK_REMOVALS, table, group);
  }

  private buffer(buffers: (BlockBuffer | undefined)[], type: number, table: number, group: number): BlockBuffer {
    const index = group - this.groups.start;
    let buffer = buffers[index];
    if (buffer === undefined) {
      buffer = new BlockBuffer(type, table, group);
      buffers[index] = buffer;
    }
    return buffer;
  }

  /** Notes that a namespace was dropped. */
  drop(table: number, namespace: number): void {
    const { drops } = this.buffers;
    let buffer = drops[table];
    if (buffer === undefined) {
      buffer = new BlockBuffer(BLOCK_DROPS, table, this.groups.start);
      drops[table] = buffer;
    }
    buffer.out.f64(namespace);
    this.endRow(buffer);
  }

  /** A row or removal is complete. */
  endRow(buffer: BlockBuffer): void {
    this.rowCount++;
    if (buffer.counted === 0) this.filled.push(buffer);
    const length = buffer.out.length;
    this.buffered += length - buffer.counted;
    buffer.counted = length;
    if (length >= BLOCK_BYTES) this.writeBlock(buffer);
    else if (this.buffered >= BUFFERED_BYTES_MAX) this.flush();
  }

  /** `buffer` stays in `filled` with nothing counted; `flush` skips it there. */
  private writeBlock(buffer: BlockBuffer): void {
    this.block(buffer.type, buffer.table, buffer.group, buffer.group, buffer.out);
    this.buffered -= buffer.out.length;
    buffer.clear();
  }

  private block(type: number, table: number, firstGroup: number, lastGroup: number, payload: ByteWriter): void {
    if (this.chunk.length + BLOCK_HEADER_BYTES + payload.length > CHUNK_BYTES) this.writeChunk();
    const chunk = this.chunk;
    chunk.u8(type);
    chunk.varint(table);
    chunk.varint(firstGroup);
    chunk.varint(lastGroup);
    chunk.u32(payload.length);
    chunk.bytes(payload.view8());
  }

  /** Asks for `encode` before the slice ends. */
  gathering(batch: RowBatch): void {
    this.gathered.push(batch);
  }

  /** Encodes what was gathered. */
  encodeGathered(): void {
    const { gathered } = this;
    if (gathered.length === 0) return;
    this.gathered = [];
    for (const batch of gathered) batch.encode();
  }

  /** Writes the block of entries that was made in `payload`. */
  entries(table: number, firstGroup: number, lastGroup: number, rows: number): void {
    this.rowCount += rows;
    this.block(BLOCK_ENTRIES, table, firstGroup, lastGroup, this.payload);
  }

  private flush(): void {
    for (const buffer of this.filled) if (buffer.counted > 0) this.writeBlock(buffer);
    this.filled = [];
  }

  private writeChunk(): void {
    if (this.chunk.length === 0) return;
    this.length += this.chunk.length;
    this.sink.write(this.chunk.view8());
    this.chunk = new ByteWriter(CHUNK_BYTES);
  }

  /** Writes all that is left. */
  finish(): void {
    this.flush();
    this.chunk.u8(BLOCK_END);
    this.chunk.f64(this.rowCount);
    this.writeChunk();
  }
}
