/** The records of the job. Times are ms since 1970; the file's local times are taken as if they were UTC, so that days are local days. */

export interface Flight {
  /** The row of the file; for an injected record -1 - row. */
  readonly row: number;
  readonly date: number;
  /** Minutes; negative: early. */
  readonly delay: number;
  /** Miles. */
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

export const MINUTE_MS = 60_000;
export const HOUR_MS: number = 60 * MINUTE_MS;
export const DAY_MS: number = 24 * HOUR_MS;
