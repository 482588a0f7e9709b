/** Names, sizes and contents of files. */
import { describe, expect, it } from 'vitest';
import { codeOnly, withoutComments } from './code-text.js';
import { type ProjectFile, placeOf, projectFiles } from './project-files.js';

/** Names that somebody else's rules demand, by file name. */
const FIXED_NAMES: ReadonlySet<string> = new Set(['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'METHOD.md', 'LICENSE', 'Dockerfile']);
const WORDS_WITHOUT_MEANING = /(?:^|-)(?:util|utils|helper|helpers|impl|misc)(?:-|$)|^(?:default|abstract)-/;
const NAMES_ALLOWED: { readonly [path: string]: string } = {
  'engine/core/src/default-executor.ts': 'it sets what Flink calls the default executor; no other name says so',
};

const LINES_MAX = 400;
/** Longer files, and why they stay in one piece. */
const LONG_FILES: { readonly [path: string]: string } = {
  'engine/core/src/state/heap/heap-model.test.ts': 'the model of keyed state and the commands that are run against it',
  'engine/core/src/runtime/source-input.test.ts': 'one rig of a source, and every rule of watermarks, idleness and alignment',
  'engine/core/src/runtime/task.ts': 'what a task does in a turn, in one state machine',
  'engine/core/src/runtime/task.test.ts': 'one rig of a task, and every rule of its turn',
};

/** Directories that exist on one machine only. */
const MACHINE_PATHS = /(?<![\w.}~])\/(?:work|root)\/|\/home\/[a-z]\w*|\/Users\/[A-Za-z]\w*/g;
/** Beside the checkout; inside of TypeScript it is a path within checkpoints. */
const OUTSIDE_PATH = /\.\.\/shared\b/g;
/** Chapters of a page that is not in the project. */
const OUTSIDE_PAGE = /\bDESIGN \d/g;
const WEB_ADDRESS = /\bhttps?:\/\/([\w.-]+)/g;
/** Hosts that are named or linked to, none to download from. */
const HOSTS: { readonly [host: string]: string } = {
  'www.apache.org': 'the licence',
  'maven.apache.org': 'the name of the schema of pom.xml',
  'www.w3.org': 'the name of the schema of XML schemas',
  'www.nexmark.test': "text of the benchmark's records",
  'keepachangelog.com': 'the form of the changelog',
  'semver.org': 'how versions are numbered',
  localhost: 'this machine',
  '127.0.0.1': 'this machine',
};

const UNFINISHED = /\b(?:TODO|FIXME|HACK)\b/g;
const FOCUSED = /\b(?:describe|it|test|suite|bench)(?:\.\w+)*\.only\b/g;
const SKIPPED = /\b(?:describe|it|test|suite|bench)(?:\.\w+)*\.(?:skip|skipIf|runIf|todo|fails)\b/g;

function places(file: ProjectFile, pattern: RegExp, text: string = file.text): readonly string[] {
  return [...text.matchAll(pattern)].map((match) => `${placeOf(file, match.index)}: ${match[0]}`);
}

function badName(file: ProjectFile): boolean {
  const parts = file.path.split('/');
  const name = parts.pop() as string;
  if (FIXED_NAMES.has(name) || name.startsWith('.') || file.path.endsWith('.java')) return parts.some(isBadPart);
  return [...parts, name.replace(/(?:\.(?:test|test-d|bench|support|property|config|services))*\.\w+$/, '')].some(isBadPart);
}

function isBadPart(part: string): boolean {
  return !/^\.?[a-z0-9]+(?:-[a-z0-9]+)*$/.test(part) || WORDS_WITHOUT_MEANING.test(part);
}

/** Without a comment on its line or the line above that says why. */
function unexplained(file: ProjectFile): readonly string[] {
  const lines = file.text.split('\n');
  return [...codeOnly(file.text).matchAll(SKIPPED)].flatMap((match) => {
    const line = file.text.slice(0, match.index).split('\n').length;
    const near = `${lines[line - 2] ?? ''}\n${lines[line - 1] ?? ''}`;
    return near === withoutComments(near) ? [`${file.path}:${line}: ${match[0]}`] : [];
  });
}

function isCode(file: ProjectFile): boolean {
  return /\.[cm]?[jt]s$/.test(file.path);
}

function foreignHosts(file: ProjectFile): readonly string[] {
  return [...file.text.matchAll(WEB_ADDRESS)]
    .filter((match) => HOSTS[match[1] as string] === undefined)
    .map((match) => `${placeOf(file, match.index)}: ${match[0]}`);
}

describe('files', () => {
  const files = projectFiles();
  /** Without the lock file, which npm writes, and this file, which has samples of all that is forbidden. */
  const written = files.filter(({ path }) => path !== 'package-lock.json' && path !== 'test/tidy/files.test.ts');
  const code = written.filter(isCode);

  it('have names in kebab case that say what is in them', () => {
    expect(written.filter((file) => badName(file) && NAMES_ALLOWED[file.path] === undefined).map(({ path }) => path)).toEqual([]);
  });

  it.each(['src/fileSink.ts', 'src/string-utils.ts', 'src/abstract-source.ts', 'Src/a.ts', 'src/sink-impl.test.ts', 'docs/Concepts.md'])(
    'may not be called %s',
    (path) => {
      expect(badName({ path, text: '' })).toBe(true);
    },
  );

  it.each([
    'src/file-sink.ts',
    'a/heap.test.support.ts',
    'README.md',
    '.ci/run',
    'vitest.services.config.ts',
    'docs/decisions/0001-state-backend.md',
  ])('may be called %s', (path) => {
    expect(badName({ path, text: '' })).toBe(false);
  });

  it(`have at most ${LINES_MAX} lines`, () => {
    const long = code.filter(({ text }) => text.split('\n').length - 1 > LINES_MAX).map(({ path }) => path);
    expect(long.filter((path) => LONG_FILES[path] === undefined)).toEqual([]);
    expect(
      Object.keys(LONG_FILES).filter((path) => !long.includes(path)),
      'these are not long any more',
    ).toEqual([]);
  });

  it('name no directory of one machine', () => {
    expect(written.flatMap((file) => places(file, MACHINE_PATHS))).toEqual([]);
    expect(written.filter((file) => !isCode(file)).flatMap((file) => places(file, OUTSIDE_PATH))).toEqual([]);
  });

  it('refer to no page that is not in the project', () => {
    expect(written.flatMap((file) => places(file, OUTSIDE_PAGE))).toEqual([]);
  });

  it('name only known hosts', () => {
    expect(written.flatMap(foreignHosts)).toEqual([]);
  });

  it('are finished', () => {
    expect(written.flatMap((file) => places(file, UNFINISHED))).toEqual([]);
  });

  it('run all their tests, or say why not', () => {
    expect(code.flatMap((file) => places(file, FOCUSED, codeOnly(file.text)))).toEqual([]);
    expect(code.flatMap(unexplained)).toEqual([]);
  });

  it('are noticed where they break a rule', () => {
    const file = (text: string): ProjectFile => ({ path: 'a.test.ts', text });
    expect(places(file('cd /root/x'), MACHINE_PATHS)).toEqual(['a.test.ts:1: /root/']);
    expect(places(file('a/work/b $HOME/root/c'), MACHINE_PATHS)).toEqual([]);
    expect(foreignHosts(file('see https://mirror.example.org/x'))).toEqual(['a.test.ts:1: https://mirror.example.org']);
    expect(places(file('\nit.only(1)'), FOCUSED)).toEqual(['a.test.ts:2: it.only']);
    expect(places(file('// see DESIGN 5'), OUTSIDE_PAGE)).toEqual(['a.test.ts:1: DESIGN 5']);
    expect(unexplained(file('\nit.skipIf(x)'))).toEqual(['a.test.ts:2: it.skipIf']);
    expect(unexplained(file('// Needs Java.\nit.skipIf(x)'))).toEqual([]);
    expect(unexplained(file('reader.skip(4)'))).toEqual([]);
  });
});
