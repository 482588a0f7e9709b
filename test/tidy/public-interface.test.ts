/** What users import: documented, and typed to the last. */
import { dirname, join } from 'node:path/posix';
import { describe, expect, it } from 'vitest';
import { codeOnly, withoutComments } from './code-text.js';
import { isTestFile, type ProjectFile, placeOf, projectFiles } from './project-files.js';

const ENTRY_POINTS = ['index', 'connector', 'cluster', 'testing'].map((name) => `engine/core/src/${name}.ts`);
const OTHER_ENTRY_POINTS = [
  'engine/cli/src/index.ts',
  'engine/parquet/src/index.ts',
  'engine/s3/src/index.ts',
  'engine/cluster/src/configuration.ts',
];

/** `any` as a type: it switches the compiler off for whoever uses it. */
const ANY = /(?::|\bas|<|,|\||&|=>|\bextends)\s*any\b(?!\s*[:(?])|\bany\[\]/g;

interface Exported {
  readonly name: string;
  /** The file that declares it, or exports it again. */
  readonly from: string;
}

/** The names that a file exports from other files. */
function exportsOf(file: ProjectFile): readonly Exported[] {
  const statements = withoutComments(file.text).matchAll(/\bexport\s+(?:type\s+)?\{([^}]*)\}\s*from\s*'([^']+)'/g);
  return [...statements].flatMap(([, names, from]) =>
    (names as string)
      .split(',')
      .map((name) => name.trim().replace(/^type\s+/, ''))
      .filter((name) => name !== '')
      .map((name) => ({
        name: name.split(/\s+as\s+/, 1)[0] as string,
        from: join(dirname(file.path), (from as string).replace(/\.js$/, '.ts')),
      })),
  );
}

/** Whether a name is declared with a comment for users; undefined if the file does not declare it. */
function isDocumented(text: string, name: string): boolean | undefined {
  const declaration = new RegExp(
    `^export (?:declare )?(?:abstract )?(?:async )?(?:class|function\\*?|const|let|interface|type) ${name}\\b`,
    'm',
  ).exec(text);
  if (declaration === null) return undefined;
  return (
    /\*\/\s*$/.test(text.slice(0, declaration.index)) &&
    text.slice(0, declaration.index).lastIndexOf('/**') > text.slice(0, declaration.index).lastIndexOf('\n}')
  );
}

describe('the public interface', () => {
  const files = new Map(projectFiles().map((file) => [file.path, file]));

  function undocumented({ name, from }: Exported): readonly string[] {
    const file = files.get(from);
    if (file === undefined) return [`${name}: there is no file ${from}`];
    const documented = isDocumented(file.text, name);
    if (documented === true) return [];
    if (documented === false) return [`${name} in ${from} has no comment`];
    const again = exportsOf(file).find((exported) => exported.name === name);
    return again === undefined ? [`${name} is not declared in ${from}`] : undocumented(again);
  }

  it.each([...ENTRY_POINTS, ...OTHER_ENTRY_POINTS])('%s: every export has a comment where it is declared', (path) => {
    const exported = exportsOf(files.get(path) as ProjectFile);
    expect(exported.length).toBeGreaterThan(0);
    expect(exported.flatMap(undocumented)).toEqual([]);
  });

  it('takes a comment for a declaration only if it stands right before it', () => {
    const text =
      '/** A. */\nexport class A {\n  /** x */\n  x = 1;\n}\n\nexport interface B {}\n/**\n * C.\n */\nexport abstract class C {}\n// D.\nexport const D = 1;\n';
    expect(['A', 'B', 'C', 'D', 'E'].map((name) => isDocumented(text, name))).toEqual([true, false, true, false, undefined]);
  });

  it('has no any', () => {
    const sources = [...files.values()].filter(({ path }) => /^(?:engine|examples)\/.*\.ts$/.test(path) && !isTestFile(path));
    const found = sources.flatMap((file) =>
      [...codeOnly(file.text).matchAll(ANY)].map((match) => `${placeOf(file, match.index)}: ${match[0]}`),
    );
    expect(found).toEqual([]);
  });

  it.each(['f(x: any)', 'x as any', 'Map<string, any>', 'Set<any>', 'string | any', 'any[]', '() => any', 'T extends any'])(
    'finds any in %j',
    (text) => {
      expect(text).toMatch(new RegExp(ANY.source));
    },
  );

  it.each(['const company: Company', 'any: 1', 'anything', '{ int32: a, any: b }', 'type X = anyOf'])('finds none in %j', (text) => {
    expect(text).not.toMatch(new RegExp(ANY.source));
  });
});
