/**
 * Makes parts of a completed checkpoint visible, as often as it is asked: see the invariants at the head of file-sink.ts.
 *
 *     link pending → final │ sync directory │ unlink pending │ sync directory
 *                          ▲ visible and durable             ▲ done; a crash before only leaves a second name
 */
import type { Disk } from '../common/disk.js';
import { diskErrorCode, typedDiskError } from '../common/disk-error.js';
import { checksumOfFile } from '../common/durable-file.js';
import { MillstreamError } from '../common/errors.js';
import type { SinkCommitter } from './sink.js';

/** A part that is to become visible. In checkpoints: its fields are a format on disk. */
export interface FileCommittable {
  /** Absolute. */
  readonly directory: string;
  /** The final name; the pending one has `PENDING_SUFFIX` behind it. */
  readonly name: string;
  readonly length: number;
  readonly crc32: number;
}

export const PENDING_SUFFIX = '.pending';

export class FileSinkCommitter implements SinkCommitter<FileCommittable> {
  private readonly disk: Disk;

  constructor(disk: Disk) {
    this.disk = disk;
  }

  /** Resolves when all parts are visible, durably. Throws SINK_DATA_LOSS, DISK_FULL. */
  async commit(committables: readonly FileCommittable[]): Promise<void> {
    const directories = new Set(committables.map((part) => part.directory));
    for (const part of committables) await this.makeVisible(part);
    for (const directory of directories) await this.disk.syncDirectory(directory);
    for (const part of committables) await this.removePending(part);
    for (const directory of directories) await this.disk.syncDirectory(directory);
  }

  private async makeVisible(part: FileCommittable): Promise<void> {
    const final = `${part.directory}/${part.name}`;
    try {
      await this.disk.link(final + PENDING_SUFFIX, final);
    } catch (error) {
      const code = diskErrorCode(error);
      if (code !== 'EEXIST' && code !== 'ENOENT') throw typedDiskError('commit the part', final, error);
      // Committed before, if the final part is what the checkpoint says.
      await this.verify(final, part, code === 'ENOENT');
    }
  }

  private async verify(final: string, part: FileCommittable, pendingGone: boolean): Promise<void> {
    const pending = pendingGone ? `'${final}${PENDING_SUFFIX}' is gone` : `'${final}${PENDING_SUFFIX}' is still there`;
    try {
      const found = await checksumOfFile(this.disk, final);
      if (found.length === part.length && found.crc32 === part.crc32) return;
      throw dataLoss(final, `${pending}, and '${final}' has other content (${found.length} bytes, expected ${part.length})`);
    } catch (error) {
      if (diskErrorCode(error) !== 'ENOENT') throw error;
      throw dataLoss(final, `${pending}, and so is '${final}'`);
    }
  }

  private async removePending(part: FileCommittable): Promise<void> {
    try {
      await this.disk.unlink(`${part.directory}/${part.name}${PENDING_SUFFIX}`);
    } catch (error) {
      if (diskErrorCode(error) !== 'ENOENT') throw error;
    }
  }
}

function dataLoss(final: string, found: string): MillstreamError {
  return new MillstreamError(
    'SINK_DATA_LOSS',
    `Cannot commit the part '${final}': ${found}. Output that the checkpoint covers is lost or was moved. Put the file back, or restore from an earlier checkpoint into a new directory.`,
    { details: { path: final } },
  );
}
