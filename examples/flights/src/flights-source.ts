/**
 * The flights as a source of eight splits, whatever the parallelism: split s has the rows whose number modulo 8 is s, in the order of
 * flight-order.ts. Shows how to write a source: an enumerator from the library, a reader, and a split that is its position.
 */
import type {
  PollStatus,
  Source,
  SourceBatch,
  SourceReader,
  SourceReaderContext,
  SourceSplit,
  SplitEnumerator,
  SplitEnumeratorContext,
  StaticEnumeratorState,
} from 'millstream/connector';
import { SpreadEnumerator } from 'millstream/connector';
import type { Flight } from './flight.js';
import { type FlightOrder, hasLateCopy, lateCopyOf, shuffledRange } from './flight-order.js';
import { Pace } from './pace.js';
import { type FlightRows, RowGroups } from './row-groups.js';

export const SPLITS = 8;

/** The split's nth row is row n * 8 + residue of the file. */
export interface FlightSplit extends SourceSplit {
  readonly residue: number;
  /** n of the first row of the block that is being emitted. */
  readonly block: number;
  /** Records of the block that have been emitted, late copies included. */
  readonly offset: number;
}

export interface FlightsSourceOptions {
  readonly path: string;
  readonly order: FlightOrder;
  /** Just the file's first rows. Default: all. */
  readonly rows?: number;
  /** Flights a second, of all subtasks together. Default: as many as the job takes. */
  readonly rate?: number;
}

export class FlightsSource implements Source<Flight, FlightSplit, StaticEnumeratorState<FlightSplit>> {
  readonly boundedness = 'bounded';
  readonly recordCountEstimate: number;
  readonly #options: FlightsSourceOptions;

  constructor(options: FlightsSourceOptions) {
    this.#options = options;
    this.recordCountEstimate = Math.min(options.rows ?? Number.POSITIVE_INFINITY, 3_000_000);
  }

  createEnumerator(
    context: SplitEnumeratorContext<FlightSplit>,
    state: StaticEnumeratorState<FlightSplit> | undefined,
  ): SplitEnumerator<FlightSplit, StaticEnumeratorState<FlightSplit>> {
    const discover = (): FlightSplit[] =>
      Array.from({ length: SPLITS }, (_, residue) => ({ id: `rows-${residue}`, residue, block: 0, offset: 0 }));
    return new SpreadEnumerator(context, discover, state);
  }

  createReader(context: SourceReaderContext): SourceReader<Flight, FlightSplit> {
    const rows = new RowGroups(context.disk, this.#options.path);
    const { rate } = this.#options;
    const pace = rate === undefined ? undefined : new Pace(context.clock, rate / context.parallelism, rows.availability);
    return new FlightsReader(rows, this.#options, pace);
  }
}

/** A split that is being read. A block's entries are n of a row, or -1 - n for the late copy of row n. */
interface OpenSplit {
  readonly id: string;
  readonly residue: number;
  /** n of the block's first row. */
  block: number;
  offset: number;
  /** Undefined until the block's rows have been read. */
  entries: number[] | undefined;
  /** n of the next block's first row. */
  next: number;
}

class FlightsReader implements SourceReader<Flight, FlightSplit> {
  readonly #rows: RowGroups;
  readonly #options: FlightsSourceOptions;
  readonly #pace: Pace | undefined;
  readonly #open: OpenSplit[] = [];
  #paused: ReadonlySet<string> = new Set();
  #noMoreSplits = false;

  constructor(rows: RowGroups, options: FlightsSourceOptions, pace: Pace | undefined) {
    this.#rows = rows;
    this.#options = options;
    this.#pace = pace;
  }

  start(): void {}

  addSplits(splits: readonly FlightSplit[]): void {
    for (const { id, residue, block, offset } of splits) this.#open.push({ id, residue, block, offset, entries: undefined, next: block });
  }

  notifyNoMoreSplits(): void {
    this.#noMoreSplits = true;
    this.#rows.availability.ring();
  }

  /** Nothing is emitted before all splits are there: a split that comes later would find the watermark ahead of it. */
  poll(batch: SourceBatch<Flight>, most: number): PollStatus {
    if (!this.#noMoreSplits) return 'nothing';
    if (this.#open.length === 0) return 'end';
    const rowCount = this.#rowCount();
    const split = this.#furthestBehind();
    if (split === undefined || rowCount === undefined) return 'nothing';
    const limit = Math.min(most, this.#pace?.room() ?? most);
    if (limit === 0) return 'nothing';
    batch.splitId = split.id;
    while (batch.count < limit && this.#fillBlock(split, rowCount)) this.#emitBlock(split, batch, limit);
    this.#pace?.took(batch.count);
    if (rowOf(split, split.block) >= rowCount) {
      batch.splitFinished = true;
      this.#open.splice(this.#open.indexOf(split), 1);
    }
    const oldest = Math.min(...this.#open.map((open) => rowOf(open, open.block)));
    if (oldest < rowCount) this.#rows.advanceTo(oldest);
    return batch.count > 0 || batch.splitFinished ? 'records' : 'nothing';
  }

  #rowCount(): number | undefined {
    const rows = this.#rows.rowCount;
    return rows === undefined ? undefined : Math.min(rows, this.#options.rows ?? rows);
  }

  #furthestBehind(): OpenSplit | undefined {
    let found: OpenSplit | undefined;
    for (const split of this.#open) {
      if (!this.#paused.has(split.id) && (found === undefined || split.block < found.block)) found = split;
    }
    return found;
  }

  /** False at the split's end, and while rows of the block have not been read. */
  #fillBlock(split: OpenSplit, rowCount: number): boolean {
    if (split.entries !== undefined) return true;
    const { order } = this.#options;
    let blockTime = Number.NaN;
    let group: FlightRows | undefined;
    let end = split.block;
    for (let row = rowOf(split, end); row < rowCount; row += SPLITS, end++) {
      if (group === undefined || row >= group.firstRow + group.rows) group = this.#rows.groupOf(row);
      if (group === undefined) return false;
      const time = Math.floor((group.columns.date[row - group.firstRow] as number) / order.boundMs);
      if (Number.isNaN(blockTime)) blockTime = time;
      else if (time !== blockTime) break;
    }
    if (end === split.block) return false;
    split.entries = this.#entries(split, end);
    split.next = end;
    return true;
  }

  #entries(split: OpenSplit, end: number): number[] {
    const { order } = this.#options;
    const entries: number[] = [];
    for (const n of shuffledRange(order.seed, split.block, end)) {
      entries.push(n);
      const row = rowOf(split, n);
      const { firstRow, columns } = this.#rows.groupOf(row) as FlightRows;
      if (hasLateCopy(order, row, columns.date[row - firstRow] as number)) entries.push(-1 - n);
    }
    return entries;
  }

  #emitBlock(split: OpenSplit, batch: SourceBatch<Flight>, limit: number): void {
    const entries = split.entries as number[];
    let group: FlightRows | undefined;
    while (split.offset < entries.length && batch.count < limit) {
      const entry = entries[split.offset++] as number;
      const row = rowOf(split, entry < 0 ? -1 - entry : entry);
      if (group === undefined || row < group.firstRow || row >= group.firstRow + group.rows) group = this.#rows.groupOf(row) as FlightRows;
      const flight = flightAt(group, row);
      batch.values[batch.count++] = entry < 0 ? lateCopyOf(flight) : flight;
    }
    if (split.offset < entries.length) return;
    split.block = split.next;
    split.offset = 0;
    split.entries = undefined;
  }

  whenAvailable(): Promise<void> {
    return this.#rows.availability.wait();
  }

  snapshotState(): FlightSplit[] {
    return this.#open.map(({ id, residue, block, offset }) => ({ id, residue, block, offset }));
  }

  pauseOrResumeSplits(paused: ReadonlySet<string>): void {
    this.#paused = new Set(paused);
    this.#rows.availability.ring();
  }

  close(): Promise<void> {
    return this.#rows.close();
  }
}

function rowOf(split: OpenSplit, n: number): number {
  return n * SPLITS + split.residue;
}

function flightAt({ firstRow, columns }: FlightRows, row: number): Flight {
  const at = row - firstRow;
  return {
    row,
    date: columns.date[at] as number,
    // An integer that V8 holds without a box, unlike what comes out of a Float64Array.
    delay: (columns.delay[at] as number) | 0,
    distance: (columns.distance[at] as number) | 0,
    origin: columns.origin[at] as string,
    destination: columns.destination[at] as string,
  };
}
