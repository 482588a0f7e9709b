/** An object store in memory, for tests and simulation. Each request is done at once and as a whole; faults come with `withFaults`. */
import { crc32, formatCrc32 } from './checksum.js';
import type { ObjectStore, PutCondition, StoredObject, UnfinishedUpload, UploadedPart } from './object-store.js';

/** See the head of this file. */
export class MemoryObjectStore implements ObjectStore {
  readonly root: string;
  private readonly objects = new Map<string, StoredObject>();
  private readonly uploads = new Map<string, { readonly key: string; readonly parts: Map<number, StoredObject> }>();
  private started = 0;

  constructor(root = 's3://memory') {
    this.root = root;
  }

  /** All objects, for assertions. */
  contents(): Map<string, string> {
    return new Map(
      [...this.objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, { content }]) => [key, Buffer.from(content).toString()]),
    );
  }

  async put(key: string, content: Uint8Array, condition?: PutCondition): Promise<string | undefined> {
    const found = this.objects.get(key);
    if (condition?.type === 'absent' && found !== undefined) return undefined;
    if (condition?.type === 'tag' && found?.tag !== condition.tag) return undefined;
    const object = asObject(content);
    this.objects.set(key, object);
    return object.tag;
  }

  async get(key: string): Promise<StoredObject | undefined> {
    const found = this.objects.get(key);
    return found === undefined ? undefined : { ...found, content: found.content.slice() };
  }

  async sizeOf(key: string): Promise<number | undefined> {
    return this.objects.get(key)?.content.length;
  }

  async delete(key: string): Promise<void> {
    this.objects.delete(key);
  }

  async list(prefix: string, limit: number = Number.POSITIVE_INFINITY): Promise<string[]> {
    const names = new Set<string>();
    for (const key of this.objects.keys()) {
      if (key.startsWith(prefix)) names.add(key.slice(prefix.length).split('/', 1)[0] as string);
    }
    return [...names].sort().slice(0, limit);
  }

  async startUpload(key: string): Promise<string> {
    const upload = `upload-${++this.started}`;
    this.uploads.set(upload, { key, parts: new Map() });
    return upload;
  }

  async uploadPart(_key: string, upload: string, number: number, content: Uint8Array): Promise<UploadedPart> {
    const part = asObject(content);
    this.parts(upload).set(number, part);
    return { number, tag: part.tag };
  }

  async completeUpload(key: string, upload: string, parts: readonly UploadedPart[]): Promise<void> {
    const uploaded = this.parts(upload);
    const contents = parts.map(({ number, tag }) => {
      const part = uploaded.get(number);
      if (part?.tag !== tag) throw new Error(`Part ${number} of '${upload}' was not uploaded so.`);
      return part.content;
    });
    this.uploads.delete(upload);
    this.objects.set(key, asObject(Buffer.concat(contents)));
  }

  async abortUpload(_key: string, upload: string): Promise<void> {
    this.uploads.delete(upload);
  }

  async unfinishedUploads(prefix: string): Promise<UnfinishedUpload[]> {
    return [...this.uploads].filter(([, { key }]) => key.startsWith(prefix)).map(([upload, { key }]) => ({ key, upload }));
  }

  private parts(upload: string): Map<number, StoredObject> {
    const parts = this.uploads.get(upload)?.parts;
    if (parts === undefined) throw new Error(`There is no upload '${upload}'.`);
    return parts;
  }
}

/** Equal contents have equal tags, as in S3: whoever needs them to differ must write what differs. */
function asObject(content: Uint8Array): StoredObject {
  return { content: new Uint8Array(content), tag: `"${formatCrc32(crc32(content))}-${content.length}"` };
}
