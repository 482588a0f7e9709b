/** The cluster and its TaskManagers in Flink's shapes, from the facts. Pure. */
import type { ClusterOverview, TaskManagerDetails, TaskManagerInfo } from './cluster-info.js';
import type { ClusterModel, TaskManagerFacts } from './cluster-model.js';
import { ENDED_JOB_STATES, type JobState } from './job-info.js';

export function clusterOverview(model: ClusterModel): ClusterOverview {
  const taskManagers = model.taskManagers();
  const states = model.jobs().map(({ state }) => state);
  const inState = (state: JobState): number => states.filter((other) => other === state).length;
  const total = taskManagers.reduce((sum, { slots }) => sum + slots, 0);
  const taken = taskManagers.reduce((sum, facts) => sum + facts.taken.length, 0);
  return {
    taskmanagers: taskManagers.length,
    'slots-total': total,
    'slots-available': total - taken,
    'jobs-running': states.filter((state) => !ENDED_JOB_STATES.has(state)).length,
    'jobs-finished': inState('FINISHED'),
    'jobs-cancelled': inState('CANCELED'),
    'jobs-failed': inState('FAILED'),
    'millstream-version': model.version,
  };
}

export function taskManagerInfo(facts: TaskManagerFacts): TaskManagerInfo {
  return {
    id: facts.id,
    path: facts.address,
    dataPort: facts.dataPort,
    timeSinceLastHeartbeat: facts.lastHeartbeatAt,
    slotsNumber: facts.slots,
    freeSlots: facts.slots - facts.taken.length,
    hardware: facts.hardware,
  };
}

export function taskManagerDetails(facts: TaskManagerFacts): TaskManagerDetails {
  const { heapUsed, heapCommitted, heapMax } = facts.metrics;
  return {
    ...taskManagerInfo(facts),
    allocatedSlots: facts.taken.map((jobId) => ({ jobId })),
    metrics: {
      ...(heapUsed !== undefined && { heapUsed }),
      ...(heapCommitted !== undefined && { heapCommitted }),
      ...(heapMax !== undefined && { heapMax }),
    },
  };
}
