/**
 * An open Parquet file: its row groups, read as columns, one row group at a time. Memory is what one row group's declared columns need.
 * Decoding runs column by column, with I/O in between, so that the event loop is never held for a whole row group.
 */

import type { DecodedArray } from 'hyparquet';
import { type AsyncBuffer, type FileMetaData, type ParquetParsers, parquetMetadataAsync, parquetRead, parquetSchema } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { type Disk, type DiskReader, MillstreamError } from 'millstream/connector';
import { checkColumns, type ParquetColumn, type ParquetColumns, toColumn } from './column-types.js';

/** Rows [firstRow … firstRow + rows) of the file. */
export interface RowGroupRange {
  readonly firstRow: number;
  readonly rows: number;
}

/** The declared columns of one row group. */
export interface RowGroup<C extends ParquetColumns> extends RowGroupRange {
  readonly columns: { readonly [K in keyof C]: ParquetColumn<C[K]> };
}

const NUMERIC_PARSERS: Partial<ParquetParsers> = {
  timestampFromMilliseconds: (value: bigint) => Number(value),
  timestampFromMicroseconds: (value: bigint) => Math.floor(Number(value) / 1000),
  timestampFromNanoseconds: (value: bigint) => Math.floor(Number(value) / 1_000_000),
  dateFromDays: (days: number) => days * 86_400_000,
};

/** An open Parquet file with the declared columns, read by row group. */
export class ParquetFile<C extends ParquetColumns> {
  readonly path: string;
  readonly rowCount: number;
  readonly rowGroups: readonly RowGroupRange[];
  readonly #reader: DiskReader;
  readonly #buffer: AsyncBuffer;
  readonly #metadata: FileMetaData;
  readonly #columns: C;

  private constructor(path: string, reader: DiskReader, buffer: AsyncBuffer, metadata: FileMetaData, columns: C) {
    this.path = path;
    this.#reader = reader;
    this.#buffer = buffer;
    this.#metadata = metadata;
    this.#columns = columns;
    let firstRow = 0;
    this.rowGroups = metadata.row_groups.map((group) => {
      const range = { firstRow, rows: Number(group.num_rows) };
      firstRow += range.rows;
      return range;
    });
    this.rowCount = firstRow;
  }

  /** Reads the file's metadata. Throws INPUT_UNREADABLE, or INVALID_OPTION if the columns are not as declared. */
  static async open<const C extends ParquetColumns>(disk: Disk, path: string, columns: C): Promise<ParquetFile<C>> {
    const reader = await disk.open(path).catch((error: unknown) => {
      throw unreadable(path, 'Check the path and its permissions.', error);
    });
    try {
      const buffer = await asyncBuffer(reader);
      const metadata = await parquetMetadataAsync(buffer).catch((error: unknown) => {
        throw unreadable(path, 'It is not a whole Parquet file.', error);
      });
      checkColumns(
        path,
        columns,
        parquetSchema(metadata).children.map(({ element }) => element),
      );
      return new ParquetFile(path, reader, buffer, metadata, columns);
    } catch (error) {
      await reader.close();
      throw error;
    }
  }

  /** Reads and decodes the declared columns of a row group. Throws INPUT_UNREADABLE or MALFORMED_RECORD. */
  async readRowGroup(index: number): Promise<RowGroup<C>> {
    const range = this.rowGroups[index];
    if (range === undefined) {
      throw new MillstreamError(
        'INPUT_CHANGED',
        `Cannot read row group ${index} of "${this.path}": it has ${this.rowGroups.length}. Input files must not change while a job reads them; start the job anew.`,
      );
    }
    const columns: Record<string, unknown> = {};
    for (const [column, type] of Object.entries(this.#columns)) {
      const pieces = await this.#readColumn(column, range);
      columns[column] = toColumn(pieces, range.rows, type, { path: this.path, column, firstRow: range.firstRow });
    }
    return { ...range, columns: columns as RowGroup<C>['columns'] };
  }

  async #readColumn(column: string, { firstRow, rows }: RowGroupRange): Promise<DecodedArray[]> {
    const pieces: DecodedArray[] = [];
    if (rows === 0) return pieces;
    try {
      await parquetRead({
        file: this.#buffer,
        metadata: this.#metadata,
        compressors,
        parsers: NUMERIC_PARSERS,
        columns: [column],
        rowStart: firstRow,
        rowEnd: firstRow + rows,
        onChunk: ({ columnData }) => pieces.push(columnData),
      });
    } catch (error) {
      throw unreadable(
        this.path,
        `Its column "${column}" is damaged from row ${firstRow} on, or of a kind that hyparquet cannot read.`,
        error,
      );
    }
    return pieces;
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}

async function asyncBuffer(reader: DiskReader): Promise<AsyncBuffer> {
  const byteLength = await reader.size();
  return {
    byteLength,
    async slice(start, end = byteLength) {
      const from = start < 0 ? byteLength + start : start;
      const bytes = await reader.read(from, end - from);
      const { buffer, byteOffset } = bytes;
      // hyparquet wants a whole ArrayBuffer.
      return byteOffset === 0 && buffer.byteLength === bytes.length && buffer instanceof ArrayBuffer ? buffer : bytes.slice().buffer;
    },
  };
}

function unreadable(path: string, advice: string, cause: unknown): MillstreamError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new MillstreamError('INPUT_UNREADABLE', `Cannot read the Parquet file "${path}": ${reason}. ${advice}`, {
    cause,
    details: { path },
  });
}
