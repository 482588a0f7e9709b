/**
 * Parquet files as a bounded source of typed rows. A split is a row group; its position is the next row in it. A subtask holds one
 * decoded row group at a time.
 */
import {
  Availability,
  findFiles,
  MillstreamError,
  type PollStatus,
  PullEnumerator,
  type Source,
  type SourceBatch,
  type SourceReader,
  type SourceReaderContext,
  type SourceSplit,
  type SplitEnumerator,
  type SplitEnumeratorContext,
  type StaticEnumeratorState,
} from 'millstream/connector';
import type { ParquetColumns, ParquetRow } from './column-types.js';
import { ParquetFile, type RowGroup } from './parquet-file.js';

/** A row group of a file with the position in it. */
export interface ParquetSplit extends SourceSplit {
  readonly path: string;
  readonly rowGroup: number;
  /** Index of the next row within the row group. */
  readonly next: number;
}

/**
 * A source of the rows of Parquet files, with the declared columns.
 * @example
 * const source = ParquetSource.forColumns({ date: 'timestamp', origin: 'string', delay: 'integer?' }, 'flights.parquet');
 */
export class ParquetSource<C extends ParquetColumns> implements Source<ParquetRow<C>, ParquetSplit, StaticEnumeratorState<ParquetSplit>> {
  readonly boundedness = 'bounded';
  readonly #columns: C;
  readonly #paths: readonly string[];

  private constructor(columns: C, paths: readonly string[]) {
    this.#columns = columns;
    this.#paths = paths;
  }

  /** `paths`: files, or directories, whose files are read, as in `FileSource`. */
  static forColumns<const C extends ParquetColumns>(columns: C, paths: string | readonly string[]): ParquetSource<C> {
    if (Object.keys(columns).length === 0) {
      throw new MillstreamError('INVALID_OPTION', 'Cannot read Parquet rows without columns: declare at least one.');
    }
    return new ParquetSource(columns, typeof paths === 'string' ? [paths] : [...paths]);
  }

  createEnumerator(
    context: SplitEnumeratorContext<ParquetSplit>,
    state: StaticEnumeratorState<ParquetSplit> | undefined,
  ): SplitEnumerator<ParquetSplit, StaticEnumeratorState<ParquetSplit>> {
    return new PullEnumerator(context, () => this.#discover(context), state);
  }

  async #discover({ disk }: SplitEnumeratorContext<ParquetSplit>): Promise<ParquetSplit[]> {
    const splits: ParquetSplit[] = [];
    for (const [fileIndex, path] of (await findFiles(disk, this.#paths)).entries()) {
      const file = await ParquetFile.open(disk, path, this.#columns);
      await file.close();
      for (const rowGroup of file.rowGroups.keys()) splits.push({ id: `${fileIndex}:${path}#${rowGroup}`, path, rowGroup, next: 0 });
    }
    return splits;
  }

  createReader(context: SourceReaderContext): SourceReader<ParquetRow<C>, ParquetSplit> {
    return new ParquetReader(context, this.#columns);
  }
}

class ParquetReader<C extends ParquetColumns> implements SourceReader<ParquetRow<C>, ParquetSplit> {
  readonly #context: SourceReaderContext;
  readonly #columns: C;
  readonly #availability = new Availability();
  #file: ParquetFile<C> | undefined;
  #split: ParquetSplit | undefined;
  #rows = 0;
  #next = 0;
  /** Undefined while the row group is being read. */
  #rowAt: ((index: number) => ParquetRow<C>) | undefined;
  #failure: unknown;
  #loading: Promise<void> | undefined;
  #noMoreSplits = false;

  constructor(context: SourceReaderContext, columns: C) {
    this.#context = context;
    this.#columns = columns;
  }

  start(): void {
    if (this.#split === undefined) this.#context.requestSplit();
  }

  addSplits(splits: readonly ParquetSplit[]): void {
    for (const split of splits) {
      this.#split = split;
      this.#next = split.next;
      this.#loading = this.#load(split).then(
        () => this.#availability.ring(),
        (error: unknown) => {
          this.#failure = error;
          this.#availability.ring();
        },
      );
    }
  }

  async #load(split: ParquetSplit): Promise<void> {
    if (this.#file?.path !== split.path) {
      await this.#file?.close();
      this.#file = undefined;
      this.#file = await ParquetFile.open(this.#context.disk, split.path, this.#columns);
    }
    const group = await this.#file.readRowGroup(split.rowGroup);
    this.#rows = group.rows;
    this.#rowAt = rowBuilder(group);
  }

  notifyNoMoreSplits(): void {
    this.#noMoreSplits = true;
    this.#availability.ring();
  }

  poll(batch: SourceBatch<ParquetRow<C>>, limit: number): PollStatus {
    if (this.#failure !== undefined) throw this.#failure;
    const split = this.#split;
    if (split === undefined) return this.#noMoreSplits ? 'end' : 'nothing';
    if (this.#rowAt === undefined) return 'nothing';
    const from = this.#next;
    this.#next = Math.min(this.#rows, from + limit);
    batch.splitId = split.id;
    batch.generate = this.#rowAt;
    batch.from = from;
    batch.to = this.#next;
    batch.step = 1;
    batch.count = this.#next - from;
    if (this.#next === this.#rows) {
      batch.splitFinished = true;
      this.#split = undefined;
      this.#rowAt = undefined;
      this.#context.requestSplit();
    }
    return 'records';
  }

  whenAvailable(): Promise<void> {
    return this.#availability.wait();
  }

  snapshotState(): ParquetSplit[] {
    return this.#split === undefined ? [] : [{ ...this.#split, next: this.#next }];
  }

  async close(): Promise<void> {
    await this.#loading;
    await this.#file?.close();
  }
}

function rowBuilder<C extends ParquetColumns>(group: RowGroup<C>): (index: number) => ParquetRow<C> {
  const names = Object.keys(group.columns);
  const columns = Object.values(group.columns) as ArrayLike<unknown>[];
  return (index) => {
    const row: Record<string, unknown> = {};
    for (let column = 0; column < names.length; column++) {
      row[names[column] as string] = (columns[column] as ArrayLike<unknown>)[index];
    }
    return row as ParquetRow<C>;
  };
}
