/** Schemas of vertices and subtasks. */
import type {
  JobVertexDetails,
  SubtaskBackPressure,
  SubtaskDetails,
  SubtasksTimes,
  VertexBackPressure,
  VertexTaskManagers,
} from 'millstream/cluster';
import type { TUnsafe } from 'typebox';
import { executionState, ioMetrics, times } from './jobs.js';
import { list, number, optional, record, shape, text, words } from './shape.js';

export const subtaskDetails: TUnsafe<SubtaskDetails> = shape<SubtaskDetails>({
  subtask: number,
  status: executionState,
  attempt: number,
  endpoint: optional(text),
  'taskmanager-id': optional(text),
  ...times,
  metrics: ioMetrics,
});

export const vertexDetails: TUnsafe<JobVertexDetails> = shape<JobVertexDetails>({
  id: text,
  name: text,
  parallelism: number,
  maxParallelism: number,
  now: number,
  subtasks: list(subtaskDetails),
});

export const subtasksTimes: TUnsafe<SubtasksTimes> = shape<SubtasksTimes>({
  id: text,
  name: text,
  now: number,
  subtasks: list(
    shape<SubtasksTimes['subtasks'][number]>({ subtask: number, endpoint: optional(text), duration: number, timestamps: record(number) }),
  ),
});

export const vertexTaskManagers: TUnsafe<VertexTaskManagers> = shape<VertexTaskManagers>({
  id: text,
  name: text,
  now: number,
  taskmanagers: list(
    shape<VertexTaskManagers['taskmanagers'][number]>({
      endpoint: text,
      'taskmanager-id': text,
      status: executionState,
      ...times,
      metrics: ioMetrics,
      'status-counts': record(number),
    }),
  ),
});

const level = words(['ok', 'low', 'high']);

export const backPressure: TUnsafe<VertexBackPressure> = shape<VertexBackPressure>({
  status: words(['ok', 'deprecated']),
  backpressureLevel: optional(level),
  'end-timestamp': optional(number),
  subtasks: optional(
    list(
      shape<SubtaskBackPressure>({
        subtask: number,
        'attempt-number': number,
        backpressureLevel: level,
        ratio: number,
        idleRatio: number,
        busyRatio: number,
      }),
    ),
  ),
});
