/** What a run restores: its latest checkpoint, or what it was started from. */
import type { FileSystems } from '../checkpoint/file-systems.js';
import type { RestorePoint } from '../checkpoint/restore-point.js';
import { CheckpointStorage } from '../checkpoint/storage.js';
import type { JobGraph } from '../plan/job-graph.js';
import type { JobDirectoryStore } from './job-directory-store.js';
import type { RunObserver } from './job-run-options.js';
import { type RestoreShares, restoreShares } from './restore-shares.js';

export class RunRestore {
  /** What was restored last. */
  point: RestorePoint | undefined;
  private readonly files: FileSystems;

  constructor(files: FileSystems) {
    this.files = files;
  }

  /** For tasks at this parallelism. `start`: what the run was started from; `store`: undefined if it keeps no checkpoints. */
  async load(store: JobDirectoryStore | undefined, start: RestorePoint | undefined, graph: JobGraph): Promise<RestoreShares | undefined> {
    const point = (await store?.latest()) ?? start;
    this.point = point;
    if (point === undefined) return undefined;
    return await restoreShares(point, graph, store?.storage ?? new CheckpointStorage(this.files, point.path));
  }

  /** Tells what was restored last, if anything was. */
  tell(observer: RunObserver): void {
    if (this.point === undefined) return;
    const { epoch, kind } = this.point.metadata;
    observer.checkpointRestored({ epoch, kind, path: this.point.path });
  }
}
