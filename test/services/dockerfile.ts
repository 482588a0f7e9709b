/** Reads a Dockerfile and a .dockerignore, as far as this project's go: what it does not know it refuses, so that nothing is overlooked. */

/** One line of a Dockerfile. */
export type Instruction =
  | {
      readonly type: 'COPY';
      readonly from: string | undefined;
      readonly mode: number | undefined;
      readonly sources: readonly string[];
      readonly target: string;
    }
  | { readonly type: 'RUN'; readonly command: string }
  | { readonly type: 'WORKDIR' | 'USER'; readonly value: string }
  | { readonly type: 'ENV'; readonly values: Readonly<Record<string, string>> }
  | { readonly type: 'ENTRYPOINT' | 'CMD' | 'HEALTHCHECK'; readonly words: readonly string[] }
  | { readonly type: 'EXPOSE' };

/** What begins with FROM. */
export interface Stage {
  readonly base: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  readonly arguments: Readonly<Record<string, string>>;
  readonly stages: readonly Stage[];
}

export function parseDockerfile(text: string): Dockerfile {
  const values: Record<string, string> = {};
  const stages: { base: string; name: string | undefined; instructions: Instruction[] }[] = [];
  const lines = text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
  for (const line of lines.filter((each) => each.trim() !== '')) {
    const [word = '', ...rest] = line.split(' ');
    const value = rest.join(' ');
    if (word === 'ARG') {
      const [name = '', given = ''] = value.split('=');
      values[name] = given;
    } else if (word === 'FROM') {
      const [base = '', as, name] = value.replaceAll(/\$\{(\w+)\}/g, (_, variable: string) => values[variable] ?? '').split(' ');
      if (as !== undefined && as !== 'AS') throw new Error(`Unknown: ${line}`);
      stages.push({ base, name, instructions: [] });
    } else {
      stages.at(-1)?.instructions.push(parseInstruction(word, value));
    }
  }
  return { arguments: values, stages };
}

function parseInstruction(word: string, value: string): Instruction {
  switch (word) {
    case 'COPY':
      return parseCopy(value);
    case 'RUN':
      return { type: word, command: value };
    case 'WORKDIR':
    case 'USER':
      return { type: word, value };
    case 'ENV':
      return { type: word, values: Object.fromEntries(value.split(' ').map((pair) => pair.split('=') as [string, string])) };
    case 'ENTRYPOINT':
    case 'CMD':
      return { type: word, words: JSON.parse(value) as string[] };
    case 'HEALTHCHECK':
      return { type: word, words: JSON.parse(value.slice(value.indexOf('CMD ') + 4)) as string[] };
    case 'EXPOSE':
      return { type: word };
    default:
      throw new Error(`Unknown: ${word} ${value}`);
  }
}

function parseCopy(value: string): Instruction {
  const words = value.split(' ');
  const flags = words.filter((word) => word.startsWith('--'));
  const places = words.filter((word) => !word.startsWith('--'));
  let from: string | undefined;
  let mode: number | undefined;
  for (const flag of flags) {
    const [name, given = ''] = flag.split('=');
    if (name === '--from') from = given;
    else if (name === '--chmod') mode = Number.parseInt(given, 8);
    else throw new Error(`Unknown: ${flag}`);
  }
  return { type: 'COPY', from, mode, sources: places.slice(0, -1), target: places.at(-1) as string };
}

/** Whether a path of the checkout is sent to the builder: the last line that is about it says so. */
export function parseIgnore(text: string): (path: string) => boolean {
  const rules = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const matchers = rules.map((rule) => ({ sent: rule.startsWith('!'), matches: matcherOf(rule.replace(/^!/, '')) }));
  return (path) => matchers.findLast(({ matches }) => matches(path))?.sent ?? true;
}

function matcherOf(pattern: string): (path: string) => boolean {
  if (pattern === '*') return () => true;
  const anywhere = /^\*\*\/(\*?)([\w.-]+)$/.exec(pattern);
  if (anywhere !== null) {
    const [, star, name] = anywhere as unknown as [string, string, string];
    return (path) => path.split('/').some((part) => (star === '' ? part === name : part.endsWith(name)));
  }
  if (/[*?[\]]/.test(pattern)) throw new Error(`Unknown: ${pattern}`);
  return (path) => path === pattern || path.startsWith(`${pattern}/`);
}
