/**
 * Uploaded programs, as files of one directory: "<first 32 digits of the SHA-256>_<name>".
 *
 *     chunks ─▶ upload-<n>.part (hash, limit) ─▶ sync ─▶ link to the final name ─▶ unlink the part
 *
 * Invariants: 1. a file with a final name is whole, and its name says its hash; 2. a name never leaves the directory; 3. an upload that
 * fails leaves nothing but, after a crash, a part that the next start removes; 4. bounded: `uploadBytesMax` each, `artifactsMax` in all.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../common/clock.js';
import type { Disk, DiskWriter } from '../../common/disk.js';
import { diskErrorCode, typedDiskError } from '../../common/disk-error.js';
import { makeDurableDirectory } from '../../common/durable-file.js';
import { MillstreamError } from '../../common/errors.js';
import type { StoredArtifact } from './cluster-model.js';
import type { ArtifactUpload } from './operation-info.js';

/** Where artifacts lie, and how many. */
export interface ArtifactStoreOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  /** Absolute; belongs to the store alone. */
  readonly directory: string;
  /** Default: 64 MiB. */
  readonly uploadBytesMax?: number;
  /** What errors say to raise. Default: rest.server.max-content-length. */
  readonly limitOption?: string;
  /** Default: 1000. */
  readonly artifactsMax?: number;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,119}\.m?js$/;
const STORED = /^([0-9a-f]{32})_([A-Za-z0-9][A-Za-z0-9._-]{0,119}\.m?js)$/;
const UPLOADS_AT_ONCE_MAX = 8;
const PART = /^upload-\d+\.part$/;

/** Uploaded programs on a disk. */
export class ArtifactStore {
  private readonly options: Required<ArtifactStoreOptions>;
  private readonly artifacts = new Map<string, StoredArtifact>();
  private uploads = 0;
  private uploading = 0;

  private constructor(options: ArtifactStoreOptions) {
    this.options = { uploadBytesMax: 64 << 20, limitOption: 'rest.server.max-content-length', artifactsMax: 1000, ...options };
  }

  /** Opens the directory, makes it if need be, and finds what is in it. A file whose content is not what its name says is removed. */
  static async open(options: ArtifactStoreOptions): Promise<ArtifactStore> {
    const store = new ArtifactStore(options);
    const { disk, directory, clock } = options;
    await makeDurableDirectory(disk, directory);
    for (const file of await disk.list(directory)) {
      const path = `${directory}/${file}`;
      if (PART.test(file)) await disk.unlink(path);
      const [, digest, name] = STORED.exec(file) ?? [];
      if (digest === undefined || name === undefined) continue;
      const { sha256, size } = await hashOf(disk, path);
      if (sha256.startsWith(digest)) store.artifacts.set(file, { id: file, name, uploaded: clock.now(), size, sha256, path });
      else await disk.unlink(path);
    }
    return store;
  }

  /** Newest first. */
  list(): StoredArtifact[] {
    return [...this.artifacts.values()].reverse();
  }

  /** Throws NOT_FOUND. */
  get(id: string): StoredArtifact {
    const artifact = this.artifacts.get(id);
    if (artifact !== undefined) return artifact;
    throw new MillstreamError('NOT_FOUND', `There is no artifact '${id}'. Upload it, or list those that there are (GET /jars).`);
  }

  /** Rejects with INVALID_REQUEST, REQUEST_TOO_LARGE, DISK_FULL. */
  async upload({ name, content, sha256: expected }: ArtifactUpload): Promise<StoredArtifact> {
    const { disk, directory, artifactsMax, clock } = this.options;
    if (!NAME.test(name)) {
      throw new MillstreamError(
        'INVALID_REQUEST',
        `Cannot upload an artifact as ${JSON.stringify(name.slice(0, 200))}: its name must be a plain file name that ends in .js or .mjs (letters, digits, '.', '_', '-').`,
      );
    }
    if (this.artifacts.size >= artifactsMax) {
      throw new MillstreamError(
        'REQUEST_CONFLICT',
        `Cannot upload '${name}': there are ${artifactsMax} artifacts already. Delete some first.`,
      );
    }
    if (this.uploading >= UPLOADS_AT_ONCE_MAX) {
      throw new MillstreamError(
        'CLUSTER_UNAVAILABLE',
        `Cannot upload '${name}' now: ${this.uploading} uploads are under way. Try again when one has ended.`,
        { retryable: true },
      );
    }
    this.uploading++;
    const part = `${directory}/upload-${++this.uploads}.part`;
    try {
      const { sha256, size } = await this.receive(part, name, content);
      if (expected !== undefined && expected.toLowerCase() !== sha256) {
        throw new MillstreamError(
          'INVALID_REQUEST',
          `Cannot accept the artifact '${name}': its SHA-256 is ${sha256}, not ${expected} as announced. It was changed on the way; upload it again.`,
        );
      }
      const id = `${sha256.slice(0, 32)}_${name}`;
      const path = `${directory}/${id}`;
      await disk.link(part, path).catch(ignore('EEXIST'));
      const artifact = { id, name, uploaded: clock.now(), size, sha256, path };
      this.artifacts.delete(id);
      this.artifacts.set(id, artifact);
      return artifact;
    } catch (error) {
      throw typedDiskError('store the artifact', part, error) ?? error;
    } finally {
      this.uploading--;
      await disk.unlink(part).catch(() => undefined);
      await disk.syncDirectory(directory).catch(() => undefined);
    }
  }

  /** Throws NOT_FOUND. Jobs that run it go on: they have it. */
  async remove(id: string): Promise<void> {
    const { disk, directory } = this.options;
    const { path } = this.get(id);
    await disk.unlink(path).catch(ignore('ENOENT'));
    await disk.syncDirectory(directory);
    this.artifacts.delete(id);
  }

  /** Checks that the file is what was uploaded: before it is run. Throws CORRUPT_DATA. */
  async verify(artifact: StoredArtifact): Promise<void> {
    const { sha256 } = await hashOf(this.options.disk, artifact.path);
    if (sha256 === artifact.sha256) return;
    throw new MillstreamError(
      'CORRUPT_DATA',
      `Cannot run the artifact '${artifact.id}': its file now has the SHA-256 ${sha256}. It was changed on disk; delete it and upload it again.`,
    );
  }

  private async receive(part: string, name: string, content: AsyncIterable<Uint8Array>): Promise<{ sha256: string; size: number }> {
    const { disk, uploadBytesMax, limitOption } = this.options;
    const writer: DiskWriter = await disk.create(part, { overwrite: true });
    const hash = createHash('sha256');
    let size = 0;
    try {
      for await (const chunk of content) {
        size += chunk.length;
        if (size > uploadBytesMax) {
          throw new MillstreamError(
            'REQUEST_TOO_LARGE',
            `Cannot upload '${name}': it is larger than ${uploadBytesMax} bytes. Leave out what the program does not need, or raise ${limitOption}.`,
          );
        }
        hash.update(chunk);
        await writer.write(chunk);
      }
      if (size === 0) throw new MillstreamError('INVALID_REQUEST', `Cannot upload '${name}': it is empty.`);
      await writer.sync();
    } finally {
      await writer.close();
    }
    return { sha256: hash.digest('hex'), size };
  }
}

async function hashOf(disk: Disk, path: string): Promise<{ sha256: string; size: number }> {
  const reader = await disk.open(path);
  const hash = createHash('sha256');
  let size = 0;
  try {
    for (;;) {
      const chunk = await reader.read(size, 1 << 20);
      if (chunk.length === 0) return { sha256: hash.digest('hex'), size };
      hash.update(chunk);
      size += chunk.length;
    }
  } finally {
    await reader.close();
  }
}

function ignore(code: string): (error: unknown) => void {
  return (error) => {
    if (diskErrorCode(error) !== code) throw error;
  };
}
