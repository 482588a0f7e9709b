/** Manifests, the lock file, and the commands that the documentation names. */
import { describe, expect, it } from 'vitest';
import { projectFiles } from './project-files.js';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly private?: boolean;
  readonly files?: readonly string[];
  readonly engines?: { readonly node?: string };
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface LockedPackage {
  readonly resolved?: string;
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The lock file's packages by their place, "node_modules/a/node_modules/b". */
type LockedPackages = Readonly<Record<string, LockedPackage>>;

const EXACT = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/;
const PUBLISHED_ENGINES = '>=22.18';

function inexact(manifest: Manifest): readonly string[] {
  const { dependencies, devDependencies, peerDependencies, optionalDependencies } = manifest;
  const all = { ...dependencies, ...devDependencies, ...peerDependencies, ...optionalDependencies };
  return Object.entries(all)
    .filter(([, version]) => !EXACT.test(version))
    .map(([name, version]) => `${name}@${version}`);
}

/** Versions that differ from the workspace's for packages of the workspace. */
function strayVersions(manifest: Manifest, packages: ReadonlySet<string>, version: string): readonly string[] {
  const { dependencies, devDependencies, peerDependencies } = manifest;
  return Object.entries({ ...dependencies, ...devDependencies, ...peerDependencies })
    .filter(([name, wanted]) => packages.has(name) && wanted !== version)
    .map(([name, wanted]) => `${name}@${wanted}`);
}

/** Whether `name` is found from `place`, as Node would find it. */
function isLocked(packages: LockedPackages, place: string, name: string): boolean {
  if (packages[`${place === '' ? '' : `${place}/`}node_modules/${name}`] !== undefined) return true;
  return place !== '' && isLocked(packages, place.slice(0, Math.max(0, place.lastIndexOf('/node_modules/'))), name);
}

/** Packages for other platforms that npm left out because the registry did not offer them; `npm ci` refuses such a lock file. */
function missingPlatforms(packages: LockedPackages): readonly string[] {
  return Object.entries(packages).flatMap(([place, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => !isLocked(packages, place, name)),
  );
}

/** Scripts that a text tells the reader to run. */
function scriptsNamed(text: string): readonly string[] {
  const runs = [...text.matchAll(/\bnpm run ([a-z][\w:-]*)/g)].map((match) => match[1] as string);
  const short = [...text.matchAll(/\bnpm (start|test)\b/g)].map((match) => match[1] as string);
  return [...runs, ...short];
}

describe('packages', () => {
  const files = projectFiles();
  const textOf = (path: string): string => files.find((file) => file.path === path)?.text ?? '';
  const manifests = files
    .filter(({ path }) => /(?:^|\/)package\.json$/.test(path))
    .map(({ path, text }): readonly [string, Manifest] => [path, JSON.parse(text) as Manifest]);
  const workspace = JSON.parse(textOf('package.json')) as Manifest;
  const names = new Set(manifests.map(([, manifest]) => manifest.name));
  const locked = (JSON.parse(textOf('package-lock.json')) as { readonly packages: LockedPackages }).packages;

  it.each(manifests)('%s has a licence, exact versions, and the version of all', (path, manifest) => {
    expect(manifest.license).toBe('Apache-2.0');
    expect(manifest.version).toBe(workspace.version);
    expect(inexact(manifest)).toEqual([]);
    expect(strayVersions(manifest, names, workspace.version)).toEqual([]);
    if (manifest.private !== true) expect(manifest.engines?.node, path).toBe(PUBLISHED_ENGINES);
  });

  it.each(manifests.filter(([, { private: isPrivate }]) => isPrivate !== true))('%s is published with the licence', (path, manifest) => {
    expect(manifest.files).toContain('LICENSE');
    expect(textOf(path.replace(/package\.json$/, 'LICENSE'))).toBe(textOf('LICENSE'));
    expect(textOf('LICENSE')).toContain('Apache License');
  });

  it('of the workspace are in the lock file with their versions', () => {
    const folders = manifests.map(([path]) => path.replace(/\/?package\.json$/, ''));
    expect(folders.filter((folder) => locked[folder] === undefined)).toEqual([]);
    expect(folders.map((folder) => locked[folder]?.version).filter((version) => version !== workspace.version)).toEqual([]);
  });

  it('are not tied to the place that they were downloaded from', () => {
    const addresses = Object.entries(locked).filter(([, entry]) => entry.resolved !== undefined && /^\w+:\/\//.test(entry.resolved));
    expect(addresses).toEqual([]);
  });

  it('are locked for all platforms', () => {
    expect(missingPlatforms(locked)).toEqual([]);
  });

  it('are found out where they break a rule', () => {
    const tool = { optionalDependencies: { 'tool-linux': '1.0.0', 'tool-mac': '1.0.0' } };
    const packages = {
      '': {},
      'node_modules/a/node_modules/tool': tool,
      'node_modules/a/node_modules/tool-mac': {},
      'node_modules/b': tool,
    };
    expect(missingPlatforms({ ...packages, 'node_modules/tool-linux': {} })).toEqual(['tool-mac']);
    const manifest = {
      name: 'x',
      version: '0.1.0',
      dependencies: { a: '^1.0.0', b: '1.2.3', millstream: '0.0.9' },
      devDependencies: { c: 'latest' },
    };
    expect(inexact(manifest)).toEqual(['a@^1.0.0', 'c@latest']);
    expect(strayVersions(manifest, new Set(['millstream']), '0.1.0')).toEqual(['millstream@0.0.9']);
  });
});

describe('documentation', () => {
  const files = projectFiles();
  const manifest = JSON.parse(files.find(({ path }) => path === 'package.json')?.text ?? '{}') as Manifest;

  it('names only scripts that there are', () => {
    const scripts = new Set(Object.keys(manifest.scripts ?? {}));
    const pages = files.filter(({ path }) => path.endsWith('.md') || path === '.ci/run');
    const missing = pages.flatMap(({ path, text }) =>
      scriptsNamed(text)
        .filter((name) => !scripts.has(name))
        .map((name) => `${path}: ${name}`),
    );
    expect(missing).toEqual([]);
  });

  it('starts with the two commands', () => {
    const readme = files.find(({ path }) => path === 'README.md')?.text ?? '';
    expect(readme).toContain('npm ci && npm start');
    expect(readme).toContain('npm ci && npm test');
  });

  it('is read for scripts', () => {
    expect(scriptsNamed('`npm ci && npm test`, then `npm run test:services` or npm run bench -- w4')).toEqual([
      'test:services',
      'bench',
      'test',
    ]);
  });
});
