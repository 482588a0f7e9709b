/** The error of a program that throws while it is loaded. */
import { MillstreamError, textOf } from '../common/errors.js';

/** PROGRAM_FAILED, with the stack of what was thrown. */
export function programFailed(thrown: unknown): MillstreamError {
  const failed = new MillstreamError('PROGRAM_FAILED', `Cannot build the job's graph: the program threw ${textOf(thrown)}`, {
    cause: thrown,
  });
  if (thrown instanceof Error && typeof thrown.stack === 'string') failed.stack = thrown.stack;
  return failed;
}
