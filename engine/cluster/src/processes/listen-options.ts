/** An error of listening that names the options with the address. */
import { MillstreamError } from 'millstream';

const ABOUT_ADDRESSES: ReadonlySet<string> = new Set(['ADDRESS_IN_USE', 'ADDRESS_UNAVAILABLE']);

/** For `catch`: throws the error with the names of the options that say where to listen. */
export function naming(...options: readonly string[]): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof MillstreamError) || !ABOUT_ADDRESSES.has(error.code)) throw error;
    throw new MillstreamError(error.code, `${error.message} Set ${options.join(' or ')}.`, {
      details: { ...error.details, options },
      cause: error,
    });
  };
}
