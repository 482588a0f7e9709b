/**
 * The gateway of a JobManager: facts and commands of a {@link ClusterModel} in Flink's shapes, with trigger ids and typed errors.
 *
 * Invariants: 1. one that is not ready answers nothing but `ready`; 2. the same trigger id starts one operation; 3. the same job id starts
 * one job, as far as the model remembers its jobs.
 */
import type { Clock } from '../../common/clock.js';
import { MillstreamError } from '../../common/errors.js';
import type { Random } from '../../common/random.js';
import type { ClusterGateway, VertexReference } from '../gateway.js';
import type { ArtifactStore } from './artifact-store.js';
import type { CheckpointingStatistics, CheckpointSettings, CheckpointStatistics, VertexCheckpointStatistics } from './checkpoint-info.js';
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
} from './cluster-info.js';
import type { ClusterModel, StoredArtifact } from './cluster-model.js';
import { FactsLookup, notFound } from './facts-lookup.js';
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
} from './job-info.js';
import type {
  ArtifactInfo,
  ArtifactList,
  ArtifactPlanRequest,
  ArtifactRunRequest,
  ArtifactUpload,
  AsynchronousOperation,
  CheckpointReference,
  CheckpointRequestBody,
  JobExecutionResultInfo,
  SavepointDisposalRequest,
  SavepointLocation,
  SavepointRequest,
  StopRequest,
} from './operation-info.js';
import { OperationRegistry } from './operation-registry.js';
import { clusterOverview, taskManagerDetails, taskManagerInfo } from './present-cluster.js';
import { jobConfig, jobDetails, jobExecutionResult, jobOverview, jobPlan } from './present-job.js';
import { aggregateMetrics, selectMetrics } from './present-metrics.js';
import {
  subtaskDetails,
  subtasksTimes,
  vertexBackPressure,
  vertexDetails,
  vertexTaskManagers,
  vertexWatermarks,
} from './present-vertex.js';
import { checkRequirements } from './requirements-check.js';

/** What a gateway is made of. */
export interface ModelGatewayOptions {
  readonly model: ClusterModel;
  readonly artifacts: ArtifactStore;
  readonly clock: Clock;
  readonly random: Random;
  /** What dashboards offer. */
  readonly features: { readonly submit: boolean; readonly cancel: boolean; readonly rescale: boolean };
  /** Flink's `rest.async.store-duration`. Default: 5 minutes. */
  readonly operationKeepMs?: number;
  /** Flink's `web.timeout`: for requests that wait for work, not for what is only triggered. Default: 10 minutes. */
  readonly requestTimeoutMs?: number;
}

const DISPOSAL = 'disposal of a savepoint';

/** The gateway of a JobManager. */
export class ModelGateway implements ClusterGateway {
  private readonly options: ModelGatewayOptions;
  private readonly facts: FactsLookup;
  private readonly operations: OperationRegistry;

  constructor(options: ModelGatewayOptions) {
    this.options = options;
    this.facts = new FactsLookup(options.model);
    const { clock, random, operationKeepMs: keepMs } = options;
    this.operations = new OperationRegistry({ clock, random, ...(keepMs !== undefined && { keepMs }) });
  }

  // ---- the cluster

  async ready(): Promise<boolean> {
    return this.options.model.ready();
  }

  async overview(): Promise<ClusterOverview> {
    return clusterOverview(this.model);
  }

  async dashboardConfiguration(): Promise<DashboardConfiguration> {
    const { submit, cancel, rescale } = this.options.features;
    return {
      'refresh-interval': 3000,
      'millstream-version': this.model.version,
      features: { 'web-submit': submit, 'web-cancel': cancel, 'web-rescale': rescale, 'web-history': false },
    };
  }

  async clusterConfiguration(): Promise<readonly ConfigurationEntry[]> {
    return this.model.configuration();
  }

  async taskManagers(): Promise<readonly TaskManagerInfo[]> {
    return this.model.taskManagers().map(taskManagerInfo);
  }

  async taskManager(taskManagerId: string): Promise<TaskManagerDetails> {
    return taskManagerDetails(this.facts.taskManager(taskManagerId));
  }

  async metrics(scope: MetricScope, names?: readonly string[]): Promise<readonly Metric[]> {
    return selectMetrics(this.facts.metricsOf(scope, this.now), names);
  }

  async aggregatedMetrics(
    group: MetricGroup,
    names?: readonly string[],
    aggregations?: readonly MetricAggregation[],
  ): Promise<readonly AggregatedMetric[]> {
    return aggregateMetrics(this.facts.metricsOfGroup(group, this.now), names, aggregations);
  }

  async shutDown(): Promise<void> {
    await this.model.shutDown();
  }

  // ---- jobs

  async jobs(): Promise<readonly JobIdWithStatus[]> {
    return this.model.jobs().map(({ id, state }) => ({ id, status: state }));
  }

  async jobsOverview(): Promise<readonly JobOverview[]> {
    return this.model.jobs().map((job) => jobOverview(job, this.now));
  }

  async job(jobId: string): Promise<JobDetails> {
    return jobDetails(this.facts.job(jobId), this.now);
  }

  async jobStatus(jobId: string): Promise<JobState> {
    return this.facts.job(jobId).state;
  }

  async jobConfig(jobId: string): Promise<JobConfig> {
    return jobConfig(this.facts.job(jobId));
  }

  async jobPlan(jobId: string): Promise<JobPlan> {
    return jobPlan(jobId, this.facts.job(jobId).graph);
  }

  async jobExceptions(jobId: string, maxExceptions?: number): Promise<JobExceptions> {
    return this.facts.job(jobId).exceptions.toInfo(maxExceptions);
  }

  async jobExecutionResult(jobId: string): Promise<JobExecutionResultInfo> {
    return jobExecutionResult(this.facts.job(jobId), this.now);
  }

  async vertex(reference: VertexReference): Promise<JobVertexDetails> {
    const { vertex, subtasks } = this.facts.vertex(reference);
    return vertexDetails(vertex, subtasks, this.now);
  }

  async subtaskTimes(reference: VertexReference): Promise<SubtasksTimes> {
    const { vertex, subtasks } = this.facts.vertex(reference);
    return subtasksTimes(vertex, subtasks, this.now);
  }

  async vertexTaskManagers(reference: VertexReference): Promise<VertexTaskManagers> {
    const { vertex, subtasks } = this.facts.vertex(reference);
    return vertexTaskManagers(vertex, subtasks, this.now);
  }

  async watermarks(reference: VertexReference): Promise<readonly Metric[]> {
    return vertexWatermarks(this.facts.vertex(reference).subtasks);
  }

  async backPressure(reference: VertexReference): Promise<VertexBackPressure> {
    return vertexBackPressure(this.facts.vertex(reference).subtasks, this.now);
  }

  async subtask(reference: VertexReference, subtask: number, attempt?: number): Promise<SubtaskDetails> {
    return subtaskDetails(this.facts.subtask(reference, subtask, attempt), this.now);
  }

  async resourceRequirements(jobId: string): Promise<ResourceRequirements> {
    return this.facts.job(jobId).requirements;
  }

  async updateResourceRequirements(jobId: string, requirements: ResourceRequirements): Promise<void> {
    const job = this.facts.liveJob(jobId, 'rescale');
    checkRequirements(job.graph, requirements);
    await this.inTime(`rescaling job '${jobId}'`, this.model.updateRequirements(jobId, requirements));
  }

  async cancelJob(jobId: string): Promise<void> {
    this.facts.job(jobId);
    await this.inTime(`cancelling job '${jobId}'`, this.model.cancelJob(jobId));
  }

  // ---- checkpoints and savepoints

  async checkpoints(jobId: string): Promise<CheckpointingStatistics> {
    return this.facts.job(jobId).checkpoints.statistics();
  }

  async checkpointSettings(jobId: string): Promise<CheckpointSettings> {
    return this.facts.job(jobId).checkpointSettings;
  }

  async checkpoint(jobId: string, checkpointId: number): Promise<CheckpointStatistics> {
    return this.facts.job(jobId).checkpoints.details(checkpointId) ?? notFound('checkpoint', String(checkpointId));
  }

  async checkpointOfVertex(reference: VertexReference, checkpointId: number): Promise<VertexCheckpointStatistics> {
    this.facts.vertex(reference);
    const { checkpoints } = this.facts.job(reference.jobId);
    return checkpoints.ofVertex(checkpointId, reference.vertexId) ?? notFound('checkpoint', String(checkpointId));
  }

  async triggerCheckpoint(jobId: string, { triggerId, checkpointType = 'CONFIGURED' }: CheckpointRequestBody): Promise<string> {
    if (checkpointType !== 'CONFIGURED') {
      throw new MillstreamError(
        'INVALID_REQUEST',
        `Cannot take a checkpoint of type ${checkpointType}: the state backend decides what is a base and what a delta. Leave checkpointType out, or trigger a savepoint for a full export.`,
      );
    }
    return this.start(`checkpoint of job ${jobId}`, jobId, triggerId, async () => ({ checkpointId: await this.model.checkpoint(jobId) }));
  }

  async triggerSavepoint(jobId: string, { triggerId, 'target-directory': directory }: SavepointRequest): Promise<string> {
    return this.start(savepointTarget(jobId), jobId, triggerId, async () => ({ location: await this.model.savepoint(jobId, directory) }));
  }

  async stopWithSavepoint(jobId: string, { triggerId, targetDirectory: directory, drain = false }: StopRequest): Promise<string> {
    return this.start(savepointTarget(jobId), jobId, triggerId, async () => ({
      location: await this.model.stop(jobId, { directory, drain }),
    }));
  }

  async triggerSavepointDisposal({ triggerId, 'savepoint-path': path }: SavepointDisposalRequest): Promise<string> {
    const { model } = this;
    return this.operations.start(DISPOSAL, triggerId, async () => {
      await model.disposeSavepoint(path);
      return {};
    });
  }

  async checkpointOperation(jobId: string, triggerId: string): Promise<AsynchronousOperation<CheckpointReference>> {
    this.facts.job(jobId);
    return this.operations.status(`checkpoint of job ${jobId}`, triggerId);
  }

  async savepointOperation(jobId: string, triggerId: string): Promise<AsynchronousOperation<SavepointLocation>> {
    this.facts.job(jobId);
    return this.operations.status(savepointTarget(jobId), triggerId);
  }

  async savepointDisposalOperation(triggerId: string): Promise<AsynchronousOperation<Readonly<Record<string, never>>>> {
    return this.operations.status(DISPOSAL, triggerId);
  }

  // ---- artifacts

  async artifacts(): Promise<ArtifactList> {
    return { address: this.model.address, files: this.options.artifacts.list().map(artifactInfo) };
  }

  async uploadArtifact(upload: ArtifactUpload): Promise<ArtifactInfo> {
    return artifactInfo(await this.options.artifacts.upload(upload));
  }

  async deleteArtifact(artifactId: string): Promise<void> {
    await this.options.artifacts.remove(artifactId);
  }

  async planArtifact(artifactId: string, request: ArtifactPlanRequest): Promise<JobPlan> {
    const artifact = await this.verified(artifactId);
    return jobPlan('', await this.inTime(`planning artifact '${artifactId}'`, this.model.planArtifact(artifact, request)));
  }

  async runArtifact(artifactId: string, request: ArtifactRunRequest): Promise<string> {
    const artifact = await this.verified(artifactId);
    const { jobId } = request;
    if (jobId !== undefined && this.model.job(jobId) !== undefined) return jobId;
    return await this.inTime(`starting artifact '${artifactId}'`, this.model.runArtifact(artifact, request));
  }

  // ---- work

  private get now(): number {
    return this.options.clock.now();
  }

  private get model(): ClusterModel {
    return this.facts.model;
  }

  /** Rejects with REQUEST_TIMEOUT when `work` takes too long; it goes on. */
  private async inTime<T>(what: string, work: Promise<T>): Promise<T> {
    const { clock, requestTimeoutMs = 600_000 } = this.options;
    const late = Promise.withResolvers<never>();
    const timer = clock.schedule(requestTimeoutMs, () => {
      const message = `Cannot wait longer for ${what}: it has not ended within ${requestTimeoutMs} ms (web.timeout), and goes on. Look at the jobs of the cluster before you ask again.`;
      late.reject(new MillstreamError('REQUEST_TIMEOUT', message));
    });
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      timer.cancel();
    }
  }

  private start(target: string, jobId: string, triggerId: string | undefined, work: () => Promise<unknown>): string {
    // A repeated trigger is answered even after the job has ended by it.
    if (triggerId === undefined || !this.operations.has(triggerId)) this.facts.liveJob(jobId, `start a ${target.split(' ', 1)[0]} of`);
    return this.operations.start(target, triggerId, work);
  }

  private async verified(artifactId: string): Promise<StoredArtifact> {
    void this.model;
    const artifact = this.options.artifacts.get(artifactId);
    await this.options.artifacts.verify(artifact);
    return artifact;
  }
}

function savepointTarget(jobId: string): string {
  return `savepoint of job ${jobId}`;
}

function artifactInfo({ id, name, uploaded, size, sha256 }: StoredArtifact): ArtifactInfo {
  return { id, name, uploaded, size, sha256 };
}
