/** A JobManager's facts and commands, for its gateway (REST, command line, clients). */
import type { Clock } from '../common/clock.js';
import type { Disk } from '../common/disk.js';
import { MillstreamError } from '../common/errors.js';
import { buildJobGraph } from '../plan/build-job-graph.js';
import type { JobGraph } from '../plan/job-graph.js';
import type { ConfigurationEntry } from './gateway/cluster-info.js';
import type { ClusterModel, JobFacts, StoredArtifact, TaskManagerFacts } from './gateway/cluster-model.js';
import { ENDED_JOB_STATES, type ResourceRequirements } from './gateway/job-info.js';
import type { ArtifactPlanRequest, ArtifactRunRequest } from './gateway/operation-info.js';
import type { JobManager } from './job-manager.js';
import type { JobMaster } from './job-master.js';
import type { UnrecoveredJob } from './unrecovered-job.js';

/** What a {@link JobManagerModel} needs. */
export interface JobManagerModelOptions {
  /** The leading one; undefined while another process leads. */
  readonly jobManager: () => JobManager | undefined;
  readonly version: string;
  /** Where REST is reached. */
  readonly address: string;
  readonly configuration: readonly ConfigurationEntry[];
  readonly clock: Clock;
  readonly disk: Disk;
  readonly shutDown: () => Promise<void>;
}

/** A JobManager as its gateway sees it. */
export class JobManagerModel implements ClusterModel {
  readonly version: string;
  readonly address: string;
  private readonly options: JobManagerModelOptions;

  constructor(options: JobManagerModelOptions) {
    this.options = options;
    this.version = options.version;
    this.address = options.address;
  }

  ready(): boolean {
    return this.options.jobManager()?.knowsJobs === true;
  }

  private get leading(): JobManager {
    const jobManager = this.options.jobManager();
    if (jobManager !== undefined) return jobManager;
    throw new MillstreamError('CLUSTER_UNAVAILABLE', 'This JobManager does not lead. Ask again: a leader is being elected.', {
      retryable: true,
    });
  }

  configuration(): readonly ConfigurationEntry[] {
    return this.options.configuration;
  }

  metrics(): Readonly<Record<string, number>> {
    const { heapUsed, rss } = process.memoryUsage();
    const { pool, jobs, staleMessages } = this.leading;
    return {
      heapUsed,
      rss,
      taskSlotsTotal: pool.totalSlots,
      taskSlotsAvailable: pool.freeSlots,
      numRegisteredTaskManagers: pool.taskManagers.length,
      numRunningJobs: [...jobs.values()].filter((job) => !ENDED_JOB_STATES.has(job.facts.state)).length,
      numStaleMessages: staleMessages,
    };
  }

  taskManagers(): readonly TaskManagerFacts[] {
    return this.leading.pool.taskManagers.map((member) => ({
      id: member.id,
      address: member.description.host,
      dataPort: member.description.data.port,
      slots: member.description.slots,
      taken: member.jobs,
      lastHeartbeatAt: member.lastHeardAt,
      hardware: member.description.hardware,
      metrics: member.figures,
    }));
  }

  jobs(): readonly JobFacts[] {
    this.leading.forgetEnded();
    const { unrecovered, jobs } = this.leading;
    return [...unrecovered.values(), ...jobs.values()].map(factsOf).reverse();
  }

  job(jobId: string): JobFacts | undefined {
    const { unrecovered, jobs } = this.leading;
    const job = jobs.get(jobId) ?? unrecovered.get(jobId);
    return job === undefined ? undefined : factsOf(job);
  }

  private master(jobId: string): JobMaster {
    const job = this.leading.jobs.get(jobId);
    if (job !== undefined) return job;
    throw new MillstreamError('NOT_FOUND', `There is no job '${jobId}'. 'millstream list' shows the jobs.`);
  }

  async cancelJob(jobId: string): Promise<void> {
    if (this.leading.unrecovered.has(jobId)) return await this.leading.giveUp(jobId);
    const job = this.master(jobId);
    if (!ENDED_JOB_STATES.has(job.facts.state)) job.cancel();
  }

  async checkpoint(jobId: string): Promise<number> {
    return await this.master(jobId).checkpoint();
  }

  async savepoint(jobId: string, directory: string | undefined): Promise<string> {
    return await this.master(jobId).savepoint(directory);
  }

  async stop(jobId: string, options: { readonly directory: string | undefined; readonly drain: boolean }): Promise<string> {
    return await this.master(jobId).stopWithSavepoint(options.directory, options.drain);
  }

  async disposeSavepoint(path: string): Promise<void> {
    await this.leading.disposeSavepoint(path);
  }

  async updateRequirements(jobId: string, requirements: ResourceRequirements): Promise<void> {
    await this.master(jobId).require(requirements);
  }

  async planArtifact(artifact: StoredArtifact, request: ArtifactPlanRequest): Promise<JobGraph> {
    return buildJobGraph(await this.leading.programs.plan(await this.submission(artifact, request)));
  }

  async runArtifact(artifact: StoredArtifact, request: ArtifactRunRequest): Promise<string> {
    const job = await this.leading.submit({
      ...(await this.submission(artifact, request)),
      run: {
        ...(request.savepointPath !== undefined && { from: request.savepointPath }),
        ...(request.allowNonRestoredState !== undefined && { allowNonRestoredState: request.allowNonRestoredState }),
      },
      id: request.jobId,
    });
    return job.id;
  }

  private async submission(
    artifact: StoredArtifact,
    request: ArtifactPlanRequest | ArtifactRunRequest,
  ): Promise<{ content: Uint8Array; argv: readonly string[]; options: Record<string, unknown> }> {
    return {
      content: await this.options.disk.readFile(artifact.path),
      argv: [artifact.name, ...(request.programArgsList ?? [])],
      options: {
        ...request.configuration,
        ...(request.parallelism !== undefined && { 'parallelism.default': request.parallelism }),
        ...('claimMode' in request && request.claimMode !== undefined && { 'execution.state-recovery.claim-mode': request.claimMode }),
      },
    };
  }

  async shutDown(): Promise<void> {
    await this.options.shutDown();
  }
}

function factsOf(job: JobMaster | UnrecoveredJob): JobFacts {
  const { facts, settings } = job;
  const { checkpoints } = settings;
  return {
    id: job.id,
    name: job.name,
    state: facts.state,
    timestamps: { ...facts.timestamps },
    graph: facts.graph,
    defaultParallelism: settings.defaultParallelism,
    subtasks: facts.subtasks,
    restartStrategy: settings.restart.type,
    restarts: facts.restarts,
    configuration: job.configuration,
    checkpointSettings: {
      mode: settings.alignBarriers ? 'exactly_once' : 'at_least_once',
      interval: checkpoints.intervalMs ?? -1,
      timeout: checkpoints.timeoutMs,
      min_pause: checkpoints.minPauseMs,
      max_concurrent: 1,
      externalization: { enabled: settings.checkpointDirectory !== undefined, delete_on_cancellation: false },
      state_backend: 'heap',
      checkpoint_storage: settings.checkpointDirectory ?? 'none',
      unaligned_checkpoints: settings.overtakeAfterMs !== undefined,
      tolerable_failed_checkpoints: checkpoints.tolerableFailures,
    },
    requirements: job.requirements,
    checkpoints: facts.checkpoints,
    exceptions: facts.exceptions,
  };
}
