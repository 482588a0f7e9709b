/** Who may import whom inside the engine, as data. */
import { dirname, join } from 'node:path/posix';
import { describe, expect, it } from 'vitest';
import { importsOf, withoutComments } from './code-text.js';
import { isTestFile, type ProjectFile, projectFiles } from './project-files.js';

/** Folders of engine/core/src from the top down. Each imports only from rows below its own; folders of one row don't import each other. */
const LAYERS: readonly (readonly string[])[] = [
  ['testing'],
  ['cluster'],
  ['table', 'runtime'],
  ['api'],
  ['operators'],
  ['connector'],
  ['checkpoint', 'network'],
  ['plan'],
  ['state', 'time'],
  ['codec', 'metrics', 'config'],
  ['common'],
];

/** The package's entry points, which compose all folders. Nobody imports them. */
const ENTRY_POINTS: ReadonlySet<string> = new Set(['index.ts', 'cluster.ts', 'connector.ts', 'testing.ts', 'default-executor.ts']);

/** Contracts that lower folders name as types only; nothing of them is left when the code runs. */
const TYPE_ONLY: readonly { readonly folder: string; readonly target: string; readonly reason: string }[] = [
  { folder: 'plan', target: 'operators/operator.js', reason: 'a program is a plan together with the implementations of its operators' },
];

const SOURCES = 'engine/core/src/';

function rowOf(folder: string): number {
  return LAYERS.findIndex((row) => row.includes(folder));
}

function violationsOf(file: ProjectFile): readonly string[] {
  const path = file.path.slice(SOURCES.length);
  const folder = path.includes('/') ? (path.split('/', 1)[0] as string) : undefined;
  if (folder === undefined && !ENTRY_POINTS.has(path) && !isTestFile(path)) return [`${file.path} lies in no folder`];
  if (folder !== undefined && rowOf(folder) < 0) return [`${file.path}: the folder '${folder}' is in no layer`];
  return importsOf(file.text).flatMap((specifier) => importViolation(file, path, folder, specifier));
}

function importViolation(file: ProjectFile, path: string, folder: string | undefined, specifier: string): readonly string[] {
  if (!specifier.startsWith('.')) {
    if (specifier.startsWith('node:') || isTestFile(path)) return [];
    return [`${file.path} imports '${specifier}': millstream has no dependencies`];
  }
  const target = join(dirname(path), specifier);
  if (target.startsWith('..')) {
    if (isTestFile(path)) return [];
    return [`${file.path} imports '${specifier}', which is outside of the package's sources`];
  }
  if (folder === undefined) return [];
  const targetFolder = target.includes('/') ? (target.split('/', 1)[0] as string) : undefined;
  if (targetFolder === undefined) return isTestFile(path) ? [] : [`${file.path} imports the entry point '${target}'`];
  if (targetFolder === folder || rowOf(targetFolder) > rowOf(folder)) return [];
  if (targetFolder === 'testing' && isTestFile(path)) return [];
  if (TYPE_ONLY.some((exception) => exception.folder === folder && exception.target === target) && isTypeOnly(file, specifier)) return [];
  return [`${file.path} imports '${target}': ${folder} is not above ${targetFolder}`];
}

function isTypeOnly(file: ProjectFile, specifier: string): boolean {
  const statements = withoutComments(file.text)
    .split(';')
    .filter((statement) => statement.includes(`'${specifier}'`));
  return statements.every((statement) => /^\s*import type\b/.test(statement));
}

function sources(): readonly ProjectFile[] {
  return projectFiles().filter(({ path }) => path.startsWith(SOURCES) && path.endsWith('.ts'));
}

describe('layers of the engine', () => {
  it('finds imports only downwards', () => {
    const files = sources();
    expect(files.length).toBeGreaterThan(100);
    expect(files.flatMap(violationsOf)).toEqual([]);
  });

  it.each([
    ['common/a.ts', "import '../codec/b.js';", 'common is not above codec'],
    ['network/a.ts', "import '../checkpoint/b.js';", 'network is not above checkpoint'],
    ['runtime/a.ts', "const x = await import('../cluster/b.js');", 'runtime is not above cluster'],
    ['plan/a.ts', "import { x } from '../operators/operator.js';", 'plan is not above operators'],
    ['plan/a.ts', "import type { x } from '../operators/map.js';", 'plan is not above operators'],
    ['api/a.ts', "import '../index.js';", "imports the entry point 'index.js'"],
    ['api/a.ts', "import lodash from 'lodash';", 'has no dependencies'],
    ['api/a.ts', "import '../testing/b.js';", 'api is not above testing'],
    ['api/a.ts', "import '../../dist/b.js';", 'outside'],
    ['shared/a.ts', '', "the folder 'shared' is in no layer"],
    ['stray.ts', '', 'lies in no folder'],
  ])('refuses %s with %j', (path, text, expected) => {
    expect(violationsOf({ path: SOURCES + path, text }).join('\n')).toContain(expected);
  });

  it.each([
    ['cluster/a.ts', "import '../common/b.js'; import './c.js'; import 'node:fs';"],
    ['index.ts', "import './cluster/b.js';"],
    ['plan/a.ts', "import type { x } from '../operators/operator.js';"],
    ['codec/a.test.ts', "import '../testing/b.js'; import 'fast-check';"],
  ])('accepts %s with %j', (path, text) => {
    expect(violationsOf({ path: SOURCES + path, text })).toEqual([]);
  });
});
