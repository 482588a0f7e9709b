/** Schemas of checkpoints. */
import type {
  CheckpointingStatistics,
  CheckpointSettings,
  CheckpointStatistics,
  RestoredCheckpoint,
  StatisticsSummary,
  SubtaskCheckpointStatistics,
  TaskCheckpointStatistics,
  VertexCheckpointStatistics,
} from 'millstream/cluster';
import type { TUnsafe } from 'typebox';
import { flag, list, number, optional, record, shape, text, words } from './shape.js';

const status = words(['IN_PROGRESS', 'COMPLETED', 'FAILED']);

const taskFields = {
  id: number,
  status,
  latest_ack_timestamp: number,
  checkpointed_size: number,
  state_size: number,
  end_to_end_duration: number,
  num_subtasks: number,
  num_acknowledged_subtasks: number,
} as const;

export const checkpoint: TUnsafe<CheckpointStatistics> = shape<CheckpointStatistics>({
  ...taskFields,
  className: words(['in_progress', 'completed', 'failed']),
  is_savepoint: flag,
  savepointFormat: optional(words(['CANONICAL'])),
  checkpoint_type: words(['CHECKPOINT', 'SAVEPOINT']),
  trigger_timestamp: number,
  tasks: optional(record(shape<TaskCheckpointStatistics>(taskFields))),
  external_path: optional(text),
  discarded: optional(flag),
  failure_timestamp: optional(number),
  failure_message: optional(text),
});

const summary: TUnsafe<StatisticsSummary> = shape<StatisticsSummary>({
  min: number,
  max: number,
  avg: number,
  p50: number,
  p90: number,
  p95: number,
  p99: number,
  p999: number,
});

export const checkpointing: TUnsafe<CheckpointingStatistics> = shape<CheckpointingStatistics>({
  counts: shape<CheckpointingStatistics['counts']>({
    restored: number,
    total: number,
    in_progress: number,
    completed: number,
    failed: number,
  }),
  summary: shape<CheckpointingStatistics['summary']>({ checkpointed_size: summary, state_size: summary, end_to_end_duration: summary }),
  latest: shape<CheckpointingStatistics['latest']>({
    completed: optional(checkpoint),
    savepoint: optional(checkpoint),
    failed: optional(checkpoint),
    restored: optional(shape<RestoredCheckpoint>({ id: number, restore_timestamp: number, is_savepoint: flag, external_path: text })),
  }),
  history: list(checkpoint),
});

export const checkpointOfVertex: TUnsafe<VertexCheckpointStatistics> = shape<VertexCheckpointStatistics>({
  ...taskFields,
  subtasks: list(
    shape<SubtaskCheckpointStatistics>({
      className: words(['completed', 'pending']),
      index: number,
      status: words(['completed', 'pending_or_failed']),
      ack_timestamp: optional(number),
      end_to_end_duration: optional(number),
      checkpointed_size: optional(number),
      state_size: optional(number),
    }),
  ),
});

export const checkpointSettings: TUnsafe<CheckpointSettings> = shape<CheckpointSettings>({
  mode: words(['exactly_once', 'at_least_once']),
  interval: number,
  timeout: number,
  min_pause: number,
  max_concurrent: number,
  externalization: shape<CheckpointSettings['externalization']>({ enabled: flag, delete_on_cancellation: flag }),
  state_backend: text,
  checkpoint_storage: text,
  unaligned_checkpoints: flag,
  tolerable_failed_checkpoints: number,
});
