/**
 * A run of a job in this process: opens its checkpoint directory, starts attempts, restarts after failures as the restart strategy says,
 * and cleans up at the end.
 *
 *     created ─▶ running ─▶ finished | stopped (checkpoint kept) | cancelled | failed
 *                  ▲  │ failure, strategy allows
 *                  └──┘ restarting
 */
import { resolve as resolvePath } from 'node:path';
import { createJobRecord, type JobRecord, latestCheckpoint } from '../checkpoint/job-record.js';
import { JobRecordStore } from '../checkpoint/job-record-store.js';
import { checkRestore } from '../checkpoint/restore-check.js';
import { openListed, openRestorePoint, type RestorePoint } from '../checkpoint/restore-point.js';
import { resolveStatePath } from '../checkpoint/state-path.js';
import { CheckpointStorage } from '../checkpoint/storage.js';
import type { Clock } from '../common/clock.js';
import type { Disk } from '../common/disk.js';
import { MillstreamError } from '../common/errors.js';
import { entropySeed, seededRandom } from '../common/random.js';
import { buildJobGraph } from '../plan/build-job-graph.js';
import type { JobGraph } from '../plan/job-graph.js';
import type { JobProgram } from '../plan/plan.js';
import type { ProgramArtifact } from '../runtime/program-artifact.js';
import type { AttemptObserver, AttemptOptions, AttemptOutcome } from './attempt-options.js';
import { createLocalSlots } from './attempt-slots.js';
import { type CheckpointStore, NoCheckpointStore } from './checkpoint-store.js';
import { ExecutionAttempt } from './execution-attempt.js';
import { JobDirectoryStore } from './job-directory-store.js';
import { type RunOptions, type RunSettings, runSettings } from './job-settings.js';
import { NO_POISON_RECORD, type PoisonRecordState, poisonRecordError, recordFailure } from './poison-record.js';
import { createRestartStrategy, type RestartStrategy } from './restart-strategy.js';
import { type RestoreShares, restoreShares } from './restore-shares.js';
import { restoredJobGraph } from './restored-job-graph.js';
import { isFinal, offerPrevious, prepareDirectory } from './run-errors.js';

/** Hears how a run goes; for progress and tests. */
export interface RunObserver extends AttemptObserver {
  /** `expectedRecords`: of sources that know how many they will read, by vertex id. */
  attemptStarted(attempt: number, graph: JobGraph, restoredFrom: string | undefined, expectedRecords: ReadonlyMap<string, number>): void;
  restarting(error: MillstreamError, delayMs: number): void;
}

/** How a run ended that did not fail. */
export type RunOutcome =
  | { readonly type: 'finished' }
  /** `checkpoint`: the directory to resume from. */
  | { readonly type: 'stopped'; readonly checkpoint: string }
  /** `checkpoint`: the last one that was kept, or that the run was restored from. */
  | { readonly type: 'cancelled'; readonly checkpoint: string | undefined };

/** What a {@link JobRun} needs. */
export interface JobRunOptions {
  readonly program: JobProgram;
  readonly artifact: ProgramArtifact;
  readonly options: RunOptions;
  readonly clock: Clock;
  readonly disk: Disk;
  readonly observer: RunObserver;
  /** Where slots run. Default: in threads of this process. */
  readonly createSlots?: AttemptOptions['createSlots'];
}

/** A run of a job in this process. */
export class JobRun {
  readonly run: string;
  readonly settings: RunSettings;
  private readonly options: JobRunOptions;
  private strategy: RestartStrategy;
  private poison: PoisonRecordState = NO_POISON_RECORD;
  private attempt: ExecutionAttempt | undefined;
  private directoryStore: JobDirectoryStore | undefined;
  private graph: JobGraph;
  private stopWanted: 'stop' | 'cancel' | undefined;
  private endedEarly = false;
  /** What `from` means. */
  private start: RestorePoint | undefined;
  private pause: { wake: () => void } | undefined;

  constructor(options: JobRunOptions) {
    this.options = options;
    const { plan } = options.program;
    this.settings = runSettings(plan, options.options);
    checkSinkTargets(options.program);
    this.graph = buildJobGraph(plan);
    const seed = options.options.seed ?? entropySeed();
    this.run = seededRandom(entropySeed()).uint32().toString(16).padStart(8, '0');
    this.strategy = createRestartStrategy(this.settings.restart, seededRandom(seed));
  }

  /** Runs to the end. Throws the job's error if it fails. */
  async execute(): Promise<RunOutcome> {
    this.start = await this.open();
    let point = this.start;
    for (;;) {
      const { attempt, epochs } = await this.nextAttempt();
      const shares = point === undefined ? undefined : await this.shares(point);
      if (this.stopWanted !== undefined) return await this.cancelled();
      const outcome = await this.runAttempt(attempt, epochs, shares, point?.path);
      if (outcome.type !== 'failed') return await this.ended(outcome);
      if (!(await this.restartAfter(outcome, point))) return await this.cancelled();
      point = (await this.latest()) ?? this.start;
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
    this.attempt.request({ id: 'stop', kind: 'checkpoint', stop: 'suspend', directory: undefined });
  }

  /** Ends the run at once. Completed checkpoints stay. */
  cancel(): void {
    this.stopWanted = 'cancel';
    this.attempt?.cancel();
    this.pause?.wake();
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

  /** Kills a slot as a crash would; for tests and demonstrations. */
  killSlot(slot: number): void {
    this.attempt?.killSlot(slot);
  }

  private async open(): Promise<RestorePoint | undefined> {
    const { disk, options, program } = this.options;
    const point = options.from === undefined ? undefined : await openRestorePoint(disk, resolvePath(options.from));
    if (point !== undefined) {
      this.graph = restoredJobGraph(program.plan, point);
      this.checkPoint(point);
    }
    if (this.settings.checkpointDirectory === undefined) return point;
    const directory = resolvePath(this.settings.checkpointDirectory, `${safeName(program.plan.jobName)}-${this.run}`);
    const storage = new CheckpointStorage(disk, directory);
    await prepareDirectory(storage);
    const records = new JobRecordStore(disk, directory, this.run);
    const record: JobRecord = createJobRecord({
      job: program.plan.jobName,
      run: this.run,
      term: 1,
      structuralHash: program.plan.structuralHash,
      restoredFrom: point?.path,
    });
    const version = await records.compareAndSet(0, record);
    this.directoryStore = new JobDirectoryStore({ disk, storage, records, version, record, retained: this.settings.retainedCheckpoints });
    return point;
  }

  private checkPoint(point: RestorePoint): void {
    const { program, options } = this.options;
    checkRestore(
      point.metadata,
      point.path,
      {
        jobName: program.plan.jobName,
        operators: this.graph.vertices.flatMap((vertex) =>
          vertex.chain.map(({ node }) => ({
            operatorId: node.id,
            maxParallelism: node.keyed ? vertex.maxParallelism : node.maxParallelism,
          })),
        ),
      },
      { allowNonRestoredState: options.allowNonRestoredState ?? false },
    );
  }

  private async nextAttempt(): Promise<{ attempt: number; epochs: { first: number; last: number } }> {
    if (this.directoryStore !== undefined) return await this.directoryStore.startAttempt();
    this.plainAttempts++;
    return { attempt: this.plainAttempts, epochs: await this.plainStore.reserveEpochs() };
  }

  private plainAttempts = 0;
  private readonly plainStore = new NoCheckpointStore();

  private async shares(point: RestorePoint): Promise<RestoreShares> {
    const storage = this.directoryStore?.storage ?? new CheckpointStorage(this.options.disk, point.path);
    return await restoreShares(point, this.graph, storage);
  }

  private async latest(): Promise<RestorePoint | undefined> {
    const store = this.directoryStore;
    const checkpoint = store === undefined ? undefined : latestCheckpoint(store.record);
    if (store === undefined || checkpoint === undefined) return undefined;
    return await openListed(this.options.disk, store.directory, store.record, checkpoint);
  }

  private async runAttempt(
    attempt: number,
    epochs: { first: number; last: number },
    restore: RestoreShares | undefined,
    restoredFrom: string | undefined,
  ): Promise<AttemptOutcome> {
    const { program, artifact, options, clock, disk, observer } = this.options;
    const store: CheckpointStore = this.directoryStore ?? this.plainStore;
    const execution = new ExecutionAttempt({
      run: this.run,
      attempt,
      program,
      graph: this.graph,
      artifact,
      store,
      epochs,
      restore,
      checkpoints: this.settings.checkpoints,
      defaultParallelism: this.settings.defaultParallelism,
      channels: this.settings.channels,
      alignBarriers: this.settings.alignBarriers,
      checked: options.checked ?? false,
      seed: options.seed ?? entropySeed(),
      watermarkIntervalMs: this.settings.watermarkIntervalMs,
      sampleDelays: options.sampleDelays ?? false,
      youngGenerationMb: options.youngGenerationMb ?? 96,
      clock,
      disk,
      createSlots: this.options.createSlots ?? createLocalSlots,
      observer,
    });
    this.attempt = execution;
    observer.attemptStarted(attempt, this.graph, restoredFrom, this.expectedRecords());
    const outcome = await execution.run();
    this.attempt = undefined;
    return outcome;
  }

  private expectedRecords(): ReadonlyMap<string, number> {
    const expected = new Map<string, number>();
    for (const { id } of this.graph.vertices) {
      const implementation = this.options.program.implementations.get(id);
      if (implementation?.type !== 'source' || implementation.source.recordCountEstimate === undefined) continue;
      expected.set(id, implementation.source.recordCountEstimate);
    }
    return expected;
  }

  private async ended(outcome: AttemptOutcome): Promise<RunOutcome> {
    if (outcome.type === 'stopped') {
      const point = (await this.latest()) as RestorePoint;
      return { type: 'stopped', checkpoint: point.path };
    }
    return outcome.type === 'finished' ? await this.finished() : await this.cancelled();
  }

  private async finished(): Promise<RunOutcome> {
    await this.directoryStore?.remove();
    return { type: 'finished' };
  }

  private async cancelled(): Promise<RunOutcome> {
    if (this.endedEarly) return await this.finished();
    return { type: 'cancelled', checkpoint: ((await this.latest()) ?? this.start)?.path };
  }

  /** Waits as long as the strategy says; false if the run was cancelled meanwhile. Throws the error if there is no restart. */
  private async restartAfter(outcome: AttemptOutcome & { type: 'failed' }, point: RestorePoint | undefined): Promise<boolean> {
    const { clock, observer } = this.options;
    if (this.stopWanted !== undefined) return false;
    const { error, position } = outcome;
    if (isFinal(error)) throw offerPrevious(error, point);
    const { state, poison } = recordFailure(this.poison, position);
    this.poison = state;
    if (poison && position !== undefined) throw poisonRecordError(position, error);
    const answer = this.strategy.next(clock.monotonic());
    this.strategy = answer.strategy;
    if (!answer.restart) throw error;
    observer.restarting(error, answer.delayMs);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.pause = { wake: resolve };
    const timer = clock.schedule(answer.delayMs, resolve);
    await promise;
    timer.cancel();
    this.pause = undefined;
    return this.stopWanted === undefined;
  }
}

/** Two sinks that write to the same place would take each other's files for leftovers. Throws INVALID_PLAN. */
function checkSinkTargets(program: JobProgram): void {
  const targets = new Map<string, string>();
  for (const node of program.plan.nodes) {
    const implementation = program.implementations.get(node.id);
    const target = implementation?.type === 'sink' ? implementation.sink.target : undefined;
    if (target === undefined) continue;
    const other = targets.get(target);
    if (other !== undefined) {
      throw new MillstreamError(
        'INVALID_PLAN',
        `Cannot run the sinks "${other}" and "${node.name}": both write to '${target}'. Give each its own directory or partPrefix.`,
      );
    }
    targets.set(target, node.name);
  }
}

function safeName(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]+/g, '_').slice(0, 60) || 'job';
}
