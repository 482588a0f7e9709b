import { describe, expect, it } from 'vitest';
import type { JobVertex } from '../../plan/job-graph.js';
import type { TaskMetrics } from '../../runtime/slot-messages.js';
import type { SubtaskFacts } from './cluster-model.js';
import type { ExecutionState } from './job-info.js';
import {
  backPressureLevel,
  formatMetric,
  loadBetween,
  vertexBackPressure,
  vertexOverview,
  vertexTaskManagers,
  vertexWatermarks,
} from './present-vertex.js';

const VERTEX: JobVertex = {
  id: 'v',
  name: 'map',
  chain: [],
  parallelism: 2,
  maxParallelism: 128,
  slotSharingGroup: 'default',
  inputs: [],
  outputs: [],
};

function subtask(index: number, state: ExecutionState, timestamps: SubtaskFacts['timestamps'] = {}): SubtaskFacts {
  return { vertexId: 'v', subtask: index, attempt: 1, state, timestamps };
}

function metrics(busyMs: number, backPressuredMs: number, idleMs: number): TaskMetrics {
  const rest = { recordsIn: [], lateRecordsDropped: 0, recordsInErrors: 0, stateEntries: 0, stateColumnBytes: 0 };
  return { vertexId: 'v', subtask: 0, watermark: 0, busyMs, backPressuredMs, idleMs, ...rest };
}

describe('a vertex', () => {
  it.each<[ExecutionState[], ExecutionState]>([
    [[], 'CREATED'],
    [['CREATED', 'CREATED'], 'CREATED'],
    [['SCHEDULED', 'CREATED'], 'SCHEDULED'],
    [['DEPLOYING', 'SCHEDULED'], 'DEPLOYING'],
    [['RUNNING', 'DEPLOYING'], 'RUNNING'],
    [['RUNNING', 'INITIALIZING'], 'INITIALIZING'],
    [['FINISHED', 'RUNNING'], 'RUNNING'],
    [['FINISHED', 'SCHEDULED'], 'RUNNING'],
    [['FINISHED', 'FINISHED'], 'FINISHED'],
    [['FAILED', 'RUNNING'], 'FAILED'],
    [['CANCELED', 'CANCELING'], 'CANCELING'],
  ])('of subtasks %j is %s', (states, expected) => {
    const subtasks = states.map((state, index) => subtask(index, state));
    expect(vertexOverview(VERTEX, subtasks, 0).status).toBe(expected);
  });

  it('begins with its first subtask and ends with its last', () => {
    const first = subtask(0, 'FINISHED', { DEPLOYING: 100, FINISHED: 300 });
    const times = (...subtasks: SubtaskFacts[]): unknown => {
      const overview = vertexOverview(VERTEX, subtasks, 1000);
      return [overview['start-time'], overview['end-time'], overview.duration];
    };
    expect(times(subtask(0, 'CREATED'))).toEqual([-1, -1, -1]);
    expect(times(first, subtask(1, 'RUNNING', { DEPLOYING: 50 }))).toEqual([50, -1, 950]);
    expect(times(first, subtask(1, 'CANCELED', { DEPLOYING: 150, CANCELED: 400 }))).toEqual([100, 400, 300]);
  });

  it('without reports has nothing that it could not know', () => {
    const subtasks = [subtask(0, 'RUNNING')];
    expect(vertexBackPressure(subtasks, 7)).toEqual({ status: 'deprecated' });
    expect(vertexWatermarks(subtasks)).toEqual([]);
    expect(vertexTaskManagers(VERTEX, subtasks, 7).taskmanagers).toEqual([]);
    expect(vertexOverview(VERTEX, subtasks, 0).metrics['read-records-complete']).toBe(false);
  });
});

describe('load', () => {
  it('is the share of the time between two reports, within bounds', () => {
    expect(loadBetween(metrics(100, 0, 0), metrics(600, 250, 100), 1000)).toEqual({ busy: 0.5, backPressured: 0.25, idle: 0.1 });
    expect(loadBetween(metrics(0, 50, 0), metrics(2000, 0, 1), 1000)).toEqual({ busy: 1, backPressured: 0, idle: 0.001 });
    expect(loadBetween(metrics(0, 0, 0), metrics(1, 1, 1), 0)).toEqual({ busy: 0, backPressured: 0, idle: 0 });
  });

  it.each([
    [0.1, 'ok'],
    [0.11, 'low'],
    [0.5, 'low'],
    [0.51, 'high'],
  ])('of %d is %s', (ratio, level) => {
    expect(backPressureLevel(ratio)).toBe(level);
  });
});

describe('a metric', () => {
  it('is written as Flink does', () => {
    expect([1.5, -3, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map(formatMetric)).toEqual([
      '1.5',
      '-3',
      '9223372036854775807',
      '-9223372036854775808',
    ]);
  });
});
