/** The project's files as the tidy tests see them: everything below the root that .gitignore does not leave out. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A file with its text; the path is relative to the root, with `/`. */
export interface ProjectFile {
  readonly path: string;
  readonly text: string;
}

/** The directory with the lock file; the tests run from source, the page writers from dist. */
export const PROJECT_ROOT: string = findRoot(import.meta.dirname);

function findRoot(start: string): string {
  if (existsSync(join(start, 'package-lock.json'))) return start;
  const parent = dirname(start);
  if (parent === start) throw new Error(`Cannot find the project's root above ${import.meta.dirname}: no package-lock.json.`);
  return findRoot(parent);
}

/** All files in text form. Walked, not asked of git: the tests also run where the project came as an archive. */
export function projectFiles(): readonly ProjectFile[] {
  const ignored = readFileSync(join(PROJECT_ROOT, '.gitignore'), 'utf8').split('\n');
  // In a work tree beside another, .git is a file that says where that is.
  const directories = new Set(['.git', ...ignored.filter((line) => line.endsWith('/')).map((line) => line.slice(0, -1))]);
  const endings = ignored.filter((line) => line.startsWith('*.')).map((line) => line.slice(1));
  const files: ProjectFile[] = [];
  const visit = (directory: string): void => {
    for (const entry of readdirSync(join(PROJECT_ROOT, directory), { withFileTypes: true })) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!directories.has(entry.name)) visit(path);
      } else if (entry.isFile() && entry.name !== '.git' && !endings.some((ending) => entry.name.endsWith(ending))) {
        const text = readFileSync(join(PROJECT_ROOT, path), 'utf8');
        if (!text.includes('\0')) files.push({ path, text });
      }
    }
  };
  visit('');
  return files;
}

/** A test, or what only tests and benchmarks use. */
export function isTestFile(path: string): boolean {
  return path.startsWith('test/') || /\.(test|test\.support|test-d|bench)\.ts$/.test(path);
}

/** "path:line" of an offset. */
export function placeOf(file: ProjectFile, offset: number): string {
  return `${file.path}:${file.text.slice(0, offset).split('\n').length}`;
}
