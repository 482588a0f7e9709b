/**
 * What became of a job's checkpoints, over all attempts: told by whoever performs them, shown in Flink's shapes.
 *
 *     triggered ─▶ acknowledged … ─▶ completed | failed
 *
 * Invariants: 1. bounded: the newest `size` ones with subtasks, and the newest completed, failed and savepoint; 2. what is told of an epoch
 * that is not in progress changes nothing.
 */
import type {
  CheckpointingStatistics,
  CheckpointStatistics,
  RestoredCheckpoint,
  SubtaskCheckpointStatistics,
  TaskCheckpointStatistics,
  VertexCheckpointStatistics,
} from './checkpoint-info.js';
import { SummaryWindow } from './statistics-summary.js';

/** The default of Flink's `web.checkpoints.history`. */
export const CHECKPOINT_HISTORY_SIZE = 10;

/** A checkpoint's beginning. `vertices`: subtasks that must acknowledge, by vertex id. */
export interface TriggeredCheckpoint {
  readonly epoch: number;
  readonly kind: 'checkpoint' | 'savepoint';
  readonly at: number;
  readonly vertices: ReadonlyMap<string, number>;
}

/** What a subtask said. `stateBytes`: all that its restore reads. */
export interface CheckpointAcknowledgement {
  readonly epoch: number;
  readonly vertexId: string;
  readonly subtask: number;
  readonly at: number;
  readonly writtenBytes: number;
  readonly stateBytes: number;
}

interface Entry extends TriggeredCheckpoint {
  readonly acknowledged: ReadonlyMap<string, (CheckpointAcknowledgement | undefined)[]>;
  count: number;
  lastAt: number;
  end: { readonly at: number; readonly path: string | undefined; readonly failure: string | undefined } | undefined;
  discarded: boolean;
}

/** The checkpoints of a job; told by whoever performs them. */
export class CheckpointHistory {
  private readonly size: number;
  /** Oldest first. */
  private entries: Entry[] = [];
  private readonly latest: { completed?: Entry; savepoint?: Entry; failed?: Entry } = {};
  private latestRestored: RestoredCheckpoint | undefined;
  private readonly counts = { restored: 0, total: 0, completed: 0, failed: 0 };
  private readonly sizes = new SummaryWindow();
  private readonly states = new SummaryWindow();
  private readonly durations = new SummaryWindow();

  constructor(size: number = CHECKPOINT_HISTORY_SIZE) {
    this.size = size;
  }

  restored(checkpoint: {
    readonly epoch: number;
    readonly kind: 'checkpoint' | 'savepoint';
    readonly at: number;
    readonly path: string;
  }): void {
    this.counts.restored++;
    this.latestRestored = {
      id: checkpoint.epoch,
      restore_timestamp: checkpoint.at,
      is_savepoint: checkpoint.kind === 'savepoint',
      external_path: checkpoint.path,
    };
  }

  triggered(checkpoint: TriggeredCheckpoint): void {
    this.counts.total++;
    const acknowledged = new Map([...checkpoint.vertices].map(([id, parallelism]) => [id, new Array(parallelism)]));
    this.entries.push({ ...checkpoint, acknowledged, count: 0, lastAt: -1, end: undefined, discarded: false });
    if (this.entries.length > this.size) this.entries = this.entries.filter((entry, index) => index > 0 || entry.end === undefined);
    // What never ended (its leader was lost) must not stay for ever.
    if (this.entries.length > this.size * 2) this.entries.shift();
  }

  acknowledged(acknowledgement: CheckpointAcknowledgement): void {
    const entry = this.pending(acknowledgement.epoch);
    const subtasks = entry?.acknowledged.get(acknowledgement.vertexId);
    if (entry === undefined || subtasks === undefined || acknowledgement.subtask >= subtasks.length) return;
    if (subtasks[acknowledgement.subtask] === undefined) entry.count++;
    subtasks[acknowledgement.subtask] = acknowledgement;
    entry.lastAt = Math.max(entry.lastAt, acknowledgement.at);
  }

  /** `path`: its directory; undefined where nothing is stored. */
  completed(checkpoint: { readonly epoch: number; readonly at: number; readonly path: string | undefined }): void {
    const entry = this.pending(checkpoint.epoch);
    if (entry === undefined) return;
    entry.end = { at: checkpoint.at, path: checkpoint.path, failure: undefined };
    this.counts.completed++;
    this.latest[entry.kind === 'savepoint' ? 'savepoint' : 'completed'] = entry;
    const statistics = checkpointStatistics(entry, false);
    this.sizes.add(statistics.checkpointed_size);
    this.states.add(statistics.state_size);
    this.durations.add(statistics.end_to_end_duration);
  }

  /** Whatever is in progress will not be complete. */
  failedInProgress(end: { readonly at: number; readonly reason: string }): void {
    for (const { epoch, end: known } of this.entries) if (known === undefined) this.failed({ epoch, ...end });
  }

  failed(checkpoint: { readonly epoch: number; readonly at: number; readonly reason: string }): void {
    const entry = this.pending(checkpoint.epoch);
    if (entry === undefined) return;
    entry.end = { at: checkpoint.at, path: undefined, failure: checkpoint.reason };
    this.counts.failed++;
    this.latest.failed = entry;
  }

  /** A completed one was removed because newer ones are kept. */
  discarded(epoch: number): void {
    for (const entry of [...this.entries, ...Object.values(this.latest)]) if (entry.epoch === epoch) entry.discarded = true;
  }

  statistics(): CheckpointingStatistics {
    const { completed, savepoint, failed } = this.latest;
    return {
      counts: { ...this.counts, in_progress: this.entries.filter(({ end }) => end === undefined).length },
      summary: {
        checkpointed_size: this.sizes.summary(),
        state_size: this.states.summary(),
        end_to_end_duration: this.durations.summary(),
      },
      latest: {
        ...(completed !== undefined && { completed: checkpointStatistics(completed, false) }),
        ...(savepoint !== undefined && { savepoint: checkpointStatistics(savepoint, false) }),
        ...(failed !== undefined && { failed: checkpointStatistics(failed, false) }),
        ...(this.latestRestored !== undefined && { restored: this.latestRestored }),
      },
      history: this.entries.map((entry) => checkpointStatistics(entry, false)).reverse(),
    };
  }

  /** Undefined if it is not known (any more). */
  details(epoch: number): CheckpointStatistics | undefined {
    const entry = this.find(epoch);
    return entry && checkpointStatistics(entry, true);
  }

  ofVertex(epoch: number, vertexId: string): VertexCheckpointStatistics | undefined {
    const entry = this.find(epoch);
    const subtasks = entry?.acknowledged.get(vertexId);
    if (entry === undefined || subtasks === undefined) return undefined;
    return {
      ...taskStatistics(entry, subtasks),
      subtasks: Array.from(subtasks, (acknowledgement, index) => subtaskStatistics(entry, acknowledgement, index)),
    };
  }

  private find(epoch: number): Entry | undefined {
    return [...this.entries, ...Object.values(this.latest)].find((entry) => entry.epoch === epoch);
  }

  private pending(epoch: number): Entry | undefined {
    return this.entries.find((entry) => entry.epoch === epoch && entry.end === undefined);
  }
}

function statusOf({ end }: Entry): CheckpointStatistics['status'] {
  if (end === undefined) return 'IN_PROGRESS';
  return end.failure === undefined ? 'COMPLETED' : 'FAILED';
}

const CLASS_NAMES = { IN_PROGRESS: 'in_progress', COMPLETED: 'completed', FAILED: 'failed' } as const;

function checkpointStatistics(entry: Entry, withTasks: boolean): CheckpointStatistics {
  const status = statusOf(entry);
  const tasks = [...entry.acknowledged].map(([id, subtasks]) => [id, taskStatistics(entry, subtasks)] as const);
  const sum = (field: 'checkpointed_size' | 'state_size' | 'num_subtasks'): number =>
    tasks.reduce((total, [, task]) => total + task[field], 0);
  const { end } = entry;
  return {
    className: CLASS_NAMES[status],
    id: entry.epoch,
    status,
    is_savepoint: entry.kind === 'savepoint',
    ...(entry.kind === 'savepoint' && { savepointFormat: 'CANONICAL' }),
    checkpoint_type: entry.kind === 'savepoint' ? 'SAVEPOINT' : 'CHECKPOINT',
    trigger_timestamp: entry.at,
    latest_ack_timestamp: entry.lastAt,
    checkpointed_size: sum('checkpointed_size'),
    state_size: sum('state_size'),
    end_to_end_duration: Math.max(0, (end?.at ?? entry.lastAt) - entry.at),
    num_subtasks: sum('num_subtasks'),
    num_acknowledged_subtasks: entry.count,
    ...(withTasks && { tasks: Object.fromEntries(tasks) }),
    ...(status === 'COMPLETED' && { discarded: entry.discarded }),
    ...(end?.path !== undefined && { external_path: end.path }),
    ...(end?.failure !== undefined && { failure_timestamp: end.at, failure_message: end.failure }),
  };
}

function taskStatistics(entry: Entry, subtasks: readonly (CheckpointAcknowledgement | undefined)[]): TaskCheckpointStatistics {
  let [written, state, count, lastAt] = [0, 0, 0, -1];
  for (const acknowledgement of subtasks) {
    if (acknowledgement === undefined) continue;
    written += acknowledgement.writtenBytes;
    state += acknowledgement.stateBytes;
    lastAt = Math.max(lastAt, acknowledgement.at);
    count++;
  }
  return {
    id: entry.epoch,
    status: statusOf(entry),
    latest_ack_timestamp: lastAt,
    checkpointed_size: written,
    state_size: state,
    end_to_end_duration: Math.max(0, lastAt - entry.at),
    num_subtasks: subtasks.length,
    num_acknowledged_subtasks: count,
  };
}

function subtaskStatistics(
  entry: Entry,
  acknowledgement: CheckpointAcknowledgement | undefined,
  index: number,
): SubtaskCheckpointStatistics {
  if (acknowledgement === undefined) return { className: 'pending', index, status: 'pending_or_failed' };
  return {
    className: 'completed',
    index,
    status: 'completed',
    ack_timestamp: acknowledgement.at,
    end_to_end_duration: Math.max(0, acknowledgement.at - entry.at),
    checkpointed_size: acknowledgement.writtenBytes,
    state_size: acknowledgement.stateBytes,
  };
}
