/** The airports as a bounded stream that says when it has ended. */
import { csv, FileSource } from 'millstream';

export interface Airport {
  readonly iata: string;
  readonly city: string;
  readonly state: string;
}

/**
 * The record behind the last airport. Whoever gets the airports by broadcast learns by it that they are complete: a broadcast keeps the
 * order of the one subtask that reads the file.
 */
export const END_OF_AIRPORTS: Airport = { iata: '', city: '', state: '' };

/** The airports of a CSV file, then {@link END_OF_AIRPORTS}. */
export function airportsSource(path: string): FileSource<Airport> {
  const format = csv({ columns: { iata: 'string', city: 'string', state: 'string' } });
  return FileSource.forRecordFormat<Airport>(format, path, { endOfFile: () => END_OF_AIRPORTS });
}
