/**
 * Bundles a program into one ES module with a source map, so that every attempt of a job runs the same code whatever happens to the
 * files meanwhile. Millstream's packages and packages with native code stay outside; they are imported by the place where the program
 * would have found them.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve as resolvePath } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  type BuildFailure,
  build,
  type Loader,
  type Message,
  type OnResolveArgs,
  type OnResolveResult,
  type Plugin,
  type PluginBuild,
} from 'esbuild';
import { MillstreamError } from 'millstream';

/** A program in one module. */
export interface Bundle {
  /** URL of the module; of each call another one, since Node evaluates a URL once. */
  readonly url: string;
  readonly contentHash: string;
  /** Deletes the file; also done when the process ends. */
  remove(): void;
}

let bundles = 0;

/**
 * The text of a bundle that runs on other machines: packages that stay outside are imported by name, from where Millstream is installed
 * there. Throws PROGRAM_NOT_FOUND, PROGRAM_INVALID.
 */
export async function bundleForCluster(path: string): Promise<string> {
  const entry = programFile(path);
  return await bundleText(entry, realpathSync(dirname(entry)), path, portablePackages);
}

/** Bundles the program at `path`. Throws PROGRAM_NOT_FOUND, PROGRAM_INVALID. */
export async function bundleProgram(path: string): Promise<Bundle> {
  const entry = programFile(path);
  // Node takes a module's URL with links resolved, and so the paths in its source map.
  const directory = realpathSync(await writableDirectory(dirname(entry)));
  removeLeftovers(directory);
  const code = await bundleText(entry, directory, path, externalPackages);
  const contentHash = createHash('sha256').update(code).digest('hex').slice(0, 16);
  bundles++;
  const file = join(directory, `program-${contentHash}-${process.pid}-${bundles}.mjs`);
  await writeFile(file, code);
  const remove = (): void => {
    process.off('exit', remove);
    rmSync(file, { force: true });
  };
  process.on('exit', remove);
  return { url: pathToFileURL(file).href, contentHash, remove };
}

/** The program's absolute path. Throws PROGRAM_NOT_FOUND. */
function programFile(path: string): string {
  const entry = resolvePath(path);
  if (existsSync(entry) && statSync(entry).isFile()) return entry;
  const found = existsSync(entry) ? 'it is a directory' : 'there is no such file';
  throw new MillstreamError('PROGRAM_NOT_FOUND', `Cannot run "${path}": ${found}. Give the path of a TypeScript or JavaScript program.`);
}

/** Bundles of processes that were killed. */
function removeLeftovers(directory: string): void {
  for (const name of readdirSync(directory)) {
    const owner = /^program-[0-9a-f]+-(\d+)-\d+\.mjs$/.exec(name)?.[1];
    if (owner === undefined || isAlive(Number(owner))) continue;
    rmSync(join(directory, name), { force: true });
  }
}

function isAlive(owner: number): boolean {
  try {
    return process.kill(owner, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

async function bundleText(entry: string, directory: string, shown: string, packages: Plugin): Promise<string> {
  try {
    const result = await build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      // Not written by esbuild; the source map's paths are relative to it.
      outfile: join(directory, 'program.mjs'),
      format: 'esm',
      platform: 'node',
      target: 'node22',
      sourcemap: 'inline',
      sourcesContent: false,
      logLevel: 'silent',
      // Bundled CommonJS packages call require for Node's own modules.
      banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
      plugins: [packages, ownLocation],
    });
    return result.outputFiles[0]?.text ?? '';
  } catch (error) {
    const { errors } = error as BuildFailure;
    if (errors === undefined) throw error;
    throw new MillstreamError(
      'PROGRAM_INVALID',
      `Cannot run "${shown}", it does not build:\n${errors.map((each) => describe(each, shown)).join('\n')}`,
    );
  }
}

function describe({ location, text }: Message, shown: string): string {
  const place = location === null ? shown : `${location.file}:${location.line}:${location.column + 1}`;
  const missing = /^Could not resolve "([^"]+)"/.exec(text)?.[1];
  if (missing === undefined || /^[./]/.test(missing)) return `  ${place}: ${text}`;
  return `  ${place}: Could not resolve "${missing}". Is it installed? npm install ${packageName(missing)}`;
}

/** `import.meta.url` and its kin mean the file they are written in, not the bundle. */
const ownLocation: Plugin = {
  name: 'own-location',
  setup(bundler) {
    bundler.onLoad({ filter: /\.[cm]?[jt]sx?$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      if (!source.includes('import.meta')) return undefined;
      const loader = /\.[cm]?(ts|tsx|jsx)$/.exec(path)?.[1] as Loader | undefined;
      const { code } = await bundler.esbuild.transform(source, {
        loader: loader ?? 'js',
        target: 'node22',
        sourcefile: path,
        sourcemap: 'inline',
        sourcesContent: false,
        define: {
          'import.meta.url': JSON.stringify(pathToFileURL(path).href),
          'import.meta.dirname': JSON.stringify(dirname(path)),
          'import.meta.filename': JSON.stringify(path),
        },
      });
      return { contents: code, loader: 'js' };
    });
  },
};

/** Where the bundle lies: beside the program's packages if possible. */
async function writableDirectory(start: string): Promise<string> {
  for (let at = start; ; at = dirname(at)) {
    if (existsSync(join(at, 'node_modules'))) {
      const directory = join(at, 'node_modules', '.cache', 'millstream');
      try {
        await mkdir(directory, { recursive: true });
        return directory;
      } catch {
        break;
      }
    }
    if (dirname(at) === at) break;
  }
  const directory = join(tmpdir(), 'millstream-programs');
  await mkdir(directory, { recursive: true });
  return directory;
}

/** Marks our own resolve calls, so that the plugin leaves them alone. */
const RESOLVING: unique symbol = Symbol('resolving');

const externalPackages: Plugin = {
  name: 'external-packages',
  setup(bundler) {
    bundler.onResolve({ filter: /^[^./]/ }, async (args) => await resolvePackage(bundler, args));
  },
};

const portablePackages: Plugin = {
  name: 'portable-packages',
  setup(bundler) {
    bundler.onResolve({ filter: /^[^./]/ }, async (args) => {
      const resolved = await resolvePackage(bundler, args);
      return resolved?.external === true ? { path: args.path, external: true } : resolved;
    });
  },
};

async function resolvePackage(bundler: PluginBuild, args: OnResolveArgs): Promise<OnResolveResult | undefined> {
  if (args.pluginData === RESOLVING || args.kind === 'entry-point' || isBuiltin(args.path)) return undefined;
  const outside = args.path === 'millstream' || args.path.startsWith('millstream/') || args.path.startsWith('@millstream/');
  if (!outside && !(await hasNativeCode(args.path, args.resolveDir))) return undefined;
  const resolved = await bundler.resolve(args.path, {
    kind: args.kind,
    resolveDir: args.resolveDir,
    importer: args.importer,
    pluginData: RESOLVING,
  });
  if (resolved.errors.length > 0) return { errors: resolved.errors };
  return { path: pathToFileURL(resolved.path).href, external: true };
}

/** Packages that load a binary, by what their package.json says. */
async function hasNativeCode(specifier: string, directory: string): Promise<boolean> {
  const name = packageName(specifier);
  for (let at = directory; ; at = dirname(at)) {
    const file = join(at, 'node_modules', name, 'package.json');
    if (existsSync(file)) {
      const manifest = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
      const optional = Object.keys((manifest.optionalDependencies as Record<string, string> | undefined) ?? {});
      return (
        'gypfile' in manifest ||
        'binary' in manifest ||
        'napi' in manifest ||
        optional.some((other) => /linux-(x64|arm64)|darwin-arm64|win32-x64/.test(other))
      );
    }
    if (dirname(at) === at) return false;
  }
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
