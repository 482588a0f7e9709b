/** Checks options against the table; an error names the option, its value, what is allowed, and for an unknown one the nearest key. */
import { MillstreamError } from '../common/errors.js';
import { allowedValues, readOption } from './option-type.js';
import { OPTIONS, type OptionDeclaration, type OptionKey, type OptionValue, type ResolvedOptions, type SetOptions } from './options.js';

const TABLE: Readonly<Record<string, OptionDeclaration>> = OPTIONS;

const DEFAULTS: Readonly<Record<string, string | number | boolean | undefined>> = Object.fromEntries(
  Object.entries(TABLE).map(([key, option]) => [key, option.default === undefined ? undefined : readOption(option, option.default)]),
);

/** Reads one option's value; throws INVALID_OPTION. */
export function parseOption<K extends OptionKey>(key: K, input: unknown): OptionValue<K>;
export function parseOption(key: string, input: unknown): string | number | boolean;
export function parseOption(key: string, input: unknown): string | number | boolean {
  const option = Object.hasOwn(TABLE, key) ? TABLE[key] : undefined;
  if (option === undefined) throw unknownOption(key, input);
  const value = readOption(option, input);
  if (value !== undefined) return value;
  throw new MillstreamError('INVALID_OPTION', `Cannot set option "${key}" to ${quote(input)}: it must be ${allowedValues(option)}.`, {
    details: { option: key, value: input },
  });
}

/** Reads options; those that are undefined are left out. Throws INVALID_OPTION. */
export function parseOptions(inputs: Readonly<Record<string, unknown>>): SetOptions {
  const given = Object.entries(inputs).filter(([, input]) => input !== undefined);
  return Object.fromEntries(given.map(([key, input]) => [key, parseOption(key, input)])) as SetOptions;
}

/** All options: what is set, else the default. Throws INVALID_OPTION. */
export function resolveOptions(inputs: Readonly<Record<string, unknown>>): ResolvedOptions {
  return Object.freeze({ ...DEFAULTS, ...parseOptions(inputs) }) as ResolvedOptions;
}

function unknownOption(key: string, input: unknown): MillstreamError {
  const nearest = nearestKey(key);
  const hint = nearest === undefined ? `Known options: ${Object.keys(TABLE).join(', ')}.` : `Did you mean "${nearest}"?`;
  return new MillstreamError('INVALID_OPTION', `Cannot set option "${key}" to ${quote(input)}: there is no such option. ${hint}`, {
    details: { option: key, nearest },
  });
}

function quote(input: unknown): string {
  return typeof input === 'number' ? String(input) : (JSON.stringify(input) ?? String(input));
}

/** The known key with the fewest edits to `key`, if these are at most a third of its length. */
function nearestKey(key: string): string | undefined {
  let nearest: string | undefined;
  let best = Math.floor(key.length / 3) + 1;
  for (const known of Object.keys(TABLE)) {
    const distance = editDistance(key.toLowerCase(), known);
    if (distance < best) {
      best = distance;
      nearest = known;
    }
  }
  return nearest;
}

/** Levenshtein distance, one row at a time. */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const replaced = (row[j - 1] as number) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[right.length] as number;
}
