/** Errors as the command line shows them: code, message, and where it is the user's code that failed, its frames. */
import { dirname, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MillstreamError } from 'millstream';
import colors from 'picocolors';
import { FAILURE_EXIT_CODE, USAGE_EXIT_CODE } from './exit-codes.js';

/** Errors of the command line itself, not of a job. */
const USAGE_ERRORS: ReadonlySet<string> = new Set(['PROGRAM_NOT_FOUND', 'INVALID_ARGUMENT']);

/** An option on the command line that the engine refuses. */
export class WrongUsage extends Error {}

/** Prints an error; returns the exit code that it stands for. */
export function reportError(error: unknown): number {
  const cause = error instanceof WrongUsage ? error.cause : error;
  process.stderr.write(`${describeError(cause)}\n`);
  const usage = error instanceof WrongUsage || (error instanceof MillstreamError && USAGE_ERRORS.has(error.code));
  return usage ? USAGE_EXIT_CODE : FAILURE_EXIT_CODE;
}

/** What is printed of an error. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error) && !(error instanceof MillstreamError)) return `${colors.red('error')}: ${String(error)}`;
  const typed = error instanceof MillstreamError ? error : undefined;
  const head = typed === undefined ? `${colors.red('error')}: ${error}` : `${colors.red(`error ${typed.code}`)}: ${typed.message}`;
  const all = frames(error.stack ?? '');
  // A defect of the engine, and an error that comes from nowhere else: everything helps.
  const whole = typed === undefined || typed.code === 'INTERNAL';
  const own = all.filter(isUserFrame);
  const shown = own.length === 0 && whole ? all : own;
  return [head, ...shown.map((frame) => colors.dim(`    ${shorten(frame)}`))].join('\n');
}

/** The frames of an error, or of the first of its causes that has any of the user's. */
function frames(stack: string): string[] {
  const parts = stack.split('\nCaused by: ').map((part) => part.split('\n').filter((line) => /^\s+at /.test(line)));
  return (parts.find((part) => part.some(isUserFrame)) ?? parts.flat()).map((line) => line.trim());
}

/** The engine's packages: their frames are those of `dist`, or with source maps of `src`. */
const ENGINE: readonly string[] = [import.meta.url, import.meta.resolve('millstream')].map((url) => dirname(dirname(fileURLToPath(url))) + sep);

/** Neither Node nor the engine nor a package. */
function isUserFrame(frame: string): boolean {
  return !/\bnode:|[\\/]node_modules[\\/]|millstream-chain:|<anonymous>\)?$|\(native\)$/.test(frame) && !ENGINE.some((directory) => frame.includes(directory));
}

/** Paths below the working directory as the user writes them. */
function shorten(frame: string): string {
  return frame.replace(/(?:file:\/\/)?(\/[^():]+)(?=:\d+)/, (_, path: string) => {
    const short = relative('.', path);
    return short.startsWith('..') ? path : short;
  });
}
