/** Program arguments (`-- --name value --flag`) as the parameters of `defineJob`. */
import { MillstreamError } from '../common/errors.js';

/** `--name value`, `--name=value` and `--flag` (the value is then 'true'). Throws INVALID_ARGUMENT on anything else. */
export function parseProgramArguments(argv: readonly string[]): Record<string, string> {
  const parameters: Record<string, string> = {};
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] as string;
    const match = /^--([^=]+)(?:=(.*))?$/s.exec(word);
    if (match === null) {
      throw new MillstreamError(
        'INVALID_ARGUMENT',
        `Cannot read the program argument "${word}": a job of defineJob gets --name value pairs. Write --name ${word}, with the name of the parameter.`,
      );
    }
    const name = match[1] as string;
    const next = argv[i + 1];
    if (match[2] !== undefined) parameters[name] = match[2];
    else if (next !== undefined && !next.startsWith('--')) {
      parameters[name] = next;
      i++;
    } else parameters[name] = 'true';
  }
  return parameters;
}
