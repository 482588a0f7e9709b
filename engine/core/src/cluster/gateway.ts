/**
 * A cluster as programs see it from outside: plain data in and out, in Flink's REST shapes. REST serves a gateway, {@link ClusterClient} is
 * one over HTTP, `ModelGateway` is the one of a JobManager.
 *
 *     CLI, programs ─▶ ClusterClient ──HTTP──▶ REST ─▶ ModelGateway ─▶ JobManager (ClusterModel)
 *
 * Every method rejects with MillstreamError: NOT_FOUND for what is not there, REQUEST_CONFLICT where the state does not allow it,
 * CLUSTER_UNAVAILABLE (retryable) where no leader answers.
 */
import type {
  CheckpointingStatistics,
  CheckpointSettings,
  CheckpointStatistics,
  VertexCheckpointStatistics,
} from './gateway/checkpoint-info.js';
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
  JobExecutionResultInfo,
  SavepointDisposalRequest,
  SavepointLocation,
  SavepointRequest,
  StopRequest,
} from './gateway/operation-info.js';

/** A vertex of a job. */
export interface VertexReference {
  readonly jobId: string;
  readonly vertexId: string;
}

/** A cluster as programs see it from outside. */
export interface ClusterGateway {
  // ---- the cluster

  /** Whether it can be asked: a leader is there and has read what jobs there are. Never rejects. */
  ready(): Promise<boolean>;
  overview(): Promise<ClusterOverview>;
  dashboardConfiguration(): Promise<DashboardConfiguration>;
  clusterConfiguration(): Promise<readonly ConfigurationEntry[]>;
  taskManagers(): Promise<readonly TaskManagerInfo[]>;
  taskManager(taskManagerId: string): Promise<TaskManagerDetails>;
  /** Of these names, with values; without names: which there are. */
  metrics(scope: MetricScope, names?: readonly string[]): Promise<readonly Metric[]>;
  /** Without names: which there are. Without aggregations: all four. */
  aggregatedMetrics(
    group: MetricGroup,
    names?: readonly string[],
    aggregations?: readonly MetricAggregation[],
  ): Promise<readonly AggregatedMetric[]>;
  /** Ends the JobManager; its TaskManagers look for another. Jobs go on under the next one where high availability is on, else they end. */
  shutDown(): Promise<void>;

  // ---- jobs

  jobs(): Promise<readonly JobIdWithStatus[]>;
  jobsOverview(): Promise<readonly JobOverview[]>;
  job(jobId: string): Promise<JobDetails>;
  jobStatus(jobId: string): Promise<JobState>;
  jobConfig(jobId: string): Promise<JobConfig>;
  jobPlan(jobId: string): Promise<JobPlan>;
  jobExceptions(jobId: string, maxExceptions?: number): Promise<JobExceptions>;
  jobExecutionResult(jobId: string): Promise<JobExecutionResultInfo>;
  vertex(vertex: VertexReference): Promise<JobVertexDetails>;
  subtaskTimes(vertex: VertexReference): Promise<SubtasksTimes>;
  vertexTaskManagers(vertex: VertexReference): Promise<VertexTaskManagers>;
  /** One metric per subtask: "<subtask>.currentInputWatermark". Those that have none yet are absent. */
  watermarks(vertex: VertexReference): Promise<readonly Metric[]>;
  backPressure(vertex: VertexReference): Promise<VertexBackPressure>;
  /** `attempt` absent: the newest. */
  subtask(vertex: VertexReference, subtask: number, attempt?: number): Promise<SubtaskDetails>;
  resourceRequirements(jobId: string): Promise<ResourceRequirements>;
  /** The job is rescaled when slots allow. */
  updateResourceRequirements(jobId: string, requirements: ResourceRequirements): Promise<void>;
  /** Asks for the end of a job; harmless if it has ended. */
  cancelJob(jobId: string): Promise<void>;

  // ---- checkpoints and savepoints

  checkpoints(jobId: string): Promise<CheckpointingStatistics>;
  checkpointSettings(jobId: string): Promise<CheckpointSettings>;
  checkpoint(jobId: string, checkpointId: number): Promise<CheckpointStatistics>;
  checkpointOfVertex(vertex: VertexReference, checkpointId: number): Promise<VertexCheckpointStatistics>;
  /** Each of the next four resolves with the trigger id. */
  triggerCheckpoint(jobId: string, request: CheckpointRequestBody): Promise<string>;
  triggerSavepoint(jobId: string, request: SavepointRequest): Promise<string>;
  stopWithSavepoint(jobId: string, request: StopRequest): Promise<string>;
  triggerSavepointDisposal(request: SavepointDisposalRequest): Promise<string>;
  checkpointOperation(jobId: string, triggerId: string): Promise<AsynchronousOperation<CheckpointReference>>;
  /** Of savepoints and of stops. */
  savepointOperation(jobId: string, triggerId: string): Promise<AsynchronousOperation<SavepointLocation>>;
  savepointDisposalOperation(triggerId: string): Promise<AsynchronousOperation<Readonly<Record<string, never>>>>;

  // ---- artifacts

  artifacts(): Promise<ArtifactList>;
  uploadArtifact(upload: ArtifactUpload): Promise<ArtifactInfo>;
  deleteArtifact(artifactId: string): Promise<void>;
  planArtifact(artifactId: string, request: ArtifactPlanRequest): Promise<JobPlan>;
  /** Resolves with the job's id once it is accepted. */
  runArtifact(artifactId: string, request: ArtifactRunRequest): Promise<string>;
}
