/**
 * A register on a plain file system: versions are files `<name>.1`, `<name>.2`, … in one directory.
 *
 *     write + sync name.tmp.x ─▶ link to name.<n+1> (EEXIST: lost the race) ─▶ sync directory ─▶ unlink tmp, hint, truncate name.<n>
 *                                                                           ▲ done here
 *
 * Invariants: 1. version n+1 is linked only by who has seen n, so there are no gaps; 2. a version's content is whole and durable before
 * its name exists; 3. names are never freed: superseded versions are truncated, and only after the next one is durable; 4. what `read`
 * returned is durable, so that nobody acts on what a power loss takes back; 5. `<name>.hint` only saves probing: lost, torn, stale or
 * wrong, it changes no result; 6. repeating a compare-and-set whose outcome is unknown is harmless; 7. so is removing a temporary file
 * at any time, whoever writes it.
 */
import type { Disk } from '../common/disk.js';
import { diskErrorCode } from '../common/disk-error.js';
import { DurableFile } from '../common/durable-file.js';
import type { Register, RegisterValue } from './register.js';

/** How often a temporary file is written again that somebody removed. */
const REWRITES_MAX = 5;

export class DiskRegister implements Register {
  private readonly disk: Disk;
  private readonly directory: string;
  private readonly name: string;
  private readonly writer: string;
  private newestSeen = 0;
  private temporaryFiles = 0;

  /** `directory`: existing and durable. `writer`: differs from every other process's (and register's), safe in file names. */
  constructor(disk: Disk, directory: string, name: string, writer: string) {
    this.disk = disk;
    this.directory = directory;
    this.name = name;
    this.writer = writer;
  }

  locationOf(version: number): string {
    return `${this.directory}/${this.name}.${version}`;
  }

  async read(): Promise<RegisterValue | undefined> {
    let version = await this.newestVersion();
    while (version > 0) {
      const content = await this.disk.readFile(this.locationOf(version));
      // Somebody may have superseded and truncated it while it was being read.
      const newest = await this.newestVersion();
      if (newest === version) {
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
      if (!(await this.link(temporary, version, content))) return 'taken';
      await this.disk.syncDirectory(this.directory);
      return 'done';
    } catch (error) {
      if (isLast || diskErrorCode(error) !== 'ENOENT') throw error;
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
    } catch (error) {
      if (diskErrorCode(error) === undefined) throw error;
    }
  }

  /** Probes upward from the hint in growing steps, then halves the last one: there are no gaps. */
  private async newestVersion(): Promise<number> {
    let low = Math.max(await this.readHint(), this.newestSeen);
    if (low > 0 && !(await this.disk.exists(this.locationOf(low)))) low = 0;
    let step = 1;
    while (await this.disk.exists(this.locationOf(low + step))) {
      low += step;
      step *= 2;
    }
    let high = low + step;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (await this.disk.exists(this.locationOf(middle))) low = middle;
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
