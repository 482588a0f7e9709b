/** Jobs and their plans in Flink's shapes, from the facts. Pure. */
import type { JobEdge, JobGraph } from '../../plan/job-graph.js';
import type { JobFacts, SubtaskFacts } from './cluster-model.js';
import { ENDED_JOB_STATES, JOB_STATES, type JobConfig, type JobDetails, type JobOverview, type JobPlan } from './job-info.js';
import type { JobExecutionResultInfo } from './operation-info.js';
import { countStates, vertexOverview } from './present-vertex.js';

export function jobOverview(job: JobFacts, now: number): JobOverview {
  const counts = countStates(job.subtasks.map(({ state }) => state));
  return {
    jid: job.id,
    name: job.name,
    state: job.state,
    ...jobTimes(job, now),
    'last-modification': Math.max(0, ...Object.values(job.timestamps)),
    tasks: { total: job.subtasks.length, ...counts },
  };
}

export function jobDetails(job: JobFacts, now: number): JobDetails {
  const vertices = job.graph.vertices.map((vertex) => vertexOverview(vertex, subtasksOf(job, vertex.id), now));
  return {
    jid: job.id,
    name: job.name,
    isStoppable: !ENDED_JOB_STATES.has(job.state),
    state: job.state,
    ...jobTimes(job, now),
    maxParallelism: Math.max(-1, ...job.graph.vertices.map(({ maxParallelism }) => maxParallelism)),
    now,
    timestamps: Object.fromEntries(JOB_STATES.map((state) => [state, job.timestamps[state] ?? 0])),
    vertices,
    'status-counts': countStates(vertices.map(({ status }) => status)),
    plan: jobPlan(job.id, job.graph),
  };
}

/** Ship strategies are Flink's names: HASH, FORWARD … */
export function jobPlan(jobId: string, graph: JobGraph): JobPlan {
  return {
    jid: jobId,
    name: graph.jobName,
    type: 'STREAMING',
    nodes: graph.vertices.map((vertex) => ({
      id: vertex.id,
      parallelism: vertex.parallelism,
      operator: vertex.chain[0]?.node.kind ?? '',
      description: vertex.name,
      ...(vertex.inputs.length > 0 && { inputs: vertex.inputs.map(planInput) }),
    })),
  };
}

function planInput(edge: JobEdge, num: number): { num: number; id: string; ship_strategy: string; exchange: string } {
  return { num, id: edge.fromVertex, ship_strategy: edge.partitioning.toUpperCase(), exchange: 'pipelined_bounded' };
}

export function jobConfig(job: JobFacts): JobConfig {
  return {
    jid: job.id,
    name: job.name,
    'execution-config': {
      'restart-strategy': job.restartStrategy,
      'job-parallelism': job.defaultParallelism,
      'user-config': job.configuration,
    },
  };
}

export function jobExecutionResult(job: JobFacts, now: number): JobExecutionResultInfo {
  if (!ENDED_JOB_STATES.has(job.state)) return { status: { id: 'IN_PROGRESS' } };
  const failure = job.state === 'FAILED' ? job.exceptions.latest : undefined;
  const status = job.state === 'FINISHED' ? 'SUCCEEDED' : job.state === 'FAILED' ? 'FAILED' : 'CANCELED';
  return {
    status: { id: 'COMPLETED' },
    'job-execution-result': {
      id: job.id,
      'application-status': status,
      'net-runtime': jobTimes(job, now).duration,
      ...(failure !== undefined && { 'failure-cause': { class: failure.exceptionName, 'stack-trace': failure.stacktrace } }),
    },
  };
}

/** A job's subtasks of one vertex, in order. */
export function subtasksOf(job: JobFacts, vertexId: string): readonly SubtaskFacts[] {
  return job.subtasks.filter((subtask) => subtask.vertexId === vertexId).sort((a, b) => a.subtask - b.subtask);
}

function jobTimes(job: JobFacts, now: number): { 'start-time': number; 'end-time': number; duration: number } {
  const entered = Object.values(job.timestamps);
  const start = entered.length === 0 ? now : Math.min(...entered);
  const end = ENDED_JOB_STATES.has(job.state) ? (job.timestamps[job.state] ?? now) : -1;
  return { 'start-time': start, 'end-time': end, duration: Math.max(0, (end < 0 ? now : end) - start) };
}
