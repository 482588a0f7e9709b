/**
 * All places where checkpoints can lie, told apart by how a path begins: without a scheme the machine's disk, `s3://bucket/…` a bucket.
 * Object stores come with packages of their own, which are loaded by name when the first of their paths is opened.
 */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { Clock } from '../common/clock.js';
import type { Disk } from '../common/disk.js';
import { storageRoot } from '../common/disk-path.js';
import { MillstreamError } from '../common/errors.js';
import type { Random } from '../common/random.js';
import type { CheckpointFiles, CheckpointFileWriter } from './checkpoint-files.js';
import { DeferredFile } from './deferred-file.js';
import { DiskCheckpointFiles } from './disk-checkpoint-files.js';
import type { Register } from './register.js';

/** Options of one kind of store, as its package takes them; plain data, without a key that the package does not know. */
export type StorageOptions = { readonly [option: string]: string | number | boolean | undefined };

/** What the package of a store exports. */
export interface StoragePackage {
  /** `authority`: what follows the scheme, the bucket. */
  openCheckpointFiles(authority: string, options: StorageOptions, clock: Clock, random: Random): CheckpointFiles;
}

/** What file systems are made of. */
export interface FileSystemsOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  /** By scheme. */
  readonly options?: { readonly [scheme: string]: StorageOptions };
  /** Loads the package of a scheme. Default: by its name. */
  readonly load?: (packageName: string) => Promise<StoragePackage>;
}

/** The packages by scheme. */
const PACKAGES: { readonly [scheme: string]: string } = { s3: '@millstream/s3' };

/** See the head of this file. */
export class FileSystems implements CheckpointFiles {
  private readonly options: FileSystemsOptions;
  private readonly disk: CheckpointFiles;
  /** By root: 's3://bucket'. */
  private readonly opening = new Map<string, Promise<CheckpointFiles>>();
  private readonly opened = new Map<string, CheckpointFiles>();

  constructor(options: FileSystemsOptions) {
    this.options = options;
    this.disk = new DiskCheckpointFiles(options.disk);
  }

  /** Finds out early whether there can be files below a path. Throws STORAGE_UNKNOWN, PACKAGE_NOT_INSTALLED, INVALID_OPTION. */
  async open(path: string): Promise<void> {
    await this.of(path);
  }

  create(path: string, what: string): CheckpointFileWriter {
    const root = storageRoot(path);
    const files = root === undefined ? this.disk : this.opened.get(root);
    // Creating is synchronous, loading a package is not.
    return files?.create(path, what) ?? new DeferredFile(this.of(path).then((opened) => opened.create(path, what)));
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    return await (await this.of(path)).read(path);
  }

  async exists(path: string): Promise<boolean> {
    return await (await this.of(path)).exists(path);
  }

  async remove(path: string): Promise<void> {
    await (await this.of(path)).remove(path);
  }

  async list(directory: string): Promise<string[]> {
    return await (await this.of(directory)).list(directory);
  }

  async removeUnfinished(directory: string, isGarbage: (name: string) => boolean): Promise<void> {
    await (await this.of(directory)).removeUnfinished(directory, isGarbage);
  }

  async prepareDirectory(directory: string): Promise<void> {
    await (await this.of(directory)).prepareDirectory(directory);
  }

  async makeDirectory(directory: string): Promise<void> {
    await (await this.of(directory)).makeDirectory(directory);
  }

  async removeDirectory(directory: string): Promise<void> {
    await (await this.of(directory)).removeDirectory(directory);
  }

  async replace(path: string, content: Uint8Array): Promise<void> {
    await (await this.of(path)).replace(path, content);
  }

  register(path: string, writer: string): Register {
    let register: Register | undefined;
    const opened = async (): Promise<Register> => {
      register ??= (await this.of(path)).register(path, writer);
      return register;
    };
    return {
      read: async () => await (await opened()).read(),
      compareAndSet: async (expected, content) => await (await opened()).compareAndSet(expected, content),
      removeLeftovers: async () => await (await opened()).removeLeftovers(),
      locationOf: (version) => register?.locationOf(version) ?? path,
    };
  }

  private async of(path: string): Promise<CheckpointFiles> {
    const root = storageRoot(path);
    if (root === undefined) return this.disk;
    let opening = this.opening.get(root);
    if (opening === undefined) {
      opening = this.openRoot(root);
      this.opening.set(root, opening);
      opening.catch(() => this.opening.delete(root));
    }
    return await opening;
  }

  private async openRoot(root: string): Promise<CheckpointFiles> {
    const [scheme = '', authority = ''] = root.split('://');
    const name = PACKAGES[scheme];
    if (name === undefined || authority === '') throw unknownStorage(root, name);
    const { clock, random, options = {}, load = loadPackage } = this.options;
    const files = (await load(name)).openCheckpointFiles(authority, options[scheme] ?? {}, clock, random);
    this.opened.set(root, files);
    return files;
  }
}

function unknownStorage(root: string, packageName: string | undefined): MillstreamError {
  const found = packageName === undefined ? 'there is no such kind of storage' : 'it names no bucket';
  const known = Object.keys(PACKAGES).map((scheme) => `${scheme}://bucket/path`);
  return new MillstreamError(
    'STORAGE_UNKNOWN',
    `Cannot use '${root}' for checkpoints: ${found}. Give a directory of this machine, or ${known.join(' or ')}.`,
    { details: { root } },
  );
}

/** From where Millstream is, else from where the process was started: package managers need not show the one to the other. */
async function loadPackage(name: string): Promise<StoragePackage> {
  let cause: unknown;
  for (const resolve of [() => name, () => pathToFileURL(createRequire(`${process.cwd()}/`).resolve(name)).href]) {
    try {
      return (await import(resolve())) as StoragePackage;
    } catch (error) {
      const code = (error as { readonly code?: unknown }).code;
      if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw error;
      cause = error;
    }
  }
  throw new MillstreamError(
    'PACKAGE_NOT_INSTALLED',
    `Cannot load ${name}: it is not installed, and execution.checkpointing.dir (or a path of a checkpoint) needs it. Run: npm install ${name}`,
    { details: { package: name }, cause },
  );
}
