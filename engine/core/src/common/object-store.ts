/**
 * An object store (S3 and what speaks like it), as far as the engine uses it: whole objects under keys, conditional writes, uploads in
 * parts. An interface, so that its protocols run in memory, with lost answers and crashes between any two requests.
 *
 * What it must hold: 1. a read after a write that was answered sees it or a later one; 2. of writes to one key on the same condition at
 * most one is done; 3. objects are written whole or not at all. A write that fails with an error may have been done all the same.
 */

/** What must hold for a write to be done. */
export type PutCondition =
  /** There is no object under the key. */
  | { readonly type: 'absent' }
  /** The object has this tag. */
  | { readonly type: 'tag'; readonly tag: string };

/** The condition that nothing is there. */
export const IF_ABSENT: PutCondition = { type: 'absent' };

/** An object with the tag that a conditional write names. */
export interface StoredObject {
  readonly content: Uint8Array;
  /** Differs for each content that the key has had. */
  readonly tag: string;
}

/** A part of an upload, as `completeUpload` needs it. */
export interface UploadedPart {
  /** From 1 on. */
  readonly number: number;
  readonly tag: string;
  /** The store's own checksum of it, where it has one. */
  readonly checksum?: string | undefined;
}

/** An upload that was begun and neither completed nor given up. */
export interface UnfinishedUpload {
  readonly key: string;
  readonly upload: string;
}

/** See the head of this file. Keys have '/' between names. */
export interface ObjectStore {
  /** How the store is called in errors and paths: 's3://bucket'. */
  readonly root: string;
  /** Writes an object and returns its tag; undefined if the condition does not hold. */
  put(key: string, content: Uint8Array, condition?: PutCondition): Promise<string | undefined>;
  /** Undefined if there is none. */
  get(key: string): Promise<StoredObject | undefined>;
  /** Its size, bytes; undefined if there is none. */
  sizeOf(key: string): Promise<number | undefined>;
  /** Harmless if there is none. */
  delete(key: string): Promise<void>;
  /** What follows `prefix` in the keys up to the next '/', sorted, each name once; at most `limit`. */
  list(prefix: string, limit?: number): Promise<string[]>;
  /** Begins an upload in parts. Nothing is under the key until it is complete. */
  startUpload(key: string): Promise<string>;
  /** The same number again replaces the part. Parts but the last have the store's least size or more. */
  uploadPart(key: string, upload: string, number: number, content: Uint8Array): Promise<UploadedPart>;
  /** Makes the object of the parts, in order. */
  completeUpload(key: string, upload: string, parts: readonly UploadedPart[]): Promise<void>;
  /** Gives an upload up and frees its parts. Harmless if it has ended. */
  abortUpload(key: string, upload: string): Promise<void>;
  /** Uploads to keys with a prefix that have not ended. */
  unfinishedUploads(prefix: string): Promise<UnfinishedUpload[]>;
}
