/** Checkpoints in an object store (checkpoint-files.ts): there are no directories, and what is written is whole and durable at once. */
import { invariant } from '../common/errors.js';
import type { ObjectStore } from '../common/object-store.js';
import type { CheckpointFiles, CheckpointFileWriter } from './checkpoint-files.js';
import { ObjectFile } from './object-file.js';
import { ObjectRegister } from './object-register.js';
import type { Register } from './register.js';

/** How large files are uploaded. */
export interface ObjectUploadOptions {
  /** Bytes of a part; a file of at most this many goes in one request. Default: 8 MiB. S3's least: 5 MiB. */
  readonly partBytes?: number;
  /** Parts of a file that travel at the same time. Default: 4. */
  readonly parallelParts?: number;
}

/** See the head of this file. */
export class ObjectCheckpointFiles implements CheckpointFiles {
  private readonly store: ObjectStore;
  private readonly upload: ObjectUploadOptions;

  /** Paths begin with `store.root`. */
  constructor(store: ObjectStore, upload: ObjectUploadOptions = {}) {
    this.store = store;
    this.upload = upload;
  }

  create(path: string, what: string): CheckpointFileWriter {
    return new ObjectFile(this.store, this.keyOf(path), what, this.upload);
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    return (await this.store.get(this.keyOf(path)))?.content;
  }

  async exists(path: string): Promise<boolean> {
    const key = this.keyOf(path);
    if (key !== '' && (await this.store.sizeOf(key)) !== undefined) return true;
    return (await this.store.list(key === '' ? '' : `${key}/`, 1)).length > 0;
  }

  async remove(path: string): Promise<void> {
    await this.store.delete(this.keyOf(path));
  }

  async list(directory: string): Promise<string[]> {
    const key = this.keyOf(directory);
    return await this.store.list(key === '' ? '' : `${key}/`);
  }

  async removeUnfinished(directory: string, isGarbage: (name: string) => boolean): Promise<void> {
    const prefix = `${this.keyOf(directory)}/`;
    for (const { key, upload } of await this.store.unfinishedUploads(prefix)) {
      if (isGarbage(key.slice(prefix.length))) await this.store.abortUpload(key, upload);
    }
  }

  async prepareDirectory(directory: string): Promise<void> {
    // A bucket that is missing, closed or out of reach is to be found before the first checkpoint.
    await this.exists(directory);
  }

  async makeDirectory(): Promise<void> {}

  async removeDirectory(): Promise<void> {}

  async replace(path: string, content: Uint8Array): Promise<void> {
    await this.store.put(this.keyOf(path), content);
  }

  register(path: string): Register {
    return new ObjectRegister(this.store, this.keyOf(path));
  }

  private keyOf(path: string): string {
    const { root } = this.store;
    invariant(path === root || path.startsWith(`${root}/`), `'${path}' does not lie in '${root}'`);
    return path.slice(root.length + 1);
  }
}
