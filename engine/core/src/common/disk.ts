/**
 * The disk, as far as the engine uses it: checkpoints, the job record, file sources and sinks.
 * An interface, so that simulation can delay, lose, tear and refuse writes. Errors are Node's (`code` ENOENT, EEXIST, ENOSPC …).
 */

/** A new file to append to. */
export interface DiskWriter {
  /** Appends; resolves when the bytes have been handed to the system. Calls may overlap, order is kept. */
  write(chunk: Uint8Array): Promise<void>;
  /** Resolves when all written bytes are on stable storage. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** An open file to read from. */
export interface DiskReader {
  /** Reads `length` bytes at `position`; fewer only at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** A file system. */
export interface Disk {
  /** Opens for appending from the start of a new file; fails with EEXIST if it exists, unless `overwrite`. */
  create(path: string, options?: { readonly overwrite?: boolean }): Promise<DiskWriter>;
  open(path: string): Promise<DiskReader>;
  readFile(path: string): Promise<Uint8Array>;
  /** Another name for the same file; fails with EEXIST if the name is taken. */
  link(from: string, to: string): Promise<void>;
  /** Removes a name; fails with ENOENT if there is none. */
  unlink(path: string): Promise<void>;
  truncate(path: string, length: number): Promise<void>;
  exists(path: string): Promise<boolean>;
  /** The names in a directory, sorted; ENOENT if it does not exist. */
  list(directory: string): Promise<string[]>;
  /** Makes a directory and its parents. */
  makeDirectory(directory: string): Promise<void>;
  /** Removes an empty directory; fails with ENOTEMPTY otherwise. */
  removeDirectory(directory: string): Promise<void>;
  /** Makes the names in a directory durable. */
  syncDirectory(directory: string): Promise<void>;
}
