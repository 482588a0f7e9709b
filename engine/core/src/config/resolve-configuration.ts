/**
 * The configuration of a process, out of layers: defaults, then what a file, the environment, `-D` and flags say. Pure: who reads files
 * and the environment hands their entries in.
 *
 * Invariants:
 * 1. A value of a higher layer wins, whatever the order of the entries; within one layer the last one does, as on every command line.
 * 2. Every entry is checked, also one that a higher layer overrides; all that is wrong is said at once.
 * 3. A file says each option once.
 * 4. No message has the value of a secret.
 */
import { MillstreamError } from '../common/errors.js';
import { optionVariable } from './environment-entries.js';
import type { OptionDeclaration, OptionRows, OptionScalar, OptionScope } from './option-declaration.js';
import { describeOrigin, OPTION_LAYERS, type OptionEntry, type OptionOrigin } from './option-origin.js';
import { writeOption } from './option-type.js';
import { OPTIONS, type ResolvedOptions, type SetOptions } from './options.js';
import { readRow, settableRows } from './read-row.js';
import { defaultsOf } from './resolve-options.js';

/** All options of a process, and where they come from. Holds secrets: print `configurationRows` instead. */
export interface Configuration {
  readonly options: ResolvedOptions;
  /** By key. An option that is missing is at its default, or not set. */
  readonly origins: ReadonlyMap<string, OptionOrigin>;
}

/** Instead of a secret. */
const MASK = '***';

/** What may be shown of an option. */
export interface ConfigurationRow {
  readonly key: string;
  /** Undefined where the option is not set and has no default; '***' for a secret. */
  readonly value: OptionScalar | undefined;
  /** The value as text that can be set again: "10 min" for 600000. */
  readonly text: string | undefined;
  readonly origin: OptionOrigin;
  readonly type: OptionDeclaration['type'];
  readonly default: OptionScalar | undefined;
  readonly defaultText: string | undefined;
  readonly scope: OptionScope;
  readonly secret: boolean;
  readonly doc: string;
}

/** Lays entries over the defaults. Throws INVALID_OPTION, which names the place of everything that is wrong. */
export function resolveConfiguration(entries: readonly OptionEntry[], rows: OptionRows = OPTIONS): Configuration {
  const values: Record<string, OptionScalar | undefined> = { ...defaultsOf(rows) };
  const origins = new Map<string, OptionOrigin>();
  const inFile = new Map<string, OptionOrigin>();
  const problems: string[] = [];
  for (const entry of entries) {
    const { key, origin } = entry;
    const place = describeOrigin(origin, key);
    const reading = readEntry(entry, rows);
    const before = origin.layer === 'file' ? inFile.get(key) : undefined;
    if (origin.layer === 'file') inFile.set(key, origin);
    if ('problem' in reading) problems.push(`${place}: ${reading.problem}`);
    else if (before !== undefined) {
      problems.push(`${place}: Cannot set option "${key}" twice: it is also set at ${describeOrigin(before, key)}. Remove one.`);
    } else if (rank(origin) >= rank(origins.get(key))) {
      values[key] = reading.value;
      origins.set(key, origin);
    }
  }
  if (problems.length > 0) throw invalidConfiguration(problems);
  return { options: Object.freeze(values) as ResolvedOptions, origins };
}

/** The options of jobs that are set, for jobs that do not set them. */
export function jobOptions({ options, origins }: Configuration): SetOptions {
  const values = options as Readonly<Record<string, OptionScalar | undefined>>;
  const keys = [...origins.keys()].filter((key) => OPTIONS[key]?.scope === 'job');
  return Object.fromEntries(keys.map((key) => [key, values[key]])) as SetOptions;
}

function readEntry(entry: OptionEntry, rows: OptionRows): { readonly value: OptionScalar } | { readonly problem: string } {
  if ('problem' in entry) return entry;
  const { key, input, origin } = entry;
  const reading = readRow(rows, key, input, origin.layer === 'environment' ? optionVariable : undefined);
  if ('problem' in reading || rows[key]?.secret !== true || (origin.layer !== 'define' && origin.layer !== 'flag')) return reading;
  return {
    problem: `Cannot set option "${key}" here: everybody on this machine can read a command line. Set it in the configuration file, or as ${optionVariable(key)} in the environment.`,
  };
}

function rank(origin: OptionOrigin | undefined): number {
  return origin === undefined ? 0 : OPTION_LAYERS.indexOf(origin.layer);
}

/** INVALID_OPTION that lists `problems`. */
function invalidConfiguration(problems: readonly string[]): MillstreamError {
  const message =
    problems.length === 1 ? (problems[0] as string) : `The configuration has ${problems.length} errors:\n  ${problems.join('\n  ')}`;
  return new MillstreamError('INVALID_OPTION', message, { details: { problems } });
}

/** Every option as it may be printed, logged or served: without the values of secrets. */
export function configurationRows(configuration: Configuration, rows: OptionRows = OPTIONS): ConfigurationRow[] {
  const values = configuration.options as Readonly<Record<string, OptionScalar | undefined>>;
  const defaults = defaultsOf(rows);
  return Object.entries(settableRows(rows)).map(([key, row]) => {
    const secret = row.secret === true;
    const value = values[key];
    const standard = defaults[key];
    return {
      key,
      value: value !== undefined && secret ? MASK : value,
      text: value === undefined ? undefined : secret ? MASK : writeOption(row, value),
      origin: configuration.origins.get(key) ?? { layer: 'default' },
      type: row.type,
      default: standard,
      defaultText: standard === undefined ? undefined : writeOption(row, standard),
      scope: row.scope,
      secret,
      doc: row.doc,
    };
  });
}
