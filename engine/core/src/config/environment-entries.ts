/**
 * Options in environment variables: MILLSTREAM_ and the key in capitals, with `__` for a dot and `_` for a hyphen, so that
 * `execution.checkpointing.min-pause` is MILLSTREAM_EXECUTION__CHECKPOINTING__MIN_PAUSE. Capitals of the key are found by the table.
 *
 * A variable with `__` that stands for no option is an error. One without is somebody else's (MILLSTREAM_CONF_DIR; what Kubernetes makes
 * of a service called "millstream-rest"), and so is one in small letters.
 */
import type { OptionRows } from './option-declaration.js';
import type { OptionEntry } from './option-origin.js';
import { OPTIONS } from './options.js';
import { settableRows } from './read-row.js';

const PREFIX = 'MILLSTREAM_';

/** The variable that sets an option. */
export function optionVariable(key: string): string {
  return PREFIX + key.replaceAll('.', '__').replaceAll('-', '_').toUpperCase();
}

/** What the environment says of options, in the order of the alphabet. An empty variable says nothing. */
export function environmentEntries(environment: Readonly<Record<string, string | undefined>>, rows: OptionRows = OPTIONS): OptionEntry[] {
  const keys = new Map(Object.keys(settableRows(rows)).map((key) => [optionVariable(key), key]));
  return Object.entries(environment)
    .filter(([variable, input]) => input !== undefined && input !== '' && (keys.has(variable) || looksLikeOption(variable)))
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([variable, input]) => ({
      key: keys.get(variable) ?? variable.slice(PREFIX.length).toLowerCase().replaceAll('__', '.').replaceAll('_', '-'),
      input,
      origin: { layer: 'environment', variable },
    }));
}

function looksLikeOption(variable: string): boolean {
  return variable.startsWith(PREFIX) && variable.includes('__');
}
