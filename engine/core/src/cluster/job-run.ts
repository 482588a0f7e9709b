/**
 * A run of a job in this process: opens its checkpoint directory, starts attempts, restarts after failures as the restart strategy says,
 * and cleans up at the end.
 *
 *     created ─▶ running ─▶ finished | stopped (checkpoint kept) | cancelled | failed
 *                  ▲  │ failure, strategy allows
 *                  └──┘ restarting
 */
import { FileSystems } from '../checkpoint/file-systems.js';
import { latestCheckpoint } from '../checkpoint/job-record.js';
import type { RestorePoint } from '../checkpoint/restore-point.js';
import { resolveStatePath } from '../checkpoint/state-path.js';
import { MillstreamError } from '../common/errors.js';
import { type Entropy, seededRandom, systemEntropy } from '../common/random.js';
import { buildJobGraph } from '../plan/build-job-graph.js';
import type { JobGraph } from '../plan/job-graph.js';
import type { AttemptOutcome } from './attempt-options.js';
import { NoCheckpointStore } from './checkpoint-store.js';
import { ExecutionAttempt } from './execution-attempt.js';
import { expectedRecords } from './expected-records.js';
import type { JobDirectoryStore } from './job-directory-store.js';
import type { JobRunOptions, RunOutcome } from './job-run-options.js';
import { type RunSettings, runSettings } from './job-settings.js';
import { Pauses } from './pauses.js';
import { rescaledJobGraph } from './rescaled-job-graph.js';
import { RestartJudge } from './restart-judge.js';
import { createRestartStrategy } from './restart-strategy.js';
import type { RestoreShares } from './restore-shares.js';
import { restoredJobGraph } from './restored-job-graph.js';
import { checkRestorePoint, checkSinkTargets, openRunDirectory, openStart } from './run-directory.js';
import { failedBy, noCheckpointDirectory, prepareSavepoint } from './run-errors.js';
import { RunRestore } from './run-restore.js';
import type { AllocationReason } from './scheduling/adaptive-scheduler-state.js';
import { type AttemptAllocation, type AttemptScheduler, LOCAL_SCHEDULER } from './scheduling/attempt-scheduler.js';

/** A run of a job in this process. */
export class JobRun {
  readonly run: string;
  readonly settings: RunSettings;
  private readonly options: JobRunOptions;
  private readonly entropy: Entropy;
  private readonly files: FileSystems;
  private readonly scheduler: AttemptScheduler;
  private readonly judge: RestartJudge;
  private attempt: ExecutionAttempt | undefined;
  private directoryStore: JobDirectoryStore | undefined;
  /** At the parallelism that was asked for. */
  private graph: JobGraph;
  private allocationReason: AllocationReason = 'submitted';
  private stopWanted: 'stop' | 'cancel' | undefined;
  private endedEarly = false;
  /** What `from` means. */
  private start: RestorePoint | undefined;
  private readonly restored: RunRestore;
  private readonly pauses: Pauses;

  constructor(options: JobRunOptions) {
    this.options = options;
    this.entropy = options.entropy ?? systemEntropy;
    const { disk, clock } = options;
    this.files = options.files ?? new FileSystems({ disk, clock, random: seededRandom(this.entropy.seed()) });
    this.restored = new RunRestore(this.files);
    this.settings = runSettings(options.program.plan, options.options);
    checkSinkTargets(options.program);
    this.graph = this.asRequired(buildJobGraph(options.program.plan));
    this.scheduler = options.scheduler ?? LOCAL_SCHEDULER;
    const seed = options.options.seed ?? this.entropy.seed();
    this.run = options.run ?? seededRandom(this.entropy.seed()).uint32().toString(16).padStart(8, '0');
    this.pauses = new Pauses(clock);
    this.judge = new RestartJudge(createRestartStrategy(this.settings.restart, seededRandom(seed)), clock);
  }

  /** Runs to the end. Throws the job's error if it fails. */
  async execute(): Promise<RunOutcome> {
    // Who starts a job here is told at once what it lacks; one that another leader has begun goes on, whatever the disk does now.
    if (this.options.run === undefined) await this.openOnce();
    for (;;) {
      const outcome = await this.nextOutcome();
      if (outcome === 'cancelled') return await this.cancelled();
      const isRestarted = this.isRestarting && outcome.type === 'cancelled' && this.stopWanted === undefined;
      this.isRestarting = false;
      const isRescaled = this.takeRescaling(outcome.type === 'stopped');
      this.allocationReason = isRescaled || isRestarted ? 'rescaled' : 'failed';
      if (isRestarted || (isRescaled && outcome.type === 'stopped')) continue;
      const end = outcome.type === 'failed' ? outcome : await this.ended(outcome).catch(failedBy);
      if (end.type !== 'failed') return end;
      if (!(await this.restartAfter(end))) return await this.cancelled();
    }
  }

  /** Runs an attempt from the latest checkpoint. A store that does not answer fails the attempt, and the restart strategy decides. */
  private async nextOutcome(): Promise<AttemptOutcome | 'cancelled'> {
    let allocation: AttemptAllocation | undefined;
    try {
      await this.openOnce();
      const next = await (this.directoryStore ?? this.plainStore).startAttempt();
      // A former leader has brought the run to its end.
      if (next === undefined) return { type: this.directoryStore?.record.ended === 'stopped' ? 'stopped' : 'finished' };
      if (this.stopWanted !== undefined) return 'cancelled';
      const { attempt, epochs } = next;
      this.options.observer.slotsAwaited(this.graph);
      const rescalable = this.directoryStore !== undefined;
      allocation = await this.scheduler.allocate({ graph: this.graph, reason: this.allocationReason, rescalable });
      // Not before: a former leader may have been faster by one checkpoint.
      const shares = await this.restored.load(this.directoryStore, this.start, allocation.graph);
      if (this.stopWanted !== undefined) return 'cancelled';
      return await this.runAttempt(attempt, epochs, shares, allocation);
    } catch (error) {
      const failed = failedBy(error);
      return this.stopWanted === undefined ? failed : 'cancelled';
    } finally {
      allocation?.release();
    }
  }

  /** Ends the run: with a last checkpoint to resume from if there is a checkpoint directory, else at once. */
  stop(): void {
    if (this.stopWanted !== undefined || this.directoryStore === undefined || this.attempt === undefined) {
      this.cancel();
      return;
    }
    this.stopWanted = 'stop';
    this.directoryStore.ending = true;
    // Whoever stops a run wants its end, with a last checkpoint or without; what became of it is in the outcome.
    this.attempt.request({ id: 'stop', kind: 'checkpoint', stop: 'suspend', directory: undefined }).catch(() => this.cancel());
  }

  /**
   * Goes on at another parallelism (by vertex id; default: what its scheduler says then), from a checkpoint that is taken for it. Resolves
   * when the checkpoint is complete. Throws INVALID_REQUEST, CHECKPOINT_FAILED; the job then goes on as before.
   */
  async rescale(parallelism: ReadonlyMap<string, number> = new Map()): Promise<void> {
    const graph = rescaledJobGraph(this.graph, parallelism);
    if (this.rescaling !== undefined || this.stopWanted !== undefined) {
      throw new MillstreamError('REQUEST_CONFLICT', 'Cannot rescale the job: it is being stopped or rescaled already.');
    }
    const rescaling = { graph, promised: false };
    this.rescaling = rescaling;
    try {
      await this.request('checkpoint', 'suspend', undefined);
      rescaling.promised = true;
    } catch (error) {
      if (this.rescaling === rescaling) this.rescaling = undefined;
      throw error;
    }
  }

  private rescaling: { readonly graph: JobGraph; promised: boolean } | undefined;

  /**
   * An attempt has ended: the next one has the parallelism that was asked for, if this one stopped for it or had its checkpoint and failed
   * between that and its end.
   */
  private takeRescaling(stopped: boolean): boolean {
    const { rescaling } = this;
    this.rescaling = undefined;
    if (rescaling === undefined || this.stopWanted !== undefined || !(stopped || rescaling.promised)) return false;
    this.graph = rescaling.graph;
    return true;
  }

  /** Ends the attempt at once; the next one begins at the last complete checkpoint. False: the job is being ended. */
  restart(): boolean {
    if (this.attempt === undefined || this.stopWanted !== undefined) return false;
    this.isRestarting = true;
    this.attempt.cancel();
    return true;
  }

  private isRestarting = false;

  /** Takes a checkpoint now. Resolves with its number when it is complete. Throws CHECKPOINT_FAILED. */
  async checkpoint(): Promise<number> {
    return await this.request('checkpoint', undefined, undefined);
  }

  /**
   * Takes a savepoint into a new directory under `target`. `stop` ends the job after it: 'drain' as at the end of the input. Resolves with
   * the savepoint's directory when it is complete. Throws CHECKPOINT_FAILED; the job then goes on as before, after a drain that had begun from
   * its latest checkpoint, as its restart strategy says.
   */
  async savepoint(target: string, stop: 'suspend' | 'drain' | undefined): Promise<string> {
    const storage = this.directoryStore?.storage;
    if (storage === undefined) throw noCheckpointDirectory();
    await this.files.open(target);
    const directory = await prepareSavepoint(storage, target, this.run, this.entropy);
    try {
      if (stop === undefined) await this.request('savepoint', stop, directory);
      else await this.stopWith(directory, stop);
    } catch (error) {
      // What cannot be removed costs space only.
      await storage.abandonSavepoint(directory).catch(() => undefined);
      throw error;
    }
    return directory;
  }

  private async stopWith(directory: string, stop: 'suspend' | 'drain'): Promise<void> {
    const store = this.directoryStore;
    if (store === undefined) throw noCheckpointDirectory();
    if (this.stopWanted !== undefined || this.rescaling !== undefined) {
      throw new MillstreamError('REQUEST_CONFLICT', 'Cannot stop the job with a savepoint: it is being stopped or rescaled already.');
    }
    this.stopWanted = 'stop';
    store.ending = true;
    try {
      await this.request('savepoint', stop, directory);
    } catch (error) {
      // Unless somebody has cancelled it meanwhile, it goes on.
      if (this.stopWanted === 'stop') this.stopWanted = undefined;
      store.ending = false;
      throw error;
    }
  }

  private async request(
    kind: 'checkpoint' | 'savepoint',
    stop: 'suspend' | 'drain' | undefined,
    directory: string | undefined,
  ): Promise<number> {
    if (this.directoryStore === undefined) throw noCheckpointDirectory();
    if (this.attempt === undefined) throw new MillstreamError('CHECKPOINT_FAILED', 'Cannot take a checkpoint: the job is not running.');
    return await this.attempt.request({ id: this.entropy.token(), kind, stop, directory });
  }

  /** Ends the run at once. Completed checkpoints stay. */
  cancel(): void {
    this.stopWanted = 'cancel';
    this.attempt?.cancel();
    this.scheduler.withdraw();
    this.pauses.end();
  }

  /** Ends the run at once as finished: what it was for is there. Keeps nothing. */
  endEarly(): void {
    this.endedEarly = true;
    this.cancel();
  }

  /** The directory of the last complete checkpoint of this run, if one is kept. */
  get lastCheckpoint(): string | undefined {
    const store = this.directoryStore;
    const checkpoint = store === undefined ? undefined : latestCheckpoint(store.record);
    return store === undefined || checkpoint === undefined ? undefined : resolveStatePath(store.directory, checkpoint.path);
  }

  /** Whether the run would read the checkpoint in this directory after a failure, or owns it. */
  needs(directory: string): boolean {
    return (
      (this.lastCheckpoint ?? this.start?.path ?? this.settings.from) === directory ||
      this.directoryStore?.record.claimed?.path === directory
    );
  }

  /** Kills a slot as a crash would; for tests and demonstrations. */
  killSlot(slot: number): void {
    this.attempt?.killSlot(slot);
  }

  private isOpen = false;

  private async openOnce(): Promise<void> {
    if (this.isOpen) return;
    this.start = await this.open();
    this.isOpen = true;
  }

  private async open(): Promise<RestorePoint | undefined> {
    const { run } = this.options;
    const from = async (): Promise<RestorePoint | undefined> => await openStart(this.files, this.settings, this.options.userOf);
    // A new run makes its directory only when it can start.
    const given = run === undefined ? await from() : undefined;
    if (given !== undefined) this.restoreGraph(given);
    this.directoryStore = await openRunDirectory({
      files: this.files,
      settings: this.settings,
      plan: this.options.program.plan,
      run: this.run,
      term: this.options.term ?? 1,
      takesOver: run !== undefined,
      writer: this.entropy.token().slice(0, 8),
    });
    if (run === undefined) return await this.begun(given);
    if (this.directoryStore?.record.ended !== undefined) return undefined;
    // Where this run has a checkpoint of its own, what it started from is of no use any more and may be gone.
    const point = (await this.directoryStore?.latest()) ?? (await from());
    if (point !== undefined) this.restoreGraph(point);
    return await this.begun(point);
  }

  private asRequired(graph: JobGraph): JobGraph {
    return this.options.parallelism?.(graph) ?? graph;
  }

  private restoreGraph(point: RestorePoint): void {
    const { plan } = this.options.program;
    this.graph = this.asRequired(restoredJobGraph(plan, point));
    checkRestorePoint(point, plan.jobName, this.graph, this.settings.allowNonRestoredState);
  }

  /** Writes the run's first record, unless there is one. */
  private async begun(point: RestorePoint | undefined): Promise<RestorePoint | undefined> {
    if (this.directoryStore?.record.attempt === 0) await this.directoryStore.begin(point, this.settings.claim);
    return point;
  }

  private readonly plainStore = new NoCheckpointStore();

  private async runAttempt(
    attempt: number,
    epochs: { first: number; last: number },
    restore: RestoreShares | undefined,
    { graph, createSlots, replace, running, isElastic }: AttemptAllocation,
  ): Promise<AttemptOutcome> {
    const { program, artifact, options, clock, disk, observer } = this.options;
    const execution = new ExecutionAttempt({
      run: this.run,
      attempt,
      jobAttempt: attempt,
      program,
      graph,
      artifact,
      store: this.directoryStore ?? this.plainStore,
      epochs,
      restore,
      checkpoints: this.settings.checkpoints,
      defaultParallelism: this.settings.defaultParallelism,
      channels: this.settings.channels,
      alignBarriers: this.settings.alignBarriers,
      overtakeAfterMs: isElastic === true ? undefined : this.settings.overtakeAfterMs,
      checked: options.checked ?? false,
      seed: options.seed ?? this.entropy.seed(),
      watermarkIntervalMs: this.settings.watermarkIntervalMs,
      sampleDelays: options.sampleDelays ?? false,
      localState: this.settings.localState,
      youngGenerationMb: options.youngGenerationMb ?? 96,
      clock,
      disk,
      createSlots,
      failover: replace && {
        delayOf: (error, position, region) => this.judge.delayOf({ error, position, point: this.restored.point, region }),
        restore: async () => {
          const shares = await this.restored.load(this.directoryStore, this.start, graph);
          this.restored.tell(observer);
          return shares;
        },
        replace,
      },
      running,
      observer,
    });
    this.attempt = execution;
    observer.attemptStarted(attempt, graph, this.restored.point?.path, expectedRecords(program));
    this.restored.tell(observer);
    const outcome = await execution.run();
    this.attempt = undefined;
    return outcome;
  }

  private async ended(outcome: AttemptOutcome): Promise<RunOutcome> {
    if (outcome.type === 'stopped') return await this.stopped();
    return outcome.type === 'finished' ? await this.finished() : await this.cancelled();
  }

  private async stopped(): Promise<RunOutcome> {
    await this.directoryStore?.end('stopped');
    return { type: 'stopped', checkpoint: this.lastCheckpoint as string };
  }

  private async finished(): Promise<RunOutcome> {
    await this.directoryStore?.end('finished');
    // Whoever still knows of the run must find its record, not nothing, which is where runs begin.
    await this.options.beforeRemoval?.();
    await this.directoryStore?.remove(this.options.beforeRemoval !== undefined);
    return { type: 'finished' };
  }

  private async cancelled(): Promise<RunOutcome> {
    if (this.endedEarly) return await this.finished();
    // Where the storage does not answer, what is known is said.
    await this.directoryStore?.settle().catch(() => undefined);
    return { type: 'cancelled', checkpoint: this.lastCheckpoint ?? this.start?.path };
  }

  /** Waits as long as the strategy says; false if the run was cancelled meanwhile. Throws the error if there is no restart. */
  private async restartAfter(outcome: AttemptOutcome & { type: 'failed' }): Promise<boolean> {
    if (this.stopWanted !== undefined) return false;
    const { error, position } = outcome;
    const delayMs = this.judge.delayOf({ error, position, point: this.restored.point });
    this.options.observer.restarting(error, delayMs);
    await this.pauses.wait(delayMs);
    return this.stopWanted === undefined;
  }
}
