/** `millstream config`: what the configuration is, and where each value comes from. */
import { type ConfigurationRow, configurationRows } from 'millstream/cluster';
import { formatConfiguration } from './format-configuration.js';
import { loadOptionalPackage } from './load-optional-package.js';
import { asWrongUsage } from './report-error.js';

/** The command's options, as they were written. */
export interface ConfigFlags {
  readonly config?: string;
  readonly define?: Record<string, string>;
  readonly json?: true;
  readonly all?: true;
}

/** Prints the configuration; secrets are masked. */
export async function configCommand(flags: ConfigFlags): Promise<void> {
  const { loadConfiguration } = await loadOptionalPackage(
    '@millstream/cluster',
    'read the configuration',
    async () => await import('@millstream/cluster/configuration'),
  );
  const sources = { file: flags.config, environment: process.env, definitions: flags.define };
  const { configuration, file } = await loadConfiguration(sources).catch((error: unknown) => {
    throw asWrongUsage(error);
  });
  const rows = configurationRows(configuration);
  process.stdout.write(
    flags.json === true ? formatJson(rows, file, flags.all === true) : formatConfiguration(rows, file, flags.all === true),
  );
}

function formatJson(rows: readonly ConfigurationRow[], file: string | undefined, all: boolean): string {
  const options = rows.filter(({ value }) => all || value !== undefined);
  return `${JSON.stringify({ file, options }, (_key, value: unknown) => value ?? null, 2)}\n`;
}
