/**
 * Bundles a program into one ES module with a source map, so that every attempt of a job runs the same code whatever happens to the
 * files meanwhile. Millstream's packages and packages with native code stay outside; they are imported by the place where the program
 * would have found them.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve as resolvePath } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type BuildFailure, type OnResolveArgs, type OnResolveResult, type Plugin, type PluginBuild } from 'esbuild';
import { MillstreamError } from 'millstream';

export interface Bundle {
  /** URL of the module; `contentHash` is in its name. */
  readonly url: string;
  readonly contentHash: string;
}

/** Bundles the program at `path`. Throws PROGRAM_NOT_FOUND, PROGRAM_INVALID. */
export async function bundleProgram(path: string): Promise<Bundle> {
  const entry = resolvePath(path);
  if (!existsSync(entry)) {
    throw new MillstreamError('PROGRAM_NOT_FOUND', `Cannot run "${path}": there is no such file. Give the path of a TypeScript or JavaScript program.`);
  }
  const code = await bundleText(entry, path);
  const contentHash = createHash('sha256').update(code).digest('hex').slice(0, 16);
  const directory = await writableDirectory(dirname(entry));
  const file = join(directory, `program-${contentHash}.mjs`);
  await writeFile(file, code);
  return { url: pathToFileURL(file).href, contentHash };
}

async function bundleText(entry: string, shown: string): Promise<string> {
  try {
    const result = await build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'node',
      target: 'node22',
      sourcemap: 'inline',
      sourcesContent: false,
      logLevel: 'silent',
      // Bundled CommonJS packages call require for Node's own modules.
      banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
      define: { 'import.meta.url': JSON.stringify(pathToFileURL(entry).href), 'import.meta.dirname': JSON.stringify(dirname(entry)), 'import.meta.filename': JSON.stringify(entry) },
      plugins: [externalPackages],
    });
    return result.outputFiles[0]?.text ?? '';
  } catch (error) {
    const { errors } = error as BuildFailure;
    if (errors === undefined) throw error;
    const list = errors.map((each) => `${each.location?.file ?? shown}:${each.location?.line ?? 0}: ${each.text}`).join('\n');
    throw new MillstreamError('PROGRAM_INVALID', `Cannot bundle "${shown}":\n${list}`);
  }
}

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

async function resolvePackage(bundler: PluginBuild, args: OnResolveArgs): Promise<OnResolveResult | undefined> {
  if (args.pluginData === RESOLVING || args.kind === 'entry-point' || isBuiltin(args.path)) return undefined;
  const outside = args.path === 'millstream' || args.path.startsWith('millstream/') || args.path.startsWith('@millstream/');
  if (!outside && !(await hasNativeCode(args.path, args.resolveDir))) return undefined;
  const resolved = await bundler.resolve(args.path, { kind: args.kind, resolveDir: args.resolveDir, importer: args.importer, pluginData: RESOLVING });
  if (resolved.errors.length > 0) return { errors: resolved.errors };
  return { path: pathToFileURL(resolved.path).href, external: true };
}

/** Packages that load a binary, by what their package.json says. */
async function hasNativeCode(specifier: string, directory: string): Promise<boolean> {
  const name = specifier.startsWith('@') ? specifier.split('/', 2).join('/') : (specifier.split('/', 1)[0] as string);
  for (let at = directory; ; at = dirname(at)) {
    const file = join(at, 'node_modules', name, 'package.json');
    if (existsSync(file)) {
      const manifest = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
      const optional = Object.keys((manifest.optionalDependencies as Record<string, string> | undefined) ?? {});
      return 'gypfile' in manifest || 'binary' in manifest || 'napi' in manifest || optional.some((other) => /linux-(x64|arm64)|darwin-arm64|win32-x64/.test(other));
    }
    if (dirname(at) === at) return false;
  }
}
