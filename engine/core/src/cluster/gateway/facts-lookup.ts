/** Finds what a request names among a model's facts. */
import { MillstreamError } from '../../common/errors.js';
import type { JobVertex } from '../../plan/job-graph.js';
import type { VertexReference } from '../gateway.js';
import type { MetricGroup, MetricScope } from './cluster-info.js';
import type { ClusterModel, JobFacts, SubtaskFacts, TaskManagerFacts } from './cluster-model.js';
import { ENDED_JOB_STATES } from './job-info.js';
import { subtasksOf } from './present-job.js';
import { jobMetrics, type MetricValues, subtaskMetrics, vertexMetrics } from './present-metrics.js';

/** Each method throws NOT_FOUND, and CLUSTER_UNAVAILABLE where the model is not ready. */
export class FactsLookup {
  private readonly source: ClusterModel;

  constructor(source: ClusterModel) {
    this.source = source;
  }

  get model(): ClusterModel {
    if (this.source.ready()) return this.source;
    throw new MillstreamError(
      'CLUSTER_UNAVAILABLE',
      'This JobManager cannot answer: it does not lead, or is still reading its jobs. Ask the others (--jobmanager one:8081,two:8081), or again in a second.',
      { retryable: true },
    );
  }

  job(jobId: string): JobFacts {
    return this.model.job(jobId) ?? notFound('job', jobId);
  }

  /** One that has not ended; throws REQUEST_CONFLICT. `action`: what cannot be done otherwise. */
  liveJob(jobId: string, action: string): JobFacts {
    const job = this.job(jobId);
    if (!ENDED_JOB_STATES.has(job.state)) return job;
    throw new MillstreamError(
      'REQUEST_CONFLICT',
      `Cannot ${action} job '${jobId}' (${job.name}): it is ${job.state}. Start it again first.`,
    );
  }

  vertex({ jobId, vertexId }: VertexReference): { job: JobFacts; vertex: JobVertex; subtasks: readonly SubtaskFacts[] } {
    const job = this.job(jobId);
    const vertex = job.graph.vertices.find(({ id }) => id === vertexId) ?? notFound('vertex', vertexId);
    return { job, vertex, subtasks: subtasksOf(job, vertexId) };
  }

  subtask(reference: VertexReference, subtask: number, attempt?: number): SubtaskFacts {
    const { job, subtasks } = this.vertex(reference);
    const former = (job.formerSubtasks ?? []).filter(({ vertexId }) => vertexId === reference.vertexId);
    const found = [...subtasks, ...former].find(
      (facts) => facts.subtask === subtask && (attempt === undefined || facts.attempt === attempt),
    );
    return found ?? notFound('subtask', attempt === undefined ? String(subtask) : `${subtask}, attempt ${attempt}`);
  }

  taskManager(taskManagerId: string): TaskManagerFacts {
    return this.model.taskManagers().find(({ id }) => id === taskManagerId) ?? notFound('TaskManager', taskManagerId);
  }

  metricsOf(scope: MetricScope, now: number): MetricValues {
    switch (scope.type) {
      case 'jobmanager':
        return new Map(Object.entries(this.model.metrics()));
      case 'taskmanager':
        return new Map(Object.entries(this.taskManager(scope.taskManagerId).metrics));
      case 'job':
        return jobMetrics(this.job(scope.jobId), now);
      case 'vertex': {
        const { vertex, subtasks } = this.vertex(scope);
        return vertexMetrics(subtasks, vertex);
      }
      case 'subtask':
        return subtaskMetrics(this.subtask(scope, scope.subtask), this.vertex(scope).vertex);
    }
  }

  metricsOfGroup(group: MetricGroup, now: number): MetricValues[] {
    const wanted = (id: string): boolean => group.members === undefined || group.members.includes(id);
    switch (group.type) {
      case 'jobs':
        return this.model.jobs().flatMap((job) => (wanted(job.id) ? [jobMetrics(job, now)] : []));
      case 'taskmanagers':
        return this.model.taskManagers().flatMap(({ id, metrics }) => (wanted(id) ? [new Map(Object.entries(metrics))] : []));
      case 'subtasks': {
        const { vertex, subtasks } = this.vertex(group);
        return subtasks.flatMap((facts) => (wanted(String(facts.subtask)) ? [subtaskMetrics(facts, vertex)] : []));
      }
    }
  }
}

/** Throws NOT_FOUND. */
export function notFound(kind: string, id: string): never {
  throw new MillstreamError('NOT_FOUND', `There is no ${kind} '${id}'. It may have ended and been forgotten; list what there is.`);
}
