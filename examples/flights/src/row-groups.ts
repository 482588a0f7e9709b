/**
 * The row groups of the flights file that a reader needs at the moment: the one its splits are in and the next. Splits move on
 * together, so that a group is decoded once for all splits of the reader.
 */
import { ParquetFile, type RowGroup } from '@millstream/parquet';
import { Availability, type Disk } from 'millstream/connector';

export const FLIGHT_COLUMNS = {
  date: 'timestamp',
  delay: 'integer',
  distance: 'integer',
  origin: 'string',
  destination: 'string',
} as const;

export type FlightRows = RowGroup<typeof FLIGHT_COLUMNS>;

export class RowGroups {
  readonly availability: Availability = new Availability();
  readonly #groups: Map<number, FlightRows> = new Map();
  readonly #opening: Promise<ParquetFile<typeof FLIGHT_COLUMNS>>;
  #file: ParquetFile<typeof FLIGHT_COLUMNS> | undefined;
  #loading: Promise<void> | undefined;
  #failure: unknown;

  constructor(disk: Disk, path: string) {
    this.#opening = ParquetFile.open(disk, path, FLIGHT_COLUMNS);
    this.#run(async () => {
      this.#file = await this.#opening;
    });
  }

  /** Rows of the file; undefined while it is being opened. */
  get rowCount(): number | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    return this.#file?.rowCount;
  }

  /** The group that holds a row, if it has been read; otherwise it will be, and `availability` rings. */
  groupOf(row: number): FlightRows | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    for (const group of this.#groups.values()) {
      if (row >= group.firstRow && row < group.firstRow + group.rows) return group;
    }
    this.#load(row);
    return undefined;
  }

  /** Says that no row below `row` is needed any more, and that those from `row` on will be. */
  advanceTo(row: number): void {
    for (const [firstRow, group] of this.#groups) {
      if (firstRow + group.rows <= row) this.#groups.delete(firstRow);
    }
    const current = this.groupOf(row);
    if (current !== undefined && this.#groups.size < 2) this.#load(current.firstRow + current.rows);
  }

  #load(row: number): void {
    const file = this.#file;
    if (this.#loading !== undefined || file === undefined) return;
    const index = file.rowGroups.findIndex(({ firstRow, rows }) => row >= firstRow && row < firstRow + rows);
    if (index < 0) return;
    this.#run(async () => {
      const group = await file.readRowGroup(index);
      this.#groups.set(group.firstRow, group);
    });
  }

  #run(work: () => Promise<void>): void {
    this.#loading = work()
      .catch((error: unknown) => {
        this.#failure = error;
      })
      .then(() => {
        this.#loading = undefined;
        this.availability.ring();
      });
  }

  async close(): Promise<void> {
    await this.#loading;
    await this.#file?.close();
  }
}
