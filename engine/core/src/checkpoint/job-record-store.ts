/**
 * The job record on a plain file system: versions are files `job.1`, `job.2`, … in the job's directory.
 *
 *     write + sync job.tmp.x ─▶ link to job.<n+1> (EEXIST: lost the race) ─▶ sync directory ─▶ unlink tmp, hint, truncate job.<n>
 *                                                                         ▲ committed here
 *
 * Invariants: 1. version n+1 is linked only by who has seen n, so there are no gaps; 2. a version's content is whole and durable before
 * its name exists; 3. names are never freed: superseded versions are truncated, and only after the next one is durable; 4. what `load`
 * returned is durable, so that nobody acts on a record that a power loss takes back; 5. `job.hint` only saves probing: lost, torn, stale
 * or wrong, it changes no result; 6. repeating a compare-and-set whose outcome is unknown is harmless; 7. so is removing a temporary file
 * at any time, whoever writes it.
 */
import type { Disk } from '../common/disk.js';
import { diskErrorCode } from '../common/disk-error.js';
import { DurableFile } from '../common/durable-file.js';
import { MillstreamError } from '../common/errors.js';
import { checkpointVersionError } from './checkpoint-errors.js';
import type { JobRecord } from './job-record.js';
import { sealJson, unsealJson } from './sealed-json.js';

const FORMAT = 'millstream.job-record';
const FORMAT_VERSION = 1;
const TEMPORARY_PREFIX = 'job.tmp.';
/** How often a temporary file is written again that somebody removed. */
const REWRITES_MAX = 5;

/** A record with the number that a compare-and-set on it expects. */
export interface VersionedJobRecord {
  readonly version: number;
  readonly record: JobRecord;
}

export class JobRecordStore {
  private readonly disk: Disk;
  private readonly directory: string;
  private readonly writer: string;
  private newestSeen = 0;
  private temporaryFiles = 0;

  /** `directory`: the job's, existing and durable. `writer`: differs from every other process's (and store's), safe in file names. */
  constructor(disk: Disk, directory: string, writer: string) {
    this.disk = disk;
    this.directory = directory;
    this.writer = writer;
  }

  /** The newest version, durable; undefined if there is none. Throws CHECKPOINT_CORRUPT. */
  async load(): Promise<VersionedJobRecord | undefined> {
    let version = await this.newestVersion();
    while (version > 0) {
      const bytes = await this.disk.readFile(this.versionPath(version));
      const unsealed = unsealJson(bytes);
      if (unsealed.whole) {
        await this.disk.syncDirectory(this.directory);
        this.newestSeen = version;
        return { version, record: this.checkedRecord(unsealed.value, version) };
      }
      // Somebody may have superseded and truncated it in between.
      const next = await this.newestVersion();
      if (next === version) throw this.corrupt(version, unsealed.expected, unsealed.actual);
      version = next;
    }
    return undefined;
  }

  /** Makes `record` the version after `expectedVersion` (0: the first) and returns its number. Throws JOB_RECORD_CONFLICT, DISK_FULL. */
  async compareAndSet(expectedVersion: number, record: JobRecord): Promise<number> {
    if (expectedVersion > this.newestSeen && !(await this.disk.exists(this.versionPath(expectedVersion)))) {
      throw this.conflict(expectedVersion, `there is no version ${expectedVersion}`);
    }
    const version = expectedVersion + 1;
    const content = sealJson({ format: FORMAT, formatVersion: FORMAT_VERSION, version, writer: this.writer, record });
    for (let rewrites = 0; ; rewrites++) if (await this.linkNew(version, content, rewrites === REWRITES_MAX)) break;
    this.newestSeen = version;
    await this.afterCommit(version);
    return version;
  }

  /**
   * Removes the temporary files that crashes left; for who has just written a version. Errors cost space only.
   *
   * Safe though others may be writing theirs at this moment: a temporary name is only a second name of what becomes a version. Before its
   * link, its writer finds it gone and writes it again; after, the version has its own name. No version depends on it, and none is removed.
   */
  async removeLeftovers(): Promise<void> {
    for (const name of await this.disk.list(this.directory)) {
      if (name.startsWith(TEMPORARY_PREFIX)) await this.disk.unlink(`${this.directory}/${name}`).catch(() => {});
    }
  }

  /** False if the temporary file was removed before it was linked. */
  private async linkNew(version: number, content: Uint8Array, isLast: boolean): Promise<boolean> {
    const temporary = await this.writeTemporary(content);
    try {
      await this.link(temporary, version, content);
      await this.disk.syncDirectory(this.directory);
      return true;
    } catch (error) {
      if (isLast || diskErrorCode(error) !== 'ENOENT') throw error;
      return false;
    } finally {
      await this.disk.unlink(temporary).catch(() => {});
    }
  }

  private versionPath(version: number): string {
    return `${this.directory}/job.${version}`;
  }

  private async writeTemporary(content: Uint8Array): Promise<string> {
    const path = `${this.directory}/${TEMPORARY_PREFIX}${this.writer}.${this.temporaryFiles++}`;
    const file = new DurableFile(this.disk, path, 'write the job record');
    file.write(content);
    await file.finish();
    return path;
  }

  private async link(temporary: string, version: number, content: Uint8Array): Promise<void> {
    try {
      await this.disk.link(temporary, this.versionPath(version));
    } catch (error) {
      if (diskErrorCode(error) !== 'EEXIST') throw error;
      // Ours, if an earlier call linked it and failed afterwards: then only the directory's sync is missing.
      const found = await this.disk.readFile(this.versionPath(version));
      if (Buffer.compare(found, content) !== 0) throw this.conflict(version - 1, `version ${version} was written by another process`);
    }
  }

  /** Only speed and space depend on this; a failure here must not look like a failed commit. */
  private async afterCommit(version: number): Promise<void> {
    try {
      const hint = await this.disk.create(`${this.directory}/job.hint`, { overwrite: true });
      try {
        await hint.write(Buffer.from(`${version}\n`));
      } finally {
        await hint.close();
      }
      if (version > 1) await this.disk.truncate(this.versionPath(version - 1), 0);
    } catch (error) {
      if (diskErrorCode(error) === undefined) throw error;
    }
  }

  /** Probes upward from the hint in growing steps, then halves the last one: there are no gaps. */
  private async newestVersion(): Promise<number> {
    let low = Math.max(await this.readHint(), this.newestSeen);
    if (low > 0 && !(await this.disk.exists(this.versionPath(low)))) low = 0;
    let step = 1;
    while (await this.disk.exists(this.versionPath(low + step))) {
      low += step;
      step *= 2;
    }
    let high = low + step;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (await this.disk.exists(this.versionPath(middle))) low = middle;
      else high = middle;
    }
    return low;
  }

  private async readHint(): Promise<number> {
    try {
      const text = Buffer.from(await this.disk.readFile(`${this.directory}/job.hint`)).toString('latin1');
      return /^\d{1,15}\n$/.test(text) ? Number(text) : 0;
    } catch (error) {
      if (diskErrorCode(error) === undefined) throw error;
      return 0;
    }
  }

  private checkedRecord(value: unknown, version: number): JobRecord {
    const sealed = value as {
      readonly format?: unknown;
      readonly formatVersion?: unknown;
      readonly version?: unknown;
      readonly record: JobRecord;
    };
    const path = this.versionPath(version);
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
    const path = this.versionPath(version);
    return new MillstreamError(
      'CHECKPOINT_CORRUPT',
      `Cannot read the job record '${path}': expected ${expected ?? 'a checksum line'}, found ${actual}. Start the job from one of the checkpoints in '${this.directory}' with --from <path of chk-…>.`,
      { details: { path, expected, actual } },
    );
  }
}
