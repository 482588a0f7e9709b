/** The types that options have: how a value is read, from text or a typed value, and what an error says is allowed. */
import type { OptionDeclaration, OptionScalar } from './option-declaration.js';

/** The value, or undefined if `input` is not allowed. Durations in ms, memory in bytes. */
export function readOption(option: OptionDeclaration, input: unknown): OptionScalar | undefined {
  switch (option.type) {
    case 'boolean':
      return readBoolean(input);
    case 'text':
      return typeof input === 'string' && input.trim() !== '' ? input : undefined;
    case 'enum':
      return readWord(option.values, input);
    case 'integer':
      return within(wholeNumber(readNumber(input)), option.minimum, option.maximum);
    case 'number':
      return within(readNumber(input), option.minimum, option.maximum);
    case 'duration': {
      const value = readQuantity(input, DURATION_UNITS);
      return value === -1 && option.disabled === true ? value : within(value, option.minimum ?? 0);
    }
    case 'memory':
      return within(readQuantity(input, MEMORY_UNITS), 1);
  }
}

/** "a whole number of at least 1": completes "it must be …". */
export function allowedValues(option: OptionDeclaration): string {
  switch (option.type) {
    case 'boolean':
      return 'true or false';
    case 'text':
      return 'text that is not empty';
    case 'enum':
      return `one of ${option.values.join(', ')}`;
    case 'integer':
      return isOneValue(option) ? String(option.minimum) : `a whole number${bounds(option.minimum, option.maximum)}`;
    case 'number':
      return `a number${bounds(option.minimum, option.maximum)}`;
    case 'duration': {
      const least = option.minimum === undefined ? '' : ` of at least ${option.minimum} ms`;
      return `a duration${least} such as "10 s", "200 ms", "1 h", or a number of ms${option.disabled === true ? ', or -1' : ''}`;
    }
    case 'memory':
      return 'an amount of memory such as "64 mb", "512 kb", or a number of bytes';
  }
}

/** A value as text that reads as the same value: 600000 ms → "10 min", 67108864 bytes → "64 mb". */
export function writeOption(option: OptionDeclaration, value: OptionScalar): string {
  if (typeof value !== 'number') return String(value);
  if (option.type === 'duration' && value >= 0) return value === 0 ? '0 ms' : writeQuantity(value, SHOWN_DURATIONS);
  return option.type === 'memory' ? writeQuantity(value, SHOWN_MEMORY) : String(value);
}

function isOneValue({ minimum, maximum }: { readonly minimum?: number; readonly maximum?: number }): boolean {
  return minimum !== undefined && minimum === maximum;
}

function bounds(minimum: number | undefined, maximum: number | undefined): string {
  if (maximum === undefined) return minimum === undefined ? '' : ` of at least ${minimum}`;
  return minimum === undefined ? ` of at most ${maximum}` : ` from ${minimum} to ${maximum}`;
}

function within(value: number | undefined, minimum?: number, maximum?: number): number | undefined {
  if (value === undefined) return undefined;
  return value >= (minimum ?? Number.NEGATIVE_INFINITY) && value <= (maximum ?? Number.POSITIVE_INFINITY) ? value : undefined;
}

function wholeNumber(value: number | undefined): number | undefined {
  return Number.isSafeInteger(value) ? value : undefined;
}

function readNumber(input: unknown): number | undefined {
  if (typeof input === 'number') return Number.isFinite(input) ? input : undefined;
  return typeof input === 'string' && /^[+-]?\d+(\.\d+)?$/.test(input.trim()) ? Number(input) : undefined;
}

function readBoolean(input: unknown): boolean | undefined {
  if (typeof input === 'boolean') return input;
  return input === 'true' ? true : input === 'false' ? false : undefined;
}

/** One of `words`; case does not matter, nor does '-' or '_'. */
function readWord(words: readonly string[], input: unknown): string | undefined {
  const plain = (word: string): string => word.toLowerCase().replaceAll('_', '-');
  return typeof input === 'string' ? words.find((word) => plain(word) === plain(input.trim())) : undefined;
}

const DURATION_UNITS: ReadonlyMap<string, number> = unitTable([
  [1, '', 'ms', 'milli', 'millis', 'millisecond', 'milliseconds'],
  [1000, 's', 'sec', 'secs', 'second', 'seconds'],
  [60_000, 'm', 'min', 'mins', 'minute', 'minutes'],
  [3_600_000, 'h', 'hour', 'hours'],
  [86_400_000, 'd', 'day', 'days'],
]);

const MEMORY_UNITS: ReadonlyMap<string, number> = unitTable([
  [1, '', 'b', 'byte', 'bytes'],
  [1024, 'k', 'kb', 'kib'],
  [1024 ** 2, 'm', 'mb', 'mib'],
  [1024 ** 3, 'g', 'gb', 'gib'],
]);

const SHOWN_DURATIONS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
  [1, 'ms'],
] as const;

const SHOWN_MEMORY = [
  [1024 ** 3, 'gb'],
  [1024 ** 2, 'mb'],
  [1024, 'kb'],
  [1, 'b'],
] as const;

/** In the largest unit that gives a whole number. */
function writeQuantity(value: number, units: readonly (readonly [number, string])[]): string {
  for (const [factor, name] of units) if (value % factor === 0) return `${value / factor} ${name}`;
  return String(value);
}

function unitTable(rows: readonly (readonly [number, ...string[]])[]): ReadonlyMap<string, number> {
  return new Map(rows.flatMap(([factor, ...names]) => names.map((name): [string, number] => [name, factor])));
}

/** A number with a unit, as a whole count of the smallest unit. */
function readQuantity(input: unknown, units: ReadonlyMap<string, number>): number | undefined {
  if (typeof input === 'number') return wholeNumber(input);
  const parts = typeof input === 'string' ? /^(-?\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(input.trim().toLowerCase()) : null;
  const factor = units.get(parts?.[2] ?? '');
  if (parts === null || factor === undefined) return undefined;
  // 0.1 s is 100 ms, although 0.1 has no exact double.
  return wholeNumber(Math.round(Number(parts[1]) * factor * 1000) / 1000);
}
