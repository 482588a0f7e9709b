/** Checkpoints on a disk (checkpoint-files.ts): what is durable there is what was synced, content by file and names by directory. */
import type { Disk } from '../common/disk.js';
import { diskErrorCode } from '../common/disk-error.js';
import { DurableFile, makeDurableDirectory } from '../common/durable-file.js';
import type { CheckpointFiles, CheckpointFileWriter } from './checkpoint-files.js';
import { DiskRegister } from './disk-register.js';
import type { Register } from './register.js';

export class DiskCheckpointFiles implements CheckpointFiles {
  private readonly disk: Disk;

  constructor(disk: Disk) {
    this.disk = disk;
  }

  create(path: string, what: string): CheckpointFileWriter {
    const file = new DurableFile(this.disk, path, what);
    return {
      get pendingBytes() {
        return file.pendingBytes;
      },
      write: (chunk) => file.write(chunk),
      abort: () => file.abort(),
      finish: async () => {
        const info = await file.finish();
        try {
          await this.disk.syncDirectory(parentOf(path));
        } catch (error) {
          await this.disk.unlink(path).catch(() => {});
          throw error;
        }
        return info;
      },
    };
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    return await unlessMissing(this.disk.readFile(path), undefined);
  }

  exists(path: string): Promise<boolean> {
    return this.disk.exists(path);
  }

  async remove(path: string): Promise<void> {
    await unlessMissing(this.disk.unlink(path), undefined);
  }

  async list(directory: string): Promise<string[]> {
    return await unlessMissing(this.disk.list(directory), []);
  }

  /** Unfinished files are files like others here. */
  async removeUnfinished(): Promise<void> {}

  async prepareDirectory(directory: string): Promise<void> {
    await makeDurableDirectory(this.disk, directory);
  }

  async makeDirectory(directory: string): Promise<void> {
    await this.disk.makeDirectory(directory);
    await this.disk.syncDirectory(parentOf(directory));
  }

  async removeDirectory(directory: string): Promise<void> {
    try {
      await this.disk.removeDirectory(directory);
    } catch (error) {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(diskErrorCode(error) ?? '')) throw error;
    }
  }

  async replace(path: string, content: Uint8Array): Promise<void> {
    const file = await this.disk.create(path, { overwrite: true });
    try {
      await file.write(content);
    } finally {
      await file.close();
    }
  }

  register(path: string, writer: string): Register {
    return new DiskRegister(this.disk, parentOf(path), path.slice(path.lastIndexOf('/') + 1), writer);
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}

async function unlessMissing<T>(operation: Promise<T>, missing: T): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    const code = diskErrorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return missing;
    throw error;
  }
}
