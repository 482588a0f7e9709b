/** Metrics by name, from the facts; selection and aggregation as in Flink. Pure. */
import type { JobVertex } from '../../plan/job-graph.js';
import type { AggregatedMetric, Metric, MetricAggregation } from './cluster-info.js';
import type { JobFacts, SubtaskFacts } from './cluster-model.js';
import { ENDED_JOB_STATES } from './job-info.js';
import { formatMetric } from './present-vertex.js';

/** Values by name. */
export type MetricValues = ReadonlyMap<string, number>;

export function subtaskMetrics({ metrics, load }: SubtaskFacts, vertex: JobVertex): MetricValues {
  if (metrics === undefined) return new Map();
  const values = new Map<string, number>([
    ['numRecordsIn', metrics.recordsIn[0] ?? 0],
    ['accumulateBusyTimeMs', metrics.busyMs],
    ['accumulateBackPressuredTimeMs', metrics.backPressuredMs],
    ['accumulateIdleTimeMs', metrics.idleMs],
    ['currentInputWatermark', metrics.watermark],
    ['numLateRecordsDropped', metrics.lateRecordsDropped],
    ['numRecordsInErrors', metrics.recordsInErrors],
    ['stateEntries', metrics.stateEntries],
    ['stateColumnBytes', metrics.stateColumnBytes],
  ]);
  if (load !== undefined) {
    values.set('busyTimeMsPerSecond', load.busy * 1000);
    values.set('backPressuredTimeMsPerSecond', load.backPressured * 1000);
    values.set('idleTimeMsPerSecond', load.idle * 1000);
  }
  for (const [index, { node }] of vertex.chain.entries()) values.set(`${node.name}.numRecordsIn`, metrics.recordsIn[index] ?? 0);
  return values;
}

/** "<subtask>.<name>" for each subtask. */
export function vertexMetrics(subtasks: readonly SubtaskFacts[], vertex: JobVertex): MetricValues {
  const values = new Map<string, number>();
  for (const subtask of subtasks) {
    for (const [name, value] of subtaskMetrics(subtask, vertex)) values.set(`${subtask.subtask}.${name}`, value);
  }
  return values;
}

export function jobMetrics(job: JobFacts, now: number): MetricValues {
  const { counts, latest } = job.checkpoints.statistics();
  const values = new Map<string, number>([
    ['numRestarts', job.restarts],
    ['totalNumberOfCheckpoints', counts.total],
    ['numberOfInProgressCheckpoints', counts.in_progress],
    ['numberOfCompletedCheckpoints', counts.completed],
    ['numberOfFailedCheckpoints', counts.failed],
  ]);
  if (latest.completed !== undefined) {
    values.set('lastCheckpointDuration', latest.completed.end_to_end_duration);
    values.set('lastCheckpointSize', latest.completed.checkpointed_size);
    values.set('lastCheckpointFullSize', latest.completed.state_size);
  }
  const running = job.timestamps.RUNNING;
  values.set(
    'uptime',
    job.state === 'RUNNING' && running !== undefined ? Math.max(0, now - running) : ENDED_JOB_STATES.has(job.state) ? -1 : 0,
  );
  return values;
}

/** With names: those that are there, with values. Without: all names. */
export function selectMetrics(values: MetricValues, names: readonly string[] | undefined): Metric[] {
  if (names === undefined) return [...values.keys()].map((id) => ({ id }));
  return names.flatMap((id) => {
    const value = values.get(id);
    return value === undefined ? [] : [{ id, value: formatMetric(value) }];
  });
}

/** Over those members that have the metric. */
export function aggregateMetrics(
  members: readonly MetricValues[],
  names: readonly string[] | undefined,
  aggregations: readonly MetricAggregation[] | undefined,
): AggregatedMetric[] {
  if (names === undefined) return [...new Set(members.flatMap((values) => [...values.keys()]))].map((id) => ({ id }));
  const wanted = new Set(aggregations ?? ['min', 'max', 'sum', 'avg']);
  return names.flatMap((id) => {
    // An infinite watermark has no sum, and JSON no infinity.
    const values = members
      .map((member) => member.get(id))
      .filter((value): value is number => value !== undefined && Number.isFinite(value));
    if (values.length === 0) return [];
    const sum = values.reduce((total, value) => total + value, 0);
    return [
      {
        id,
        ...(wanted.has('min') && { min: Math.min(...values) }),
        ...(wanted.has('max') && { max: Math.max(...values) }),
        ...(wanted.has('sum') && { sum }),
        ...(wanted.has('avg') && { avg: sum / values.length }),
      },
    ];
  });
}
