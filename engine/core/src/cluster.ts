/** `millstream/cluster`: running jobs from programs: the embedded driver, its observer, and the evaluation of programs. */
import './default-executor.js';

export { buildDefinedJob, evaluateModule, isJobDefinition, noJobError } from './api/define-job.js';
export { type EvaluationContext, type EvaluationMode, runInEvaluation } from './api/evaluation.js';
export { createMoment, type EvaluationMoment } from './api/evaluation-sandbox.js';
export type { JobExecutionResult, JobExecutor } from './api/job-executor.js';
export { parseProgramArguments } from './api/program-arguments.js';
export type { SubtaskId } from './checkpoint/coordinator-state.js';
export { FileSystems, type FileSystemsOptions } from './checkpoint/file-systems.js';
export { type StorageSettings, storageSettings } from './checkpoint/storage-options.js';
export type { CheckpointAcknowledgementReport, CompletedCheckpointReport, RestoredCheckpointReport } from './cluster/attempt-options.js';
export type { AttemptExchange, ExchangeRequest } from './cluster/attempt-share.js';
export { ClusterClient, type ClusterClientOptions } from './cluster/cluster-client.js';
export type { AttemptKey, TaskManagerDescription } from './cluster/control-messages.js';
export { ArtifactStore, type ArtifactStoreOptions } from './cluster/gateway/artifact-store.js';
export {
  type CheckpointAcknowledgement,
  CheckpointHistory,
  type TriggeredCheckpoint,
} from './cluster/gateway/checkpoint-history.js';
export type {
  CheckpointingStatistics,
  CheckpointSettings,
  CheckpointStatistics,
  CheckpointStatus,
  RestoredCheckpoint,
  StatisticsSummary,
  SubtaskCheckpointStatistics,
  TaskCheckpointStatistics,
  VertexCheckpointStatistics,
} from './cluster/gateway/checkpoint-info.js';
export { clientLimits, VERSION_HEADER } from './cluster/gateway/cluster-connection.js';
export type {
  AggregatedMetric,
  ClusterOverview,
  ConfigurationEntry,
  DashboardConfiguration,
  HardwareDescription,
  Metric,
  MetricAggregation,
  MetricGroup,
  MetricScope,
  TaskManagerDetails,
  TaskManagerInfo,
} from './cluster/gateway/cluster-info.js';
export type {
  ClusterModel,
  JobFacts,
  StoredArtifact,
  SubtaskFacts,
  TaskLoad,
  TaskManagerFacts,
} from './cluster/gateway/cluster-model.js';
export { ExceptionHistory, type FailureFacts } from './cluster/gateway/exception-history.js';
export {
  type BackPressureLevel,
  ENDED_JOB_STATES,
  EXECUTION_STATES,
  type ExceptionInfo,
  type ExecutionState,
  type IoMetrics,
  JOB_STATES,
  type JobConfig,
  type JobDetails,
  type JobExceptions,
  type JobIdWithStatus,
  type JobOverview,
  type JobPlan,
  type JobState,
  type JobVertexDetails,
  type JobVertexOverview,
  type PlanNodeInfo,
  type PlanNodeInput,
  type ResourceRequirements,
  type RootExceptionInfo,
  type StateCounts,
  type SubtaskBackPressure,
  type SubtaskDetails,
  type SubtasksTimes,
  type VertexBackPressure,
  type VertexTaskManagers,
} from './cluster/gateway/job-info.js';
export { ModelGateway, type ModelGatewayOptions } from './cluster/gateway/model-gateway.js';
export type {
  ArtifactInfo,
  ArtifactList,
  ArtifactPlanRequest,
  ArtifactRunRequest,
  ArtifactUpload,
  AsynchronousOperation,
  CheckpointReference,
  CheckpointRequestBody,
  FailedOperation,
  FailureCause,
  JobExecutionResultInfo,
  SavepointDisposalRequest,
  SavepointLocation,
  SavepointRequest,
  StopRequest,
} from './cluster/gateway/operation-info.js';
export { loadBetween } from './cluster/gateway/present-vertex.js';
export type { ClusterGateway, VertexReference } from './cluster/gateway.js';
export { JobManager, type JobManagerObserver, type JobManagerOptions, type JobSubmission } from './cluster/job-manager.js';
export { JobManagerModel } from './cluster/job-manager-model.js';
export { JobMaster } from './cluster/job-master.js';
export { JobRun } from './cluster/job-run.js';
export type { JobRunOptions, RunObserver, RunOutcome } from './cluster/job-run-options.js';
export { DEFAULT_CHECKPOINT_DIRECTORY, type RunOptions } from './cluster/job-settings.js';
export { LeaderElection, type LeaderElectionListener } from './cluster/leader-election.js';
export { LeaderLease } from './cluster/leader-lease.js';
export { type Leader, type LeaderAddress, type LeaderClaim, LeaderObserver, type LeaseLook } from './cluster/leader-observer.js';
export {
  type HighAvailabilityStorage,
  Leadership,
  type LeadershipObserver,
  type LeadershipOptions,
  leaderFinder,
} from './cluster/leadership.js';
export { fileLeaseStore, type LeaseStore } from './cluster/lease-store.js';
export { LocalExecutor, type LocalExecutorOptions, SILENT_OBSERVER } from './cluster/local-executor.js';
export { measureProcess, type ProcessFigures } from './cluster/process-figures.js';
export { moduleHash, ProgramModules, type ProgramStore } from './cluster/program-modules.js';
export { createProgramTrial, type ProgramTrial, type ProgramTrialOptions, type TrialRequest } from './cluster/program-trial.js';
export { RelayingExchange, type RelayingExchangeOptions } from './cluster/relaying-exchange.js';
export type { AdaptiveSchedulerConfig } from './cluster/scheduling/adaptive-scheduler-state.js';
export type { SchedulerSettings } from './cluster/scheduling/job-scheduler.js';
export type { SlotSpread } from './cluster/scheduling/match-slots.js';
export { startSlot } from './cluster/slot-handle.js';
export { SIGNAL_ECHO_MS, SIGNAL_EXIT_CODES, type StopSignal, type StopSignals, stopOnSignals } from './cluster/stop-signals.js';
export { SubmittedJobs } from './cluster/submitted-jobs.js';
export { TaskManager, type TaskManagerObserver, type TaskManagerOptions } from './cluster/task-manager.js';
export { type Clock, type ScheduledCall, systemClock } from './common/clock.js';
export { describeError, type ErrorDescription } from './common/error-description.js';
export { normalizedFingerprint, readFingerprint } from './common/fingerprint.js';
export { nodeDisk } from './common/node-disk.js';
export { entropySeed, type Random, randomToken, seededRandom } from './common/random.js';
export type { Connection, ConnectionListener, Network, NetworkAddress, NetworkListener } from './common/transport.js';
export { environmentEntries } from './config/environment-entries.js';
export type { OptionScalar, OptionScope } from './config/option-declaration.js';
export { describeOrigin, type OptionEntry, type OptionOrigin } from './config/option-origin.js';
export type { ResolvedOptions } from './config/options.js';
export {
  type Configuration,
  type ConfigurationRow,
  configurationRows,
  jobOptions,
  resolveConfiguration,
} from './config/resolve-configuration.js';
export { parseOptions } from './config/resolve-options.js';
export { buildJobGraph } from './plan/build-job-graph.js';
export { explainJobGraph, explainPlan } from './plan/explain.js';
export type { JobEdge, JobGraph, JobVertex } from './plan/job-graph.js';
export type { JobProgram, Plan, PlanNode } from './plan/plan.js';
export type { TaskMetrics } from './runtime/slot-messages.js';
