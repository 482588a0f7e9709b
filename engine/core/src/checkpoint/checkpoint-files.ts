/**
 * The file system, as far as checkpoints need it: a directory of a disk, or a prefix in an object store. Paths are absolute, '/' between
 * names, `s3://bucket/…` for objects.
 *
 * What an implementation holds: 1. a finished file is whole and durable, content and name, and never overwritten by another; 2. nothing of
 * an unfinished one can be read under its name after a crash, except by who does not verify checksums; 3. a recovery needs no `list`: that
 * is for garbage only.
 */
import type { DurableFileInfo } from '../common/durable-file.js';
import type { Register } from './register.js';

/** Writes one file from synchronous code; I/O runs behind. */
export interface CheckpointFileWriter {
  /** Takes ownership of the chunk. */
  write(chunk: Uint8Array): void;
  /** Bytes taken and not yet handed to the store: the caller stops for a while when there are too many. */
  readonly pendingBytes: number;
  /** Resolves when the file is durable, content and name. Rejects (DISK_FULL, STORAGE_…) after the file has been given up. */
  finish(): Promise<DurableFileInfo>;
  /** Gives the file up and removes it. Never rejects: what cannot be removed is garbage. */
  abort(): Promise<void>;
}

/** See the head of this file. */
export interface CheckpointFiles {
  /** A new file in an existing directory. `what` completes "Cannot …" in errors: "write the checkpoint file". */
  create(path: string, what: string): CheckpointFileWriter;
  /** The whole content; undefined if there is no such file. */
  read(path: string): Promise<Uint8Array | undefined>;
  /** Whether there is such a file, or a directory with something in it. */
  exists(path: string): Promise<boolean>;
  /** Harmless if there is no such file. */
  remove(path: string): Promise<void>;
  /** The names in a directory, sorted; none if there is no such directory. */
  list(directory: string): Promise<string[]>;
  /** Removes what killed writers left of unfinished files in a directory that `list` does not show. `isGarbage` gets a file's name. */
  removeUnfinished(directory: string, isGarbage: (name: string) => boolean): Promise<void>;
  /** Makes a directory with its parents, all durable. */
  prepareDirectory(directory: string): Promise<void>;
  /** Makes a directory in an existing one, durable; harmless if it exists. */
  makeDirectory(directory: string): Promise<void>;
  /** Removes a directory if it is there and empty. */
  removeDirectory(directory: string): Promise<void>;
  /** Writes a small file anew whatever was there. Not durable, and a reader may see it cut: for hints and signs of life. */
  replace(path: string, content: Uint8Array): Promise<void>;
  /** The register of a name in a directory. `writer`: differs from every other process's (and register's), safe in file names. */
  register(path: string, writer: string): Register;
}
