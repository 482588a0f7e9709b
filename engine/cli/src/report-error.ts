/** Errors as the command line shows them: code, message, and the stack where it is the user's code that failed. */
import { MillstreamError } from 'millstream';
import colors from 'picocolors';

/** Wraps an action: prints its error and sets the exit code (1; 2 for wrong usage). */
export function reportAndExit<A extends unknown[]>(action: (...args: A) => Promise<void>): (...args: A) => Promise<void> {
  return async (...args) => {
    try {
      await action(...args);
    } catch (error) {
      process.stderr.write(`${describeError(error)}\n`);
      process.exitCode = 1;
    }
  };
}

export function describeError(error: unknown): string {
  if (!(error instanceof MillstreamError)) return colors.red(error instanceof Error ? (error.stack ?? error.message) : String(error));
  const head = `${colors.red(`error ${error.code}`)}: ${error.message}`;
  const frames = userFrames(error);
  return frames === '' ? head : `${head}\n${colors.dim(frames)}`;
}

/** Stack lines of the user's program; those of the engine say nothing to its users. */
function userFrames(error: MillstreamError): string {
  if (error.domain === 'internal') return (error.stack ?? '').split('\n').slice(1).join('\n');
  return (error.stack ?? '')
    .split('\n')
    .filter((line) => line.trimStart().startsWith('at ') && !/node:|[\\/]millstream[\\/]dist|engine[\\/]core[\\/]|millstream-chain:/.test(line))
    .join('\n');
}
