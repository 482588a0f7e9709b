/** Errors on the command line. */
import { fileURLToPath } from 'node:url';
import { MillstreamError } from 'millstream';
import { describeError } from 'millstream/cluster';
import colors from 'picocolors';
import { FAILURE_EXIT_CODE, USAGE_EXIT_CODE } from './exit-codes.js';

/** Errors of the command line itself, not of a job. */
const USAGE_ERRORS: ReadonlySet<string> = new Set(['PROGRAM_NOT_FOUND', 'INVALID_ARGUMENT']);

/** A command line that cannot be carried out as it was written: its cause says why, else its message. */
export class WrongUsage extends Error {}

/** A typed error of what was asked for is wrong usage; any other is itself. */
export function asWrongUsage(error: unknown): unknown {
  return error instanceof MillstreamError ? new WrongUsage(error.message, { cause: error }) : error;
}

const THIS_PACKAGE = fileURLToPath(new URL('..', import.meta.url));

/** Prints an error; returns the exit code that it stands for. */
export function reportError(error: unknown): number {
  const wrongUsage = error instanceof WrongUsage;
  const { code, message, frames } = describeError(wrongUsage ? (error.cause ?? error.message) : error, [THIS_PACKAGE]);
  const head = `${colors.red(code === undefined ? 'error' : `error ${code}`)}: ${message}`;
  // What was written on the command line has no place in a program.
  const shown = wrongUsage ? [] : frames.map((frame) => colors.dim(`    ${frame}`));
  process.stderr.write(`${[head, ...shown].join('\n')}\n`);
  const usage = wrongUsage || (error instanceof MillstreamError && USAGE_ERRORS.has(error.code));
  return usage ? USAGE_EXIT_CODE : FAILURE_EXIT_CODE;
}
