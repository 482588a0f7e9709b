/** docs/reference/options.md, made from the engine's table of options. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { OptionDeclaration } from '../../engine/core/src/config/option-declaration.js';

const HEAD = `# Options

<!-- Made from engine/core/src/config by "npm run docs". Do not edit. -->

Keys are Flink's where Flink has the option. A program sets them on its environment, a caller overrides them:

\`\`\`ts
env.configure({ 'execution.checkpointing.interval': '10 s', 'parallelism.default': 4 });
\`\`\`

Durations are a number of ms or text with a unit (\`200 ms\`, \`10 s\`, \`5 min\`, \`1 h\`, \`1 d\`); memory is a number of bytes or text with a unit
(\`512 kb\`, \`64 mb\`, \`1 gb\`). An unknown key or an impossible value is the error [INVALID_OPTION](errors.md#invalid_option).
[Configuration](configuration.md) tells of files, the environment and \`millstream config\`.
`;

/** The table as the built engine has it; it is no part of the public interface. */
export async function loadOptions(): Promise<Readonly<Record<string, OptionDeclaration>>> {
  const entry = createRequire(import.meta.url).resolve('millstream');
  const url = pathToFileURL(join(dirname(entry), 'config', 'options.js')).href;
  const { OPTIONS } = (await import(url)) as { readonly OPTIONS: Readonly<Record<string, OptionDeclaration>> };
  return OPTIONS;
}

/** Options that can be set: the engine reads them. */
export function settable(options: Readonly<Record<string, OptionDeclaration>>): readonly (readonly [string, OptionDeclaration])[] {
  return Object.entries(options).filter(([, option]) => option.pending !== true);
}

/** The page as it has to be. */
export function optionsPage(options: Readonly<Record<string, OptionDeclaration>>): string {
  const sections = new Map<string, string[]>();
  for (const [key, option] of settable(options)) {
    const prefix = key.split('.', 1)[0] as string;
    const rows = sections.get(prefix) ?? [];
    const standard = option.default === undefined ? 'not set' : `\`${option.default}\``;
    const doc = `${option.doc.replaceAll('|', '\\|')}${option.secret === true ? ' Secret: never printed, and refused on the command line.' : ''}`;
    rows.push(`| \`${key}\` | ${typeOf(option)} | ${standard} | ${READERS[option.scope]} | ${doc} |`);
    sections.set(prefix, rows);
  }
  const tables = [...sections].map(
    ([prefix, rows]) =>
      `## ${prefix}\n\n| Key | Type | Default | Read by | Meaning |\n| --- | --- | --- | --- | --- |\n${rows.join('\n')}\n`,
  );
  return [HEAD, ...tables].join('\n');
}

const READERS: Readonly<Record<OptionDeclaration['scope'], string>> = {
  job: 'job',
  jobmanager: 'JobManager',
  taskmanager: 'TaskManager',
  cluster: 'all processes',
  client: 'client',
};

function typeOf(option: OptionDeclaration): string {
  switch (option.type) {
    case 'enum':
      return option.values.map((word) => `\`${word}\``).join(', ');
    case 'integer':
    case 'number':
      return `${option.type}${range(option.minimum, option.maximum, '')}`;
    case 'duration':
      return `duration${range(option.minimum, undefined, ' ms')}${option.disabled === true ? ', or -1' : ''}`;
    default:
      return option.type;
  }
}

function range(minimum: number | undefined, maximum: number | undefined, unit: string): string {
  if (maximum === undefined) return minimum === undefined ? '' : `, at least ${minimum}${unit}`;
  return minimum === undefined ? `, at most ${maximum}${unit}` : `, ${minimum} to ${maximum}${unit}`;
}
