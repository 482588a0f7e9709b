/**
 * Puts together what the image needs to run, from a checkout that is installed and built: the files that each package publishes, the
 * packages that they need at run time in the versions of the lock file, and the licences of all of them.
 *
 *     node assemble.ts <directory>     in the root of the checkout; the directory must not exist
 *
 *     <directory>/engine/*                 Millstream's packages
 *                /node_modules             what they need; links to Millstream's packages
 *                /LICENSE, /third-party-licenses.txt
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';

/** In the image; packages with other systems' clients are added by images of their own. */
const PACKAGES = ['core', 'cli', 'cluster', 'parquet', 's3'].map((name) => `engine/${name}`);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

const [target] = process.argv.slice(2);
if (target === undefined) throw new Error('Usage: node assemble.ts <directory>');
if (existsSync(target)) throw new Error(`Cannot put the image together in '${target}': it exists. Remove it.`);

function npm(...words: readonly string[]): string {
  return execFileSync('npm', words, { encoding: 'utf8', maxBuffer: 64 << 20, stdio: ['ignore', 'pipe', 'inherit'] });
}

function manifestOf(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest;
}

function copy(file: string): void {
  cpSync(file, join(target as string, file), { recursive: true });
}

const workspaces = PACKAGES.flatMap((directory) => ['--workspace', directory]);

for (const { name, files } of JSON.parse(npm('pack', '--dry-run', '--json', '--ignore-scripts', ...workspaces)) as {
  readonly name: string;
  readonly files: readonly { readonly path: string }[];
}[]) {
  const directory = PACKAGES.find((each) => manifestOf(each).name === name) as string;
  if (!files.some(({ path }) => path.startsWith('dist/'))) throw new Error(`Cannot put the image together: ${directory} is not built.`);
  for (const { path } of files) copy(join(directory, path));
  const link = join(target, 'node_modules', name);
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(relative(dirname(link), join(target, directory)), link);
}

const root = process.cwd() + sep;
const needed = npm('ls', '--omit=dev', '--all', '--parseable', ...workspaces)
  .split('\n')
  .filter((path) => path.startsWith(root))
  .map((path) => path.slice(root.length))
  .filter(
    (path) => path.startsWith('node_modules') && !PACKAGES.some((directory) => join('node_modules', manifestOf(directory).name) === path),
  );

for (const directory of needed) {
  // Packages within packages have lines of their own: development needs others than these.
  cpSync(directory, join(target, directory), {
    recursive: true,
    filter: (path) => !relative(directory, path).split(sep).includes('node_modules'),
  });
}

/** A package's name, version and licence, with the text if it has one. */
function licenceOf(directory: string): string {
  const { name, version, license = 'see its files' } = manifestOf(directory);
  const texts = readdirSync(directory).filter((file) => /^(?:licen[cs]e|notice|copying)/i.test(file));
  return [`${name} ${version}: ${license}`, ...texts.map((file) => readFileSync(join(directory, file), 'utf8').trim())].join('\n\n');
}

copy('LICENSE');
writeFileSync(join(target, 'third-party-licenses.txt'), `${needed.map(licenceOf).join(`\n\n${'-'.repeat(80)}\n\n`)}\n`);
