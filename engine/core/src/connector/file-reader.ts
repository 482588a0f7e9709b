/**
 * The reader of file sources: one file at a time, record by record.
 *
 *     FileChunks ──chunk──▶ window [start … end) ──findEnd──▶ text ──parse──▶ batch
 *
 * Invariants: 1. the position is the byte after the last record that went into a batch, so it stands at the start of a record; 2. the
 * window holds at most one incomplete record and one chunk; 3. `line` is the line of the next record.
 */
import { isUtf8 } from 'node:buffer';
import { invariant, MillstreamError } from '../common/errors.js';
import { Availability } from './availability.js';
import { FileChunks } from './file-chunks.js';
import type { FileSplit, MalformedOption } from './file-source.js';
import { type MalformedRecord, MalformedText, type RecordFormat, type RecordParser } from './record-format.js';
import type { PollStatus, SourceBatch, SourceReader, SourceReaderContext } from './source.js';

export interface FileReaderOptions<T> {
  readonly format: RecordFormat<T>;
  readonly malformed: MalformedOption;
  readonly endOfFile: ((file: string) => T) | undefined;
  readonly chunkBytes: number;
  readonly recordBytesMax: number;
}

/** A file that is being read. */
interface OpenFile<T> {
  readonly split: FileSplit;
  readonly chunks: FileChunks;
  window: Buffer;
  start: number;
  offset: number;
  line: number;
  header: string | undefined;
  parse: RecordParser<T> | undefined;
}

export class FileReader<T> implements SourceReader<T | MalformedRecord, FileSplit> {
  readonly #context: SourceReaderContext;
  readonly #options: FileReaderOptions<T>;
  readonly #availability = new Availability();
  #file: OpenFile<T> | undefined;
  #noMoreSplits = false;
  /** Of the last batch: the line of each record. */
  readonly #lines: number[] = [];

  constructor(context: SourceReaderContext, options: FileReaderOptions<T>) {
    this.#context = context;
    this.#options = options;
  }

  start(): void {
    if (this.#file === undefined) this.#context.requestSplit();
  }

  addSplits(splits: readonly FileSplit[]): void {
    for (const split of splits) {
      invariant(this.#file === undefined, 'A file was assigned to a reader that has one');
      this.#file = this.#open(split);
    }
    this.#availability.ring();
  }

  #open(split: FileSplit): OpenFile<T> {
    const { format, chunkBytes } = this.#options;
    const range = { path: split.path, from: split.offset, to: split.length };
    const headerIsAhead = format.hasHeader && split.header === undefined;
    return {
      split,
      chunks: new FileChunks(this.#context.disk, range, chunkBytes, () => this.#availability.ring()),
      window: Buffer.alloc(0),
      start: 0,
      offset: split.offset,
      line: split.line,
      header: split.header,
      parse: headerIsAhead ? undefined : format.createParser(split.header),
    };
  }

  notifyNoMoreSplits(): void {
    this.#noMoreSplits = true;
    this.#availability.ring();
  }

  poll(batch: SourceBatch<T | MalformedRecord>, limit: number): PollStatus {
    const file = this.#file;
    if (file === undefined) return this.#noMoreSplits ? 'end' : 'nothing';
    batch.splitId = file.split.id;
    let count = 0;
    while (count < limit) {
      const end = this.#recordEnd(file);
      if (end < 0) break;
      const { line } = file;
      const value = this.#nextRecord(file, end);
      if (value === undefined) continue;
      this.#lines[count] = line;
      batch.values[count++] = value;
    }
    if (count < limit && file.chunks.ended && file.start === file.window.length) {
      const { endOfFile } = this.#options;
      if (endOfFile !== undefined) {
        this.#lines[count] = file.line;
        batch.values[count++] = endOfFile(file.split.path);
      }
      batch.splitFinished = true;
      this.#finish(file);
    }
    batch.count = count;
    return count > 0 || batch.splitFinished ? 'records' : 'nothing';
  }

  /** Where the next record ends in the window; -1 if it is not there as a whole. */
  #recordEnd(file: OpenFile<T>): number {
    for (;;) {
      const { window, start } = file;
      const end = this.#options.format.findEnd(window, start, window.length);
      if (end >= 0) return end;
      if (window.length - start > this.#options.recordBytesMax) throw this.#tooLong(file);
      const chunk = file.chunks.take();
      if (chunk === undefined) return file.chunks.ended && start < window.length ? window.length : -1;
      const fresh = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
      file.window = start === window.length ? fresh : Buffer.concat([window.subarray(start), fresh]);
      file.start = 0;
    }
  }

  /** Moves the position behind the record and returns it; undefined if there is nothing to emit. */
  #nextRecord(file: OpenFile<T>, end: number): T | MalformedRecord | undefined {
    const { window, start, line } = file;
    const text = recordText(window, file.offset === 0 ? afterByteOrderMark(window, start) : start, end);
    file.start = end;
    file.offset += end - start;
    file.line += linesIn(window, start, end);
    try {
      if (text.includes('\ufffd') && !isUtf8(window.subarray(start, end))) throw new MalformedText('The text is not valid UTF-8');
      if (file.parse !== undefined) return file.parse(text);
      file.header = text;
      file.parse = this.#options.format.createParser(text);
      return undefined;
    } catch (error) {
      if (!(error instanceof MalformedText)) throw error;
      return this.#malformed({ malformed: true, file: file.split.path, line, text, message: error.message }, file.parse === undefined);
    }
  }

  #malformed(record: MalformedRecord, inHeader: boolean): MalformedRecord | undefined {
    const place = `${record.file}:${record.line}`;
    if (this.#options.malformed === 'report' && !inHeader) return record;
    const error = new MillstreamError(
      'MALFORMED_RECORD',
      `Cannot read the ${inHeader ? 'header' : 'record'} at ${place}: ${record.message}. Mend the file, or set the source's option malformed to 'skip' or 'report'.`,
      { details: { file: record.file, line: record.line } },
    );
    if (this.#options.malformed === 'fail' || inHeader) throw error;
    this.#context.reportError(error, place);
    return undefined;
  }

  #tooLong(file: OpenFile<T>): MillstreamError {
    return new MillstreamError(
      'MALFORMED_RECORD',
      `Cannot read the record at ${file.split.path}:${file.line}: it is longer than recordBytesMax (${this.#options.recordBytesMax}) bytes. A quote may be unclosed; otherwise raise recordBytesMax.`,
      { details: { file: file.split.path, line: file.line } },
    );
  }

  #finish(file: OpenFile<T>): void {
    this.#file = undefined;
    file.chunks.close().catch(() => undefined);
    this.#context.requestSplit();
  }

  describePosition(index: number): string {
    return `line ${this.#lines[index]}`;
  }

  whenAvailable(): Promise<void> {
    return this.#availability.wait();
  }

  snapshotState(): FileSplit[] {
    if (this.#file === undefined) return [];
    const { split, offset, line, header } = this.#file;
    return [{ ...split, offset, line, ...(header === undefined ? {} : { header }) }];
  }

  async close(): Promise<void> {
    await this.#file?.chunks.close();
  }
}

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** The text between two positions without its terminator. */
function recordText(window: Buffer, start: number, end: number): string {
  let last = end;
  if (last > start && window[last - 1] === LINE_FEED) last--;
  if (last > start && window[last - 1] === CARRIAGE_RETURN) last--;
  return window.toString('utf8', start, last);
}

function afterByteOrderMark(window: Buffer, start: number): number {
  return window[start] === 0xef && window[start + 1] === 0xbb && window[start + 2] === 0xbf ? start + 3 : start;
}

function linesIn(window: Buffer, start: number, end: number): number {
  let lines = 0;
  for (let at = window.indexOf(LINE_FEED, start); at >= 0 && at < end; at = window.indexOf(LINE_FEED, at + 1)) lines++;
  return lines;
}
