/**
 * The programs that a process of a cluster has: modules by the hash of their content, as files, for threads to import.
 *
 *     <directory>/<hash>.mjs        <directory>/node_modules ─▶ the packages of this installation: programs import Millstream from there
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MillstreamError } from '../common/errors.js';
import type { ArtifactModule } from './control-messages.js';

/** The hash that names a module. */
export function moduleHash(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** The programs that a process has. */
export interface ProgramStore {
  /** Throws ARTIFACT_CORRUPT if the content is not what its hash says. */
  add(module: ArtifactModule): void;
  /** Undefined if the module never came. */
  urlOf(hash: string): string | undefined;
  /** Evaluates a module, anew each time. `argv`: what it sees as `process.argv` from its name on. */
  load(url: string, argv: readonly string[]): Promise<{ readonly default?: unknown }>;
}

/** The programs that a process has, as files to import. */
export class ProgramModules implements ProgramStore {
  private readonly directory: string;
  private readonly known = new Set<string>();

  /** `directory`: of this process alone. */
  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(directory, { recursive: true });
    const packages = installedPackages();
    if (packages !== undefined) symlinkSync(packages, join(directory, 'node_modules'), 'junction');
  }

  /** Writes a module's file, unless it is there: a thread may be reading it. Throws ARTIFACT_CORRUPT if its content is not what its hash says. */
  add({ hash, content }: ArtifactModule): void {
    const actual = moduleHash(content);
    if (actual !== hash) {
      throw new MillstreamError(
        'ARTIFACT_CORRUPT',
        `Cannot use the program ${hash}: the hash of what arrived is ${actual}. It was damaged or replaced on the way; submit it again.`,
      );
    }
    if (this.known.has(hash) && existsSync(this.pathOf(hash))) return;
    writeFileSync(this.pathOf(hash), content);
    this.known.add(hash);
  }

  /** The URL to import; undefined if the module never came. */
  urlOf(hash: string): string | undefined {
    return this.known.has(hash) ? pathToFileURL(this.pathOf(hash)).href : undefined;
  }

  private loads = 0;

  async load(url: string, argv: readonly string[]): Promise<{ readonly default?: unknown }> {
    process.argv.splice(1, process.argv.length, ...argv);
    this.loads++;
    return (await import(`${url}#${this.loads}`)) as { readonly default?: unknown };
  }

  private pathOf(hash: string): string {
    return join(this.directory, `${hash}.mjs`);
  }
}

/** The node_modules directory that this copy of Millstream is installed in; in a workspace, the workspace's. */
function installedPackages(): string | undefined {
  let resolved: string;
  try {
    resolved = fileURLToPath(import.meta.resolve('millstream'));
  } catch {
    return undefined;
  }
  const own = `${sep}node_modules${sep}millstream${sep}`;
  const at = resolved.lastIndexOf(own);
  if (at >= 0) return resolved.slice(0, at + own.length - `millstream${sep}`.length - 1);
  // Linked: engine/core/dist of a checkout whose node_modules links to it.
  return join(dirname(resolved), '..', '..', '..', 'node_modules');
}
