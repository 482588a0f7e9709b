/** Millstream's typed error. Messages say what cannot be done (with the quoted value), the state found, and what to do. */
import { ERROR_CODES, type ErrorCode, type ErrorDomain } from './error-codes.js';

const BRAND: symbol = Symbol.for('millstream.error');

/** Optional parts of a {@link MillstreamError}. */
export interface MillstreamErrorOptions {
  /** Plain data for programs that handle the error. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** The error that led to this one. */
  readonly cause?: unknown;
  /** Whether the same action may succeed later without a change. Default: false. */
  readonly retryable?: boolean;
}

/**
 * Every error that Millstream throws on purpose. `instanceof` holds across two copies of the package.
 * @example
 * try { await env.execute('job'); } catch (error) { if (error instanceof MillstreamError) console.error(error.code); }
 */
export class MillstreamError extends Error {
  readonly code: ErrorCode;
  readonly domain: ErrorDomain;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: MillstreamErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.domain = ERROR_CODES[code];
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
    Object.defineProperty(this, BRAND, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: a subclass inherits this method, and is not MillstreamError
    if (this !== MillstreamError) {
      // biome-ignore lint/complexity/noThisInStatic: as above
      return Function.prototype[Symbol.hasInstance].call(this, value);
    }
    return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[BRAND] === true;
  }
}

/** An invariant: throws `INTERNAL` when it does not hold. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new MillstreamError('INTERNAL', `${message}. This is a defect of Millstream; please report it.`);
}

/** What was thrown, as text: anything may be, also what has none. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return 'a value that cannot be shown';
  }
}

/** The message of what was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : textOf(thrown);
}

/** The error itself, or an `INTERNAL` one with its message and stack. */
export function asMillstreamError(error: unknown): MillstreamError {
  if (error instanceof MillstreamError) return error;
  const typed = new MillstreamError('INTERNAL', messageOf(error), { cause: error });
  if (error instanceof Error && error.stack !== undefined) typed.stack = error.stack;
  return typed;
}
