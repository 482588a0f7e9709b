/** Loads the configuration of a process: finds and reads its file, and lays environment, `-D` and flags over it. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MillstreamError } from 'millstream';
import { type Configuration, environmentEntries, type OptionEntry, resolveConfiguration } from 'millstream/cluster';
import { parseConfigurationFile } from './parse-configuration-file.js';

/** The variable that names the directory of `config.yaml`. */
export const CONFIGURATION_DIRECTORY_VARIABLE = 'MILLSTREAM_CONF_DIR';

/** A configuration has a few hundred lines: what is larger was not meant. */
const FILE_BYTES_MAX = 256 * 1024;

/** Where options come from. */
export interface ConfigurationSources {
  /** Path of a YAML file. Default: `config.yaml` in the directory that MILLSTREAM_CONF_DIR names, or none. */
  readonly file?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `-D key=value`. */
  readonly definitions?: Readonly<Record<string, string>> | undefined;
  /** Flags of the command that stand for options; they win over all. */
  readonly flags?: readonly OptionFlag[] | undefined;
}

/** A flag that stands for an option. */
export interface OptionFlag {
  /** As it is written: `--parallelism`. */
  readonly flag: string;
  readonly key: string;
  readonly value: unknown;
}

/** A configuration, and the file that it was read from. */
export interface LoadedConfiguration {
  readonly configuration: Configuration;
  readonly file: string | undefined;
}

/** Throws CONFIGURATION_UNREADABLE, and INVALID_OPTION, which names everything that is wrong and where. */
export async function loadConfiguration(sources: ConfigurationSources): Promise<LoadedConfiguration> {
  const directory = sources.environment[CONFIGURATION_DIRECTORY_VARIABLE];
  const file = sources.file ?? (directory === undefined || directory === '' ? undefined : join(directory, 'config.yaml'));
  const entries: OptionEntry[] = [
    ...(file === undefined ? [] : parseConfigurationFile(file, await readText(file, sources.file === undefined))),
    ...environmentEntries(sources.environment),
    ...Object.entries(sources.definitions ?? {}).map(([key, input]): OptionEntry => ({ key, input, origin: { layer: 'define' } })),
    ...(sources.flags ?? []).map(({ flag, key, value }): OptionEntry => ({ key, input: value, origin: { layer: 'flag', flag } })),
  ];
  return { configuration: resolveConfiguration(entries), file };
}

async function readText(file: string, named: boolean): Promise<string> {
  const hint = named ? `${CONFIGURATION_DIRECTORY_VARIABLE} names its directory.` : 'Give the path of a YAML file.';
  try {
    const { size } = await stat(file);
    if (size > FILE_BYTES_MAX) throw unreadable(file, `it has ${size} bytes, and at most ${FILE_BYTES_MAX} are read`, hint);
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch (error) {
    if (error instanceof MillstreamError) throw error;
    throw unreadable(file, describe(error as NodeJS.ErrnoException), hint, error);
  }
}

function describe({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EISDIR':
      return 'it is a directory';
    case 'EACCES':
      return 'access is denied';
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return 'it is not UTF-8 text';
    default:
      return message;
  }
}

function unreadable(file: string, found: string, hint: string, cause?: unknown): MillstreamError {
  return new MillstreamError('CONFIGURATION_UNREADABLE', `Cannot read the configuration file ${file}: ${found}. ${hint}`, {
    details: { file },
    cause,
  });
}
