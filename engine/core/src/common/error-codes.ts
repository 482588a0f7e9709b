/**
 * Every error code of Millstream with its domain. docs/reference/errors.md explains each one; `test/tidy` fails when a code here
 * is not documented there, is documented but not here, or is used nowhere.
 */
export const ERROR_CODES = {
  /** An invariant of the engine does not hold. */
  INTERNAL: 'internal',
  /** A value that the record model does not allow (function, symbol, unregistered class …). */
  UNSUPPORTED_VALUE: 'user',
  /** A key that is not a boolean, number, string, bigint or a tuple of them. */
  UNSUPPORTED_KEY: 'user',
  /** Bytes that no codec of this version wrote, or that were cut or changed. */
  CORRUPT_DATA: 'internal',
  /** An option with an impossible or unknown value. */
  INVALID_OPTION: 'user',
} as const;

/** Who has to act: the user's program or options, a system outside, or the engine. */
export type ErrorDomain = 'user' | 'connector' | 'internal';

/** A key of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;
