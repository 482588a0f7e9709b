/** Errors as people read them: what happened, and the lines of their program where it did. */
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MillstreamError } from './errors.js';

/** An error, ready to be printed. */
export interface ErrorDescription {
  /** Of a typed error. */
  readonly code: string | undefined;
  readonly message: string;
  /** Stack lines of the user's program; all of them where the error comes from nowhere else. */
  readonly frames: readonly string[];
}

/** This package: its frames are those of `dist`, or with source maps of `src`. */
const OWN_PACKAGE = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Describes an error; frames in `otherPackages` (directories) are not the user's either. */
export function describeError(error: unknown, otherPackages: readonly string[] = []): ErrorDescription {
  const typed = error instanceof MillstreamError ? error : undefined;
  if (!(error instanceof Error)) return { code: typed?.code, message: typed?.message ?? String(error), frames: [] };
  const isUser = (frame: string): boolean =>
    !NOT_USER.test(frame) && ![OWN_PACKAGE, ...otherPackages].some((directory) => frame.includes(directory));
  const parts = (error.stack ?? '').split('\nCaused by: ').map((part) => part.split('\n').filter((line) => /^\s+at /.test(line)));
  // An error repeats the stack of its cause: the first part with a frame of the user's says it all.
  const own = parts.find((part) => part.some(isUser))?.filter(isUser) ?? [];
  const whole = typed === undefined || typed.code === 'INTERNAL';
  const shown = own.length === 0 && whole ? parts.flat() : own;
  return {
    code: typed?.code,
    message: typed === undefined ? String(error) : typed.message,
    frames: shown.map((line) => shorten(line.trim())),
  };
}

/** Frames of Node, of packages, of generated chains, and those without a place. */
const NOT_USER = /\bnode:|[\\/]node_modules[\\/]|millstream-chain:|<anonymous>\)?$|\((?:native|index \d+)\)$/;

/** Paths below the working directory as the user writes them. */
function shorten(frame: string): string {
  return frame.replace(/(?:file:\/\/)?(\/[^():]+)(?=:\d+)/, (_, path: string) => {
    const short = relative('.', path);
    return short.startsWith('..') ? path : short;
  });
}
