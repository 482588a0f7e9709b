/** Vertices and subtasks in Flink's shapes, from the facts. Pure. */
import type { JobVertex } from '../../plan/job-graph.js';
import type { TaskMetrics } from '../../runtime/slot-messages.js';
import type { Metric } from './cluster-info.js';
import type { SubtaskFacts, TaskLoad } from './cluster-model.js';
import {
  type BackPressureLevel,
  EXECUTION_STATES,
  type ExecutionState,
  type IoMetrics,
  type JobVertexDetails,
  type JobVertexOverview,
  type StateCounts,
  type SubtaskDetails,
  type SubtasksTimes,
  type VertexBackPressure,
  type VertexTaskManagers,
} from './job-info.js';

const ENDED: ReadonlySet<ExecutionState> = new Set<ExecutionState>(['FINISHED', 'CANCELED', 'FAILED']);

interface Times {
  readonly 'start-time': number;
  readonly 'end-time': number;
  readonly duration: number;
}

/** The load between two reports of one attempt. Shares of the time that the reports cover, 0 to 1. */
export function loadBetween(before: TaskMetrics, after: TaskMetrics, elapsedMs: number): TaskLoad {
  const share = (field: 'busyMs' | 'backPressuredMs' | 'idleMs'): number =>
    elapsedMs > 0 ? Math.min(1, Math.max(0, (after[field] - before[field]) / elapsedMs)) : 0;
  return { busy: share('busyMs'), backPressured: share('backPressuredMs'), idle: share('idleMs') };
}

export function vertexOverview(vertex: JobVertex, subtasks: readonly SubtaskFacts[], now: number): JobVertexOverview {
  return {
    id: vertex.id,
    name: vertex.name,
    slotSharingGroupId: vertex.slotSharingGroup,
    maxParallelism: vertex.maxParallelism,
    parallelism: vertex.parallelism,
    status: aggregateState(subtasks),
    ...timesOfAll(subtasks, now),
    tasks: countStates(subtasks.map(({ state }) => state)),
    metrics: ioMetrics(subtasks),
  };
}

export function vertexDetails(vertex: JobVertex, subtasks: readonly SubtaskFacts[], now: number): JobVertexDetails {
  return {
    id: vertex.id,
    name: vertex.name,
    parallelism: vertex.parallelism,
    maxParallelism: vertex.maxParallelism,
    now,
    subtasks: subtasks.map((subtask) => subtaskDetails(subtask, now)),
  };
}

export function subtaskDetails(subtask: SubtaskFacts, now: number): SubtaskDetails {
  const { place } = subtask;
  return {
    subtask: subtask.subtask,
    status: subtask.state,
    attempt: subtask.attempt,
    ...(place !== undefined && { endpoint: place.endpoint, 'taskmanager-id': place.taskManagerId }),
    ...timesOf(subtask, now),
    metrics: ioMetrics([subtask]),
  };
}

export function subtasksTimes(vertex: JobVertex, subtasks: readonly SubtaskFacts[], now: number): SubtasksTimes {
  return {
    id: vertex.id,
    name: vertex.name,
    now,
    subtasks: subtasks.map((subtask) => ({
      subtask: subtask.subtask,
      ...(subtask.place !== undefined && { endpoint: subtask.place.endpoint }),
      duration: timesOf(subtask, now).duration,
      timestamps: Object.fromEntries(EXECUTION_STATES.map((state) => [state, subtask.timestamps[state] ?? 0])),
    })),
  };
}

/** By TaskManager; subtasks without a place are left out. */
export function vertexTaskManagers(vertex: JobVertex, subtasks: readonly SubtaskFacts[], now: number): VertexTaskManagers {
  const groups = Map.groupBy(
    subtasks.filter(({ place }) => place !== undefined),
    ({ place }) => place?.taskManagerId as string,
  );
  return {
    id: vertex.id,
    name: vertex.name,
    now,
    taskmanagers: [...groups].map(([id, members]) => ({
      endpoint: members[0]?.place?.endpoint as string,
      'taskmanager-id': id,
      status: aggregateState(members),
      ...timesOfAll(members, now),
      metrics: ioMetrics(members),
      'status-counts': countStates(members.map(({ state }) => state)),
    })),
  };
}

/** A subtask that has seen no watermark has none; at the end of the input it is Flink's Long.MAX_VALUE. */
export function vertexWatermarks(subtasks: readonly SubtaskFacts[]): Metric[] {
  return subtasks.flatMap(({ subtask, metrics }) => {
    if (metrics === undefined || metrics.watermark === Number.NEGATIVE_INFINITY) return [];
    return [{ id: `${subtask}.currentInputWatermark`, value: formatMetric(metrics.watermark) }];
  });
}

/** Flink's levels: up to 10 % ok, up to 50 % low. */
export function backPressureLevel(ratio: number): BackPressureLevel {
  return ratio <= 0.1 ? 'ok' : ratio <= 0.5 ? 'low' : 'high';
}

export function vertexBackPressure(subtasks: readonly SubtaskFacts[], now: number): VertexBackPressure {
  const measured = subtasks.flatMap(({ load, ...subtask }) => (load === undefined ? [] : [{ ...subtask, load }]));
  if (measured.length === 0) return { status: 'deprecated' };
  return {
    status: 'ok',
    backpressureLevel: backPressureLevel(Math.max(...measured.map(({ load }) => load.backPressured))),
    'end-timestamp': Math.max(...measured.map(({ reportedAt }) => reportedAt ?? now)),
    subtasks: measured.map(({ subtask, attempt, load }) => ({
      subtask,
      'attempt-number': attempt,
      backpressureLevel: backPressureLevel(load.backPressured),
      ratio: load.backPressured,
      idleRatio: load.idle,
      busyRatio: load.busy,
    })),
  };
}

/** Numbers as Flink writes them: infinite watermarks are the ends of a long. */
export function formatMetric(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '9223372036854775807';
  if (value === Number.NEGATIVE_INFINITY) return '-9223372036854775808';
  return String(value);
}

/** Flink's order: what needs attention wins; finished only if all are. */
const AGGREGATION: readonly ExecutionState[] = [
  'FAILED',
  'CANCELING',
  'CANCELED',
  'RECONCILING',
  'INITIALIZING',
  'RUNNING',
  'DEPLOYING',
  'SCHEDULED',
  'CREATED',
];

function aggregateState(subtasks: readonly SubtaskFacts[]): ExecutionState {
  if (subtasks.length === 0) return 'CREATED';
  if (subtasks.every(({ state }) => state === 'FINISHED')) return 'FINISHED';
  // A finished subtask beside one that has not begun yet: the vertex runs.
  const state = AGGREGATION.find((candidate) => subtasks.some((subtask) => subtask.state === candidate)) as ExecutionState;
  return state === 'CREATED' || state === 'SCHEDULED'
    ? subtasks.some((subtask) => subtask.state === 'FINISHED')
      ? 'RUNNING'
      : state
    : state;
}

/** How many there are of each state; all states, in Flink's order. */
export function countStates(states: readonly ExecutionState[]): StateCounts {
  const counts: Record<string, number> = Object.fromEntries(EXECUTION_STATES.map((state) => [state, 0]));
  for (const state of states) counts[state] = (counts[state] as number) + 1;
  return counts;
}

function timesOf({ state, timestamps }: SubtaskFacts, now: number): Times {
  const start = timestamps.DEPLOYING ?? -1;
  const end = ENDED.has(state) ? (timestamps[state] ?? now) : -1;
  return { 'start-time': start, 'end-time': end, duration: start < 0 ? -1 : Math.max(0, (end < 0 ? now : end) - start) };
}

function timesOfAll(subtasks: readonly SubtaskFacts[], now: number): Times {
  const times = subtasks.map((subtask) => timesOf(subtask, now));
  const starts = times.map((time) => time['start-time']).filter((start) => start >= 0);
  const start = starts.length === 0 ? -1 : Math.min(...starts);
  const ended = times.length > 0 && times.every((time) => time['end-time'] >= 0);
  const end = ended ? Math.max(...times.map((time) => time['end-time'])) : -1;
  return { 'start-time': start, 'end-time': end, duration: start < 0 ? -1 : Math.max(0, (end < 0 ? now : end) - start) };
}

function ioMetrics(subtasks: readonly SubtaskFacts[]): IoMetrics {
  const sum = (value: (metrics: TaskMetrics) => number): number =>
    subtasks.reduce((total, { metrics }) => total + (metrics === undefined ? 0 : value(metrics)), 0);
  return {
    'read-records': sum(({ recordsIn }) => recordsIn[0] ?? 0),
    'read-records-complete': subtasks.every(({ metrics }) => metrics !== undefined),
    'accumulated-backpressured-time': Math.round(sum(({ backPressuredMs }) => backPressuredMs)),
    'accumulated-idle-time': Math.round(sum(({ idleMs }) => idleMs)),
    'accumulated-busy-time': Math.round(sum(({ busyMs }) => busyMs)),
  };
}
