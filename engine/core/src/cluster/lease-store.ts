/**
 * Where a leader's lease is kept: claims in a register, whose version is the term, and beside it a sign of life that only the newest
 * claim's owner writes.
 */
import type { CheckpointFiles } from '../checkpoint/checkpoint-files.js';
import type { Register } from '../checkpoint/register.js';

/** See the head of this file. */
export interface LeaseStore {
  /** Version: the term. So terms are 1, 2, 3 …, each given to one process, whatever crashes. */
  readonly claims: Register;
  /** The sign of life that was written last; '' if there is none. Need not be durable, may be cut. */
  readBeat(): Promise<string>;
  writeBeat(beat: string): Promise<void>;
}

/** The lease as files `leader.<term>` and `leader.beat` of a directory that exists, or as objects `leader` and `leader.beat`. */
export function fileLeaseStore(files: CheckpointFiles, directory: string, writer: string): LeaseStore {
  const beats = `${directory}/leader.beat`;
  return {
    claims: files.register(`${directory}/leader`, writer),
    readBeat: async () => Buffer.from((await files.read(beats)) ?? []).toString(),
    writeBeat: (beat) => files.replace(beats, Buffer.from(beat)),
  };
}
