/**
 * A register on a plain file system: versions are files `<name>.1`, `<name>.2`, … in one directory.
 *
 *     write + sync name.tmp.x ─▶ link to name.<n+1> (EEXIST: lost the race) ─▶ sync directory ─▶ unlink tmp, hint, truncate name.<n>
 *                                                                           ▲ done here
 *
 * Superseded versions are truncated, and their names freed once they are MILESTONE versions old. Only milestones, each version that it divides,
 * keep their names: whoever links a freed name again, having slept so long, finds the next milestone there, and takes its link back.
 *
 * Invariants: 1. version n+1 is linked only by who has seen n, so there are no gaps among milestones, nor above the newest one; 2. a version's
 * content is whole and durable before its name exists; 3. it is truncated only after the next one is durable; 4. what `read`
 * returned is durable, so that nobody acts on what a power loss takes back; 5. `<name>.hint` only saves probing: lost, torn, stale or
 * wrong, it changes no result; 6. repeating a compare-and-set whose outcome is unknown is harmless; 7. so is removing a temporary file
 * at any time, whoever writes it.
 */
import type { Disk } from '../common/disk.js';
import { diskErrorCode, typedDiskError } from '../common/disk-error.js';
import { DurableFile } from '../common/durable-file.js';
import type { Register, RegisterValue } from './register.js';

/** As many files stay for a register of any age, and one more for each of as many versions. */
const MILESTONE = 1000;
/** How often a temporary file is written again that somebody removed. */
const REWRITES_MAX = 5;

export class DiskRegister implements Register {
  private readonly disk: Disk;
  private readonly directory: string;
  private readonly name: string;
  private readonly writer: string;
  private readonly milestone: number;
  private newestSeen = 0;
  private temporaryFiles = 0;

  /** `directory`: existing and durable. `writer`: differs from every other process's (and register's), safe in file names. `milestone`: for tests. */
  constructor(disk: Disk, directory: string, name: string, writer: string, milestone: number = MILESTONE) {
    this.disk = disk;
    this.directory = directory;
    this.name = name;
    this.writer = writer;
    this.milestone = milestone;
  }

  locationOf(version: number): string {
    return `${this.directory}/${this.name}.${version}`;
  }

  async read(): Promise<RegisterValue | undefined> {
    let version = await this.newestVersion();
    while (version > 0) {
      const content = await this.disk.readFile(this.locationOf(version)).catch(noneIfMissing);
      // Somebody may have superseded and truncated it while it was being read.
      const newest = await this.newestVersion();
      if (newest === version && content !== undefined) {
        await this.disk.syncDirectory(this.directory);
        this.newestSeen = version;
        return { version, content };
      }
      version = newest;
    }
    return undefined;
  }

  /** Throws DISK_FULL. */
  async compareAndSet(expectedVersion: number, content: Uint8Array): Promise<boolean> {
    if (expectedVersion > this.newestSeen && !(await this.disk.exists(this.locationOf(expectedVersion)))) return false;
    const version = expectedVersion + 1;
    for (let rewrites = 0; ; rewrites++) {
      const linked = await this.linkNew(version, content, rewrites === REWRITES_MAX);
      if (linked === 'taken') return false;
      if (linked === 'done') break;
    }
    this.newestSeen = version;
    await this.afterwards(version);
    return true;
  }

  /**
   * Removes the temporary files that crashes left.
   *
   * Safe though others may be writing theirs at this moment: a temporary name is only a second name of what becomes a version. Before its
   * link, its writer finds it gone and writes it again; after, the version has its own name. No version depends on it, and none is removed.
   */
  async removeLeftovers(): Promise<void> {
    for (const name of await this.disk.list(this.directory)) {
      if (name.startsWith(`${this.name}.tmp.`)) await this.disk.unlink(`${this.directory}/${name}`).catch(() => {});
    }
  }

  private async linkNew(version: number, content: Uint8Array, isLast: boolean): Promise<'done' | 'taken' | 'removed'> {
    const temporary = await this.writeTemporary(content);
    try {
      if (!(await this.link(temporary, version, content)) || (await this.wasFreed(version))) return 'taken';
      await this.disk.syncDirectory(this.directory);
      return 'done';
    } catch (error) {
      if (isLast || diskErrorCode(error) !== 'ENOENT') throw typedDiskError('write', this.locationOf(version), error);
      return 'removed';
    } finally {
      await this.disk.unlink(temporary).catch(() => {});
    }
  }

  private async writeTemporary(content: Uint8Array): Promise<string> {
    const path = `${this.directory}/${this.name}.tmp.${this.writer}.${this.temporaryFiles++}`;
    const file = new DurableFile(this.disk, path, 'write');
    file.write(content);
    await file.finish();
    return path;
  }

  private async link(temporary: string, version: number, content: Uint8Array): Promise<boolean> {
    try {
      await this.disk.link(temporary, this.locationOf(version));
      return true;
    } catch (error) {
      if (diskErrorCode(error) !== 'EEXIST') throw error;
      // Ours, if an earlier call linked it and failed afterwards: then only the directory's sync is missing.
      return Buffer.compare(await this.disk.readFile(this.locationOf(version)), content) === 0;
    }
  }

  /** Whether this version had been there before: takes it back then. */
  private async wasFreed(version: number): Promise<boolean> {
    const next = (Math.floor(version / this.milestone) + 1) * this.milestone;
    if (!(await this.disk.exists(this.locationOf(next)))) return false;
    await this.disk.unlink(this.locationOf(version)).catch(() => {});
    return true;
  }

  /** Only speed and space depend on this; a failure here must not look like a failed compare-and-set. */
  private async afterwards(version: number): Promise<void> {
    try {
      const hint = await this.disk.create(`${this.directory}/${this.name}.hint`, { overwrite: true });
      try {
        await hint.write(Buffer.from(`${version}\n`));
      } finally {
        await hint.close();
      }
      if (version > 1) await this.disk.truncate(this.locationOf(version - 1), 0);
      const old = version - this.milestone;
      if (old > 0 && old % this.milestone !== 0) await this.disk.unlink(this.locationOf(old));
    } catch (error) {
      if (diskErrorCode(error) === undefined) throw error;
    }
  }

  /** Looks for the newest milestone, then for the newest version above it. */
  private async newestVersion(): Promise<number> {
    const known = Math.max(await this.readHint(), this.newestSeen);
    const newest = await this.newestOf(this.milestone, Math.floor(known / this.milestone));
    const begin = newest * this.milestone;
    return begin + (await this.newestOf(1, Math.max(0, known - begin), begin));
  }

  /** The last of the versions begin + i · distance. Probes upward from `low` in growing steps, then halves the last one: there are no gaps. */
  private async newestOf(distance: number, known: number, begin: number = 0): Promise<number> {
    const exists = async (index: number): Promise<boolean> => await this.disk.exists(this.locationOf(begin + index * distance));
    let low = known > 0 && (await exists(known)) ? known : 0;
    let step = 1;
    while (await exists(low + step)) {
      low += step;
      step *= 2;
    }
    let high = low + step;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (await exists(middle)) low = middle;
      else high = middle;
    }
    return low;
  }

  private async readHint(): Promise<number> {
    try {
      const text = Buffer.from(await this.disk.readFile(`${this.directory}/${this.name}.hint`)).toString('latin1');
      return /^\d{1,15}\n$/.test(text) ? Number(text) : 0;
    } catch (error) {
      if (diskErrorCode(error) === undefined) throw error;
      return 0;
    }
  }
}

function noneIfMissing(error: unknown): undefined {
  if (diskErrorCode(error) !== 'ENOENT') throw error;
}
