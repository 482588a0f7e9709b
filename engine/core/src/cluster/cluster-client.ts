/**
 * A cluster over its REST interface, for programs and the command line. Triggers and submissions get their ids here, so that a request
 * which is repeated while the leader changes starts nothing twice.
 */
import { createHash } from 'node:crypto';
import { type Clock, systemClock } from '../common/clock.js';
import { ERROR_CODES, type ErrorCode } from '../common/error-codes.js';
import { MillstreamError } from '../common/errors.js';
import { entropySeed } from '../common/random.js';
import type {
  CheckpointingStatistics,
  CheckpointSettings,
  CheckpointStatistics,
  VertexCheckpointStatistics,
} from './gateway/checkpoint-info.js';
import { ClusterConnection, type ClusterConnectionOptions, type ClusterRequest } from './gateway/cluster-connection.js';
import type {
  AggregatedMetric,
  ClusterOverview,
  ConfigurationEntry,
  DashboardConfiguration,
  Metric,
  MetricAggregation,
  MetricGroup,
  MetricScope,
  TaskManagerDetails,
  TaskManagerInfo,
} from './gateway/cluster-info.js';
import type {
  JobConfig,
  JobDetails,
  JobExceptions,
  JobIdWithStatus,
  JobOverview,
  JobPlan,
  JobState,
  JobVertexDetails,
  ResourceRequirements,
  SubtaskDetails,
  SubtasksTimes,
  VertexBackPressure,
  VertexTaskManagers,
} from './gateway/job-info.js';
import type {
  ArtifactInfo,
  ArtifactList,
  ArtifactPlanRequest,
  ArtifactRunRequest,
  ArtifactUpload,
  AsynchronousOperation,
  CheckpointReference,
  CheckpointRequestBody,
  FailedOperation,
  JobExecutionResultInfo,
  SavepointDisposalRequest,
  SavepointLocation,
  SavepointRequest,
  StopRequest,
} from './gateway/operation-info.js';
import type { ClusterGateway, VertexReference } from './gateway.js';

/** Where a cluster is, and who asks. */
export interface ClusterClientOptions extends Omit<ClusterConnectionOptions, 'clock'> {
  /** Default: the machine's. */
  readonly clock?: Clock;
}

const POLL_MS = 100;

/**
 * A cluster over its REST interface.
 * @example
 * const cluster = new ClusterClient({ addresses: ['http://localhost:8081'] });
 * for (const { jid, name, state } of await cluster.jobsOverview()) console.log(jid, name, state);
 */
export class ClusterClient implements ClusterGateway {
  private readonly connection: ClusterConnection;
  private readonly clock: Clock;

  /** Throws INVALID_OPTION for an address that is none. Connects with the first request. */
  constructor(options: ClusterClientOptions) {
    this.clock = options.clock ?? systemClock;
    this.connection = new ClusterConnection({ ...options, clock: this.clock });
  }

  // ---- the cluster

  async ready(): Promise<boolean> {
    return await this.connection.probe('/readyz');
  }

  async overview(): Promise<ClusterOverview> {
    return await this.get('/overview');
  }

  async dashboardConfiguration(): Promise<DashboardConfiguration> {
    return await this.get('/config');
  }

  async clusterConfiguration(): Promise<readonly ConfigurationEntry[]> {
    return await this.get('/jobmanager/config');
  }

  async taskManagers(): Promise<readonly TaskManagerInfo[]> {
    return (await this.get<{ taskmanagers: TaskManagerInfo[] }>('/taskmanagers')).taskmanagers;
  }

  async taskManager(taskManagerId: string): Promise<TaskManagerDetails> {
    return await this.get(path`/taskmanagers/${taskManagerId}`);
  }

  async metrics(scope: MetricScope, names?: readonly string[]): Promise<readonly Metric[]> {
    return await this.get(`${scopePath(scope)}/metrics${query({ get: names?.join(',') })}`);
  }

  async aggregatedMetrics(
    group: MetricGroup,
    names?: readonly string[],
    aggregations?: readonly MetricAggregation[],
  ): Promise<readonly AggregatedMetric[]> {
    const base = group.type === 'subtasks' ? `${vertexPath(group)}/subtasks` : `/${group.type}`;
    const selection = { get: names?.join(','), agg: aggregations?.join(','), [group.type]: group.members?.join(',') };
    return await this.get(`${base}/metrics${query(selection)}`);
  }

  async shutDown(): Promise<void> {
    await this.send({ method: 'DELETE', path: '/cluster', repeatable: false });
  }

  // ---- jobs

  async jobs(): Promise<readonly JobIdWithStatus[]> {
    return (await this.get<{ jobs: JobIdWithStatus[] }>('/jobs')).jobs;
  }

  async jobsOverview(): Promise<readonly JobOverview[]> {
    return (await this.get<{ jobs: JobOverview[] }>('/jobs/overview')).jobs;
  }

  async job(jobId: string): Promise<JobDetails> {
    return await this.get(path`/jobs/${jobId}`);
  }

  async jobStatus(jobId: string): Promise<JobState> {
    return (await this.get<{ status: JobState }>(path`/jobs/${jobId}/status`)).status;
  }

  async jobConfig(jobId: string): Promise<JobConfig> {
    return await this.get(path`/jobs/${jobId}/config`);
  }

  async jobPlan(jobId: string): Promise<JobPlan> {
    return (await this.get<{ plan: JobPlan }>(path`/jobs/${jobId}/plan`)).plan;
  }

  async jobExceptions(jobId: string, maxExceptions?: number): Promise<JobExceptions> {
    return await this.get(path`/jobs/${jobId}/exceptions` + query({ maxExceptions: maxExceptions?.toString() }));
  }

  async jobExecutionResult(jobId: string): Promise<JobExecutionResultInfo> {
    return await this.get(path`/jobs/${jobId}/execution-result`);
  }

  async vertex(vertex: VertexReference): Promise<JobVertexDetails> {
    return await this.get(vertexPath(vertex));
  }

  async subtaskTimes(vertex: VertexReference): Promise<SubtasksTimes> {
    return await this.get(`${vertexPath(vertex)}/subtasktimes`);
  }

  async vertexTaskManagers(vertex: VertexReference): Promise<VertexTaskManagers> {
    return await this.get(`${vertexPath(vertex)}/taskmanagers`);
  }

  async watermarks(vertex: VertexReference): Promise<readonly Metric[]> {
    return await this.get(`${vertexPath(vertex)}/watermarks`);
  }

  async backPressure(vertex: VertexReference): Promise<VertexBackPressure> {
    return await this.get(`${vertexPath(vertex)}/backpressure`);
  }

  async subtask(vertex: VertexReference, subtask: number, attempt?: number): Promise<SubtaskDetails> {
    return await this.get(`${vertexPath(vertex)}/subtasks/${subtask}${attempt === undefined ? '' : `/attempts/${attempt}`}`);
  }

  async resourceRequirements(jobId: string): Promise<ResourceRequirements> {
    return await this.get(path`/jobs/${jobId}/resource-requirements`);
  }

  async updateResourceRequirements(jobId: string, requirements: ResourceRequirements): Promise<void> {
    await this.send({ method: 'PUT', path: path`/jobs/${jobId}/resource-requirements`, json: requirements, repeatable: true });
  }

  async cancelJob(jobId: string): Promise<void> {
    await this.send({ method: 'PATCH', path: path`/jobs/${jobId}`, repeatable: true });
  }

  // ---- checkpoints and savepoints

  async checkpoints(jobId: string): Promise<CheckpointingStatistics> {
    return await this.get(path`/jobs/${jobId}/checkpoints`);
  }

  async checkpointSettings(jobId: string): Promise<CheckpointSettings> {
    return await this.get(path`/jobs/${jobId}/checkpoints/config`);
  }

  async checkpoint(jobId: string, checkpointId: number): Promise<CheckpointStatistics> {
    return await this.get(path`/jobs/${jobId}/checkpoints/details/${String(checkpointId)}`);
  }

  async checkpointOfVertex({ jobId, vertexId }: VertexReference, checkpointId: number): Promise<VertexCheckpointStatistics> {
    return await this.get(path`/jobs/${jobId}/checkpoints/details/${String(checkpointId)}/subtasks/${vertexId}`);
  }

  async triggerCheckpoint(jobId: string, request: CheckpointRequestBody): Promise<string> {
    return await this.trigger(path`/jobs/${jobId}/checkpoints`, request);
  }

  async triggerSavepoint(jobId: string, request: SavepointRequest): Promise<string> {
    return await this.trigger(path`/jobs/${jobId}/savepoints`, request);
  }

  async stopWithSavepoint(jobId: string, request: StopRequest): Promise<string> {
    return await this.trigger(path`/jobs/${jobId}/stop`, request);
  }

  async triggerSavepointDisposal(request: SavepointDisposalRequest): Promise<string> {
    return await this.trigger('/savepoint-disposal', request);
  }

  async checkpointOperation(jobId: string, triggerId: string): Promise<AsynchronousOperation<CheckpointReference>> {
    return await this.get(path`/jobs/${jobId}/checkpoints/${triggerId}`);
  }

  async savepointOperation(jobId: string, triggerId: string): Promise<AsynchronousOperation<SavepointLocation>> {
    return await this.get(path`/jobs/${jobId}/savepoints/${triggerId}`);
  }

  async savepointDisposalOperation(triggerId: string): Promise<AsynchronousOperation<Readonly<Record<string, never>>>> {
    return await this.get(path`/savepoint-disposal/${triggerId}`);
  }

  /**
   * Looks until an operation has ended. Rejects with its failure.
   * @example
   * const id = await cluster.triggerSavepoint(jobId, {});
   * const { location } = await cluster.completed(() => cluster.savepointOperation(jobId, id));
   */
  async completed<T>(look: () => Promise<AsynchronousOperation<T>>): Promise<T> {
    for (;;) {
      const { status, operation } = await look();
      if (status.id === 'COMPLETED') {
        const failure = (operation as Partial<FailedOperation> | undefined)?.['failure-cause'];
        if (failure === undefined) return operation as T;
        throw new MillstreamError(
          Object.hasOwn(ERROR_CODES, failure.class) ? (failure.class as ErrorCode) : 'INTERNAL',
          failure['stack-trace'],
        );
      }
      await new Promise<void>((resolve) => this.clock.schedule(POLL_MS, resolve));
    }
  }

  // ---- artifacts

  async artifacts(): Promise<ArtifactList> {
    return await this.get('/jars');
  }

  /** Holds the content in memory, to repeat the request if the leader changes, and announces its hash. */
  async uploadArtifact({ name, content, sha256 }: ArtifactUpload): Promise<ArtifactInfo> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of content) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const hash = sha256 ?? createHash('sha256').update(bytes).digest('hex');
    const target = `/jars/upload${query({ name, sha256: hash })}`;
    const answer = await this.send<ArtifactInfo>({ method: 'POST', path: target, bytes, repeatable: true });
    return { id: answer.id, name: answer.name, uploaded: answer.uploaded, size: answer.size, sha256: answer.sha256 };
  }

  async deleteArtifact(artifactId: string): Promise<void> {
    await this.send({ method: 'DELETE', path: path`/jars/${artifactId}`, repeatable: false });
  }

  async planArtifact(artifactId: string, request: ArtifactPlanRequest): Promise<JobPlan> {
    const target = path`/jars/${artifactId}/plan`;
    return (await this.send<{ plan: JobPlan }>({ method: 'POST', path: target, json: inFlinksWords(request), repeatable: true })).plan;
  }

  async runArtifact(artifactId: string, request: ArtifactRunRequest): Promise<string> {
    const json = { jobId: newId(), ...inFlinksWords(request) };
    const target = path`/jars/${artifactId}/run`;
    return (await this.send<{ jobid: string }>({ method: 'POST', path: target, json, repeatable: true })).jobid;
  }

  // ---- requests

  private async get<T>(path: string): Promise<T> {
    return await this.send<T>({ method: 'GET', path, repeatable: true });
  }

  private async trigger(target: string, request: object): Promise<string> {
    const json = { triggerId: newId(), ...request };
    return (await this.send<{ 'request-id': string }>({ method: 'POST', path: target, json, repeatable: true }))['request-id'];
  }

  private async send<T>(request: ClusterRequest): Promise<T> {
    return await this.connection.request<T>(request);
  }
}

/** REST has Flink's name for the options of a job. */
function inFlinksWords({ configuration, ...request }: ArtifactRunRequest): object {
  return { ...request, ...(configuration !== undefined && { flinkConfiguration: configuration }) };
}

/** 128 bits that nobody else has. */
function newId(): string {
  return [0, 1, 2, 3].map(() => entropySeed().toString(16).padStart(8, '0')).join('');
}

/** A path with its values encoded. */
function path(strings: TemplateStringsArray, ...values: readonly string[]): string {
  return strings.reduce((text, part, index) => text + encodeURIComponent(values[index - 1] as string) + part);
}

function vertexPath({ jobId, vertexId }: VertexReference): string {
  return path`/jobs/${jobId}/vertices/${vertexId}`;
}

function scopePath(scope: MetricScope): string {
  switch (scope.type) {
    case 'jobmanager':
      return '/jobmanager';
    case 'taskmanager':
      return path`/taskmanagers/${scope.taskManagerId}`;
    case 'job':
      return path`/jobs/${scope.jobId}`;
    case 'vertex':
      return vertexPath(scope);
    case 'subtask':
      return `${vertexPath(scope)}/subtasks/${scope.subtask}`;
  }
}

/** "?a=1&b=2" of the values that are there. */
function query(values: Readonly<Record<string, string | undefined>>): string {
  const present = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return present.length === 0 ? '' : `?${new URLSearchParams(present)}`;
}
