/**
 * A register: bytes with a version, replaced by compare-and-set only. What high availability stands on: the job record and the claims of
 * leaders are each one register, and a store takes part by implementing this (disk-register.ts, object-register.ts).
 *
 * What every implementation holds, whatever crashes, is delayed or lost: 1. of compare-and-sets with different contents on one version
 * at most one is ever done; 2. versions are 1, 2, 3 …, none is used twice; 3. what `read` returned is durable, and was the newest version
 * at some moment during the call; 4. a compare-and-set that failed with an error may be repeated with the same content: if it had been
 * done, that is found. So contents must differ from writer to writer.
 */

/** The newest version of a register. */
export interface RegisterValue {
  /** From 1 on. */
  readonly version: number;
  readonly content: Uint8Array;
}

/** See the head of this file. */
export interface Register {
  /** The newest version; undefined if there is none. */
  read(): Promise<RegisterValue | undefined>;
  /**
   * Makes `content` the version after `expectedVersion` (0: the first). True: it is, durable. False: another content is, or there is no
   * such version to replace. An error: the outcome is unknown.
   */
  compareAndSet(expectedVersion: number, content: Uint8Array): Promise<boolean>;
  /** Where a version lies, for errors. */
  locationOf(version: number): string;
  /** Removes what crashed writers left and nobody needs; at any time. What it can't remove costs space only. */
  removeLeftovers(): Promise<void>;
}
