/**
 * The job record in a register: its versions are the register's, sealed with a checksum.
 *
 * Invariants: 1. a checkpoint is complete when the compare-and-set of a record that lists it succeeds, and not before; 2. terms never go
 * back: a record is not replaced by one of an earlier term, so that a leader that was deposed cannot write even if it reads first.
 */
import { MillstreamError } from '../common/errors.js';
import { checkpointVersionError } from './checkpoint-errors.js';
import type { CheckpointFiles } from './checkpoint-files.js';
import type { JobRecord } from './job-record.js';
import type { Register } from './register.js';
import { sealJson, unsealJson } from './sealed-json.js';

const FORMAT = 'millstream.job-record';
const FORMAT_VERSION = 1;

/** A record with the number that a compare-and-set on it expects. */
export interface VersionedJobRecord {
  readonly version: number;
  readonly record: JobRecord;
}

export class JobRecordStore {
  private readonly register: Register;
  private readonly directory: string;
  private readonly writer: string;
  /** What was read or written last. */
  private known = { version: 0, term: 0 };

  /** `writer`: differs from every other process's (and store's); it is in every version. */
  constructor(register: Register, directory: string, writer: string) {
    this.register = register;
    this.directory = directory;
    this.writer = writer;
  }

  /** The record of a job's directory, which exists and is durable. `writer`: also safe in file names. */
  static open(files: CheckpointFiles, directory: string, writer: string): JobRecordStore {
    return new JobRecordStore(files.register(`${directory}/job`, writer), directory, writer);
  }

  /** The newest version, durable; undefined if there is none. Throws CHECKPOINT_CORRUPT. */
  async load(): Promise<VersionedJobRecord | undefined> {
    const newest = await this.register.read();
    if (newest === undefined) return undefined;
    const { version } = newest;
    const unsealed = unsealJson(newest.content);
    if (!unsealed.whole) throw this.corrupt(version, unsealed.expected, unsealed.actual);
    const record = this.checkedRecord(unsealed.value, version);
    this.known = { version, term: record.term };
    return { version, record };
  }

  /**
   * Makes `record` the version after `expectedVersion` (0: the first) and returns its number. Throws JOB_RECORD_CONFLICT, DISK_FULL. After
   * any other error the outcome is unknown: repeat it with the same record, or load.
   */
  async compareAndSet(expectedVersion: number, record: JobRecord): Promise<number> {
    if (expectedVersion !== this.known.version) await this.load();
    const { known } = this;
    if (expectedVersion === known.version && record.term < known.term) {
      throw this.conflict(expectedVersion, `it is of term ${known.term}, and this process leads in term ${record.term} only`);
    }
    const version = expectedVersion + 1;
    const content = sealJson({ format: FORMAT, formatVersion: FORMAT_VERSION, version, writer: this.writer, record });
    if (!(await this.register.compareAndSet(expectedVersion, content))) {
      throw this.conflict(expectedVersion, `version ${version} was written by another process, or there is no version ${expectedVersion}`);
    }
    this.known = { version, term: record.term };
    return version;
  }

  /** Removes what crashes left; for who has just written a version. */
  async removeLeftovers(): Promise<void> {
    await this.register.removeLeftovers();
  }

  private checkedRecord(value: unknown, version: number): JobRecord {
    const sealed = value as {
      readonly format?: unknown;
      readonly formatVersion?: unknown;
      readonly version?: unknown;
      readonly record: JobRecord;
    };
    const path = this.register.locationOf(version);
    if (sealed.format !== FORMAT || sealed.version !== version) throw this.corrupt(version, `the job record ${version}`, 'another file');
    if (sealed.formatVersion !== FORMAT_VERSION) throw checkpointVersionError(path, sealed.formatVersion, FORMAT_VERSION);
    return sealed.record;
  }

  private conflict(expectedVersion: number, found: string): MillstreamError {
    return new MillstreamError(
      'JOB_RECORD_CONFLICT',
      `Cannot replace version ${expectedVersion} of the job record in '${this.directory}': ${found}. Another process runs this job now; this one must stop.`,
      { details: { directory: this.directory, expectedVersion } },
    );
  }

  private corrupt(version: number, expected: string | undefined, actual: string): MillstreamError {
    const path = this.register.locationOf(version);
    return new MillstreamError(
      'CHECKPOINT_CORRUPT',
      `Cannot read the job record '${path}': expected ${expected ?? 'a checksum line'}, found ${actual}. Start the job from one of the checkpoints in '${this.directory}' with --from <path of chk-…>.`,
      { details: { path, expected, actual } },
    );
  }
}
