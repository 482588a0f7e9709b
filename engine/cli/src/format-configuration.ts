/** A configuration as text: YAML that can be used as a configuration file again. Secrets have been masked before. */
import { type ConfigurationRow, describeOrigin } from 'millstream/cluster';

/** `all`: options without a value too, commented out. */
export function formatConfiguration(rows: readonly ConfigurationRow[], file: string | undefined, all: boolean): string {
  const shown = rows.filter(({ text }) => all || text !== undefined);
  const left = rows.length - shown.length;
  const head = `# Configuration file: ${file ?? 'none (--config <file>, or MILLSTREAM_CONF_DIR)'}`;
  const foot = left === 0 ? [] : [`# ${left} more ${left === 1 ? 'option has' : 'options have'} no value: --all`];
  return `${[head, ...shown.map(formatRow), ...foot].join('\n\n')}\n`;
}

function formatRow({ key, text, type, origin, defaultText, doc, secret }: ConfigurationRow): string {
  const from = origin.layer === 'default' ? 'default' : `from ${describeOrigin(origin, key)}; default: ${defaultText ?? 'not set'}`;
  const note = `# ${doc}${text === undefined ? '' : ` (${from})`}`;
  if (text === undefined) return `${note}\n# ${key}:`;
  // A mask is not the secret, so that the line must not be read again.
  if (secret) return `${note}\n# ${key}: ${text}`;
  return `${note}\n${key}: ${type === 'text' ? JSON.stringify(text) : text}`;
}
