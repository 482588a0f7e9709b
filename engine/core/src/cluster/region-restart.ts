/**
 * Restarts failed regions of an attempt from the latest checkpoint while the others go on, as Flink's region failover does.
 *
 *     failed ─▶ down: its checkpoint is given up, nothing is triggered ─▶ slots closed, pause ─▶ new number, latest checkpoint
 *            ─▶ new slots, splits back ─▶ deployed ─▶ start ─▶ checkpoints again
 *
 * Invariants: 1. regions that fail at once (they shared a TaskManager, or a cause) count as one failure; 2. what cannot be restarted alone takes the
 * attempt with it; 3. the latest checkpoint is read when no other can become complete any more.
 */
import type { ScheduledCall } from '../common/clock.js';
import { asMillstreamError, type MillstreamError } from '../common/errors.js';
import type { SubtaskRestore } from '../runtime/deployment.js';
import type { RecordPosition } from '../runtime/slot-messages.js';
import type { AttemptOptions, RegionFailover } from './attempt-options.js';
import type { CheckpointPerformer } from './checkpoint-performer.js';
import { Pauses } from './pauses.js';
import type { RegionExecution } from './region-execution.js';
import type { RestoreShares } from './restore-shares.js';
import type { SourceCoordinator } from './source-coordinator.js';

/** The attempt, as its regions' restarts see it. */
export interface RestartedAttempt {
  readonly checkpoints: CheckpointPerformer;
  /** By vertex id. */
  readonly sources: ReadonlyMap<string, SourceCoordinator>;
  isSettled(): boolean;
  /** It ends. */
  failed(error: MillstreamError, position: RecordPosition | undefined): void;
  /** New slots of a region have failed. */
  regionFailed(region: RegionExecution, error: unknown): void;
}

export class RegionRestart {
  private readonly options: AttemptOptions;
  private readonly attempt: RestartedAttempt;
  /** Those that have failed in this turn of the event loop. */
  private failures: { readonly regions: RegionExecution[]; readonly timer: ScheduledCall } | undefined;
  /** What new slots of a region restore. */
  private readonly restores = new Map<RegionExecution, RestoreShares | undefined>();
  private readonly pauses: Pauses;

  constructor(options: AttemptOptions, attempt: RestartedAttempt) {
    this.options = options;
    this.attempt = attempt;
    this.pauses = new Pauses(options.clock);
  }

  /** A region has failed. */
  failed(region: RegionExecution, error: MillstreamError, position: RecordPosition | undefined): void {
    region.status = 'down';
    const { subtasks, index } = region.region;
    this.attempt.checkpoints.regionsStopped(subtasks, `region ${index} of the job has failed: ${error.message}`);
    if (this.failures !== undefined) {
      this.failures.regions.push(region);
      return;
    }
    const regions = [region];
    const restart = (): void => {
      this.failures = undefined;
      this.restart(regions, error, position).catch((cause: unknown) => {
        if (this.attempt.isSettled()) return;
        this.attempt.failed(asMillstreamError(cause), undefined);
      });
    };
    this.failures = { regions, timer: this.options.clock.schedule(0, restart) };
  }

  /** Whether a failure now is one with a failure before. */
  get isCollecting(): boolean {
    return this.failures !== undefined;
  }

  private async restart(regions: readonly RegionExecution[], error: MillstreamError, position: RecordPosition | undefined): Promise<void> {
    if (this.attempt.isSettled()) return;
    const { observer, clock, store } = this.options;
    const { checkpoints } = this.attempt;
    const failover = this.options.failover as RegionFailover;
    const delayMs = failover.delayOf(error, position, (regions[0] as RegionExecution).region.index);
    const subtasks = regions.flatMap(({ region }) => region.subtasks);
    observer.regionsRestarting(subtasks, error, delayMs);
    await Promise.all([this.pauses.wait(delayMs), ...regions.map((region) => region.end(clock))]);
    if (this.attempt.isSettled()) return;
    const createSlots = await failover.replace(regions.flatMap(({ region }) => region.slots));
    // Behind all that the store is still doing; and not when the attempt has ended meanwhile: the record may be another one's then.
    const started = await checkpoints.change(async () => {
      if (this.attempt.isSettled()) return undefined;
      return { attempt: await store.startRegions(), restore: await failover.restore() };
    });
    if (started === undefined || this.attempt.isSettled()) return;
    const { attempt, restore } = started;
    observer.regionsDeploying(subtasks, attempt);
    for (const region of regions) {
      this.restores.set(region, restore);
      region.reopen({ ...this.options, attempt, restore: restore && sharesOf(restore, region), createSlots });
      region.start().catch((cause: unknown) => this.attempt.regionFailed(region, cause));
    }
  }

  /** The slots of a region are there again. Its readers have their splits before a checkpoint can ask for them. */
  deployed(region: RegionExecution): void {
    const { subtasks } = region.region;
    const restore = this.restores.get(region);
    this.restores.delete(region);
    for (const { vertexId, subtaskIndex } of subtasks) {
      this.attempt.sources.get(vertexId)?.reset(subtaskIndex, restore?.sources.get(vertexId));
    }
    region.broadcast({ type: 'start' });
    this.options.observer.running(subtasks);
    this.attempt.checkpoints.regionsRunning(subtasks);
  }

  /** The attempt has ended: nothing restarts any more. */
  end(): void {
    this.failures?.timer.cancel();
    this.pauses.end();
  }
}

/** Of what the job restores, what the slots of a region need. They keep it as long as they live. */
function sharesOf({ subtasks }: RestoreShares, { region }: RegionExecution): RestoreShares {
  const own = new Map<string, SubtaskRestore[]>();
  for (const { vertexId, subtaskIndex } of region.subtasks) {
    const share = subtasks.get(vertexId)?.[subtaskIndex];
    if (share === undefined) continue;
    const shares = own.get(vertexId) ?? [];
    shares[subtaskIndex] = share;
    own.set(vertexId, shares);
  }
  return { subtasks: own, sources: new Map() };
}
