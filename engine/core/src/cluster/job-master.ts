/** A job on a cluster: evaluates its program, runs it on the pool's slots, and knows how it goes. */
import type { FileSystems } from '../checkpoint/file-systems.js';
import type { Clock } from '../common/clock.js';
import type { Disk } from '../common/disk.js';
import { asMillstreamError, MillstreamError } from '../common/errors.js';
import type { Entropy } from '../common/random.js';
import { buildJobGraph } from '../plan/build-job-graph.js';
import type { JobProgram } from '../plan/plan.js';
import type { ProgramArtifact } from '../runtime/program-artifact.js';
import type { ArtifactModule } from './control-messages.js';
import { ENDED_JOB_STATES, type ResourceRequirements } from './gateway/job-info.js';
import { type HistorySizes, JobFactsCollector } from './job-facts.js';
import { JobRun } from './job-run.js';
import type { RunOutcome } from './job-run-options.js';
import type { RunOptions } from './job-settings.js';
import type { CheckpointUsers } from './run-directory.js';
import { createJobScheduler, type JobScheduler, type SchedulerSettings } from './scheduling/job-scheduler.js';
import type { SlotPool } from './slot-pool.js';

export interface JobMasterOptions {
  readonly id: string;
  readonly program: JobProgram;
  readonly artifact: ProgramArtifact;
  readonly module: ArtifactModule;
  readonly run: RunOptions;
  readonly pool: SlotPool;
  readonly term: number;
  readonly histories?: HistorySizes | undefined;
  /** As of {@link JobRun}. */
  readonly userOf: CheckpointUsers;
  /** Removes the job from what the next leader finds; undefined: there is none. */
  readonly forget: (() => Promise<void>) | undefined;
  readonly scheduler: SchedulerSettings;
  /** Bounds of its parallelism, where they have been changed since it was submitted. */
  readonly requirements: ResourceRequirements | undefined;
  /** Keeps changed bounds for the next leader. */
  readonly keepRequirements: (requirements: ResourceRequirements) => Promise<void>;
  readonly clock: Clock;
  readonly disk: Disk;
  readonly entropy: Entropy;
  /** Where checkpoints lie. Default: the disk, and object stores as their environment says. */
  readonly files?: FileSystems | undefined;
}

/** A job on a cluster, from its submission to its end. */
export class JobMaster {
  readonly id: string;
  readonly name: string;
  readonly facts: JobFactsCollector;
  /** The options that were set, for people. */
  readonly configuration: Readonly<Record<string, string>>;
  /** Resolves when the job has ended, however. */
  readonly ended: Promise<void>;
  isAbandoned = false;
  private readonly run: JobRun;
  private readonly forget: (() => Promise<void>) | undefined;
  private readonly scheduler: JobScheduler;
  private readonly pool: SlotPool;

  /** Starts at once. Throws INVALID_OPTION. */
  constructor(options: JobMasterOptions) {
    const { program } = options;
    this.id = options.id;
    this.name = program.plan.jobName;
    this.configuration = Object.fromEntries(Object.entries(program.plan.options).map(([key, value]) => [key, String(value)]));
    const graph = buildJobGraph(program.plan);
    this.facts = new JobFactsCollector(graph, options.clock, options.histories);
    this.pool = options.pool;
    this.scheduler = createJobScheduler({
      settings: options.scheduler,
      job: {
        pool: options.pool,
        job: options.id,
        jobName: this.name,
        slots: {
          term: options.term,
          module: options.module,
          entropy: options.entropy,
          onPlaced: (placement, hosts) => this.facts.placed(placement, hosts),
        },
      },
      graph,
      requirements: options.requirements,
      keepRequirements: options.keepRequirements,
      clock: options.clock,
      run: () => this.run,
    });
    this.run = new JobRun({
      program,
      artifact: options.artifact,
      options: options.run,
      clock: options.clock,
      disk: options.disk,
      entropy: options.entropy,
      ...(options.files !== undefined && { files: options.files }),
      observer: this.facts,
      term: options.term,
      run: options.id.slice(0, 16),
      userOf: options.userOf,
      beforeRemoval: options.forget,
      scheduler: this.scheduler,
      parallelism: (submitted) => this.scheduler.required(submitted),
    });
    this.forget = options.forget;
    this.ended = this.execute();
  }

  private async execute(): Promise<void> {
    let outcome: RunOutcome['type'] | 'failed';
    try {
      outcome = (await this.run.execute()).type;
    } catch (error) {
      outcome = 'failed';
      const typed = asMillstreamError(error);
      this.facts.failed(typed);
      // Another leader has it, whether this one has heard of that or not.
      if (typed.code === 'JOB_RECORD_CONFLICT') this.isAbandoned = true;
    } finally {
      this.scheduler.close();
      this.pool.forget(this.id);
      if (!this.isAbandoned && this.settings.localState.writes) {
        for (const member of this.pool.taskManagers) member.send({ type: 'forget', run: this.run.run });
      }
    }
    await this.conclude(outcome);
  }

  /** Nobody hears of the end of a job that another leader would still go on with. */
  private async conclude(outcome: RunOutcome['type'] | 'failed'): Promise<void> {
    // While it is on the list, another leader will go on with it.
    if (!this.isAbandoned)
      await this.forget?.().catch(() => {
        this.isAbandoned = true;
      });
    if (this.isAbandoned) return this.facts.ended('SUSPENDED');
    this.facts.ended(outcome === 'cancelled' ? 'CANCELED' : outcome === 'failed' ? 'FAILED' : 'FINISHED');
  }

  get settings(): JobRun['settings'] {
    return this.run.settings;
  }

  /** Whether this job runs as this run, or would read the checkpoint in this directory after a failure. */
  uses(run: string | undefined, directory: string): boolean {
    return !ENDED_JOB_STATES.has(this.facts.state) && (this.run.run === run || this.run.needs(directory));
  }

  /** The directory of the last complete checkpoint, if one is kept. */
  get lastCheckpoint(): string | undefined {
    return this.run.lastCheckpoint;
  }

  /** Resolves with the number of the checkpoint when it is complete. */
  async checkpoint(): Promise<number> {
    return await this.run.checkpoint();
  }

  /** Resolves with the savepoint's directory when it is complete. Without `target`: in `execution.checkpointing.savepoint-dir`. */
  async savepoint(target: string | undefined): Promise<string> {
    return await this.run.savepoint(this.savepointTarget(target), undefined);
  }

  /** Resolves with the savepoint's directory when the job has ended with it, and all is committed. Throws CHECKPOINT_FAILED. */
  async stopWithSavepoint(target: string | undefined, drain: boolean): Promise<string> {
    const directory = await this.run.savepoint(this.savepointTarget(target), drain ? 'drain' : 'suspend');
    await this.ended;
    const { state } = this.facts;
    if (state === 'FINISHED') return directory;
    throw new MillstreamError(
      'CHECKPOINT_FAILED',
      `Cannot stop job "${this.name}" in good order: its savepoint '${directory}' is complete, but the job has ended as ${state} before all its results were committed. Start a job from the savepoint, which commits them, unless another JobManager goes on with this one.`,
      { details: { directory } },
    );
  }

  private savepointTarget(target: string | undefined): string {
    const directory = target ?? this.settings.savepointDirectory;
    if (directory !== undefined) return directory;
    throw new MillstreamError(
      'CHECKPOINT_FAILED',
      "Cannot take a savepoint: no directory was given for it. Name one, or set 'execution.checkpointing.savepoint-dir'.",
    );
  }

  /** Bounds of each vertex's parallelism. */
  get requirements(): ResourceRequirements {
    return this.scheduler.requirements;
  }

  /** Changes the bounds of the vertices' parallelism, for all attempts to come; the job rescales as its scheduler does. */
  async require(requirements: ResourceRequirements): Promise<void> {
    await this.scheduler.require(requirements);
  }

  /** Kills a slot as a crash would; for tests and demonstrations. */
  killSlot(slot: number): void {
    this.run.killSlot(slot);
  }

  /** Another leader has the job now: ends without a trace. */
  abandon(): void {
    this.isAbandoned = true;
    this.run.cancel();
  }

  cancel(): void {
    this.facts.enter('CANCELLING');
    this.run.cancel();
  }

  /** Ends the job with a last checkpoint to resume from, if it has a checkpoint directory. */
  stop(): void {
    this.run.stop();
  }
}

/** Throws INVALID_PLAN for what only the embedded driver, or another scheduler, can run. */
export function checkClusterProgram({ plan }: JobProgram, scheduler: SchedulerSettings | undefined): void {
  if (scheduler?.type === 'Adaptive' && plan.slotResources !== undefined) {
    throw new MillstreamError(
      'INVALID_PLAN',
      `Cannot run job "${plan.jobName}" with 'jobmanager.scheduler: Adaptive': its slot sharing groups say what their slots need, and the adaptive scheduler counts equal slots. Make the groups without resources, or use the default scheduler.`,
    );
  }
  if (!plan.nodes.some((node) => node.kind === 'collect')) return;
  throw new MillstreamError(
    'INVALID_PLAN',
    `Cannot run job "${plan.jobName}" on a cluster: executeAndCollect hands results to the program, which does not run there. Write them to a sink, or run the program without --jobmanager.`,
  );
}
