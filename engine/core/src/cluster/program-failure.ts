/** The error of a program that throws while it is loaded. */
import { MillstreamError } from '../common/errors.js';

/** PROGRAM_FAILED, with the stack of what was thrown. */
export function programFailed(thrown: unknown): MillstreamError {
  const failed = new MillstreamError('PROGRAM_FAILED', `Cannot build the job's graph: the program threw ${textOf(thrown)}`, {
    cause: thrown,
  });
  if (thrown instanceof Error && typeof thrown.stack === 'string') failed.stack = thrown.stack;
  return failed;
}

/** Anything may be thrown, also what has no text. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return 'a value that cannot be shown';
  }
}
