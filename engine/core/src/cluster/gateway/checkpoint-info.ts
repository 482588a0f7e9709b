/** What REST says of checkpoints, in Flink's field names. Sizes are bytes, durations and times ms. What Millstream cannot know is absent. */

/** How far a checkpoint is. */
export type CheckpointStatus = 'IN_PROGRESS' | 'COMPLETED' | 'FAILED';

/** One vertex in a checkpoint. */
export interface TaskCheckpointStatistics {
  readonly id: number;
  readonly status: CheckpointStatus;
  /** -1: none yet. */
  readonly latest_ack_timestamp: number;
  readonly checkpointed_size: number;
  readonly state_size: number;
  readonly end_to_end_duration: number;
  readonly num_subtasks: number;
  readonly num_acknowledged_subtasks: number;
}

/** `GET /jobs/:jobid/checkpoints/details/:checkpointid`; the history's entries are without `tasks`. */
export interface CheckpointStatistics {
  readonly className: 'in_progress' | 'completed' | 'failed';
  readonly id: number;
  readonly status: CheckpointStatus;
  readonly is_savepoint: boolean;
  readonly savepointFormat?: 'CANONICAL';
  readonly checkpoint_type: 'CHECKPOINT' | 'SAVEPOINT';
  readonly trigger_timestamp: number;
  readonly latest_ack_timestamp: number;
  /** Written for this checkpoint. */
  readonly checkpointed_size: number;
  /** All that a restore reads. */
  readonly state_size: number;
  readonly end_to_end_duration: number;
  readonly num_subtasks: number;
  readonly num_acknowledged_subtasks: number;
  /** By vertex id. */
  readonly tasks?: Readonly<Record<string, TaskCheckpointStatistics>>;
  readonly external_path?: string;
  readonly discarded?: boolean;
  readonly failure_timestamp?: number;
  readonly failure_message?: string;
}

/** Percentiles are nearest ranks. */
export interface StatisticsSummary {
  readonly min: number;
  readonly max: number;
  readonly avg: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
}

/** What the newest attempt started from. */
export interface RestoredCheckpoint {
  readonly id: number;
  readonly restore_timestamp: number;
  readonly is_savepoint: boolean;
  readonly external_path: string;
}

/** `GET /jobs/:jobid/checkpoints`. */
export interface CheckpointingStatistics {
  readonly counts: {
    readonly restored: number;
    readonly total: number;
    readonly in_progress: number;
    readonly completed: number;
    readonly failed: number;
  };
  /** Over the last thousand complete ones; all zero before the first. */
  readonly summary: {
    readonly checkpointed_size: StatisticsSummary;
    readonly state_size: StatisticsSummary;
    readonly end_to_end_duration: StatisticsSummary;
  };
  readonly latest: {
    readonly completed?: CheckpointStatistics;
    readonly savepoint?: CheckpointStatistics;
    readonly failed?: CheckpointStatistics;
    readonly restored?: RestoredCheckpoint;
  };
  /** Newest first. */
  readonly history: readonly CheckpointStatistics[];
}

/** One subtask in a checkpoint; sizes and times once it has acknowledged. */
export interface SubtaskCheckpointStatistics {
  readonly className: 'completed' | 'pending';
  readonly index: number;
  readonly status: 'completed' | 'pending_or_failed';
  readonly ack_timestamp?: number;
  readonly end_to_end_duration?: number;
  readonly checkpointed_size?: number;
  readonly state_size?: number;
}

/** `GET /jobs/:jobid/checkpoints/details/:checkpointid/subtasks/:vertexid`. */
export interface VertexCheckpointStatistics extends TaskCheckpointStatistics {
  readonly subtasks: readonly SubtaskCheckpointStatistics[];
}

/** `GET /jobs/:jobid/checkpoints/config`. An interval of -1: no periodic checkpoints. */
export interface CheckpointSettings {
  readonly mode: 'exactly_once' | 'at_least_once';
  readonly interval: number;
  readonly timeout: number;
  readonly min_pause: number;
  readonly max_concurrent: number;
  readonly externalization: { readonly enabled: boolean; readonly delete_on_cancellation: boolean };
  readonly state_backend: string;
  readonly checkpoint_storage: string;
  readonly unaligned_checkpoints: boolean;
  readonly tolerable_failed_checkpoints: number;
}
