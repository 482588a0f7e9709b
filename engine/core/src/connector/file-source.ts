/**
 * A source of records in files. A file is a split; subtasks ask for the next file when they have read one. Which files there are, and
 * how long, is found once, at the start of the run. Files must not change while a job reads them (or later, if it is to be restored).
 */
import type { Disk } from '../common/disk.js';
import { diskErrorCode } from '../common/disk-error.js';
import { MillstreamError } from '../common/errors.js';
import { unreadable } from './file-chunks.js';
import { FileReader, type FileReaderOptions } from './file-reader.js';
import type { MalformedRecord, RecordFormat } from './record-format.js';
import type { Source, SourceReader, SourceReaderContext, SourceSplit, SplitEnumerator, SplitEnumeratorContext } from './source.js';
import { PullEnumerator, type StaticEnumeratorState } from './static-enumerator.js';

/** A file with the position in it. */
export interface FileSplit extends SourceSplit {
  readonly path: string;
  /** Bytes, when the file was found. */
  readonly length: number;
  /** The first byte of the next record. */
  readonly offset: number;
  /** The line of the next record, from 1. */
  readonly line: number;
  /** The file's header once it has been read. */
  readonly header?: string;
}

/**
 * What becomes of a record that the format cannot parse: `fail` ends the job with MALFORMED_RECORD, `skip` counts and reports it,
 * `report` emits a {@link MalformedRecord} in its place.
 */
export type MalformedOption = 'fail' | 'skip' | 'report';

/** Options of a {@link FileSource}. */
export interface FileSourceOptions<T> {
  /** Default: 'fail'. */
  readonly malformed?: MalformedOption;
  /** A record to emit after the last one of each file, e.g. an end marker for those who wait until a file is complete. */
  readonly endOfFile?: (file: string) => T;
  /** Longest record, in bytes. Default: 16 MiB. */
  readonly recordBytesMax?: number;
  /** Bytes read at once; a reader holds two chunks. Default: 256 KiB. */
  readonly chunkBytes?: number;
}

/**
 * Files as a bounded source.
 * @example
 * const source = FileSource.forRecordFormat(jsonLines<{ user: string }>(), ['a.jsonl', 'b.jsonl'], { malformed: 'skip' });
 */
export class FileSource<T> implements Source<T, FileSplit, StaticEnumeratorState<FileSplit>> {
  readonly boundedness = 'bounded';
  readonly #paths: readonly string[];
  readonly #options: FileReaderOptions<T>;

  private constructor(paths: readonly string[], options: FileReaderOptions<T>) {
    this.#paths = paths;
    this.#options = options;
  }

  /**
   * `paths`: files, or directories, whose files are read (also in directories below; names that start with . or _, and parts of a file
   * sink that are pending, are left out).
   */
  static forRecordFormat<T>(
    format: RecordFormat<T>,
    paths: string | readonly string[],
    options: FileSourceOptions<T> & { readonly malformed: 'report' },
  ): FileSource<T | MalformedRecord>;
  static forRecordFormat<T>(format: RecordFormat<T>, paths: string | readonly string[], options?: FileSourceOptions<T>): FileSource<T>;
  static forRecordFormat<T>(format: RecordFormat<T>, paths: string | readonly string[], options: FileSourceOptions<T> = {}): unknown {
    const { malformed = 'fail', endOfFile, recordBytesMax = 16 * 1024 * 1024, chunkBytes = 256 * 1024 } = options;
    if (!['fail', 'skip', 'report'].includes(malformed)) {
      throw new MillstreamError(
        'INVALID_OPTION',
        `Cannot read files with malformed "${String(malformed)}": it is 'fail', 'skip' or 'report'.`,
      );
    }
    for (const [name, bytes] of Object.entries({ recordBytesMax, chunkBytes })) {
      if (!Number.isSafeInteger(bytes) || bytes < 1) {
        throw new MillstreamError('INVALID_OPTION', `Cannot read files with ${name} ${String(bytes)}: it must be an integer above 0.`);
      }
    }
    const list = typeof paths === 'string' ? [paths] : [...paths];
    return new FileSource<T>(list, { format, malformed, endOfFile, recordBytesMax, chunkBytes });
  }

  createEnumerator(
    context: SplitEnumeratorContext<FileSplit>,
    state: StaticEnumeratorState<FileSplit> | undefined,
  ): SplitEnumerator<FileSplit, StaticEnumeratorState<FileSplit>> {
    return new PullEnumerator(context, () => discoverFiles(context.disk, this.#paths), state);
  }

  createReader(context: SourceReaderContext): SourceReader<T, FileSplit> {
    return new FileReader<T>(context, this.#options) as SourceReader<T, FileSplit>;
  }
}

/** The files at `paths`, those of a directory in order of their names. Throws INPUT_UNREADABLE. */
export async function findFiles(disk: Disk, paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    const names = await namesIn(disk, path);
    if (names === undefined) files.push(path);
    else {
      const visible = names.filter((name) => !/^[._]|\.pending$/.test(name));
      files.push(
        ...(await findFiles(
          disk,
          visible.map((name) => `${path.replace(/\/$/, '')}/${name}`),
        )),
      );
    }
  }
  return files;
}

/** Undefined if the path is a file. */
async function namesIn(disk: Disk, path: string): Promise<readonly string[] | undefined> {
  try {
    return await disk.list(path);
  } catch (error) {
    if (diskErrorCode(error) === 'ENOTDIR') return undefined;
    throw unreadable(path, error);
  }
}

async function discoverFiles(disk: Disk, paths: readonly string[]): Promise<FileSplit[]> {
  const files = await findFiles(disk, paths);
  return Promise.all(
    files.map(async (path, index) => ({ id: `${index}:${path}`, path, length: await fileLength(disk, path), offset: 0, line: 1 })),
  );
}

/** The length of a file in bytes. Throws INPUT_UNREADABLE. */
export async function fileLength(disk: Disk, path: string): Promise<number> {
  try {
    const reader = await disk.open(path);
    try {
      return await reader.size();
    } finally {
      await reader.close();
    }
  } catch (error) {
    throw unreadable(path, error);
  }
}
