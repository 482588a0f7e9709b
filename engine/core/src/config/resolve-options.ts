/** The options of a job, checked against the table. */
import { MillstreamError } from '../common/errors.js';
import type { OptionRows, OptionScalar } from './option-declaration.js';
import { readOption } from './option-type.js';
import { type JobOptionKey, OPTIONS, type OptionValue, type ResolvedOptions, type SetOptions } from './options.js';
import { readRow } from './read-row.js';

/** Undefined where there is none. */
const DEFAULT_OPTIONS: ResolvedOptions = defaultsOf(OPTIONS) as ResolvedOptions;

/** The defaults of rows. */
export function defaultsOf(rows: OptionRows): Readonly<Record<string, OptionScalar | undefined>> {
  const values = Object.entries(rows).map(([key, row]): [string, OptionScalar | undefined] => [
    key,
    row.default === undefined ? undefined : readOption(row, row.default),
  ]);
  return Object.freeze(Object.fromEntries(values));
}

/** Reads one option's value; throws INVALID_OPTION. */
export function parseOption<K extends JobOptionKey>(key: K, input: unknown): OptionValue<K>;
export function parseOption(key: string, input: unknown): OptionScalar;
export function parseOption(key: string, input: unknown): OptionScalar {
  return parseRow(OPTIONS, key, input);
}

/** Reads one option's value by `rows`. Throws INVALID_OPTION, also for an option that no job has. */
export function parseRow(rows: OptionRows, key: string, input: unknown): OptionScalar {
  const reading = readRow(rows, key, input);
  if ('problem' in reading) throw new MillstreamError('INVALID_OPTION', reading.problem, { details: reading.details });
  const scope = rows[key]?.scope;
  if (scope === 'job') return reading.value;
  throw new MillstreamError(
    'INVALID_OPTION',
    `Cannot set option "${key}" for a job: it is read by ${scope === 'cluster' ? 'the processes of the cluster' : `the ${scope}`}. Set it in their configuration.`,
    { details: { option: key, scope } },
  );
}

/** Reads options; those that are undefined are left out. Throws INVALID_OPTION. */
export function parseOptions(inputs: Readonly<Record<string, unknown>>): SetOptions {
  const given = Object.entries(inputs).filter(([, input]) => input !== undefined);
  return Object.fromEntries(given.map(([key, input]) => [key, parseOption(key, input)])) as SetOptions;
}

/** All options: what is set, else the default. Throws INVALID_OPTION. */
export function resolveOptions(inputs: Readonly<Record<string, unknown>>): ResolvedOptions {
  return Object.freeze({ ...DEFAULT_OPTIONS, ...parseOptions(inputs) });
}
