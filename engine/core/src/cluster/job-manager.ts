/**
 * A JobManager: takes TaskManagers in, keeps their slots in a pool, and runs jobs on them. Logic only: network, clock and disk come from
 * outside.
 *
 *     TaskManager ─register─▶ pool ◀─slots─ JobMaster ◀─submit─ client
 *
 * Invariants: 1. a TaskManager that registers again replaces its old registration, whose attempts fail; 2. a program that cannot be
 * evaluated changes nothing.
 */
import { disposeSavepoint } from '../checkpoint/checkpoint-removal.js';
import { FileSystems } from '../checkpoint/file-systems.js';
import type { Clock } from '../common/clock.js';
import type { Disk } from '../common/disk.js';
import { typedTransientDiskError } from '../common/disk-error.js';
import { asMillstreamError, MillstreamError } from '../common/errors.js';
import { type Entropy, seededRandom, systemEntropy } from '../common/random.js';
import type { Connection, ConnectionListener } from '../common/transport.js';
import { decodeControl, type FromTaskManager, type TaskManagerDescription } from './control-messages.js';
import { ENDED_JOB_STATES, type ResourceRequirements } from './gateway/job-info.js';
import type { HistorySizes } from './job-facts.js';
import { checkClusterProgram, JobMaster } from './job-master.js';
import type { RunOptions } from './job-settings.js';
import { type EvaluatedProgram, ProgramEvaluator, type ProgramToRun } from './program-evaluator.js';
import type { ProgramStore } from './program-modules.js';
import type { ProgramTrial } from './program-trial.js';
import { RegisteredTaskManager } from './registered-task-manager.js';
import type { SchedulerSettings } from './scheduling/job-scheduler.js';
import type { SlotSpread } from './scheduling/match-slots.js';
import { SlotPool } from './slot-pool.js';
import type { SubmittedJob, SubmittedJobs } from './submitted-jobs.js';
import { UnrecoveredJob } from './unrecovered-job.js';

/** Between two questions to a storage that does not answer. */
const RECOVERY_RETRY_MS = 1_000;

/** Hears what happens in a cluster; for its log. */
export interface JobManagerObserver {
  taskManagerRegistered(description: TaskManagerDescription): void;
  taskManagerLost(description: TaskManagerDescription, reason: string): void;
  jobSubmitted(job: JobMaster): void;
  jobEnded(job: JobMaster): void;
  /** A job of an earlier leader cannot be gone on with. */
  recoveryFailed(job: string, error: MillstreamError): void;
  /** A connection that did not keep to the protocol. */
  refused(remote: string, error: MillstreamError): void;
}

/** What a {@link JobManager} needs. */
export interface JobManagerOptions {
  readonly clock: Clock;
  readonly disk: Disk;
  /** Where checkpoints lie. Default: the disk, and object stores as their environment says. */
  readonly files?: FileSystems | undefined;
  /** Default: the machine's. */
  readonly entropy?: Entropy | undefined;
  readonly modules: ProgramStore;
  readonly term: number;
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly scheduler: SchedulerSettings;
  readonly spread: SlotSpread;
  /** How long a job keeps slots between two attempts. Default 0: not at all. */
  readonly slotIdleTimeoutMs?: number;
  readonly observer: JobManagerObserver;
  readonly histories?: HistorySizes | undefined;
  /** Jobs that have ended are known until there are more of them, or it is longer ago. Default: 100 and one hour. */
  readonly endedJobs?: { readonly max: number; readonly keepMs: number } | undefined;
  /** Tries programs before they are evaluated in this thread. Default: none is tried. */
  readonly trial?: ProgramTrial | undefined;
  /** Options of jobs that do not set them. Default: none. */
  readonly jobDefaults?: Readonly<Record<string, unknown>> | undefined;
  /** How all jobs run; for tests. */
  readonly run?: Pick<RunOptions, 'checked' | 'ring'>;
  /** Where jobs are kept for the next leader; undefined: they end with this process. */
  readonly submitted?: SubmittedJobs | undefined;
}

/** A job to run. */
export interface JobSubmission extends ProgramToRun {
  readonly run: Pick<RunOptions, 'from' | 'allowNonRestoredState'>;
  /** Default: chosen anew. */
  readonly id?: string | undefined;
}

/** The leader of a cluster, for one term. */
export class JobManager {
  readonly pool: SlotPool;
  readonly jobs: Map<string, JobMaster> = new Map();
  /** Jobs of earlier leaders that cannot be gone on with. */
  readonly unrecovered: Map<string, UnrecoveredJob> = new Map();
  /** Whether the jobs of earlier leaders are known. */
  knowsJobs: boolean;
  /** Messages about attempts that were over. */
  staleMessages = 0;
  private readonly options: JobManagerOptions;
  private readonly entropy: Entropy;
  private isAbandoned = false;
  /** From the first call of `recover` on. */
  private recovery: Promise<void> | undefined;
  private readonly taskManagers = new Map<string, RegisteredTaskManager>();
  /** Builds graphs. */
  readonly programs: ProgramEvaluator;

  constructor(options: JobManagerOptions) {
    this.options = options;
    this.entropy = options.entropy ?? systemEntropy;
    const { clock, spread, slotIdleTimeoutMs } = options;
    this.pool = new SlotPool({ clock, spread, ...(slotIdleTimeoutMs !== undefined && { idleTimeoutMs: slotIdleTimeoutMs }) });
    this.programs = new ProgramEvaluator({ ...options, entropy: this.entropy });
    this.knowsJobs = options.submitted === undefined;
  }

  /** Ends all jobs, keeping their checkpoints, and lets the TaskManagers go. */
  async stop(): Promise<void> {
    for (const job of this.jobs.values()) job.stop();
    await Promise.all([...this.jobs.values()].map((job) => job.ended));
    for (const member of this.taskManagers.values()) member.lost('the JobManager stops');
  }

  /** Another leads now: lets everything go, and leaves jobs and their records to it. */
  async abandon(): Promise<void> {
    this.isAbandoned = true;
    for (const member of this.taskManagers.values()) member.lost('another JobManager leads');
    for (const job of this.jobs.values()) job.abandon();
    await Promise.all([...this.jobs.values()].map((job) => job.ended));
  }

  // ---- TaskManagers

  /** Takes a connection of a TaskManager. */
  accept(connection: Connection): ConnectionListener {
    let member: RegisteredTaskManager | undefined;
    return {
      onMessage: (bytes) => {
        try {
          const message = decodeControl<FromTaskManager>(bytes);
          if (member !== undefined && message.type === 'leave') this.lose(member, 'it stops');
          else if (member !== undefined) member.receive(message);
          else if (message.type === 'register') member = this.register(message, connection);
        } catch (error) {
          const typed = asMillstreamError(error);
          this.options.observer.refused(connection.remote, typed);
          connection.destroy();
          if (member !== undefined) this.lose(member, typed.message);
        }
      },
      onDrain: () => undefined,
      onClose: (error) => {
        if (member !== undefined) this.lose(member, error?.message ?? 'it closed the connection');
      },
    };
  }

  private register(
    { taskManager: description, hosted }: FromTaskManager & { readonly type: 'register' },
    connection: Connection,
  ): RegisteredTaskManager {
    const former = this.taskManagers.get(description.id);
    if (former !== undefined) this.lose(former, 'it registered again');
    const { clock, term, heartbeatIntervalMs, heartbeatTimeoutMs } = this.options;
    const member: RegisteredTaskManager = new RegisteredTaskManager({
      description,
      hosted,
      connection,
      term,
      clock,
      heartbeatIntervalMs,
      heartbeatTimeoutMs,
      onSilence: () => this.lose(member, `nothing was heard of it for ${heartbeatTimeoutMs / 1000} s`),
      onStale: () => {
        this.staleMessages++;
      },
    });
    this.taskManagers.set(description.id, member);
    this.options.observer.taskManagerRegistered(description);
    this.pool.add(member);
    return member;
  }

  private lose(member: RegisteredTaskManager, reason: string): void {
    if (member.isLost) return;
    if (this.taskManagers.get(member.id) === member) this.taskManagers.delete(member.id);
    // Before its attempts hear of it: they may ask for slots at once.
    this.pool.remove(member);
    this.options.observer.taskManagerLost(member.description, reason);
    member.lost(reason);
  }

  // ---- jobs

  /** Evaluates the program and starts its job; with an id that is known already, that job is meant. Throws as {@link ProgramEvaluator.evaluate}. */
  async submit(submission: JobSubmission): Promise<JobMaster> {
    const { id = this.entropy.token() } = submission;
    const known = this.jobs.get(id);
    if (known !== undefined) return known;
    // A request that was repeated while its first one is still being worked on.
    let started = this.starting.get(id);
    if (started === undefined) {
      started = this.begin(id, submission).finally(() => this.starting.delete(id));
      this.starting.set(id, started);
    }
    return await started;
  }

  private readonly starting = new Map<string, Promise<JobMaster>>();

  private async begin(id: string, submission: JobSubmission): Promise<JobMaster> {
    const { submitted } = this.options;
    await this.recovery;
    const recovered = this.jobs.get(id);
    if (recovered !== undefined) return recovered;
    this.checkAlone(id);
    const evaluated = await this.programs.evaluate(submission);
    checkClusterProgram(evaluated.program, this.options.scheduler);
    const listed = {
      id,
      name: evaluated.program.plan.jobName,
      module: evaluated.module.hash,
      argv: submission.argv,
      options: submission.options,
      defaults: this.options.jobDefaults ?? {},
      from: submission.run.from,
      allowNonRestoredState: submission.run.allowNonRestoredState ?? false,
    };
    try {
      await submitted?.add(listed, submission.content);
      if (this.isAbandoned) throw abandonedError();
      return this.startJob(id, submission, evaluated);
    } catch (error) {
      // Its user takes it for refused. Unless its client asks again, the next leader must not find it, as far as that is known.
      const isWanted = (): boolean => this.jobs.has(id) || this.starting.has(id);
      if (submitted !== undefined && !this.isAbandoned) this.forget(id, submitted, isWanted).catch(() => undefined);
      throw error;
    }
  }

  /** In reactive mode a job has all slots. */
  private checkAlone(id: string): void {
    const { scheduler } = this.options;
    if (scheduler?.type !== 'Adaptive' || !scheduler.reactive) return;
    const other = [...this.jobs.values()].find(({ facts }) => !ENDED_JOB_STATES.has(facts.state));
    // Of several that are being submitted the first one goes on; this one is among them.
    if (other === undefined && this.starting.keys().next().value === id) return;
    const which = other === undefined ? 'another one is being submitted' : `"${other.name}" (${other.id}) runs`;
    throw new MillstreamError(
      'REQUEST_CONFLICT',
      `Cannot run another job: with 'scheduler-mode: reactive' a cluster runs one job, and ${which}. Cancel that one, or start another cluster.`,
    );
  }

  /**
   * Goes on with the jobs that an earlier leader has left. One that cannot be gone on with has failed, is among `unrecovered`, and is left to
   * the next leader, unless it is cancelled. Storage that does not answer is asked again for as long as this process leads; submissions
   * wait for that. Throws CHECKPOINT_CORRUPT.
   */
  async recover(): Promise<void> {
    const { submitted } = this.options;
    if (submitted === undefined) return;
    this.recovery = this.recoverAll(submitted);
    await this.recovery;
  }

  private async recoverAll(submitted: SubmittedJobs): Promise<void> {
    try {
      while (!(await this.tryToRecover(submitted)) && !this.isAbandoned) {
        await new Promise<void>((resolve) => this.options.clock.schedule(RECOVERY_RETRY_MS, resolve));
      }
    } finally {
      this.knowsJobs = true;
    }
  }

  private async tryToRecover(submitted: SubmittedJobs): Promise<boolean> {
    try {
      for (const job of await submitted.takeOver()) await this.recoverJob(job);
      return true;
    } catch (error) {
      if (!isTransient(error)) throw error;
      return false;
    }
  }

  private async recoverJob(job: SubmittedJob): Promise<void> {
    const { submitted, observer, clock } = this.options;
    if (this.jobs.has(job.id) || this.isAbandoned) return;
    try {
      const { content } = await (submitted as SubmittedJobs).module(job.module);
      const run = {
        ...(job.allowNonRestoredState && { allowNonRestoredState: true }),
        ...(job.from !== undefined && { from: job.from }),
      };
      const submission = { content, argv: job.argv, options: job.options, defaults: job.defaults, run };
      const evaluated = await this.programs.evaluate(submission);
      if (!this.isAbandoned) this.startJob(job.id, submission, evaluated, job.requirements);
    } catch (error) {
      if (isTransient(error)) throw error;
      const typed = asMillstreamError(error);
      this.unrecovered.set(job.id, new UnrecoveredJob(job, typed, clock));
      observer.recoveryFailed(job.id, typed);
    }
  }

  /** The next leader will not try again to go on with an unrecovered job. */
  async giveUp(id: string): Promise<void> {
    await this.options.submitted?.remove(id);
  }

  private startJob(
    id: string,
    { argv, run }: JobSubmission,
    { program, artifact, module }: EvaluatedProgram,
    requirements?: ResourceRequirements,
  ): JobMaster {
    const { pool, options } = this;
    const { submitted } = options;
    const job = new JobMaster({
      id,
      program,
      artifact: { ...artifact, argv },
      module,
      run: { ...options.run, ...run },
      pool,
      term: options.term,
      scheduler: options.scheduler,
      histories: options.histories,
      requirements,
      keepRequirements: async (changed) => await submitted?.require(id, changed),
      forget: submitted && (async () => await this.forget(id, submitted)),
      userOf: (each, directory) => this.userOf(each, directory, id),
      clock: options.clock,
      disk: options.disk,
      entropy: this.entropy,
      files: options.files,
    });
    this.jobs.set(job.id, job);
    this.forgetEnded();
    options.observer.jobSubmitted(job);
    void job.ended.then(() => options.observer.jobEnded(job));
    return job;
  }

  /**
   * Takes a job off the list for the next leader, however often the storage has to be asked: on the list it would be run again. `isWanted`:
   * no longer to be tried. Throws JOB_RECORD_CONFLICT.
   */
  private async forget(id: string, submitted: SubmittedJobs, isWanted: () => boolean = () => false): Promise<void> {
    for (;;) {
      try {
        await submitted.remove(id);
        return;
      } catch (error) {
        if (!isTransient(error)) throw error;
      }
      await new Promise<void>((resolve) => this.options.clock.schedule(RECOVERY_RETRY_MS, resolve));
      if (this.isAbandoned) throw abandonedError();
      if (isWanted()) return;
    }
  }

  /** Forgets jobs that ended long ago, and the longest ago where there are too many. */
  forgetEnded(): void {
    const { max, keepMs } = this.options.endedJobs ?? { max: 100, keepMs: 3_600_000 };
    const now = this.options.clock.now();
    const ended = [...this.jobs.values()].flatMap(({ id, facts: { state, timestamps } }) =>
      ENDED_JOB_STATES.has(state) ? [{ id, at: timestamps[state] ?? now }] : [],
    );
    ended.sort((a, b) => b.at - a.at);
    for (const [index, { id, at }] of ended.entries()) if (index >= max || now - at > keepMs) this.jobs.delete(id);
  }

  /**
   * Names the job that runs as `run`, or would read the checkpoint in `directory` after a failure. `except`: the id of the job that asks.
   * Undefined: nobody.
   */
  userOf(run: string | undefined, directory: string, except: string | undefined): string | undefined {
    const user = [...this.jobs.values()].find((job) => job.id !== except && job.uses(run, directory));
    return user && `job "${user.name}" (${user.id})`;
  }

  /** Removes a savepoint that no job needs. Throws CHECKPOINT_NOT_FOUND, CHECKPOINT_CORRUPT, REQUEST_CONFLICT, STORAGE_…. */
  async disposeSavepoint(path: string): Promise<void> {
    const { disk, clock } = this.options;
    const files = this.options.files ?? new FileSystems({ disk, clock, random: seededRandom(this.entropy.seed()) });
    await disposeSavepoint(files, path, (directory) => this.userOf(undefined, directory, undefined));
  }
}

/** It may be gone the next time. */
function isTransient(error: unknown): boolean {
  const typed = typedTransientDiskError(error);
  return typed instanceof MillstreamError && typed.retryable;
}

function abandonedError(): MillstreamError {
  return new MillstreamError('CLUSTER_UNAVAILABLE', 'Cannot take the job: another JobManager leads now. Submit it there.', {
    retryable: true,
  });
}
