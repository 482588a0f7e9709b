/**
 * What a JobManager has to tell and to do so that `ModelGateway` makes a whole {@link ClusterGateway} of it: facts as they are known now, and
 * commands that take their time. Trigger ids, Flink's shapes, aggregation and bounds are the gateway's.
 *
 * Invariants: 1. facts are plain data that is not changed after it was handed over; 2. a command rejects with a MillstreamError; 3. times are
 * ms since 1970 from the cluster's clock.
 */
import type { JobGraph } from '../../plan/job-graph.js';
import type { TaskMetrics } from '../../runtime/slot-messages.js';
import type { CheckpointHistory } from './checkpoint-history.js';
import type { CheckpointSettings } from './checkpoint-info.js';
import type { ConfigurationEntry, HardwareDescription } from './cluster-info.js';
import type { ExceptionHistory } from './exception-history.js';
import type { ExecutionState, JobState, ResourceRequirements } from './job-info.js';
import type { ArtifactInfo, ArtifactPlanRequest, ArtifactRunRequest } from './operation-info.js';

/** A TaskManager. */
export interface TaskManagerFacts {
  readonly id: string;
  /** Where it is reached for control: "host:port". */
  readonly address: string;
  /** Where others send it records. */
  readonly dataPort: number;
  readonly slots: number;
  /** The job that has each taken slot. */
  readonly taken: readonly string[];
  readonly lastHeartbeatAt: number;
  readonly hardware: HardwareDescription;
  /** `heapUsed`, `heapCommitted`, `heapMax` (bytes) are shown as such; any name may be asked for. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** How a subtask spent its last report's time, as shares of it. */
export interface TaskLoad {
  readonly busy: number;
  readonly backPressured: number;
  readonly idle: number;
}

/** One attempt of a subtask. */
export interface SubtaskFacts {
  readonly vertexId: string;
  readonly subtask: number;
  readonly attempt: number;
  readonly state: ExecutionState;
  /** When each state was entered last. */
  readonly timestamps: Readonly<Partial<Record<ExecutionState, number>>>;
  /** Absent until it is placed. */
  readonly place?: { readonly taskManagerId: string; readonly endpoint: string };
  /** The newest report of this attempt. */
  readonly metrics?: TaskMetrics;
  /** From the last two reports (`loadBetween`); absent once it has ended. */
  readonly load?: TaskLoad;
  /** When the last report came. */
  readonly reportedAt?: number;
}

/** A job, running or ended. */
export interface JobFacts {
  readonly id: string;
  readonly name: string;
  readonly state: JobState;
  /** When each state was entered last. */
  readonly timestamps: Readonly<Partial<Record<JobState, number>>>;
  readonly graph: JobGraph;
  readonly defaultParallelism: number;
  /** The newest attempt of each subtask. */
  readonly subtasks: readonly SubtaskFacts[];
  /** Earlier attempts, as far as they are still known. */
  readonly formerSubtasks?: readonly SubtaskFacts[];
  /** For people: "exponential-delay: 1 s to 1 min". */
  readonly restartStrategy: string;
  readonly restarts: number;
  /** The job's options, secrets masked. */
  readonly configuration: Readonly<Record<string, string>>;
  readonly checkpointSettings: CheckpointSettings;
  readonly requirements: ResourceRequirements;
  readonly checkpoints: CheckpointHistory;
  readonly exceptions: ExceptionHistory;
}

/** A JobManager, as far as its gateway needs it. */
export interface ClusterModel {
  readonly version: string;
  /** Where REST is reached, for people. */
  readonly address: string;
  /** Is this the leader, and does it know its jobs? Everything but this is only asked if so. */
  ready(): boolean;
  /** The cluster's options, secrets masked. */
  configuration(): readonly ConfigurationEntry[];
  /** Of the JobManager's process. */
  metrics(): Readonly<Record<string, number>>;
  taskManagers(): readonly TaskManagerFacts[];
  /** Running and ended ones, newest first. */
  jobs(): readonly JobFacts[];
  job(jobId: string): JobFacts | undefined;

  /** Resolves when the request is accepted; harmless if the job has ended. */
  cancelJob(jobId: string): Promise<void>;
  /** Resolves with the checkpoint's number when it is complete. */
  checkpoint(jobId: string): Promise<number>;
  /** Resolves with the savepoint's directory when it is complete. */
  savepoint(jobId: string, directory: string | undefined): Promise<string>;
  /** Resolves with the savepoint's directory when the job has ended with it. */
  stop(jobId: string, options: { readonly directory: string | undefined; readonly drain: boolean }): Promise<string>;
  disposeSavepoint(path: string): Promise<void>;
  /** Vertices and bounds were checked against the graph. */
  updateRequirements(jobId: string, requirements: ResourceRequirements): Promise<void>;
  /** Builds the graph that the job would have. */
  planArtifact(artifact: StoredArtifact, request: ArtifactPlanRequest): Promise<JobGraph>;
  /** Resolves with the job's id when the job is accepted. */
  runArtifact(artifact: StoredArtifact, request: ArtifactRunRequest): Promise<string>;
  shutDown(): Promise<void>;
}

/** An artifact and the file it lies in. */
export interface StoredArtifact extends ArtifactInfo {
  readonly path: string;
}
