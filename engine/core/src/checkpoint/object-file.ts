/**
 * A file that is written once to an object store, from synchronous code: small ones in one request, larger ones in parts that travel
 * while more is written.
 *
 *     write, write, … ──▶ finish: put on condition that nothing is there       (at most one part)
 *           └─ a part is full ─▶ start upload ─▶ part 1, part 2, … ─▶ finish: complete
 *                                                              └───▶ abort: the parts are freed
 *
 * Invariants: 1. nothing is under the key before all bytes are; 2. after a failure later chunks are dropped, `finish` rejects, and the
 * upload has been given up; 3. the checksum is over the chunks as they were handed over; 4. a request whose answer was lost is not taken
 * for a failure: what is under the key decides. What a killed process leaves in parts is found by `CheckpointFiles.removeUnfinished`.
 */
import { Crc32 } from '../common/checksum.js';
import type { DurableFileInfo } from '../common/durable-file.js';
import { MillstreamError } from '../common/errors.js';
import { IF_ABSENT, type ObjectStore, type UploadedPart } from '../common/object-store.js';
import type { CheckpointFileWriter } from './checkpoint-files.js';
import type { ObjectUploadOptions } from './object-checkpoint-files.js';

const PART_BYTES = 8 * 1024 * 1024;
const PARALLEL_PARTS = 4;

export class ObjectFile implements CheckpointFileWriter {
  /** Of parts that are complete and not yet uploaded: up to a part more is buffered, and no pause of the caller's would let that go. */
  pendingBytes = 0;
  private readonly store: ObjectStore;
  private readonly key: string;
  private readonly what: string;
  private readonly partBytes: number;
  private readonly parallelParts: number;
  private readonly checksum = new Crc32();
  private buffered: Uint8Array[] = [];
  private bufferedBytes = 0;
  private upload: Promise<string | undefined> | undefined;
  private readonly parts: UploadedPart[] = [];
  private partCount = 0;
  private readonly travelling = new Set<Promise<void>>();
  /** Parts go out one after another as far as `parallelParts` allows. */
  private departures: Promise<void> = Promise.resolve();
  private failure: unknown;
  /** A request that makes the object was sent, and nothing says that another's is there. */
  private mayBeThere = false;

  constructor(store: ObjectStore, key: string, what: string, options: ObjectUploadOptions) {
    this.store = store;
    this.key = key;
    this.what = what;
    this.partBytes = options.partBytes ?? PART_BYTES;
    this.parallelParts = options.parallelParts ?? PARALLEL_PARTS;
  }

  write(chunk: Uint8Array): void {
    this.checksum.update(chunk);
    if (this.failure !== undefined) return;
    this.buffered.push(chunk);
    this.bufferedBytes += chunk.length;
    if (this.bufferedBytes > this.partBytes) this.depart();
  }

  async finish(): Promise<DurableFileInfo> {
    try {
      if (this.upload === undefined && this.failure === undefined) await this.putWhole();
      else await this.completeParts();
    } catch (error) {
      this.fail(error);
    }
    if (this.failure !== undefined) {
      await this.abort();
      throw this.failure;
    }
    return { length: this.checksum.length, crc32: this.checksum.value };
  }

  async abort(): Promise<void> {
    this.failure ??= new Error(`'${this.store.root}/${this.key}' was given up.`);
    this.buffered = [];
    await this.departures;
    await Promise.all(this.travelling);
    const upload = await this.upload;
    if (upload !== undefined) await this.store.abortUpload(this.key, upload).catch(() => {});
    // It may have become whole although an error said otherwise.
    if (this.mayBeThere) await this.store.delete(this.key).catch(() => {});
  }

  private async putWhole(): Promise<void> {
    const content = this.takeBuffered();
    this.mayBeThere = true;
    if ((await this.store.put(this.key, content, IF_ABSENT)) !== undefined) return;
    const found = await this.store.get(this.key);
    if (found === undefined || Buffer.compare(found.content, content) !== 0) {
      this.mayBeThere = false;
      throw this.taken();
    }
  }

  private async completeParts(): Promise<void> {
    if (this.bufferedBytes > 0) this.depart();
    await this.departures;
    await Promise.all(this.travelling);
    const upload = await this.upload;
    if (this.failure !== undefined || upload === undefined) return;
    this.parts.sort((a, b) => a.number - b.number);
    this.mayBeThere = true;
    try {
      await this.store.completeUpload(this.key, upload, this.parts);
    } catch (error) {
      // An upload that has ended cannot be completed again: its object may be there.
      if ((await this.store.sizeOf(this.key)) !== this.checksum.length) throw error;
    }
    this.upload = undefined;
  }

  private takeBuffered(): Uint8Array {
    const content = this.buffered.length === 1 ? (this.buffered[0] as Uint8Array) : Buffer.concat(this.buffered);
    this.buffered = [];
    this.bufferedBytes = 0;
    return content;
  }

  /** Sends what is buffered as the next part. */
  private depart(): void {
    this.upload ??= this.store.startUpload(this.key).catch((error: unknown) => {
      this.fail(error);
      return undefined;
    });
    const content = this.takeBuffered();
    this.pendingBytes += content.length;
    const number = ++this.partCount;
    this.departures = this.departures.then(async () => {
      while (this.travelling.size >= this.parallelParts) await Promise.race(this.travelling);
      const travel = this.sendPart(number, content).finally(() => this.travelling.delete(travel));
      this.travelling.add(travel);
    });
  }

  /** Never rejects. */
  private async sendPart(number: number, content: Uint8Array): Promise<void> {
    try {
      const upload = await this.upload;
      if (upload !== undefined && this.failure === undefined)
        this.parts.push(await this.store.uploadPart(this.key, upload, number, content));
    } catch (error) {
      this.fail(error);
    }
    this.pendingBytes -= content.length;
  }

  private fail(error: unknown): void {
    this.failure ??= error ?? new Error(`Cannot ${this.what} '${this.store.root}/${this.key}'.`);
  }

  private taken(): MillstreamError {
    return new MillstreamError(
      'INTERNAL',
      `Cannot ${this.what} '${this.store.root}/${this.key}': another object is there. Another job writes to the same place; give each its own execution.checkpointing.dir.`,
    );
  }
}
